// Chapter 06: a thread for every client.

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <exception>
#include <span>
#include <thread>
#include <utility>

#include "address.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "listener.hpp"
#include "program.hpp"

constexpr std::size_t buffer_size = 64 * 1024;  // bytes
constexpr std::chrono::milliseconds accept_pause{100};

struct Client {
    Fd fd;
    Address address;
};

void serve(const Fd& listener);
Client accept_client(const Fd& listener);
void serve_client(const Client& client);
void echo(const Fd& client);
std::size_t receive(const Fd& client, std::span<char> buffer);
void send_all(const Fd& client, std::span<const char> bytes);

int main(int argc, char** argv) {
    return run_program(argc, argv, [](const Options& options) {
        const Fd listener = listen_on(options);
        announce(listener);
        serve(listener);
    });
}

/// Gives every client a thread of its own, for ever.
void serve(const Fd& listener) {
    while (true) {
        Client client = accept_client(listener);
        const Address address = client.address;
        try {
            // The thread owns the client from here on. Detached: no other thread waits for its end.
            std::thread(serve_client, std::move(client)).detach();
        } catch (const std::exception& error) {
            // A limit on threads, or no memory: this client is turned away and the others stay.
            report({"client ", to_text(address), " turned away: ", error.what()});
        }
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
