// Chapter 57: the old version serves on until its clients have gone.

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <exception>
#include <functional>
#include <new>
#include <optional>
#include <stop_token>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "address.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "listener.hpp"
#include "processors.hpp"
#include "program.hpp"
#include "runtime/bytes.hpp"
#include "runtime/client_limit.hpp"
#include "runtime/deadlines.hpp"
#include "runtime/event.hpp"
#include "runtime/reactor.hpp"
#include "runtime/service.hpp"
#include "runtime/signals.hpp"
#include "runtime/socket.hpp"
#include "runtime/successor.hpp"
#include "runtime/task.hpp"
#include "runtime/task_group.hpp"
#include "runtime/worker.hpp"

constexpr std::chrono::milliseconds accept_pause{100};
constexpr std::chrono::milliseconds limit_pause{100};
constexpr std::chrono::milliseconds goodbye_pause{100};

struct Listener {
    Fd fd;
    bool is_shared;  ///< with another process, to which its accept queue is left at the end
};

struct Client {
    Fd fd;
    Address address;
};

/// How long a client may keep the server waiting.
struct Patience {
    Timeout idle;                       ///< for its next byte
    Timeout write;                      ///< for room for the next byte of its echo
    Timeout goodbye;                    ///< for its next byte, when nobody wants it any more
    std::chrono::milliseconds overlap;  ///< for its end, while a successor serves already
    std::chrono::milliseconds drain;    ///< for its end, when it has been told of it
};

/// What all clients have in common.
struct Service {
    Reactor& reactor;
    Patience patience;
    ClientLimit& limit;
    std::stop_source stop{};  ///< tells the clients of the end
};

/// How this program was started, and its next version will be.
struct Invocation {
    const char* path;
    char* const* arguments;
    std::chrono::milliseconds timeout;  ///< for the next version, until it is ready
};

/// How the server ends.
struct End {
    Event event;
    std::atomic<bool> is_handed_over = false;  ///< to a successor, which has the listeners
};

/// What each worker does with a listener of its own, until the end.
using Work = std::function<void(Reactor&, Listener listener, const End& end)>;

std::vector<Listener> listen_for_all(const Options& options, int workers);
Fd share(const Fd& listener);
Fd listen_beside(const Fd& first, int backlog);
void run_workers(std::vector<Listener> listeners, int buffers, const Invocation& again,
                 const Work& work);
bool hand_over(const std::vector<Fd>& listeners, bool are_shared, const Invocation& again,
               const Fd& signals, const Event& failed);
Task<> serve(Listener listener, const End& end, Service& service);
Task<> finish(TaskGroup& accepting, TaskGroup& clients, Service& service, bool is_handed_over);
Task<> accept_clients(Listener listener, Service& service, TaskGroup& clients, const End& end,
                      std::stop_token stop);
Task<std::optional<Client>> accept_client(Acceptor& acceptor, Reactor& reactor);
void add_client(Client client, Permit permit, Service& service, TaskGroup& clients);
TaskGroup::Member serve_client(TaskGroup&, Client client, Permit permit, Service& service);
Task<> echo(Socket& client, Patience& patience);
Task<> lingering_close(Socket& client, Patience& patience);

