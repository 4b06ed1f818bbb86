#include "support/client.hpp"

#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <memory>
#include <random>
#include <stdexcept>

#include "check.hpp"
#include "support/deadline.hpp"

namespace {

/// connect(2) with a deadline, on a socket that does not block.
void connect_to(const Fd& socket, const addrinfo& address) {
    if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) == 0) {
        return;
    }
    if (errno != EINPROGRESS) {
        throw failed_call(errno, "client: connect");
    }
    wait_for(socket.get(), POLLOUT, Deadline{}, "for a connection to the server");
    int error = 0;
    socklen_t length = sizeof error;
    check(::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length), "client: getsockopt");
    if (error != 0) {
        throw failed_call(error, "client: connect");
    }
}

}  // namespace

Client::Client(const Endpoint& endpoint, const ClientSettings& settings) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST;
    addrinfo* found = nullptr;
    if (::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints,
                      &found) != 0) {
        throw std::runtime_error("client: '" + endpoint.host + "' is not an address");
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> address(found, &::freeaddrinfo);
    socket_ = Fd{check(::socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
                       "client: socket")};
    const int on = 1;  // What a test sends leaves at once, as its own segment.
    check(::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "client: nodelay");
    if (settings.receive_buffer != 0) {
        check(::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &settings.receive_buffer,
                           sizeof settings.receive_buffer),
              "client: setsockopt SO_RCVBUF");
    }
    if (settings.send_buffer != 0) {
        check(::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUF, &settings.send_buffer,
                           sizeof settings.send_buffer),
              "client: setsockopt SO_SNDBUF");
    }
    connect_to(socket_, *address);
}

void Client::send(std::string_view bytes) {
    const Deadline deadline;
    while (!bytes.empty()) {
        bytes.remove_prefix(send_some(bytes));
        if (!bytes.empty()) {
            wait_for(socket_.get(), POLLOUT, deadline,
                     "for the server to take " + std::to_string(bytes.size()) + " more bytes");
        }
    }
}

void Client::send_urgent(char byte) {
    check(::send(socket_.get(), &byte, 1, MSG_OOB | MSG_NOSIGNAL), "send");
}

std::size_t Client::send_some(std::string_view bytes) {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent == -1 && errno == EAGAIN) {
        return 0;
    }
    return static_cast<std::size_t>(check(sent, "client: send"));
}

std::string Client::receive(std::size_t count) {
    return exchange_until({}, count);
}

std::string Client::receive_to_end() {
    return receive(std::string::npos);
}

std::optional<std::string> Client::receive_some() {
    std::array<char, 64 * 1024> part;
    const ssize_t got = ::recv(socket_.get(), part.data(), part.size(), 0);
    if (got == 0) {
        return std::nullopt;
    }
    if (got == -1 && errno == EAGAIN) {
        return "";
    }
    return std::string(part.data(), static_cast<std::size_t>(check(got, "client: recv")));
}

std::size_t Client::unacknowledged() const {
    int bytes = 0;
    check(::ioctl(socket_.get(), SIOCOUTQ, &bytes), "client: ioctl SIOCOUTQ");
    return static_cast<std::size_t>(bytes);
}

bool Client::has_input() const {
    pollfd entry{socket_.get(), POLLIN, 0};
    return ::poll(&entry, 1, 0) > 0;
}

std::string Client::exchange(std::string_view bytes) {
    return exchange_until(bytes, bytes.size());
}

std::string Client::exchange_until(std::string_view bytes, std::size_t count) {
    const Deadline deadline;
    std::string received;
    std::array<char, 64 * 1024> part;
    while (received.size() < count) {
        if (!bytes.empty()) {
            bytes.remove_prefix(send_some(bytes));
        }
        const short events = bytes.empty() ? POLLIN : POLLIN | POLLOUT;
        wait_for(socket_.get(), events, deadline,
                 "for byte " + std::to_string(received.size() + 1) + " of the echo");
        const std::size_t wanted = std::min(part.size(), count - received.size());
        const ssize_t got = ::recv(socket_.get(), part.data(), wanted, 0);
        if (got == 0) {
            break;
        }
        if (got == -1 && errno == EAGAIN) {
            continue;  // There was room to send, and nothing to receive.
        }
        received.append(part.data(), static_cast<std::size_t>(check(got, "client: recv")));
    }
    return received;
}

void Client::half_close() {
    check(::shutdown(socket_.get(), SHUT_WR), "client: shutdown");
}

void Client::reset() {
    const linger at_once{1, 0};  // socket(7): close() then drops what is queued and sends RST.
    check(::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once),
          "client: setsockopt SO_LINGER");
    socket_.close();
}

std::string random_bytes(std::size_t count, unsigned seed) {
    std::mt19937 generator(seed);
    std::uniform_int_distribution<int> byte(0, 255);
    std::string bytes(count, '\0');
    std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<char>(byte(generator)); });
    return bytes;
}
