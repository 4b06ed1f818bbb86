#include "program.hpp"

#include <fcntl.h>
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
            throw system_error(EBADF, "stdout is closed, and the ready line must go there");
        }
    }
}

}  // namespace

int run_program(int argc, char** argv, const std::function<void(const Options&)>& serve,
                const std::vector<Option>& of_this_chapter) {
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
    // Nobody is left to be told when stderr itself fails.
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    errno = saved_errno;
}
