#include "support/deadline.hpp"

#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "check.hpp"

std::chrono::seconds patience() {
    const char* given = std::getenv("PATIENCE");
    return std::chrono::seconds{given == nullptr ? 30 : std::stoi(given)};
}

int Deadline::remaining_ms() const {
    const auto remaining =
        std::chrono::duration_cast<std::chrono::milliseconds>(end_ - Clock::now());
    return static_cast<int>(std::max<std::chrono::milliseconds::rep>(remaining.count(), 0));
}

void wait_for(int fd, short events, const Deadline& deadline, const std::string& what) {
    while (true) {
        pollfd entry{fd, events, 0};
        const int ready = ::poll(&entry, 1, deadline.remaining_ms());
        if (ready > 0) {
            return;
        }
        if (ready == 0) {
            throw TimedOut("waited " + std::to_string(patience().count()) + " s: " + what);
        }
        if (errno != EINTR) {
            throw failed_call(errno, "poll");
        }
    }
}

void wait_until(const std::string& what, const std::function<bool()>& condition) {
    const Deadline deadline;
    while (!condition()) {
        if (deadline.has_passed()) {
            throw TimedOut("waited " + std::to_string(patience().count()) + " s until " + what);
        }
        // Between two looks the processor belongs to those who are to make it true.
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
}
