#include "program.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <exception>

#include "check.hpp"

namespace {

/// A program may be started with descriptor 0, 1 or 2 closed (`server >&-` in a shell). The next
/// socket would get that number, and a diagnostic meant for stderr would go to a client.
void require_standard_descriptors() {
    while (true) {
        const int lowest_free = check(::open("/dev/null", O_RDWR), "open /dev/null");
        if (lowest_free > STDERR_FILENO) {
            ::close(lowest_free);
            return;
        }
        if (lowest_free == STDOUT_FILENO) {
            throw failed_call(EBADF, "stdout is closed, and the ready line must go there");
        }
    }
}

/// A program inherits which signals are blocked or ignored. What the chapters rely on is set here:
/// that signals come through, that a child's end can be waited for (SIGCHLD), and that SIGTERM ends
/// a process.
void take_default_signals() {
    for (const int number : {SIGCHLD, SIGTERM}) {
        check(::signal(number, SIG_DFL) == SIG_ERR ? -1 : 0, "signal");
    }
    sigset_t none;
    ::sigemptyset(&none);
    check(::sigprocmask(SIG_SETMASK, &none, nullptr), "sigprocmask");
}

}  // namespace

int run_program(int argc, char** argv, const std::function<void(const Options&)>& serve) {
    return run_program(argc, argv, {}, serve);
}

int run_program(int argc, char** argv, const std::vector<Option>& of_this_chapter,
                const std::function<void(const Options&)>& serve) {
    try {
        require_standard_descriptors();
        take_default_signals();
        serve(parse_options(argc, argv, of_this_chapter));
        return EXIT_SUCCESS;
    } catch (const std::exception& error) {
        report({"error: ", error.what()});
        return EXIT_FAILURE;
    }
}
