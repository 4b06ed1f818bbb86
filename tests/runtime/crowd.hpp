// Coroutines that always have something to do, beside others that wait in the kernel.
#pragma once

#include <unistd.h>

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <utility>

#include "fd.hpp"
#include "io.hpp"
#include "runtime/pair.hpp"
#include "runtime/sockets.hpp"
#include "task.hpp"

/// How many there are, and how they fare.
struct Crowd {
    static constexpr int size = 32;
    static constexpr unsigned entries = 8;  ///< room in the ring: far less than there are busy ones

    int waiting = 0;            ///< those beside the crowd that have not had their turn
    bool has_given_up = false;  ///< the crowd has had very many turns, and somebody still waits
};

/// Sends and reads again and again, each of which can be done at once, as long as somebody waits.
/// When it is well under way it does what `beside` says.
inline Task<> be_busy(IoContext& io, std::unique_ptr<Pair> ends, Crowd& crowd,
                      std::function<void()> beside) {
    Socket socket(io, std::move(ends->ours));
    std::array<char, 1> buffer{};
    for (int round = 0; round < 20'000; ++round) {
        if (crowd.waiting == 0) {
            co_return;
        }
        if (round == 100 && beside) {
            beside();
        }
        co_await send_from(socket, std::span("x", 1));
        char byte = 0;
        if (::read(ends->theirs.get(), &byte, 1) != 1 || ::write(ends->theirs.get(), "y", 1) != 1) {
            co_return;
        }
        co_await read_into(socket, buffer);
    }
    crowd.has_given_up = true;
}

/// Starts the crowd, one of whose coroutines does what `beside` says.
inline void start(IoContext& io, Crowd& crowd, std::function<void()> beside = {}) {
    for (int i = 0; i < Crowd::size; ++i) {
        io.start(be_busy(io, std::make_unique<Pair>(), crowd, std::exchange(beside, {})));
    }
}
