// Chapter 12: the kernel sends a signal for each event, and the signal names the descriptor.

#include <fcntl.h>
#include <signal.h>
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
#include <vector>

#include "address.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "listener.hpp"
#include "program.hpp"

constexpr std::size_t buffer_size = 64 * 1024;  // bytes
constexpr timespec accept_pause{.tv_sec = 0, .tv_nsec = 100'000'000};
constexpr int signals_at_once = 64;

struct Listener {
    Fd fd;
    bool has_shortage = false;  ///< nothing to take the next client with, when last tried
    bool is_ready = true;       ///< a client may be waiting
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
    bool is_ready = false;         ///< a signal has come, and no call has failed with EAGAIN since
    std::array<char, buffer_size> buffer;
};

using Connections = std::unordered_map<int, Connection>;  // by descriptor
using Ready = std::vector<int>;  // the descriptors of clients that are ready, each of them once

void make_nonblocking(const Fd& fd);
sigset_t block_signals();
void send_signals_for(const Fd& fd);
void serve(Listener& listener, const sigset_t& signals);
void take_signals(const sigset_t& signals, Listener& listener, Connections& connections,
                  Ready& ready);
void set_ready(Connection& connection, Ready& ready);
void make_room(Ready& ready, std::size_t clients);
std::optional<Client> accept_client(Listener& listener);
void add_client(Client client, Connections& connections, Ready& ready);
bool serve_client(Connection& connection);
bool echo(Connection& connection);
std::optional<std::size_t> receive(const Fd& client, std::span<char> buffer);
std::size_t send_some(const Fd& client, std::span<const char> bytes);

int main(int argc, char** argv) {
    return run_program(argc, argv, [](const Options& options) {
        Listener listener{listen_on(options)};
        make_nonblocking(listener.fd);
        const sigset_t signals = block_signals();
        send_signals_for(listener.fd);
        announce(listener.fd);
        serve(listener, signals);
    });
}

/// From here on no call on this descriptor waits: it fails with EAGAIN where it would have.
void make_nonblocking(const Fd& fd) {
    const int flags = check(::fcntl(fd.get(), F_GETFL), "fcntl F_GETFL");
    check(::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK), "fcntl F_SETFL");
}

/// The signals of ready descriptors: SIGRTMIN, and SIGIO where no more of those can be queued.
/// Blocked, so that they wait until they are asked for, and no handler interrupts anything.
sigset_t block_signals() {
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGRTMIN);
    ::sigaddset(&signals, SIGIO);
    check(::sigprocmask(SIG_BLOCK, &signals, nullptr), "sigprocmask");
    return signals;
}

/// From here on the kernel sends this process a SIGRTMIN whenever something happens on the
/// descriptor, with the descriptor's number in it (fcntl(2), "Managing signals").
void send_signals_for(const Fd& fd) {
    check(::fcntl(fd.get(), F_SETOWN, ::getpid()), "fcntl F_SETOWN");
    check(::fcntl(fd.get(), F_SETSIG, SIGRTMIN), "fcntl F_SETSIG");
    const int flags = check(::fcntl(fd.get(), F_GETFL), "fcntl F_GETFL");
    check(::fcntl(fd.get(), F_SETFL, flags | O_ASYNC), "fcntl F_SETFL");
}

/// Sleeps until a client is ready, then gives each of those that are its turn; for ever.
void serve(Listener& listener, const sigset_t& signals) {
    Connections connections;
    Ready ready;
    while (true) {
        take_signals(signals, listener, connections, ready);
        const std::size_t turns = ready.size();
        for (std::size_t i = 0; i < turns; ++i) {
            const int fd = ready[i];
            Connection& connection = connections.at(fd);
            if (!serve_client(connection)) {
                connections.erase(fd);
            } else if (connection.is_ready) {
                ready.push_back(fd);  // Another turn, after the others have had theirs.
            }
        }
        ready.erase(ready.begin(), ready.begin() + static_cast<std::ptrdiff_t>(turns));
        if (listener.is_ready) {
            if (std::optional<Client> client = accept_client(listener)) {
                add_client(std::move(*client), connections, ready);
            }
        }
    }
}

/// Notes which descriptors have become ready, by the signals that have come. Sleeps until one
/// comes, unless one is known to be ready already.
void take_signals(const sigset_t& signals, Listener& listener, Connections& connections,
                  Ready& ready) {
    const timespec at_once{};
    for (int i = 0; i < signals_at_once; ++i) {
        const timespec* timeout = &at_once;
        if (i == 0 && ready.empty() && listener.has_shortage) {
            timeout = &accept_pause;  // It may end without a signal: then look again after a while.
        } else if (i == 0 && ready.empty() && !listener.is_ready) {
            timeout = nullptr;
        }
        siginfo_t info;
        const int number = ::sigtimedwait(&signals, &info, timeout);
        if (number == -1 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        check(number, "sigtimedwait");

        if (number == SIGIO) {
            // The queue of signals was full, and some are lost. It does not say whose: look at all.
            listener.is_ready = true;
            for (auto& [fd, connection] : connections) {
                set_ready(connection, ready);
            }
        } else if (info.si_fd == listener.fd.get()) {
            listener.is_ready = true;
        } else if (const auto entry = connections.find(info.si_fd); entry != connections.end()) {
            set_ready(entry->second, ready);
        }  // Or else it has left, and the signal was still in the queue.
    }
}

void set_ready(Connection& connection, Ready& ready) {
    if (!std::exchange(connection.is_ready, true)) {
        ready.push_back(connection.client.fd.get());
    }
}

/// Makes room for every client to have its turn and to be noted for another one, so that noting
/// it never needs memory that there may not be.
void make_room(Ready& ready, std::size_t clients) {
    if (ready.capacity() < 2 * clients) {
        ready.reserve(4 * clients);
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
void add_client(Client client, Connections& connections, Ready& ready) {
    const int fd = client.fd.get();
    const Address address = client.address;
    try {
        send_signals_for(client.fd);
        const auto [entry, is_new] = connections.try_emplace(fd, std::move(client));
        make_room(ready, connections.size());
        set_ready(entry->second, ready);  // What came before send_signals_for() gave no signal.
    } catch (const std::exception& error) {
        connections.erase(fd);
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
            connection.is_ready = false;
            return true;
        }
        if (*received == 0) {
            return false;  // End of file: the client has closed its sending side.
        }
        connection.unsent = std::span(connection.buffer).first(*received);
    }
    const std::size_t sent = send_some(connection.client.fd, connection.unsent);
    connection.unsent = connection.unsent.subspan(sent);
    connection.is_ready = sent > 0;
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
