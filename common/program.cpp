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

}  // namespace

int run_program(int argc, char** argv, const std::function<void(const Options&)>& serve) {
    return run_program(argc, argv, {}, serve);
}

int run_program(int argc, char** argv, const std::vector<Option>& of_this_chapter,
                const std::function<void(const Options&)>& serve) {
    try {
        require_standard_descriptors();
        serve(parse_options(argc, argv, of_this_chapter));
        return EXIT_SUCCESS;
    } catch (const std::exception& error) {
        report(std::string("error: ") + error.what());
        return EXIT_FAILURE;
    }
}

void report(const std::string& line) {
    const int saved_errno = errno;
    const std::string text = line + '\n';

    // When stderr is a pipe whose reader has left, this write raises SIGPIPE. No reason to end:
    // with the signal blocked the write fails instead, and the signal is taken away before it is
    // let through again.
    sigset_t pipe_signal;
    sigset_t before;
    ::sigemptyset(&pipe_signal);
    ::sigaddset(&pipe_signal, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    if (::write(STDERR_FILENO, text.data(), text.size()) == -1 && errno == EPIPE) {
        const timespec at_once{};
        ::sigtimedwait(&pipe_signal, nullptr, &at_once);
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);

    errno = saved_errno;
}
