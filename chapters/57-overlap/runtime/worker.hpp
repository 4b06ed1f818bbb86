// A thread with an engine of its own.
#pragma once

#include <exception>
#include <functional>
#include <future>
#include <optional>
#include <utility>

#include "event.hpp"
#include "reactor.hpp"

/// A thread that makes a loop, and works with it. The ring is its alone: the kernel refuses every
/// other thread (IORING_SETUP_SINGLE_ISSUER).
class Worker {
public:
    using Work = std::function<void(Reactor&)>;

    /// The loop is there when the constructor returns, which throws what making it has thrown.
    /// `failed`, which outlives the worker, happens when its work throws.
    Worker(unsigned buffers, const Event& failed) {
        std::promise<void> is_ready;
        std::future<void> ready = is_ready.get_future();
        end_ = std::async(std::launch::async, &Worker::run, buffers, std::cref(failed),
                          std::move(is_ready), work_.get_future());
        ready.get();
    }

    /// Has the thread do this. A worker that is never started ends with its owner.
    void start(Work work) { work_.set_value(std::move(work)); }

    /// Waits until the work has ended. Throws what it has thrown.
    void wait() { end_.get(); }

private:
    static void run(unsigned buffers, const Event& failed, std::promise<void> is_ready,
                    std::future<Work> work) {
        std::optional<Reactor> reactor;
        try {
            reactor.emplace(buffers);
        } catch (...) {
            is_ready.set_exception(std::current_exception());
            return;
        }
        is_ready.set_value();
        Work to_do;
        try {
            to_do = work.get();
        } catch (const std::future_error&) {
            return;  // It was not started, and never will be.
        }
        try {
            to_do(*reactor);
        } catch (...) {
            failed.happen();
            throw;
        }
    }

    std::future<void> end_;  // whose destructor waits for the thread (std::async)
    std::promise<Work> work_;
};
