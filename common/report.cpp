// report(): a line on stderr that never holds the server up.
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <initializer_list>
#include <new>
#include <span>
#include <string_view>

#include "program.hpp"

namespace {

/// How many lines have been dropped and not been spoken of since. In memory that the children of
/// fork() share with their parent: one that drops its last line says nothing any more.
std::atomic<unsigned>& dropped_lines = []() -> std::atomic<unsigned>& {
    static std::atomic<unsigned> own;
    void* shared =
        ::mmap(nullptr, sizeof own, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED ? own : *new (shared) std::atomic<unsigned>(0);
}();

/// A line that is being put together, at most PIPE_BUF bytes: so many a pipe takes as a whole, or
/// not at all (pipe(7)).
class Line {
public:
    void append(std::string_view part) {
        for (const char character : part.substr(0, text_.size() - 1 - length_)) {
            text_[length_++] = character;
        }
    }

    void end() { text_[length_++] = '\n'; }

    std::span<char> bytes() { return std::span(text_).first(length_); }

private:
    std::array<char, PIPE_BUF> text_;
    std::size_t length_ = 0;
};

/// Writes to stderr, unless it would have to wait for room: then it returns false. With any other
/// failure (no reader, a full disk) it has done what it can.
bool write_without_waiting(std::span<char> bytes) {
    const iovec line{bytes.data(), bytes.size()};
    if (::pwritev2(STDERR_FILENO, &line, 1, -1, RWF_NOWAIT) != -1) {
        return true;
    }
    if (errno == EPIPE) {
        return true;
    }
    // No room; or this kind of file, or this kernel (before 6.4, for a pipe), cannot be written to
    // in this way: then what poll() says of the room has to do, which another process may take in
    // between.
    pollfd room{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (::poll(&room, 1, 0) == 0) {
        return false;
    }
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, bytes.data(), bytes.size());
    return true;
}

}  // namespace

void report(std::initializer_list<std::string_view> parts) noexcept {
    const int saved_errno = errno;

    // When stderr is a pipe whose reader has left, the write raises SIGPIPE; when it is a terminal
    // that wants silence from the background (`stty tostop`), SIGTTOU, which stops the process. No
    // reason to end or to stop: with SIGPIPE blocked the write fails instead, and the signal is
    // taken away before it is let through again; with SIGTTOU blocked the line is written.
    sigset_t pipe_signal;
    ::sigemptyset(&pipe_signal);
    ::sigaddset(&pipe_signal, SIGPIPE);
    sigset_t held_back = pipe_signal;
    ::sigaddset(&held_back, SIGTTOU);
    sigset_t before;
    ::pthread_sigmask(SIG_BLOCK, &held_back, &before);

    Line line;
    const unsigned dropped = dropped_lines.exchange(0);
    if (dropped != 0) {
        std::array<char, 80> words;
        std::snprintf(words.data(), words.size(), "lines dropped, since stderr had no room: %u",
                      dropped);
        line.append(words.data());
        line.end();
    }
    for (const std::string_view part : parts) {
        line.append(part);
    }
    line.end();
    errno = 0;
    if (!write_without_waiting(line.bytes())) {
        dropped_lines += dropped + 1;
    } else if (errno == EPIPE) {
        const timespec at_once{};
        ::sigtimedwait(&pipe_signal, nullptr, &at_once);
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);

    errno = saved_errno;
}
