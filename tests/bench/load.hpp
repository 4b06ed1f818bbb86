// Clients that keep a server busy: many connections, one thread.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "bench/histogram.hpp"
#include "bench/message.hpp"
#include "fd.hpp"
#include "support/server.hpp"

/// What the clients do.
struct LoadSettings {
    std::size_t connections = 50;
    std::size_t message_size = 64;  ///< bytes
    double rate = 0;                ///< messages a second over all connections; 0: a closed loop
    bool reconnects = false;        ///< a connection for each message: connect, one echo, close
};

/// What has happened in a slice of time.
struct LoadResult {
    std::uint64_t messages = 0;           ///< that came back whole
    std::uint64_t bytes = 0;              ///< of them
    std::uint64_t unsent = 0;             ///< open loop: were due, but no connection was free
    std::uint64_t wrong_bytes = 0;        ///< that were not those of the message, or too many
    std::chrono::nanoseconds elapsed{0};  ///< up to the last echo
    LatencyHistogram latency;
};

/// Connections to a server that stay open while slices of load and pauses alternate. Between two
/// slices nothing is in flight.
///
/// In a closed loop each connection has one message outstanding: when its echo is whole, the next
/// one is sent at once. In an open loop messages fall due at a fixed rate; each is sent on the
/// connection that has been free for the longest, or waits for one where none is.
///
/// How many messages the server finds at once depends on how the load hands them over, so here is
/// exactly what it does. A closed loop begins with one send on each connection. Then, again and
/// again: one epoll_wait() for at most 64 events, level-triggered, that sleeps while there are
/// none; and for each event in turn one recv() of up to 64 KiB, whose bytes are checked, and, where
/// it has made an echo whole, at once one sendmsg() of the connection's next message. Nothing is
/// put off in order to collect a batch, and nobody is served twice before the next epoll_wait().
/// The clock is read once for each echo that has come whole: this is the end of the one message and
/// the beginning of the next. Where a sendmsg() did not take all of a message, the rest follows at
/// an EPOLLOUT. In an open loop the messages that are due are sent before each epoll_wait(), which
/// sleeps no longer than until the next one is, and latency is counted from the moment at which a
/// message was due: a server that falls behind does not make the load ask for less (Tene's
/// "coordinated omission").
///
/// Where it reconnects, a message is a visit: a connect(), the message, its echo, a close(), at the
/// place of one of the connections. The clock of a visit begins before connect(). The load closes
/// first, so the ports that must rest for a while (TIME_WAIT) are its own: towards 127.0.0.1 the
/// visits come from many addresses of the loopback network in turn, each with ports of its own.
class Load {
public:
    /// Connects to the server; each connection has had one echo when this returns (and is closed
    /// again, where the load reconnects). Throws std::runtime_error, with what to do about it, when
    /// the server does not serve that many or the machine has no port left, and Interrupted.
    Load(const Endpoint& endpoint, const LoadSettings& settings);

    /// Sends for this long, then waits for what is in flight. Throws std::runtime_error when the
    /// server closes a connection or an echo does not come, and Interrupted.
    LoadResult run(std::chrono::nanoseconds slice);

private:
    using Clock = std::chrono::steady_clock;

    struct SocketAddress {
        sockaddr_storage storage{};
        socklen_t length = 0;
    };

    struct Connection {
        Fd fd;
        std::uint32_t sequence = 0;
        Messages::Stamp stamp = 0;  ///< of the message in flight
        std::size_t sent = 0;       ///< bytes of it
        std::size_t received = 0;   ///< bytes of its echo
        bool is_in_flight = false;
        bool waits_for_room = false;  ///< epoll reports room to send, too
        Clock::time_point due{};
    };

    void connect_all();
    void open(std::size_t number);
    void wait_and_serve(int timeout_ms);
    void wait_and_serve_until(Clock::time_point moment);
    void serve_events(int count);
    void send_due();
    void start_message(std::size_t number, Clock::time_point due);
    void send_rest(std::size_t number);
    void receive(std::size_t number);
    void finish_message(std::size_t number);

    LoadSettings settings_;
    Messages messages_;
    SocketAddress server_;
    Fd epoll_;
    std::vector<Connection> connections_;
    std::deque<std::size_t> free_;  ///< open loop: the connections with nothing in flight
    std::size_t in_flight_ = 0;
    std::uint32_t visits_ = 0;  ///< so far, to give each its address
    Clock::time_point now_{};   ///< when the clock was last read
    Clock::time_point end_{};   ///< of the slice
    Clock::time_point next_{};  ///< open loop: when the next message is due
    LoadResult result_;
};
