// What a server asks of the kernel and of the heap for each message: counts, and no times.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "bench/load.hpp"

/// Of one server, in one slice of load.
struct MessageCounts {
    std::uint64_t messages = 0;
    std::uint64_t wrong_bytes = 0;  ///< those of the warm-up, too
    std::uint64_t calls = 0;        ///< system calls
    std::string calls_counted_with;
    std::optional<std::uint64_t> allocations;  ///< on the heap; nothing where nobody can tell

    double per_message(std::uint64_t count) const {
        return static_cast<double>(count) / static_cast<double>(messages);
    }
};

/// Starts the server, connects, and counts during a slice of load that follows a shorter one: what
/// a server does once for each client is not counted.
///
/// Throws std::runtime_error, with what the server has written to stderr, when it does not come up
/// or does not serve, and Interrupted.
MessageCounts count_per_message(const std::string& server, const LoadSettings& load,
                                std::chrono::milliseconds slice);
