// Chapter 05: a fixed family of processes, all of them in accept().

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "address.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "listener.hpp"
#include "processors.hpp"
#include "program.hpp"

constexpr std::size_t buffer_size = 64 * 1024;  // bytes
constexpr std::chrono::milliseconds accept_pause{100};
constexpr std::chrono::milliseconds restart_pause{100};

struct Client {
    Fd fd;
    Address address;
};

void supervise(const Fd& listener, int worker_count);
pid_t start_worker(const Fd& listener);
void report_end(pid_t worker, int status);
[[noreturn]] void work(const Fd& listener, pid_t parent);
void serve(const Fd& listener);
Client accept_client(const Fd& listener);
void serve_client(const Client& client);
void echo(const Fd& client);
std::size_t receive(const Fd& client, std::span<char> buffer);
void send_all(const Fd& client, std::span<const char> bytes);

int main(int argc, char** argv) {
    int worker_count = count_allowed_processors();
    const Option workers =
        number_option("workers", "COUNT", "processes that serve", worker_count, 1, 1000);
    return run_program(argc, argv, {workers}, [&worker_count](const Options& options) {
        const Fd listener = listen_on(options);
        announce(listener);
        supervise(listener, worker_count);
    });
}

/// Keeps `worker_count` workers at work, for ever.
void supervise(const Fd& listener, int worker_count) {
    std::vector<pid_t> workers;
    for (int i = 0; i < worker_count; ++i) {
        workers.push_back(start_worker(listener));
    }
    while (true) {
        int status = 0;
        const pid_t worker = ::waitpid(-1, &status, 0);
        if (worker == -1 && errno == EINTR) {
            continue;
        }
        check(worker, "waitpid");
        const auto place = std::find(workers.begin(), workers.end(), worker);
        if (place == workers.end()) {
            continue;  // A child of the program that became this one with exec.
        }
        report_end(worker, status);
        // Replaced at once, a worker that dies as soon as it starts would cost thousands of forks a
        // second.
        std::this_thread::sleep_for(restart_pause);
        *place = start_worker(listener);
    }
}

/// Says how a worker has ended, by what waitpid() says of it. Numbers as short as these take no
/// memory that there may not be.
void report_end(pid_t worker, int status) {
    const std::string id = std::to_string(worker);
    if (WIFSIGNALED(status)) {
        report({"worker ", id, " has ended: ", ::strsignal(WTERMSIG(status))});
    } else {
        report({"worker ", id, " has ended: exit code ", std::to_string(WEXITSTATUS(status))});
    }
}

/// Starts a worker, however long it takes until there can be one more process.
pid_t start_worker(const Fd& listener) {
    const pid_t parent = ::getpid();
    bool reported = false;
    pid_t worker = ::fork();
    while (worker == -1) {
        if (!std::exchange(reported, true)) {
            report({"fork, trying again: ", std::strerror(errno)});
        }
        std::this_thread::sleep_for(restart_pause);
        worker = ::fork();
    }
    if (worker == 0) {
        work(listener, parent);
    }
    return worker;
}

/// A worker's life, which never leads back into the parent's code.
void work(const Fd& listener, pid_t parent) {
    try {
        // A worker ends with its parent, however the parent ends: prctl(2). It has this signal from
        // the kernel, so SIGKILL, which leaves the parent no time to tell its workers, makes no
        // orphans.
        check(::prctl(PR_SET_PDEATHSIG, SIGTERM), "prctl");
        if (::getppid() != parent) {
            ::_exit(EXIT_SUCCESS);  // The parent had ended before the kernel knew of our wish.
        }
        serve(listener);
    } catch (const std::exception& error) {
        report({"error: ", error.what()});
    }
    ::_exit(EXIT_FAILURE);
}

/// Serves one client after another, for ever. Each worker does; the kernel hands each client to
/// one.
void serve(const Fd& listener) {
    while (true) {
        const Client client = accept_client(listener);
        serve_client(client);
    }  // ~Fd closes the client's socket, and the kernel sends the client our end of file.
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
