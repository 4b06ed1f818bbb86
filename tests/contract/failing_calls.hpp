// What the tests share that have calls fail: the names of the calls, and the proof that a server
// has come through.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "support/client.hpp"
#include "support/server.hpp"

/// The calls by which servers wait, take a client, receive and send: each chapter has its own. With
/// a question mark: not every processor has the older ones.
inline const std::string waiting =
    "?select,pselect6,?poll,ppoll,rt_sigtimedwait,?epoll_wait,epoll_pwait,?io_uring_enter";
inline const std::string accepting = "accept,accept4";
inline const std::string receiving = "read,recvfrom";
inline const std::string sending = "sendto";

/// The proof that a server has come through what was done to it.
inline void require_echo(const Server& server) {
    Client client(server);
    REQUIRE(client.exchange("still there?") == "still there?");
}
