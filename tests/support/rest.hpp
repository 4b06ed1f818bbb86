// When a server has nothing left to do.
#pragma once

#include "support/server.hpp"

/// Notices that a server has come to rest: at fifty looks in a row all its threads and those of its
/// children were asleep. At a single look one thread may have fallen asleep before another was
/// woken.
class RestWatcher {
public:
    explicit RestWatcher(const Server& server) : server_(server) {}

    /// Looks once more. True from the fiftieth look at a server asleep on.
    bool is_at_rest();

private:
    const Server& server_;
    int looks_ = 0;
};

/// Waits until the server is at rest: it has started its workers and answered its clients.
void wait_until_at_rest(const Server& server);
