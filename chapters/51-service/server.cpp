// Chapter 51: what all clients share stands once, in a service.

#include <signal.h>

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

#include "address.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "listener.hpp"
#include "program.hpp"
#include "runtime/bytes.hpp"
#include "runtime/deadlines.hpp"
#include "runtime/reactor.hpp"
#include "runtime/signals.hpp"
#include "runtime/socket.hpp"
#include "runtime/task.hpp"
#include "runtime/task_group.hpp"

constexpr std::chrono::milliseconds accept_pause{100};
constexpr std::chrono::milliseconds goodbye_pause{100};

struct Client {
    Fd fd;
    Address address;
};

/// How long a client may keep the server waiting.
struct Patience {
    Timeout idle;                     ///< for its next byte
    Timeout write;                    ///< for room for the next byte of its echo
    Timeout goodbye;                  ///< for its next byte, when nobody wants it any more
    std::chrono::milliseconds drain;  ///< for its end, after the signal
};

/// What all clients have in common.
struct Service {
    Reactor& reactor;
    Patience patience;
    std::stop_source stop{};  ///< tells the clients of the end
};

Task<> serve(Fd listener, Fd signals, Service& service, int max_clients);
Task<> evict(TaskGroup& accepting, TaskGroup& clients, Reactor& reactor,
             std::chrono::milliseconds time);
Task<> accept_clients(Fd listener, Service& service, int max_clients, TaskGroup& clients);
Task<std::optional<Client>> accept_client(Acceptor& acceptor, Reactor& reactor);
void add_client(Client client, Service& service, TaskGroup& clients);
TaskGroup::Member serve_client(TaskGroup&, Client client, Service& service);
Task<> echo(Socket& client, Patience& patience);
Task<> lingering_close(Socket& client, Patience& patience);

int main(int argc, char** argv) {
    int idle_timeout = 60'000;
    int write_timeout = 60'000;
    int drain_timeout = 5'000;
    int max_clients = 100'000;
    int buffers = 64;
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
    const Option most = number_option("max-clients", "COUNT", "clients that are served at a time",
                                      max_clients, 1, 1'000'000);
    const Option pool = number_option(
        "buffers", "COUNT", "buffers of 64 KiB, for all clients together", buffers, 1, 32'768);
    return run_program(argc, argv, {idle, write, drain, most, pool}, [&](const Options& options) {
        Fd listener = listen_on(options);
        Reactor reactor(static_cast<unsigned>(buffers));
        Service service{reactor,
                        {Timeout(std::chrono::milliseconds{idle_timeout}),
                         Timeout(std::chrono::milliseconds{write_timeout}), Timeout(goodbye_pause),
                         std::chrono::milliseconds{drain_timeout}}};
        Fd signals = hold_signals({SIGTERM, SIGINT});
        announce(listener);
        reactor.start(serve(std::move(listener), std::move(signals), service, max_clients));
        reactor.run();
    });
}

/// Serves until a signal comes, and then lets everybody finish.
Task<> serve(Fd listener, Fd signals, Service& service, int max_clients) {
    Reactor& reactor = service.reactor;
    reactor.add(service.patience.idle);
    reactor.add(service.patience.write);
    reactor.add(service.patience.goodbye);
    TaskGroup clients = reactor.group();
    TaskGroup accepting = reactor.group();
    accepting.start(accept_clients(std::move(listener), service, max_clients, clients));

    Signals stop_signals(reactor, std::move(signals));
    co_await stop_signals.next();
    release_signals({SIGTERM, SIGINT});  // A second one ends the process at once.

    service.stop.request_stop();
    TaskGroup deadline = reactor.group();
    deadline.start(evict(accepting, clients, reactor, service.patience.drain));
    co_await accepting.below(1);
    co_await clients.below(1);
}

/// Ends all that has not finished when the time is over.
Task<> evict(TaskGroup& accepting, TaskGroup& clients, Reactor& reactor,
             std::chrono::milliseconds time) {
    co_await reactor.sleep_for(time);
    accepting.clear();
    if (clients.size() > 0) {
        report({"drain: ", std::to_string(clients.size()), " evicted"});
        clients.clear();
    }
}

/// Takes in clients, so many at a time, until it is stopped. Throws std::system_error when the
/// listener itself is broken.
Task<> accept_clients(Fd listener, Service& service, int max_clients, TaskGroup& clients) {
    Reactor& reactor = service.reactor;
    Acceptor acceptor(reactor, std::move(listener));
    const std::stop_callback at_stop(service.stop.get_token(),
                                     [&acceptor] { acceptor.close_queue(); });
    bool has_shortage = false;
    while (true) {
        // The others wait in the accept queue.
        co_await clients.below(static_cast<std::size_t>(max_clients));
        try {
            std::optional<Client> client = co_await accept_client(acceptor, reactor);
            if (!client) {
                co_return;
            }
            has_shortage = false;
            add_client(std::move(*client), service, clients);
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

/// Waits for the next client; nothing, when nobody is waiting and no more can come. Throws
/// std::system_error only when the listener itself is broken.
Task<std::optional<Client>> accept_client(Acceptor& acceptor, Reactor& reactor) {
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

            // The queue has been closed, and is empty.
            case EAGAIN: co_return std::nullopt;

            default: throw failed_call(-fd, "accept");
        }
    }
}

/// Takes a client in. Where that cannot be done, it is turned away and the others stay.
void add_client(Client client, Service& service, TaskGroup& clients) {
    const Address address = client.address;
    try {
        serve_client(clients, std::move(client), service);
    } catch (const std::exception& error) {
        report({"client ", to_text(address), " turned away: ", error.what()});
    }
}

/// Serves one client to its end. Whatever goes wrong on its connection ends this client alone.
TaskGroup::Member serve_client(TaskGroup&, Client client, Service& service) {
    try {
        Socket socket(service.reactor, std::move(client.fd));
        const std::stop_callback at_stop(service.stop.get_token(),
                                         [&socket] { socket.end_input(); });
        co_await echo(socket, service.patience);
        if (service.stop.stop_requested()) {
            co_await lingering_close(socket, service.patience);
        }
    } catch (const std::exception& error) {
        report({"client ", to_text(client.address), ": ", error.what()});
    }
}

/// Sends back everything that the client sends, until it closes its sending side.
Task<> echo(Socket& client, Patience& patience) {
    while (true) {
        Bytes unsent = co_await client.read(&patience.idle);
        if (unsent.empty()) {
            co_return;  // End of file: the client has closed its sending side.
        }
        while (!unsent.empty()) {
            const std::size_t sent = co_await client.send(unsent, &patience.write);
            unsent.drop(sent);
        }
    }
}

/// A lingering close: the client may be sending still, and close() with bytes unread would be a
/// reset, which takes with it what is on its way to the client. So the client goes first, or is
/// silent and its kernel has everything.
Task<> lingering_close(Socket& client, Patience& patience) {
    client.end_output();
    while (true) {
        try {
            const Bytes unwanted = co_await client.read(&patience.goodbye);
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
