// Chapter 50: a ring, a listener and clients of its own for each core; nothing is shared.

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <exception>
#include <new>
#include <optional>
#include <stop_token>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "address.hpp"
#include "buffers.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "io.hpp"
#include "listener.hpp"
#include "processors.hpp"
#include "program.hpp"
#include "signals.hpp"
#include "task.hpp"
#include "worker.hpp"

constexpr unsigned ring_entries = 256;
constexpr std::chrono::milliseconds accept_pause{100};
constexpr std::chrono::milliseconds goodbye_pause{100};

struct Client {
    Fd fd;
    std::string name;  ///< its address, in less room than an Address takes
};

/// How long a client may keep the server waiting.
struct Patience {
    std::chrono::milliseconds idle;   ///< for its next byte
    std::chrono::milliseconds write;  ///< for room for the next byte of its echo
    std::chrono::milliseconds drain;  ///< for its end, after the signal
};

/// How many clients may still come: the one thing that the workers share.
class Room {
public:
    explicit Room(int places) : places_(places), free_(places) {}

    int places() const { return places_; }

    /// Whether there was a place; it is taken then.
    bool take() {
        if (free_.fetch_sub(1, std::memory_order_relaxed) > 0) {
            return true;
        }
        give_back();
        return false;
    }

    void give_back() { free_.fetch_add(1, std::memory_order_relaxed); }

private:
    const int places_;
    std::atomic<int> free_;
};

/// A place that has been taken. Its end gives it back.
class Place {
public:
    explicit Place(Room& room) : room_(&room) {}
    Place(Place&& other) noexcept : room_(std::exchange(other.room_, nullptr)) {}
    Place& operator=(Place&&) = delete;

    ~Place() {
        if (room_ != nullptr) {
            room_->give_back();
        }
    }

private:
    Room* room_;
};

Fd listen_beside(const Fd& first, int backlog);
Task<> serve(IoContext& io, Fd listener, const Event& end, Patience patience, Room& room);
Task<> accept_clients(IoContext& io, Fd listener, TaskGroup& clients, Patience patience, Room& room,
                      std::stop_token stop);
Task<std::optional<Client>> accept_client(IoContext& io, Acceptor& acceptor);
Task<> serve_client(IoContext& io, Client client, Patience patience, Place place,
                    std::stop_token stop);
Task<> echo(Socket& client, Patience patience);
Task<> say_goodbye(Socket& client);

int main(int argc, char** argv) {
    int idle_timeout = 60'000;
    int write_timeout = 60'000;
    int drain_timeout = 5'000;
    int buffers = 64;
    int worker_count = count_allowed_processors();
    int max_clients = 1'000'000;
    int pin = 0;
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
    const Option pool = number_option(
        "buffers", "COUNT", "buffers of 64 KiB, for all clients of a worker", buffers, 1, 32'768);
    const Option threads =
        number_option("workers", "COUNT", "threads, each with a ring and a listener of its own",
                      worker_count, 1, 1024);
    const Option limit = number_option(
        "max-clients", "COUNT", "how many clients are served at once", max_clients, 1, 1'000'000);
    const Option pinned =
        number_option("pin", "0|1", "1: each worker stays on a core of its own", pin, 0, 1);
    const std::vector<Option> all{idle, write, drain, pool, threads, limit, pinned};
    return run_program(argc, argv, all, [&](const Options& options) {
        const Patience patience{std::chrono::milliseconds{idle_timeout},
                                std::chrono::milliseconds{write_timeout},
                                std::chrono::milliseconds{drain_timeout}};
        const std::vector<int> cores = pin == 1 ? allowed_cores() : std::vector<int>();
        std::vector<Fd> listeners;
        listeners.push_back(listen_on(options));
        while (listeners.size() < static_cast<std::size_t>(worker_count)) {
            listeners.push_back(listen_beside(listeners.front(), options.backlog));
        }
        // Before there are threads: they inherit it.
        hold_signals({SIGTERM, SIGINT, worker_has_failed});
        const Event end;
        Room room(max_clients);
        std::vector<Worker> workers;
        for (std::size_t i = 0; i < listeners.size(); ++i) {
            const auto core = pin == 1 ? std::optional(cores[i % cores.size()]) : std::nullopt;
            workers.emplace_back(core, ring_entries, static_cast<unsigned>(buffers));
        }

        announce(listeners.front());
        for (std::size_t i = 0; i < listeners.size(); ++i) {
            workers[i].start([&, i](IoContext& io) {
                return serve(io, std::move(listeners[i]), end, patience, room);
            });
        }
        wait_for_signal({SIGTERM, SIGINT, worker_has_failed});
        release_signals({SIGTERM, SIGINT});  // A second one ends the process at once.
        end.happen();
        for (Worker& worker : workers) {
            worker.wait();
        }
    });
}

/// One more listener where the first one listens. The kernel gives each new client to one of them.
///
/// The first one was bound without SO_REUSEPORT: so a port on which another server listens is an
/// error as ever. From now on it shares its port with sockets of this user that want to share, too.
Fd listen_beside(const Fd& first, int backlog) {
    const auto enable = [](const Fd& socket, int level, int option) {
        const int on = 1;
        check(::setsockopt(socket.get(), level, option, &on, sizeof on), "setsockopt");
    };
    enable(first, SOL_SOCKET, SO_REUSEPORT);
    Address address;
    check(::getsockname(first.get(), address.get(), &address.length), "getsockname");
    const std::string where = to_string(address);
    const int family = address.storage.ss_family;
    Fd listener{check(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP), "socket")};
    enable(listener, SOL_SOCKET, SO_REUSEADDR);
    enable(listener, SOL_SOCKET, SO_REUSEPORT);
    enable(listener, IPPROTO_TCP, TCP_NODELAY);
    enable(listener, SOL_SOCKET, SO_OOBINLINE);
    check(::bind(listener.get(), address.get(), address.length), "bind", where);
    check(::listen(listener.get(), backlog), "listen", where);
    return listener;
}

