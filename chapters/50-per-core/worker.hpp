// A thread with a ring of its own.
#pragma once

#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <exception>
#include <functional>
#include <future>
#include <optional>
#include <utility>
#include <vector>

#include "check.hpp"
#include "io.hpp"
#include "task.hpp"

/// The processors on which this process may run, by their numbers.
inline std::vector<int> allowed_cores() {
    cpu_set_t allowed;
    check(::sched_getaffinity(0, sizeof allowed, &allowed), "sched_getaffinity");
    std::vector<int> cores;
    for (int core = 0; core < CPU_SETSIZE; ++core) {
        if (CPU_ISSET(core, &allowed)) {
            cores.push_back(core);
        }
    }
    return cores;
}

/// From now on this thread runs there and nowhere else.
inline void pin_to(int core) {
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(core, &only);
    check(::sched_setaffinity(0, sizeof only, &only), "sched_setaffinity");
}

/// What the process gets when the task of a worker has failed. Whoever starts workers holds it, and
/// waits for it with those that are to end the server. It is one of the signals that have no
/// meaning: SIGUSR1 may come from outside, and is not ours.
inline const int worker_has_failed = SIGRTMIN;

/// A thread that makes a ring and runs one task on it. The ring is nobody else's: the kernel
/// refuses every other thread (IORING_SETUP_SINGLE_ISSUER).
class Worker {
public:
    using MakeTask = std::function<Task<>(IoContext&)>;

    /// The ring is there when the constructor returns, which throws what making it has thrown.
    /// `core` is where the thread stays, if anywhere.
    Worker(std::optional<int> core, unsigned entries, unsigned buffers) {
        std::promise<void> has_ring;
        std::future<void> ring = has_ring.get_future();
        end_ = std::async(std::launch::async, &Worker::run, core, entries, buffers,
                          std::move(has_ring), make_task_.get_future());
        ring.get();
    }

    /// Has the thread make its task and run it. If that fails, the process gets the signal
    /// worker_has_failed.
    void start(MakeTask make_task) { make_task_.set_value(std::move(make_task)); }

    /// Waits until the task has ended. Throws what it has thrown.
    void wait() { end_.get(); }

private:
    static void run(std::optional<int> core, unsigned entries, unsigned buffers,
                    std::promise<void> has_ring, std::future<MakeTask> make_task) {
        std::optional<IoContext> io;
        try {
            if (core) {
                pin_to(*core);
            }
            io.emplace(entries, buffers);
            has_ring.set_value();
        } catch (...) {
            has_ring.set_exception(std::current_exception());
            return;
        }
        try {
            io->start(make_task.get()(*io));
            io->run();
        } catch (const std::future_error&) {
            // Nobody has started it, and nobody will.
        } catch (...) {
            ::kill(::getpid(), worker_has_failed);  // The others are to finish, too.
            throw;
        }
    }

    std::future<void> end_;  // whose destructor waits for the thread; see std::async
    std::promise<MakeTask> make_task_;
};
