// Reading and sending in the same words in every chapter: from 19 on, buffers are the engine's.
#pragma once

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include "io.hpp"
#include "support/server.hpp"
#include "task.hpp"

/// An engine that receives at most `read_size` bytes at once, into `buffers` buffers, where they
/// are its own, and that has room for `entries` submissions where it has a ring. Where there can be
/// no ring, the test is skipped.
template <typename Context = IoContext>
Context make_io(std::size_t read_size, unsigned entries = 256, unsigned buffers = 64) {
    require_io_uring();
    if constexpr (std::is_constructible_v<Context, unsigned, unsigned, std::size_t>) {
        return Context(entries, buffers, read_size);
    } else if constexpr (std::is_constructible_v<Context, unsigned>) {
        return Context(entries);
    } else {
        return Context();
    }
}

/// How many bytes have come, at most buffer.size() if the engine's own buffers are not larger; 0 is
/// the end of the file.
template <typename SocketType, typename... Timeout>
Task<std::size_t> read_into(SocketType& socket, std::span<char> buffer, Timeout... timeout) {
    if constexpr (requires { socket.read(buffer, timeout...); }) {
        const std::size_t received = co_await socket.read(buffer, timeout...);
        co_return received;
    } else {
        const auto bytes = co_await socket.read(timeout...);
        const auto received = bytes.get();
        if (received.size() > buffer.size()) {
            FAIL("the engine's buffers are larger than the test's");
        }
        std::copy(received.begin(), received.end(), buffer.begin());
        co_return received.size();
    }
}

/// How many of the bytes have been sent.
template <typename SocketType, typename... Timeout>
Task<std::size_t> send_from(SocketType& socket, std::span<const char> bytes, Timeout... timeout) {
    if constexpr (requires { socket.send(bytes, timeout...); }) {
        const std::size_t sent = co_await socket.send(bytes, timeout...);
        co_return sent;
    } else {
        auto memory = std::make_unique<char[]>(bytes.size());
        std::copy(bytes.begin(), bytes.end(), memory.get());
        auto own = decltype(socket.read().await_resume())(std::move(memory), bytes.size());
        const std::size_t sent = co_await socket.send(own, timeout...);
        co_return sent;
    }
}
