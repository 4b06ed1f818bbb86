// Tries the three system calls of io_uring and prints the error of the first that fails: for
// ./learn doctor. What a container's filter forbids stands in no file of the kernel's; only the
// call itself tells. The kernel's header and liburing may be missing here, so the structures are
// blank memory that is large enough.

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace {

// The same on every architecture but Alpha.
constexpr long setup_call = 425;
constexpr long enter_call = 426;
constexpr long register_call = 427;

constexpr unsigned register_probe =
    8;  // IORING_REGISTER_PROBE: which operations does the kernel know?

alignas(8) char parameters[120];          // struct io_uring_params
alignas(8) char operations[16 + 8 * 64];  // struct io_uring_probe with room for 64 operations

int fail(const char* call) {
    const int error = errno;
    std::printf("%s: %s\n", call, std::strerror(error));
    return error == ENOSYS ? 3 : 1;
}

}  // namespace

int main() {
    const long ring = ::syscall(setup_call, 1, parameters);
    if (ring == -1) {
        return fail("io_uring_setup");
    }
    if (::syscall(enter_call, ring, 0, 0, 0, nullptr, 0) == -1) {
        return fail("io_uring_enter");
    }
    if (::syscall(register_call, ring, register_probe, operations, 64) == -1) {
        return fail("io_uring_register");
    }
    return 0;
}
