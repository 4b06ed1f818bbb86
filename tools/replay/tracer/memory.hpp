// The memory of a process that the tracer holds.
#pragma once

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

/// A file below /proc/PROCESS, closed at the end of its life.
class ProcFile {
public:
    ProcFile(pid_t process, const char* name, int flags)
        : fd_(::open(("/proc/" + std::to_string(process) + "/" + name).c_str(),
                     flags | O_CLOEXEC)) {}
    ProcFile(const ProcFile&) = delete;
    ProcFile& operator=(const ProcFile&) = delete;
    ~ProcFile() {
        if (fd_ != -1) {
            ::close(fd_);
        }
    }
    int get() const { return fd_; }

private:
    int fd_;
};

/// How many bytes could be read at the address: fewer than `size` where memory ends.
inline std::size_t read_memory(pid_t process, std::uint64_t address, void* to, std::size_t size) {
    const ProcFile memory(process, "mem", O_RDONLY);
    const ssize_t count = ::pread(memory.get(), to, size, static_cast<off_t>(address));
    return count > 0 ? static_cast<std::size_t>(count) : 0;
}

/// Writes also where the process itself may only read: into its code.
inline bool write_memory(pid_t process, std::uint64_t address, const void* from, std::size_t size) {
    const ProcFile memory(process, "mem", O_RDWR);
    return ::pwrite(memory.get(), from, size, static_cast<off_t>(address)) ==
           static_cast<ssize_t>(size);
}
