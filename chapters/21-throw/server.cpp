// Chapter 21: the listener awaits, too; an exception leaves a coroutine, and its frame dies.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <exception>
#include <optional>
#include <span>
#include <utility>

#include "address.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "listener.hpp"
#include "program.hpp"
#include "runtime/coroutine.hpp"
#include "runtime/reactor.hpp"
#include "runtime/watched_fd.hpp"

constexpr std::size_t buffer_size = 64 * 1024;  // bytes

struct Listener {
    WatchedFd watched;
    bool has_shortage = false;  ///< nothing to take the next client with, when last tried
    bool is_ready = false;  ///< an event has come, and accept() has not failed with EAGAIN since
};

struct Client {
    Fd fd;
    Address address;
};

void make_nonblocking(const Fd& fd);
Coroutine accept_clients(Listener& listener, Reactor& reactor);
std::optional<Client> accept_client(Listener& listener);
void add_client(Client client, Reactor& reactor);
Coroutine serve_client(Client client, Reactor& reactor);
std::optional<std::size_t> receive(const Fd& client, std::span<char> buffer);
std::size_t send_some(const Fd& client, std::span<const char> bytes);

int main(int argc, char** argv) {
    return run_program(argc, argv, [](const Options& options) {
        Fd fd = listen_on(options);
        make_nonblocking(fd);
        Reactor reactor;
        Listener listener{WatchedFd(reactor, std::move(fd))};
        accept_clients(listener, reactor);
        announce(listener.watched.fd());
        while (true) {
            reactor.run_once();
        }
    });
}

/// From here on no call on this descriptor waits: it fails with EAGAIN where it would have.
void make_nonblocking(const Fd& fd) {
    const int flags = check(::fcntl(fd.get(), F_GETFL), "fcntl F_GETFL");
    check(::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK), "fcntl F_SETFL");
}

/// Takes in every client, for ever. Throws std::system_error when the listener itself is broken.
Coroutine accept_clients(Listener& listener, Reactor& reactor) {
    co_await listener.watched.event();
    while (true) {
        listener.is_ready = true;
        if (std::optional<Client> client = accept_client(listener)) {
            add_client(std::move(*client), reactor);
        }
        if (listener.has_shortage) {
            co_await listener.watched.pause();
        } else {
            co_await (listener.is_ready ? listener.watched.turn() : listener.watched.event());
        }
    }
}

/// The next client, or nothing when none can be had now. Throws std::system_error only when the
/// listener itself is broken.
std::optional<Client> accept_client(Listener& listener) {
    while (true) {
        Client client;
        const int fd = ::accept4(listener.watched.fd().get(), client.address.get(),
                                 &client.address.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd != -1) {
            client.fd = Fd{fd};
            listener.has_shortage = false;
            return client;
        }
        switch (errno) {
            // A signal came first. Nothing is lost; ask again.
            case EINTR: break;

            // No client is waiting.
            case EAGAIN:
                listener.has_shortage = false;
                listener.is_ready = false;
                return std::nullopt;

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
            case ENETUNREACH: return std::nullopt;

            // No descriptor, no memory or no permission for one more client. accept() asks for
            // them before it looks for a client, so it would fail at once, again and again: give
            // others the time to end.
            case EMFILE:
            case ENFILE:
            case ENOBUFS:
            case ENOMEM:
            case EPERM:
                if (!std::exchange(listener.has_shortage, true)) {
                    report({"accept, trying again: ", std::strerror(errno)});
                }
                return std::nullopt;

            default: throw failed_call(errno, "accept");
        }
    }
}

/// Takes a client in. Where that cannot be done, it is turned away and the others stay.
void add_client(Client client, Reactor& reactor) {
    const Address address = client.address;
    try {
        serve_client(std::move(client), reactor);
    } catch (const std::exception& error) {
        report({"client ", to_text(address), " turned away: ", error.what()});
    }
}

/// Sends back everything that the client sends, until it closes its sending side. Whatever goes
/// wrong on its connection ends this client alone.
Coroutine serve_client(Client client, Reactor& reactor) {
    try {
        const WatchedFd watched(reactor, std::move(client.fd));
        co_await watched.event();
        std::array<char, buffer_size> buffer;
        while (true) {
            const auto received = receive(watched.fd(), buffer);
            if (!received) {
                co_await watched.event();
                continue;
            }
            if (*received == 0) {
                co_return;  // End of file: the client has closed its sending side.
            }
            std::span<const char> unsent = std::span(buffer).first(*received);
            while (!unsent.empty()) {
                const std::size_t sent = send_some(watched.fd(), unsent);
                unsent = unsent.subspan(sent);
                co_await (sent > 0 ? watched.turn() : watched.event());
            }
        }
    } catch (const std::exception& error) {
        report({"client ", to_text(client.address), ": ", error.what()});
    }
}

/// Returns how many bytes have come, at most buffer.size(); 0 is the end of the file, and nothing
/// means that none have come yet.
std::optional<std::size_t> receive(const Fd& client, std::span<char> buffer) {
    while (true) {
        const ssize_t received = ::read(client.get(), buffer.data(), buffer.size());
        if (received == -1 && errno == EINTR) {
            continue;
        }
        if (received == -1 && errno == EAGAIN) {
            return std::nullopt;
        }
        return static_cast<std::size_t>(check(received, "read"));
    }
}

/// Sends as many bytes as there is room for, and returns how many that were.
std::size_t send_some(const Fd& client, std::span<const char> bytes) {
    while (true) {
        // MSG_NOSIGNAL: a client that is gone shall be the error EPIPE here, not the signal
        // SIGPIPE, which ends the process.
        const ssize_t sent = ::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent == -1 && errno == EINTR) {
            continue;
        }
        if (sent == -1 && errno == EAGAIN) {
            return 0;
        }
        return static_cast<std::size_t>(check(sent, "send"));
    }
}
