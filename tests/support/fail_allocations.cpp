// A library for LD_PRELOAD: lets one allocation of a program fail. The signal SIGUSR2 with a number
// (sigqueue(3)) says which one from now on; 0 takes it back. A line on stderr says that it has
// been.

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::atomic<int> left{0};  // allocations up to the one that fails; 0: none does

[[gnu::constructor]] void listen_to_signal() {
    struct sigaction action {};
    action.sa_sigaction = [](int, siginfo_t* info, void*) { left = info->si_value.sival_int; };
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    ::sigaction(SIGUSR2, &action, nullptr);
}

void fail_if_it_is_the_one() {
    int before = left;
    while (before > 0 && !left.compare_exchange_weak(before, before - 1)) {
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
