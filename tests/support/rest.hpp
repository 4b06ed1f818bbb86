// When a server has nothing left to do.
#pragma once

#include "support/server.hpp"

/// Notices that a server has come to rest: at fifty looks in a row all its threads and those of its
/// children were asleep. At a single look one thread may have fallen asleep before another was
/// woken.
///
/// A server that never sleeps (`nonblocking`, `state`) is as much at rest as it will ever be when
/// it was seen running at fifty looks in a row, with one thread and no children.
class RestWatcher {
public:
    explicit RestWatcher(const Server& server) : server_(server) {}

    /// Looks once more. True from the fiftieth of such looks on.
    bool is_at_rest();

private:
    const Server& server_;
    int looks_asleep_ = 0;
    int looks_spinning_ = 0;
};

/// Waits until the server is at rest: it has started its workers and answered its clients.
void wait_until_at_rest(const Server& server);

/// Waits until the server and its children use less than a tenth of a processor for a while: what
/// they still do for those who have come may take long on a busy machine, and one that spins never
/// gets there. Throws std::runtime_error when the server ends meanwhile.
void wait_until_it_does_not_spin(const Server& server);