int main(int argc, char** argv) {
    int idle_timeout = 60'000;
    int write_timeout = 60'000;
    int overlap = 60'000;
    int drain_timeout = 5'000;
    int max_clients = 100'000;
    int buffers = 64;
    int workers = count_allowed_processors();
    int upgrade_timeout = 10'000;
    const Option idle =
        number_option("idle-timeout", "MILLISECONDS", "how long a client may send nothing",
                      idle_timeout, 1, 86'400'000);
    const Option write =
        number_option("write-timeout", "MILLISECONDS", "how long a client may take nothing",
                      write_timeout, 1, 86'400'000);
    const Option side_by_side = number_option(
        "overlap", "MILLISECONDS", "how long clients may go on after SIGHUP beside a new version",
        overlap, 1, 86'400'000);
    const Option drain =
        number_option("drain-timeout", "MILLISECONDS",
                      "how long clients may take to finish at the end of the server", drain_timeout,
                      1, 86'400'000);
    const Option most = number_option("max-clients", "COUNT", "clients that are served at a time",
                                      max_clients, 1, 1'000'000);
    const Option pool = number_option(
        "buffers", "COUNT", "buffers of 64 KiB, for all clients of a worker", buffers, 1, 32'768);
    const Option threads =
        number_option("workers", "COUNT", "threads, each with a ring and a listener of its own",
                      workers, 1, 1024);
    const Option upgrade =
        number_option("upgrade-timeout", "MILLISECONDS",
                      "how long a new version may take to be ready, after SIGHUP", upgrade_timeout,
                      1, 86'400'000);
    const std::vector<Option> all{idle, write, side_by_side, drain, most, pool, threads, upgrade};
    return run_program(argc, argv, all, [&](const Options& options) {
        ClientLimit limit(max_clients);
        const Work work = [&](Reactor& reactor, Listener listener, const End& end) {
            Service service{
                reactor,
                {Timeout(std::chrono::milliseconds{idle_timeout}),
                 Timeout(std::chrono::milliseconds{write_timeout}), Timeout(goodbye_pause),
                 std::chrono::milliseconds{overlap}, std::chrono::milliseconds{drain_timeout}},
                limit};
            reactor.start(serve(std::move(listener), end, service));
            reactor.run();
        };
        const Invocation again{reinterpret_cast<const char*>(::getauxval(AT_EXECFN)), argv,
                               std::chrono::milliseconds{upgrade_timeout}};
        run_workers(listen_for_all(options, workers), buffers, again, work);
    });
}

/// A listener for each worker: those that have been opened for this process, or our own. The kernel
/// gives each new client to one of them.
std::vector<Listener> listen_for_all(const Options& options, int workers) {
    std::vector<Listener> listeners;
    for (Fd& listener : take_listeners()) {
        listeners.push_back({std::move(listener), are_listeners_shared()});
    }
    if (listeners.empty()) {
        listeners.push_back({listen_on(options), false});
    }
    while (listeners.size() < static_cast<std::size_t>(workers)) {
        const auto& [first, is_shared] = listeners.front();
        listeners.push_back(
            {is_shared ? share(first) : listen_beside(first, options.backlog), is_shared});
    }
    return listeners;
}

/// The same listener once more, with the same accept queue.
Fd share(const Fd& listener) {
    return Fd{check(::fcntl(listener.get(), F_DUPFD_CLOEXEC, 0), "fcntl")};
}

/// One more listener where the first one listens.
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
    const AddressText where = to_text(address);
    Fd listener{check(::socket(address.get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP),
                      "socket")};
    enable(listener, SOL_SOCKET, SO_REUSEADDR);
    enable(listener, SOL_SOCKET, SO_REUSEPORT);
    enable(listener, IPPROTO_TCP, TCP_NODELAY);
    enable(listener, SOL_SOCKET, SO_OOBINLINE);
    check(::bind(listener.get(), address.get(), address.length), "bind", where);
    check(::listen(listener.get(), backlog), "listen", where);
    return listener;
}

/// Has a worker serve at each of the listeners, until a signal comes or one of them fails.
void run_workers(std::vector<Listener> listeners, int buffers, const Invocation& again,
                 const Work& work) {
    const Fd signals = hold_signals({SIGTERM, SIGINT, SIGHUP});  // Before there are threads.
    End end;
    const Event failed;
    std::vector<Worker> workers;
    std::vector<Fd> kept;  // for a successor
    for (const Listener& listener : listeners) {
        workers.emplace_back(static_cast<unsigned>(buffers), failed);
        kept.push_back(share(listener.fd));
    }
    const HappensAtLast at_last(end.event);  // Or else workers that have started would go on.
    announce(listeners.front().fd);
    for (std::size_t i = 0; i < listeners.size(); ++i) {
        workers[i].start([&, i](Reactor& reactor) { work(reactor, std::move(listeners[i]), end); });
    }
    notify("READY=1");
    tell_predecessor();
    const bool are_shared = listeners.front().is_shared;
    while (!end.is_handed_over && wait_for_signal(signals, failed) == SIGHUP) {
        end.is_handed_over = hand_over(kept, are_shared, again, signals, failed);
    }
    if (!end.is_handed_over) {
        notify("STOPPING=1");
    }
    kept.clear();
    release_signals({SIGTERM, SIGINT});  // A second one ends the process at once.
    end.event.happen();
    for (Worker& worker : workers) {
        worker.wait();
    }
}