/// Serves until it is to end, and then lets everybody finish.
Task<> serve(IoContext& io, Fd listener, const Event& end, Patience patience, Room& room) {
    std::stop_source stop;
    TaskGroup clients(io);
    clients.start(
        accept_clients(io, std::move(listener), clients, patience, room, stop.get_token()));

    co_await HasHappened(io, end);
    stop.request_stop();
    const bool all_have_finished = co_await clients.ended(patience.drain);
    if (!all_have_finished) {
        report({"drain: ", std::to_string(clients.size()), " evicted"});
    }
}  // Whoever has not finished is a coroutine of `clients`, and is destroyed with it.

/// Gives every client a coroutine of its own, until no more can come.
Task<> accept_clients(IoContext& io, Fd listener, TaskGroup& clients, Patience patience, Room& room,
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
            const std::string name = client->name;
            if (!room.take()) {
                report({"client ", name, " turned away: ", std::to_string(room.places()),
                        " clients are being served"});
                continue;
            }
            Place place(room);
            try {
                clients.start(
                    serve_client(io, std::move(*client), patience, std::move(place), stop));
            } catch (const std::exception& error) {
                report({"client ", name, " turned away: ", error.what()});
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
        Address address;
        const int fd = co_await acceptor.accept(address);
        if (fd >= 0) {
            Client client{Fd{fd}, to_string(address)};
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
Task<> serve_client(IoContext& io, Client client, Patience patience, Place, std::stop_token stop) {
    try {
        Socket socket(io, std::move(client.fd));
        const std::stop_callback at_stop(stop, [&socket] { socket.end_input(); });
        co_await echo(socket, patience);
        if (stop.stop_requested()) {
            co_await say_goodbye(socket);
        }
    } catch (const std::exception& error) {
        report({"client ", client.name, ": ", error.what()});
    }
}

/// Sends back everything that the client sends, until it closes its sending side.
Task<> echo(Socket& client, Patience patience) {
    while (true) {
        Bytes unsent = co_await client.read(patience.idle);
        if (unsent.empty()) {
            co_return;  // End of file: the client has closed its sending side.
        }
        while (!unsent.empty()) {
            const std::size_t sent = co_await client.send(unsent, patience.write);
            unsent.drop(sent);
        }
    }
}

/// Ends a connection whose client may be sending still. close() with bytes unread would be a reset,
/// and a reset takes with it what is on its way to the client: so the client goes first, or is
/// silent and has acknowledged everything.
Task<> say_goodbye(Socket& client) {
    client.end_output();
    while (true) {
        try {
            const Bytes unwanted = co_await client.read(goodbye_pause);
            if (unwanted.empty()) {
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
