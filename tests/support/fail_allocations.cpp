// A library for LD_PRELOAD: lets one allocation of a program fail. Which one from now on stands in
// a file that it shares with whoever has started the program; 0 is none. A line on stderr says that
// it has been.

#include "support/fail_allocations.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

/// Until the file is there: the loader and other libraries may allocate before the constructor
/// below runs.
AllocationsLeft of_nobody{0};
AllocationsLeft* left = &of_nobody;

[[gnu::constructor]] void open_file() {
    const char* path = ::getenv(failing_allocation_variable);
    const int fd = path == nullptr ? -1 : ::open(path, O_RDWR | O_CLOEXEC);
    // MAP_SHARED: what a test writes is there at once, for all threads, and for children.
    void* page = fd == -1 ? MAP_FAILED
                          : ::mmap(nullptr, sizeof(AllocationsLeft), PROT_READ | PROT_WRITE,
                                   MAP_SHARED, fd, 0);
    ::close(fd);
    if (page != MAP_FAILED) {
        left = static_cast<AllocationsLeft*>(page);
    }
}

void fail_if_it_is_the_one() {
    int before = *left;
    while (before > 0 && !left->compare_exchange_weak(before, before - 1)) {
    }
    if (before == 1) {
        constexpr char line[] = "an allocation has failed\n";
        [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line, sizeof line - 1);
        throw std::bad_alloc();
    }
}

}  // namespace

// The array forms and those that do not throw call these.
void* operator new(std::size_t size) {
    fail_if_it_is_the_one();
    if (void* memory = std::malloc(size)) {
        return memory;
    }
    throw std::bad_alloc();
}

void* operator new(std::size_t size, std::align_val_t alignment) {
    fail_if_it_is_the_one();
    const std::size_t unit = static_cast<std::size_t>(alignment);
    if (void* memory = std::aligned_alloc(unit, (size + unit - 1) / unit * unit)) {
        return memory;
    }
    throw std::bad_alloc();
}
