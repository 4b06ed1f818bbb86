// Chapter 10: select() sleeps until one of many descriptors is ready.

#include <fcntl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <exception>
#include <iterator>
#include <optional>
#include <span>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include "address.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "listener.hpp"
#include "program.hpp"

constexpr std::size_t buffer_size = 64 * 1024;  // bytes
constexpr timeval accept_pause{.tv_sec = 0, .tv_usec = 100'000};

struct Listener {
    Fd fd;
    bool has_shortage = false;  ///< nothing to take the next client with, when last tried
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
void require_room_in_set(const Fd& fd);
void serve(Listener& listener);
std::optional<Client> accept_client(Listener& listener);
void add_client(Client client, Connections& connections);
bool serve_client(Connection& connection);
bool echo(Connection& connection);
std::optional<std::size_t> receive(const Fd& client, std::span<char> buffer);
std::size_t send_some(const Fd& client, std::span<const char> bytes);

int main(int argc, char** argv) {
    return run_program(argc, argv, [](const Options& options) {
        Listener listener{listen_on(options)};
        require_room_in_set(listener.fd);
        make_nonblocking(listener.fd);
        announce(listener.fd);
        serve(listener);
    });
}

/// From here on no call on this descriptor waits: it fails with EAGAIN where it would have.
void make_nonblocking(const Fd& fd) {
    const int flags = check(::fcntl(fd.get(), F_GETFL), "fcntl F_GETFL");
    check(::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK), "fcntl F_SETFL");
}

/// Throws std::runtime_error when the descriptor has no place in an fd_set. FD_SET() does not look:
/// it would write into the memory behind the set (select(2), "BUGS").
void require_room_in_set(const Fd& fd) {
    if (fd.get() >= FD_SETSIZE) {
        throw std::runtime_error("select cannot watch descriptor " + std::to_string(fd.get()) +
                                 ", only 0 to " + std::to_string(FD_SETSIZE - 1));
    }
}

/// Sleeps until a client is ready, then gives each of those that are its turn; for ever.
void serve(Listener& listener) {
    Connections connections;
    while (true) {
        // select() answers in the sets in which it was asked, so they are made anew each time.
        fd_set readable;
        fd_set writable;
        FD_ZERO(&readable);
        FD_ZERO(&writable);
        int highest = listener.fd.get();
        if (!listener.has_shortage) {
            FD_SET(listener.fd.get(), &readable);
        }
        for (const auto& [fd, connection] : connections) {
            FD_SET(fd, connection.unsent.empty() ? &readable : &writable);
            highest = std::max(highest, fd);
        }

        // A shortage may end without an event: then look again after a while.
        timeval pause = accept_pause;
        const int count = ::select(highest + 1, &readable, &writable, nullptr,
                                   listener.has_shortage ? &pause : nullptr);
        if (count == -1 && errno == EINTR) {
            continue;  // The sets hold no answer.
        }
        check(count, "select");

        for (auto entry = connections.begin(); entry != connections.end();) {
            const int fd = entry->first;
            const bool is_ready = FD_ISSET(fd, &readable) || FD_ISSET(fd, &writable);
            const bool stays = !is_ready || serve_client(entry->second);
            entry = stays ? std::next(entry) : connections.erase(entry);
        }
        if (listener.has_shortage || FD_ISSET(listener.fd.get(), &readable)) {
            if (std::optional<Client> client = accept_client(listener)) {
                add_client(std::move(*client), connections);
            }
        }
    }
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
            case EAGAIN: listener.has_shortage = false; return std::nullopt;

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
void add_client(Client client, Connections& connections) {
    const int fd = client.fd.get();
    const Address address = client.address;
    try {
        require_room_in_set(client.fd);
        connections.try_emplace(fd, std::move(client));
    } catch (const std::exception& error) {
        report({"client ", to_text(address), " turned away: ", error.what()});
    }
}

/// One client's turn. Returns whether the client stays; whatever goes wrong on its connection ends
/// this client alone.
bool serve_client(Connection& connection) {
    try {
        return echo(connection);
    } catch (const std::exception& error) {
        report({"client ", to_text(connection.client.address), ": ", error.what()});
        return false;
    }
}

/// Goes on with the echo by one step, without waiting: sends back what is left from the last turn,
/// or what the client has sent since. Returns false once the client has closed its sending side and
/// has everything back.
bool echo(Connection& connection) {
    if (connection.unsent.empty()) {
        const auto received = receive(connection.client.fd, connection.buffer);
        if (!received) {
            return true;
        }
        if (*received == 0) {
            return false;  // End of file: the client has closed its sending side.
        }
        connection.unsent = std::span(connection.buffer).first(*received);
    }
    const std::size_t sent = send_some(connection.client.fd, connection.unsent);
    connection.unsent = connection.unsent.subspan(sent);
    return true;
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
