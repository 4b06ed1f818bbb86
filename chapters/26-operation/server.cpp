// Chapter 26: an operation is awaited itself: no frame for each call.

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
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
#include "runtime/operation.hpp"
#include "runtime/reactor.hpp"
#include "runtime/task.hpp"
#include "runtime/watched_fd.hpp"

constexpr std::size_t buffer_size = 64 * 1024;  // bytes

struct Client {
    Fd fd;
    Address address;
};

void make_nonblocking(const Fd& fd);
Task<> accept_clients(const WatchedFd& listener, Reactor& reactor);
Task<Client> accept_client(const WatchedFd& listener);
void add_client(Client client, Reactor& reactor);
Task<> serve_client(Client client, Reactor& reactor);
Task<> echo(const WatchedFd& client);

int main(int argc, char** argv) {
    return run_program(argc, argv, [](const Options& options) {
        Fd fd = listen_on(options);
        make_nonblocking(fd);
        Reactor reactor;
        const WatchedFd listener(reactor, std::move(fd));
        reactor.start(accept_clients(listener, reactor));
        announce(listener.fd());
        reactor.run();
    });
}

/// From here on no call on this descriptor waits: it fails with EAGAIN where it would have.
void make_nonblocking(const Fd& fd) {
    const int flags = check(::fcntl(fd.get(), F_GETFL), "fcntl F_GETFL");
    check(::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK), "fcntl F_SETFL");
}

/// Takes in every client, for ever. Throws std::system_error when the listener itself is broken.
Task<> accept_clients(const WatchedFd& listener, Reactor& reactor) {
    bool has_shortage = false;
    co_await listener.event();
    while (true) {
        try {
            Client client = co_await accept_client(listener);
            has_shortage = false;
            add_client(std::move(client), reactor);
        } catch (const std::bad_alloc&) {  // Not even accept_client() can be called.
            if (!std::exchange(has_shortage, true)) {
                report({"accept, trying again: ", std::strerror(ENOMEM)});
            }
        }
        co_await (has_shortage ? listener.pause() : listener.turn());
    }
}

/// Waits for the next client. Throws std::system_error only when the listener itself is broken.
Task<Client> accept_client(const WatchedFd& listener) {
    bool has_shortage = false;
    while (true) {
        Client client;
        const int fd = ::accept4(listener.fd().get(), client.address.get(), &client.address.length,
                                 SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd != -1) {
            client.fd = Fd{fd};
            co_return client;
        }
        switch (errno) {
            // A signal came first. Nothing is lost; ask again.
            case EINTR: break;

            // No client is waiting.
            case EAGAIN:
                has_shortage = false;
                co_await listener.event();
                break;

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
            case ENETUNREACH: co_await listener.turn(); break;

            // No descriptor, no memory or no permission for one more client. accept() asks for
            // them before it looks for a client, so it would fail at once, again and again: give
            // others the time to end.
            case EMFILE:
            case ENFILE:
            case ENOBUFS:
            case ENOMEM:
            case EPERM:
                if (!std::exchange(has_shortage, true)) {
                    report({"accept, trying again: ", std::strerror(errno)});
                }
                co_await listener.pause();
                break;

            default: throw failed_call(errno, "accept");
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
        const WatchedFd watched(reactor, std::move(client.fd));
        co_await watched.event();
        co_await echo(watched);
    } catch (const std::exception& error) {
        report({"client ", to_text(client.address), ": ", error.what()});
    }
}

/// Sends back everything that the client sends, until it closes its sending side.
Task<> echo(const WatchedFd& client) {
    std::array<char, buffer_size> buffer;
    while (true) {
        const std::size_t received = co_await receive(client, buffer);
        if (received == 0) {
            co_return;  // End of file: the client has closed its sending side.
        }
        std::span<const char> unsent = std::span(buffer).first(received);
        while (!unsent.empty()) {
            const std::size_t sent = co_await send_some(client, unsent);
            unsent = unsent.subspan(sent);
        }
    }
}
