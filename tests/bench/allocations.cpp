// A library for LD_PRELOAD: counts the heap allocations of a program, of all its threads and of its
// children, into a file. Nothing is changed but that they are counted.
//
// operator new calls malloc() or aligned_alloc(), and is counted there. free() is none of it: what
// is counted is how often memory is asked for.

#include "bench/allocations.hpp"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cstddef>

// glibc's own, which its malloc() and the others are further names of. To look for those with
// dlsym(3) would take memory before there is any.
extern "C" {
void* __libc_malloc(std::size_t size) noexcept;
void* __libc_calloc(std::size_t count, std::size_t size) noexcept;
void* __libc_realloc(void* memory, std::size_t size) noexcept;
void* __libc_memalign(std::size_t alignment, std::size_t size) noexcept;
}

namespace {

/// Until the file is there, and where there is none. The loader and other libraries may allocate
/// before the constructor below runs.
AllocationCount of_nobody{0};
AllocationCount* count = &of_nobody;

[[gnu::constructor]] void open_file() {
    const char* path = ::getenv(allocations_file_variable);
    const int fd = path == nullptr ? -1 : ::open(path, O_RDWR | O_CLOEXEC);
    if (fd == -1) {
        return;
    }
    // MAP_SHARED: a child of fork(2) counts into the same page, and so does whatever it executes.
    void* page =
        ::mmap(nullptr, sizeof(AllocationCount), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    if (page != MAP_FAILED) {
        count = static_cast<AllocationCount*>(page);
    }
}

void count_one() {
    count->fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

extern "C" {

void* malloc(std::size_t size) noexcept {
    count_one();
    return __libc_malloc(size);
}

void* calloc(std::size_t number, std::size_t size) noexcept {
    count_one();
    return __libc_calloc(number, size);
}

void* realloc(void* memory, std::size_t size) noexcept {
    count_one();
    return __libc_realloc(memory, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    count_one();
    return __libc_memalign(alignment, size);
}

void* memalign(std::size_t alignment, std::size_t size) noexcept {
    count_one();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void** memory, std::size_t alignment, std::size_t size) noexcept {
    if (!std::has_single_bit(alignment) || alignment % sizeof(void*) != 0) {
        return EINVAL;
    }
    count_one();
    const int errno_before = errno;  // posix_memalign(3): errno is left alone.
    void* allocated = __libc_memalign(alignment, size);
    errno = errno_before;
    if (allocated == nullptr) {
        return ENOMEM;
    }
    *memory = allocated;
    return 0;
}
}
