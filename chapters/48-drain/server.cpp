// Chapter 48: the same in one header, which the next chapters grow.

#include <signal.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <exception>
#include <new>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <system_error>
#include <utility>

#include "address.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "io.hpp"
#include "listener.hpp"
#include "program.hpp"
#include "signals.hpp"
#include "task.hpp"

constexpr std::size_t buffer_size = 64 * 1024;  // bytes
constexpr std::chrono::milliseconds accept_pause{100};
constexpr std::chrono::milliseconds goodbye_pause{100};

struct Client {
    Fd fd;
    Address address;
};

/// How long a client may keep the server waiting.
struct Patience {
    std::chrono::milliseconds idle;   ///< for its next byte
    std::chrono::milliseconds write;  ///< for room for the next byte of its echo
    std::chrono::milliseconds drain;  ///< for its end, after the signal
};

Task<> serve(IoContext& io, Fd listener, Fd signals, Patience patience);
Task<> accept_clients(IoContext& io, Fd listener, TaskGroup& clients, Patience patience,
                      std::stop_token stop);
Task<std::optional<Client>> accept_client(IoContext& io, Acceptor& acceptor);
Task<> serve_client(IoContext& io, Client client, Patience patience, std::stop_token stop);
Task<> echo(Socket& client, Patience patience);
Task<> say_goodbye(Socket& client);

int main(int argc, char** argv) {
    int idle_timeout = 60'000;
    int write_timeout = 60'000;
    int drain_timeout = 5'000;
    const Option idle =
        number_option("idle-timeout", "MILLISECONDS", "how long a client may send nothing",
                      idle_timeout, 1, 86'400'000);
    const Option write =
        number_option("write-timeout", "MILLISECONDS", "how long a client may take nothing",
                      write_timeout, 1, 86'400'000);
    const Option drain =
        number_option("drain-timeout", "MILLISECONDS",
                      "how long clients may take to finish after SIGTERM or SIGINT", drain_timeout,
                      1, 86'400'000);
    return run_program(argc, argv, {idle, write, drain}, [&](const Options& options) {
        const Patience patience{std::chrono::milliseconds{idle_timeout},
                                std::chrono::milliseconds{write_timeout},
                                std::chrono::milliseconds{drain_timeout}};
        Fd listener = listen_on(options);
        IoContext io;
        Fd signals = hold_signals({SIGTERM, SIGINT});
        announce(listener);
        io.start(serve(io, std::move(listener), std::move(signals), patience));
        io.run();
    });
}

/// Serves until a signal comes, and then lets everybody finish.
Task<> serve(IoContext& io, Fd listener, Fd signals, Patience patience) {
    std::stop_source stop;
    TaskGroup clients(io);
    clients.start(accept_clients(io, std::move(listener), clients, patience, stop.get_token()));

    Signals stop_signals(io, std::move(signals));
    co_await stop_signals.next();
    release_signals({SIGTERM, SIGINT});  // A second one ends the process at once.

    stop.request_stop();
    const bool all_have_finished = co_await clients.ended(patience.drain);
    if (!all_have_finished) {
        report({"drain: ", std::to_string(clients.size()), " evicted"});
    }
}  // Whoever has not finished is a coroutine of `clients`, and is destroyed with it.

/// Gives every client a coroutine of its own, until no more can come.
Task<> accept_clients(IoContext& io, Fd listener, TaskGroup& clients, Patience patience,
                      std::stop_token stop) {
    Acceptor acceptor(io, std::move(listener));
    const std::stop_callback at_stop(stop, [&acceptor] { acceptor.end_queue(); });
    bool reported = false;
    while (true) {
        bool is_out_of_memory = false;
        try {
            std::optional<Client> client = co_await accept_client(io, acceptor);
            if (!client) {
                co_return;
            }
            reported = false;
            const Address address = client->address;
            try {
                clients.start(serve_client(io, std::move(*client), patience, stop));
            } catch (const std::exception& error) {
                report({"client ", to_text(address), " turned away: ", error.what()});
            }
        } catch (const std::bad_alloc&) {
            is_out_of_memory = true;  // Not even accept_client() can be called.
        }
        if (is_out_of_memory) {
            if (!std::exchange(reported, true)) {
                report({"accept, trying again: ", std::strerror(ENOMEM)});
            }
            co_await io.sleep_for(accept_pause);  // Others end meanwhile, and give theirs back.
        }
    }
}

/// Waits for the next client; nothing, when nobody is waiting and no more can come. Throws
/// std::system_error only when the listener itself is broken.
Task<std::optional<Client>> accept_client(IoContext& io, Acceptor& acceptor) {
    bool reported = false;
    while (true) {
        Client client;
        const int fd = co_await acceptor.accept(client.address);
        if (fd >= 0) {
            client.fd = Fd{fd};
            co_return client;
        }
        switch (-fd) {
            // Something has happened to this one connection on the network (accept(2), "Error
            // handling"). The next client may be waiting already.
            case ECONNABORTED:
            case EPROTO:
            case ENETDOWN:
            case ENOPROTOOPT:
            case EHOSTDOWN:
            case ENONET:
            case EHOSTUNREACH:
            case EOPNOTSUPP:
            case ENETUNREACH: break;

            // No descriptor, no memory or no permission for one more client. accept() asks for
            // them before it looks for a client, so it would fail at once, again and again: give
            // others the time to end.
            case EMFILE:
            case ENFILE:
            case ENOBUFS:
            case ENOMEM:
            case EPERM:
                if (!std::exchange(reported, true)) {
                    report({"accept, trying again: ", std::strerror(-fd)});
                }
                co_await io.sleep_for(accept_pause);
                break;

            // The queue has been ended, and is empty.
            case EAGAIN: co_return std::nullopt;

            default: throw failed_call(-fd, "accept");
        }
    }
}

/// Serves one client to its end. Whatever goes wrong on its connection ends this client alone.
Task<> serve_client(IoContext& io, Client client, Patience patience, std::stop_token stop) {
    try {
        Socket socket(io, std::move(client.fd));
        const std::stop_callback at_stop(stop, [&socket] { socket.end_input(); });
        co_await echo(socket, patience);
        if (stop.stop_requested()) {
            co_await say_goodbye(socket);
        }
    } catch (const std::exception& error) {
        report({"client ", to_text(client.address), ": ", error.what()});
    }
}

/// Sends back everything that the client sends, until it closes its sending side.
Task<> echo(Socket& client, Patience patience) {
    std::array<char, buffer_size> buffer;
    while (true) {
        const std::size_t received = co_await client.read(buffer, patience.idle);
        if (received == 0) {
            co_return;  // End of file: the client has closed its sending side.
        }
        std::span<const char> unsent = std::span(buffer).first(received);
        while (!unsent.empty()) {
            const std::size_t sent = co_await client.send(unsent, patience.write);
            unsent = unsent.subspan(sent);
        }
    }
}

/// Ends a connection whose client may be sending still. close() with bytes unread would be a reset,
/// and a reset takes with it what is on its way to the client: so the client goes first, or is
/// silent and has acknowledged everything.
Task<> say_goodbye(Socket& client) {
    client.end_output();
    std::array<char, buffer_size> unwanted;
    while (true) {
        try {
            if (co_await client.read(unwanted, goodbye_pause) == 0) {
                co_return;
            }
        } catch (const std::system_error& error) {
            if (error.code() != std::errc::timed_out) {
                throw;
            }
            if (client.unacknowledged() == 0) {
                co_return;
            }
        }
    }
}
