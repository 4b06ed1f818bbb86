// Chapter 36: deadlines; a client that stalls is evicted, and an operation in flight is cancelled.

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <exception>
#include <new>
#include <span>
#include <utility>

#include "address.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "io.hpp"
#include "listener.hpp"
#include "program.hpp"
#include "task.hpp"

constexpr std::size_t buffer_size = 64 * 1024;  // bytes
constexpr std::chrono::milliseconds accept_pause{100};

struct Client {
    Fd fd;
    Address address;
};

/// How long a client may keep the server waiting.
struct Patience {
    std::chrono::milliseconds idle;   ///< for its next byte
    std::chrono::milliseconds write;  ///< for room for the next byte of its echo
};

Task<> serve(IoContext& io, Fd listener, Patience patience);
Task<Client> accept_client(IoContext& io, Acceptor& acceptor);
Task<> serve_client(IoContext& io, Client client, Patience patience);
Task<> echo(Socket& client, Patience patience);

int main(int argc, char** argv) {
    int idle_timeout = 60'000;
    int write_timeout = 60'000;
    const Option idle =
        number_option("idle-timeout", "MILLISECONDS", "how long a client may send nothing",
                      idle_timeout, 1, 86'400'000);
    const Option write =
        number_option("write-timeout", "MILLISECONDS", "how long a client may take nothing",
                      write_timeout, 1, 86'400'000);
    return run_program(argc, argv, {idle, write}, [&](const Options& options) {
        const Patience patience{std::chrono::milliseconds{idle_timeout},
                                std::chrono::milliseconds{write_timeout}};
        Fd listener = listen_on(options);
        IoContext io;
        announce(listener);
        io.start(serve(io, std::move(listener), patience));
        io.run();
    });
}

/// Gives every client a coroutine of its own, for ever.
Task<> serve(IoContext& io, Fd listener, Patience patience) {
    Acceptor acceptor(io, std::move(listener));
    bool reported = false;
    while (true) {
        bool is_out_of_memory = false;
        try {
            Client client = co_await accept_client(io, acceptor);
            reported = false;
            const Address address = client.address;
            try {
                io.start(serve_client(io, std::move(client), patience));
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

/// Waits for the next client. Throws std::system_error only when the listener itself is broken.
Task<Client> accept_client(IoContext& io, Acceptor& acceptor) {
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

            default: throw failed_call(-fd, "accept");
        }
    }
}

/// Serves one client to its end. Whatever goes wrong on its connection ends this client alone.
Task<> serve_client(IoContext& io, Client client, Patience patience) {
    try {
        Socket socket(io, std::move(client.fd));
        co_await echo(socket, patience);
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
