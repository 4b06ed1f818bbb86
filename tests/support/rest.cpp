#include "support/rest.hpp"

#include <algorithm>
#include <vector>

#include "support/deadline.hpp"
#include "support/proc.hpp"

bool RestWatcher::is_at_rest() {
    std::vector<pid_t> all = proc::children(server_.pid());
    all.push_back(server_.pid());
    const bool asleep = std::all_of(all.begin(), all.end(), proc::is_asleep);
    looks_ = asleep ? looks_ + 1 : 0;
    return looks_ >= 50;
}

void wait_until_at_rest(const Server& server) {
    RestWatcher watcher(server);
    wait_until("the server is at rest", [&watcher] { return watcher.is_at_rest(); });
}
