// Chapter 17: the loop is a part of its own, and calls back one function for every turn.

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
#include <unordered_map>
#include <utility>

#include "address.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "listener.hpp"
#include "program.hpp"
#include "runtime/reactor.hpp"

constexpr std::size_t buffer_size = 64 * 1024;  // bytes
constexpr int steps_at_once = 4;

struct Listener {
    Fd fd;
    bool has_shortage = false;  ///< nothing to take the next client with, when last tried
    bool is_ready = false;  ///< an event has come, and accept() has not failed with EAGAIN since
};

struct Client {
    Fd fd;
    Address address;
};

/// A client and how far its echo has come: what its thread had on the stack.
struct Connection {
    explicit Connection(Client accepted) : client(std::move(accepted)) {}
    // `unsent` points into `buffer`, so a connection stays where it is.
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    Client client;
    std::span<const char> unsent;  ///< the part of `buffer` that still has to be sent
    std::array<char, buffer_size> buffer;
};

using Connections = std::unordered_map<int, Connection>;  // by descriptor

void make_nonblocking(const Fd& fd);
void serve(Listener& listener, Reactor& reactor);
Next accept_and_watch(Listener& listener, Connections& connections, Reactor& reactor);
std::optional<Client> accept_client(Listener& listener);
void add_client(Client client, Connections& connections, Reactor& reactor);
Next serve_client(Connection& connection);
Next echo(Connection& connection);
std::optional<std::size_t> receive(const Fd& client, std::span<char> buffer);
std::size_t send_some(const Fd& client, std::span<const char> bytes);

int main(int argc, char** argv) {
    return run_program(argc, argv, [](const Options& options) {
        Listener listener{listen_on(options)};
        make_nonblocking(listener.fd);
        Reactor reactor;
        reactor.watch(listener.fd);
        announce(listener.fd);
        serve(listener, reactor);
    });
}

/// From here on no call on this descriptor waits: it fails with EAGAIN where it would have.
void make_nonblocking(const Fd& fd) {
    const int flags = check(::fcntl(fd.get(), F_GETFL), "fcntl F_GETFL");
    check(::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK), "fcntl F_SETFL");
}

/// Gives each descriptor that is ready its turn; for ever.
void serve(Listener& listener, Reactor& reactor) {
    Connections connections;
    while (true) {
        reactor.run_once([&](int fd) {
            const Next next = fd == listener.fd.get()
                                  ? accept_and_watch(listener, connections, reactor)
                                  : serve_client(connections.at(fd));
            if (next == Next::end) {
                connections.erase(fd);  // Closed, it leaves epoll's list by itself.
            }
            return next;
        });
    }
}

/// The listener's turn: takes in the next client.
Next accept_and_watch(Listener& listener, Connections& connections, Reactor& reactor) {
    listener.is_ready = true;
    if (std::optional<Client> client = accept_client(listener)) {
        add_client(std::move(*client), connections, reactor);
    }
    if (listener.has_shortage) {
        return Next::pause;  // It may end without an event: then look again after a while.
    }
    return listener.is_ready ? Next::turn : Next::event;
}

/// The next client, or nothing when none can be had now. Throws std::system_error only when the
/// listener itself is broken.
std::optional<Client> accept_client(Listener& listener) {
    while (true) {
        Client client;
        const int fd = ::accept4(listener.fd.get(), client.address.get(), &client.address.length,
                                 SOCK_NONBLOCK | SOCK_CLOEXEC);
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
void add_client(Client client, Connections& connections, Reactor& reactor) {
    const int fd = client.fd.get();
    const Address address = client.address;
    try {
        const auto [entry, is_new] = connections.try_emplace(fd, std::move(client));
        reactor.watch(entry->second.client.fd);  // What has come already is reported, too.
    } catch (const std::exception& error) {
        connections.erase(fd);
        report({"client ", to_text(address), " turned away: ", error.what()});
    }
}

/// One client's turn. Whatever goes wrong on its connection ends this client alone.
Next serve_client(Connection& connection) {
    try {
        Next next = Next::turn;
        for (int i = 0; i < steps_at_once && next == Next::turn; ++i) {
            next = echo(connection);
        }
        return next;
    } catch (const std::exception& error) {
        report({"client ", to_text(connection.client.address), ": ", error.what()});
        return Next::end;
    }
}

/// Goes on with the echo by one step, without waiting: sends back what is left from the last turn,
/// or what the client has sent since. Ends once the client has closed its sending side and
/// has everything back.
Next echo(Connection& connection) {
    if (connection.unsent.empty()) {
        const auto received = receive(connection.client.fd, connection.buffer);
        if (!received) {
            return Next::event;
        }
        if (*received == 0) {
            return Next::end;  // End of file: the client has closed its sending side.
        }
        connection.unsent = std::span(connection.buffer).first(*received);
    }
    const std::size_t sent = send_some(connection.client.fd, connection.unsent);
    connection.unsent = connection.unsent.subspan(sent);
    return sent > 0 ? Next::turn : Next::event;
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
