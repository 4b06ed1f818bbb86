// A client that can do whatever the client of a server may do, the unkind things too.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "fd.hpp"
#include "support/server.hpp"

/// How a client connects.
struct ClientSettings {
    int receive_buffer =
        0;                ///< SO_RCVBUF in bytes, set before the connection; 0: the system's choice
    int send_buffer = 0;  ///< SO_SNDBUF in bytes; 0: the system's choice
};

/// One TCP connection to a server. Every wait ends by the deadline, with TimedOut; a failed call
/// throws std::system_error. The destructor closes as close(2) does.
class Client {
public:
    explicit Client(const Server& server, const ClientSettings& settings = {})
        : Client(server.endpoint(), settings) {}
    explicit Client(const Endpoint& endpoint, const ClientSettings& settings = {});

    /// Sends everything and waits for no answer.
    void send(std::string_view bytes);

    /// Sends one byte as urgent data (MSG_OOB).
    void send_urgent(char byte);

    /// Sends what fits at once, without waiting, and returns how many bytes that were.
    std::size_t send_some(std::string_view bytes);

    /// Receives exactly `count` bytes; fewer only when the connection ends first.
    std::string receive(std::size_t count);

    /// Receives up to the server's end of file.
    std::string receive_to_end();

    /// Receives what is there, without waiting; nothing at the server's end of file.
    std::optional<std::string> receive_some();

    /// How many of the bytes that were sent the server's kernel has not acknowledged yet.
    std::size_t unacknowledged() const;

    /// Whether bytes, an end of file or an error wait to be received. Does not wait itself.
    bool has_input() const;

    /// Sends `bytes` while it receives, as a careful client does, and returns as many bytes as it
    /// has sent; fewer only when the connection ends first.
    std::string exchange(std::string_view bytes);

    /// Closes the sending side: the server reads an end of file. Receiving goes on.
    void half_close();

    /// Ends the connection with a reset (RST) instead of a FIN, whatever is still under way.
    void reset();

    /// Closes both directions. Bytes that have arrived and were not received make it a reset (RFC
    /// 2525, 2.17).
    void close() { socket_.close(); }

private:
    std::string exchange_until(std::string_view bytes, std::size_t count);

    Fd socket_;
};

/// `count` bytes without a pattern, so that an echo that loses, repeats or exchanges a part of them
/// is noticed. The same seed gives the same bytes.
std::string random_bytes(std::size_t count, unsigned seed = 1);
