// Every wait of a test ends: with the event, or with an exception that names what did not come.
#pragma once

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>

/// How long a test waits for any event: 30 s, or as many seconds as the environment variable
/// PATIENCE says. Generous, since a loaded machine must not fail a test; only a test that is going
/// to fail ever waits this long.
std::chrono::seconds patience();

/// Nothing happened within patience().
struct TimedOut : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The moment at which to give up, patience() from when it was made.
class Deadline {
public:
    bool has_passed() const { return Clock::now() >= end_; }

    /// Milliseconds that are left, as poll(2) wants them.
    int remaining_ms() const;

private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point end_ = Clock::now() + patience();
};

/// Waits until poll(2) reports one of `events` (POLLIN, POLLOUT) or an error or hang-up on `fd`.
/// Throws TimedOut, with `what` in its message, when the deadline passes first.
void wait_for(int fd, short events, const Deadline& deadline, const std::string& what);

/// Waits until `condition` holds: for facts in /proc, which the kernel announces by no event.
/// Throws TimedOut, with `what` in its message, when patience() has passed first.
void wait_until(const std::string& what, const std::function<bool()>& condition);
