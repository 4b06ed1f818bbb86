// An engine that is to run for as long as it takes to tell the kernel something, or to be told.
#pragma once

#include <chrono>

#include "io.hpp"
#include "task.hpp"

/// Runs the engine for a millisecond. It is told of an operation, and of its end, only while it
/// runs.
inline void run_for_a_moment(IoContext& io) {
    io.start([](IoContext& context) -> Task<> {
        co_await context.sleep_for(std::chrono::milliseconds{1});
    }(io));
    io.run();
}
