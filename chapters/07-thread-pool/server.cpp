// Chapter 07: a fixed pool of threads, and a queue of clients between accept() and them.

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <queue>
#include <span>
#include <system_error>
#include <thread>
#include <utility>

#include "address.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "listener.hpp"
#include "processors.hpp"
#include "program.hpp"

constexpr std::size_t buffer_size = 64 * 1024;  // bytes
constexpr std::chrono::milliseconds accept_pause{100};

struct Client {
    Fd fd;
    Address address;
};

/// Clients that have been accepted and that no worker serves yet: at most `capacity` of them.
class ClientQueue {
public:
    explicit ClientQueue(std::size_t capacity) : capacity_(capacity) {}

    /// Waits for room, then puts the client at the end.
    void push_back(Client client) {
        std::unique_lock lock(mutex_);
        has_room_.wait(lock, [this] { return clients_.size() < capacity_; });
        clients_.push(std::move(client));
        has_clients_.notify_one();
    }

    /// Waits for a client, then takes the one that has waited longest.
    Client pop_front() {
        std::unique_lock lock(mutex_);
        has_clients_.wait(lock, [this] { return !clients_.empty(); });
        Client client = std::move(clients_.front());
        clients_.pop();
        has_room_.notify_one();
        return client;
    }

private:
    const std::size_t capacity_;
    std::mutex mutex_;
    std::condition_variable has_room_;
    std::condition_variable has_clients_;
    std::queue<Client> clients_;
};

void start_workers(int count, const std::shared_ptr<ClientQueue>& clients);
void serve(const Fd& listener, ClientQueue& clients);
Client accept_client(const Fd& listener);
void add_client(Client client, ClientQueue& clients);
void serve_client(const Client& client);
void echo(const Fd& client);
std::size_t receive(const Fd& client, std::span<char> buffer);
void send_all(const Fd& client, std::span<const char> bytes);

int main(int argc, char** argv) {
    int worker_count = count_allowed_processors();
    int capacity = 64;
    const Option workers =
        number_option("workers", "COUNT", "threads that serve", worker_count, 1, 10000);
    const Option queue = number_option(
        "queue", "COUNT", "accepted clients that may wait for a thread", capacity, 1, 100000);
    return run_program(argc, argv, {workers, queue}, [&](const Options& options) {
        const Fd listener = listen_on(options);
        const auto clients = std::make_shared<ClientQueue>(static_cast<std::size_t>(capacity));
        start_workers(worker_count, clients);
        announce(listener);
        serve(listener, *clients);
    });
}

/// Starts the threads that serve. The queue belongs to all of them together, so it outlives main().
void start_workers(int count, const std::shared_ptr<ClientQueue>& clients) {
    try {
        for (int i = 0; i < count; ++i) {
            std::thread([clients] {
                while (true) {
                    serve_client(clients->pop_front());
                }
            }).detach();
        }
    } catch (const std::system_error& error) {
        throw failed_call(error.code().value(), "start", std::to_string(count) + " threads");
    }
}

/// Accepts clients for ever. When the queue is full it waits, and clients wait in the accept queue.
void serve(const Fd& listener, ClientQueue& clients) {
    while (true) {
        add_client(accept_client(listener), clients);
    }
}

/// Waits for the next client. Throws std::system_error only when the listener itself is broken.
Client accept_client(const Fd& listener) {
    bool reported = false;
    while (true) {
        Client client;
        const int fd =
            ::accept4(listener.get(), client.address.get(), &client.address.length, SOCK_CLOEXEC);
        if (fd != -1) {
            client.fd = Fd{fd};
            return client;
        }
        switch (errno) {
            // A signal came first. Nothing is lost; ask again.
            case EINTR: break;

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
                    report({"accept, trying again: ", std::strerror(errno)});
                }
                std::this_thread::sleep_for(accept_pause);
                break;

            default: throw failed_call(errno, "accept");
        }
    }
}

/// Takes a client in. Where that cannot be done, it is turned away and the others stay.
void add_client(Client client, ClientQueue& clients) {
    const Address address = client.address;
    try {
        clients.push_back(std::move(client));
    } catch (const std::exception& error) {
        report({"client ", to_text(address), " turned away: ", error.what()});
    }
}

/// Serves one client to its end. Whatever goes wrong on its connection ends this client alone.
void serve_client(const Client& client) {
    try {
        echo(client.fd);
    } catch (const std::exception& error) {
        report({"client ", to_text(client.address), ": ", error.what()});
    }
}

/// Sends back whatever the client sends, until the client closes its sending side.
void echo(const Fd& client) {
    std::array<char, buffer_size> buffer;
    while (true) {
        const std::size_t received = receive(client, buffer);
        if (received == 0) {
            return;  // End of file: the client has closed its sending side.
        }
        send_all(client, std::span(buffer).first(received));
    }
}

/// Waits for bytes and returns how many have come, at most buffer.size(); 0 is the end of the file.
std::size_t receive(const Fd& client, std::span<char> buffer) {
    while (true) {
        const ssize_t received = ::read(client.get(), buffer.data(), buffer.size());
        if (received == -1 && errno == EINTR) {
            continue;
        }
        return static_cast<std::size_t>(check(received, "read"));
    }
}

/// Sends every byte, however many calls it takes.
void send_all(const Fd& client, std::span<const char> bytes) {
    while (!bytes.empty()) {
        // MSG_NOSIGNAL: a client that is gone shall be the error EPIPE here, not the signal
        // SIGPIPE, which ends the process.
        const ssize_t sent = ::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent == -1 && errno == EINTR) {
            continue;
        }
        // A signal can stop send() half-way: then it returns how far it came.
        bytes = bytes.subspan(static_cast<std::size_t>(check(sent, "send")));
    }
}
