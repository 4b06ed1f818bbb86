// Chapter 08: one thread asks every client in turn, and no call sleeps.

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
#include <vector>

#include "address.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "listener.hpp"
#include "program.hpp"

constexpr std::size_t buffer_size = 64 * 1024;  // bytes

struct Client {
    Fd fd;
    Address address;
};

void make_nonblocking(const Fd& fd);
void serve(const Fd& listener);
std::optional<Client> accept_client(const Fd& listener, bool& has_shortage);
void add_client(Client client, std::vector<Client>& clients);
bool serve_client(const Client& client);
bool echo(const Fd& client);
std::optional<std::size_t> receive(const Fd& client, std::span<char> buffer);
void send_all(const Fd& client, std::span<const char> bytes);

int main(int argc, char** argv) {
    return run_program(argc, argv, [](const Options& options) {
        const Fd listener = listen_on(options);
        make_nonblocking(listener);
        announce(listener);
        serve(listener);
    });
}

/// From here on no call on this descriptor waits: it fails with EAGAIN where it would have.
void make_nonblocking(const Fd& fd) {
    const int flags = check(::fcntl(fd.get(), F_GETFL), "fcntl F_GETFL");
    check(::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK), "fcntl F_SETFL");
}

/// Gives every client its turn, then looks for a new one; for ever.
void serve(const Fd& listener) {
    std::vector<Client> clients;
    bool has_shortage = false;  // nothing to take the next client with, when last tried
    while (true) {
        std::erase_if(clients, [](const Client& client) { return !serve_client(client); });
        if (std::optional<Client> client = accept_client(listener, has_shortage)) {
            add_client(std::move(*client), clients);
        }
    }
}

/// The next client, if any can be had. Throws std::system_error only when the listener is broken.
std::optional<Client> accept_client(const Fd& listener, bool& has_shortage) {
    while (true) {
        Client client;
        const int fd = ::accept4(listener.get(), client.address.get(), &client.address.length,
                                 SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd != -1) {
            client.fd = Fd{fd};
            has_shortage = false;
            return client;
        }
        switch (errno) {
            // A signal came first. Nothing is lost; ask again.
            case EINTR: break;

            // No client is waiting.
            case EAGAIN: has_shortage = false; return std::nullopt;

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
                if (!std::exchange(has_shortage, true)) {
                    report({"accept, trying again: ", std::strerror(errno)});
                }
                return std::nullopt;

            default: throw failed_call(errno, "accept");
        }
    }
}

/// Takes a client in. Where that cannot be done, it is turned away and the others stay.
void add_client(Client client, std::vector<Client>& clients) {
    const Address address = client.address;
    try {
        clients.push_back(std::move(client));
    } catch (const std::exception& error) {
        report({"client ", to_text(address), " turned away: ", error.what()});
    }
}

/// One client's turn. Returns whether the client stays; whatever goes wrong on its connection ends
/// this client alone.
bool serve_client(const Client& client) {
    try {
        return echo(client.fd);
    } catch (const std::exception& error) {
        report({"client ", to_text(client.address), ": ", error.what()});
        return false;
    }
}

/// Sends back what the client has sent since its last turn. Returns false at its end of file.
bool echo(const Fd& client) {
    std::array<char, buffer_size> buffer;
    const auto received = receive(client, buffer);
    if (!received) {
        return true;
    }
    if (*received == 0) {
        return false;  // End of file: the client has closed its sending side.
    }
    send_all(client, std::span(buffer).first(*received));
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

/// Sends every byte, however many calls it takes.
void send_all(const Fd& client, std::span<const char> bytes) {
    while (!bytes.empty()) {
        // MSG_NOSIGNAL: a client that is gone shall be the error EPIPE here, not the signal
        // SIGPIPE, which ends the process.
        const ssize_t sent = ::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent == -1 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        // It takes what there is room for: then it returns how far it came.
        bytes = bytes.subspan(static_cast<std::size_t>(check(sent, "send")));
    }
}
