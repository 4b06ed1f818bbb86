#include "support/rest.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#include "support/deadline.hpp"
#include "support/proc.hpp"

bool RestWatcher::is_at_rest() {
    std::vector<pid_t> all = proc::children(server_.pid());
    all.push_back(server_.pid());
    const bool asleep = std::all_of(all.begin(), all.end(), proc::is_asleep);
    const bool spinning = all.size() == 1 && proc::state(server_.pid()) == 'R' &&
                          proc::count_threads(server_.pid()) == 1;
    looks_asleep_ = asleep ? looks_asleep_ + 1 : 0;
    looks_spinning_ = spinning ? looks_spinning_ + 1 : 0;
    return looks_asleep_ >= 50 || looks_spinning_ >= 50;
}

void wait_until_at_rest(const Server& server) {
    RestWatcher watcher(server);
    wait_until("the server is at rest", [&watcher] { return watcher.is_at_rest(); });
}

void wait_until_it_does_not_spin(const Server& server) {
    // Longer than the pause of a server that tries again: one try is in each stretch.
    constexpr std::chrono::milliseconds stretch{300};
    wait_until("the server does not spin",
               [&] { return proc::cpu_share_during(server.pid(), stretch) <= 0.1; });
}
