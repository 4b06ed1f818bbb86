#include "bench/allocation_counter.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "check.hpp"

namespace {

/// Whether a process has the file in its memory (proc(5), /proc/PID/maps).
bool has_loaded(pid_t process, const std::string& file) {
    std::ifstream maps("/proc/" + std::to_string(process) + "/maps");
    std::ostringstream text;
    text << maps.rdbuf();
    return text.str().find(file) != std::string::npos;
}

}  // namespace

AllocationCounter::AllocationCounter()
    : library_(std::filesystem::canonical("/proc/self/exe").parent_path() / "count-allocations.so"),
      file_(check(::memfd_create("allocations", MFD_CLOEXEC), "memfd_create")) {
    check(::ftruncate(file_.get(), sizeof(AllocationCount)), "ftruncate");
    void* page = ::mmap(nullptr, sizeof(AllocationCount), PROT_READ | PROT_WRITE, MAP_SHARED,
                        file_.get(), 0);
    if (page == MAP_FAILED) {
        throw failed_call(errno, "mmap");
    }
    count_ = static_cast<AllocationCount*>(page);  // The file is zero, and so is its count.
}

AllocationCounter::~AllocationCounter() {
    ::munmap(count_, sizeof(AllocationCount));
}

/// The file has no name, but others can open it by the descriptor that this process has of it, and
/// nothing of it remains.
std::string AllocationCounter::command_for(const std::string& server) const {
    return "env LD_PRELOAD=" + library_ + " " + allocations_file_variable + "=/proc/" +
           std::to_string(::getpid()) + "/fd/" + std::to_string(file_.get()) + " " + server;
}

bool AllocationCounter::covers(const MeasuredServer& server) const {
    const std::vector<pid_t> all = server.processes();
    return std::all_of(all.begin(), all.end(),
                       [this](pid_t process) { return has_loaded(process, library_); });
}
