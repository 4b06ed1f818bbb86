// Chapter 38: an operation in flight can be cancelled; a result wins over the request.

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
#include "listener.hpp"
#include "program.hpp"
#include "runtime/reactor.hpp"
#include "runtime/socket.hpp"
#include "runtime/task.hpp"

constexpr std::size_t buffer_size = 64 * 1024;  // bytes
constexpr std::chrono::milliseconds accept_pause{100};

struct Client {
    Fd fd;
    Address address;
};

Task<> accept_clients(Fd listener, Reactor& reactor);
Task<Client> accept_client(Acceptor& acceptor, Reactor& reactor);
void add_client(Client client, Reactor& reactor);
Task<> serve_client(Client client, Reactor& reactor);
Task<> echo(Socket& client);

int main(int argc, char** argv) {
    return run_program(argc, argv, [](const Options& options) {
        Fd listener = listen_on(options);
        Reactor reactor;
        announce(listener);
        reactor.start(accept_clients(std::move(listener), reactor));
        reactor.run();
    });
}

/// Takes in every client, for ever. Throws std::system_error when the listener itself is broken.
Task<> accept_clients(Fd listener, Reactor& reactor) {
    Acceptor acceptor(reactor, std::move(listener));
    bool has_shortage = false;
    while (true) {
        try {
            Client client = co_await accept_client(acceptor, reactor);
            has_shortage = false;
            add_client(std::move(client), reactor);
        } catch (const std::bad_alloc&) {  // Not even accept_client() can be called.
            if (!std::exchange(has_shortage, true)) {
                report({"accept, trying again: ", std::strerror(ENOMEM)});
            }
        }
        if (has_shortage) {
            co_await reactor.sleep_for(accept_pause);
        }
    }
}

/// Waits for the next client. Throws std::system_error only when the listener itself is broken.
Task<Client> accept_client(Acceptor& acceptor, Reactor& reactor) {
    bool has_shortage = false;
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
                if (!std::exchange(has_shortage, true)) {
                    report({"accept, trying again: ", std::strerror(-fd)});
                }
                co_await reactor.sleep_for(accept_pause);
                break;

            default: throw failed_call(-fd, "accept");
        }
    }
}

/// Takes a client in. Where that cannot be done, it is turned away and the others stay.
void add_client(Client client, Reactor& reactor) {
    const Address address = client.address;
    try {
        reactor.start(serve_client(std::move(client), reactor));
    } catch (const std::exception& error) {
        report({"client ", to_text(address), " turned away: ", error.what()});
    }
}

/// Serves one client to its end. Whatever goes wrong on its connection ends this client alone.
Task<> serve_client(Client client, Reactor& reactor) {
    try {
        Socket socket(reactor, std::move(client.fd));
        co_await echo(socket);
    } catch (const std::exception& error) {
        report({"client ", to_text(client.address), ": ", error.what()});
    }
}

/// Sends back everything that the client sends, until it closes its sending side.
Task<> echo(Socket& client) {
    std::array<char, buffer_size> buffer;
    while (true) {
        const std::size_t received = co_await client.read(buffer);
        if (received == 0) {
            co_return;  // End of file: the client has closed its sending side.
        }
        std::span<const char> unsent = std::span(buffer).first(received);
        while (!unsent.empty()) {
            const std::size_t sent = co_await client.send(unsent);
            unsent = unsent.subspan(sent);
        }
    }
}