/// Starts a successor, and waits until it is ready. Where that does not come to be, the reason is
/// reported, and this server goes on.
bool hand_over(const std::vector<Fd>& listeners, bool are_shared, const Invocation& again,
               const Fd& signals, const Event& failed) {
    try {
        Successor successor(again.path, again.arguments, listeners, are_shared);
        std::array<pollfd, 3> watched{{{successor.word().get(), POLLIN, 0},
                                       {signals.get(), POLLIN, 0},
                                       {failed.fd().get(), POLLIN, 0}}};
        int ready = -1;
        do {
            ready = ::poll(watched.data(), watched.size(), static_cast<int>(again.timeout.count()));
        } while (ready == -1 && errno == EINTR);
        const bool has_word = watched[0].revents != 0;
        if (has_word && successor.is_ready()) {
            notify("MAINPID=" + std::to_string(successor.pid()));
            successor.let_go();
            return true;
        }
        report({"upgrade: the new version ", has_word     ? "has ended"
                                             : ready == 0 ? "is not ready in time"
                                                          : "is not waited for"});
    } catch (const std::exception& error) {
        report({"upgrade: ", error.what()});
    }
    return false;
}

/// Serves until the end, and then lets everybody finish.
Task<> serve(Listener listener, const End& end, Service& service) {
    Reactor& reactor = service.reactor;
    reactor.add(service.patience.idle);
    reactor.add(service.patience.write);
    reactor.add(service.patience.goodbye);
    std::stop_source stop;
    TaskGroup clients = reactor.group();
    TaskGroup accepting = reactor.group();
    accepting.start(accept_clients(std::move(listener), service, clients, end, stop.get_token()));

    EventWatch watch(reactor, end.event);
    co_await watch.happened();

    stop.request_stop();
    TaskGroup deadline = reactor.group();
    deadline.start(finish(accepting, clients, service, end.is_handed_over));
    co_await accepting.below(1);
    co_await clients.below(1);
}

/// Tells the clients that the server ends, when those beside a successor have had their time, and
/// ends all that has not finished when the time for that is over, too.
Task<> finish(TaskGroup& accepting, TaskGroup& clients, Service& service, bool is_handed_over) {
    if (is_handed_over) {
        co_await service.reactor.sleep_for(service.patience.overlap);
    }
    service.stop.request_stop();
    co_await service.reactor.sleep_for(service.patience.drain);
    accepting.clear();
    if (clients.size() > 0) {
        report({"drain: ", std::to_string(clients.size()), " evicted"});
        clients.clear();
    }
}

/// Takes in clients, until it is stopped: as many as all workers together may have. Throws
/// std::system_error when the listener itself is broken.
Task<> accept_clients(Listener listener, Service& service, TaskGroup& clients, const End& end,
                      std::stop_token stop) {
    Reactor& reactor = service.reactor;
    Acceptor acceptor(reactor, std::move(listener.fd));
    const std::stop_callback at_stop(stop, [&] {
        if (end.is_handed_over) {
            acceptor.hand_over_queue();
        } else {
            listener.is_shared ? acceptor.leave_queue() : acceptor.close_queue();
        }
    });
    bool has_shortage = false;
    while (true) {
        try {
            std::optional<Client> client = co_await accept_client(acceptor, reactor);
            if (!client) {
                co_return;
            }
            has_shortage = false;
            while (!service.limit.take()) {  // The others wait in the accept queue.
                co_await reactor.sleep_for(limit_pause);
            }
            add_client(std::move(*client), Permit(service.limit), service, clients);
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

            // The queue has been handed over, with clients in it.
            case ECANCELED: break;

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

            // The queue has been closed and is empty, or is left to another process.
            case EAGAIN: co_return std::nullopt;

            default: throw failed_call(-fd, "accept");
        }
    }
}

/// Takes a client in. Where that cannot be done, it is turned away and the others stay.
void add_client(Client client, Permit permit, Service& service, TaskGroup& clients) {
    const Address address = client.address;
    try {
        serve_client(clients, std::move(client), std::move(permit), service);
    } catch (const std::exception& error) {
        report({"client ", to_text(address), " turned away: ", error.what()});
    }
}

/// Serves one client to its end. Whatever goes wrong on its connection ends this client alone.
TaskGroup::Member serve_client(TaskGroup&, Client client, Permit, Service& service) {
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
