#include "bench/load.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#include "bench/interrupt.hpp"
#include "check.hpp"
#include "support/deadline.hpp"

namespace {

using std::chrono::nanoseconds;

constexpr int events_at_once = 64;
constexpr std::size_t buffer_size = 64 * 1024;  // bytes
constexpr std::chrono::seconds first_echo_patience{5};

/// Nobody but this thread uses them, and only between two system calls.
std::array<epoll_event, events_at_once> events;
std::array<char, buffer_size> buffer;

/// Says that the machine has no port left for another connection, and what helps.
[[noreturn]] void throw_ports_are_used_up(std::size_t connections) {
    throw std::runtime_error("no port is left for connection " + std::to_string(connections + 1) +
                             ": ask for fewer --connections, or allow for more with sysctl "
                             "net.ipv4.ip_local_port_range=\"1024 65535\"");
}

/// Has the socket connect from an address of the loopback network that depends on `number`: one
/// address has some 28,000 ports, and each of them rests for a while after a connection.
void bind_to_one_of_many(const Fd& socket, std::uint32_t number) {
    constexpr std::uint32_t addresses = 200;
    const int on = 1;  // The port is chosen by connect(), which knows what is free.
    check(::setsockopt(socket.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on),
          "load: setsockopt IP_BIND_ADDRESS_NO_PORT");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + number % addresses);
    check(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
          "load: bind");
}

bool is_ipv4_loopback(const sockaddr_storage& address) {
    return address.ss_family == AF_INET &&
           reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr == htonl(INADDR_LOOPBACK);
}

}  // namespace

Load::Load(const Endpoint& endpoint, const LoadSettings& settings)
    : settings_(settings),
      messages_(settings.message_size),
      epoll_(check(::epoll_create1(EPOLL_CLOEXEC), "load: epoll_create1")) {
    // A message of an open loop shall leave when it is due, not up to 50 microseconds later.
    check(::prctl(PR_SET_TIMERSLACK, 1UL), "load: prctl");
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST;
    addrinfo* found = nullptr;
    if (::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints,
                      &found) != 0) {
        throw std::runtime_error("load: '" + endpoint.host + "' is not an address");
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> address(found, &::freeaddrinfo);
    std::memcpy(&server_.storage, address->ai_addr, address->ai_addrlen);
    server_.length = address->ai_addrlen;
    connect_all();
}

LoadResult Load::run(nanoseconds slice) {
    result_ = {};
    const Clock::time_point start = Clock::now();
    now_ = start;
    end_ = start + slice;
    next_ = start;
    if (settings_.rate == 0) {
        for (std::size_t number = 0; number < connections_.size(); ++number) {
            start_message(number, now_);
        }
    } else {
        while (now_ < end_) {
            send_due();
            // Where no connection is free, the next message waits for an echo.
            wait_and_serve_until(free_.empty() ? end_ : std::min(next_, end_));
            now_ = Clock::now();
        }
        result_.unsent = static_cast<std::uint64_t>(
            std::max(0.0, std::chrono::duration<double>(end_ - next_).count() * settings_.rate));
    }
    while (in_flight_ > 0) {
        wait_and_serve(static_cast<int>(std::chrono::milliseconds{patience()}.count()));
    }
    result_.elapsed = now_ - start;
    return result_;
}

void Load::connect_all() {
    for (std::size_t number = 0; number < settings_.connections; ++number) {
        throw_if_interrupted();
        connections_.emplace_back();
        now_ = end_ = Clock::now();  // No message follows by itself.
        start_message(number, now_);
        const auto deadline = now_ + first_echo_patience;
        while (in_flight_ > 0) {
            const auto left = deadline - Clock::now();
            if (left <= nanoseconds{0}) {
                throw std::runtime_error(
                    "connection " + std::to_string(number + 1) + " of " +
                    std::to_string(settings_.connections) +
                    " has had no echo within 5 s: where the server does not serve that many "
                    "clients at once, ask for fewer --connections");
            }
            wait_and_serve_until(deadline);
        }
        if (result_.wrong_bytes > 0) {
            throw std::runtime_error("the first echo on connection " + std::to_string(number + 1) +
                                     " is not what was sent");
        }
    }
}

/// Connects. From then on nothing blocks.
void Load::open(std::size_t number) {
    Fd socket{
        check(::socket(server_.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), "load: socket")};
    const int on = 1;  // The last bytes of a long message shall not wait for an acknowledgement.
    check(::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "load: nodelay");
    const timeval patience{first_echo_patience.count(), 0};  // socket(7): connect() heeds it, too.
    check(::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience),
          "load: setsockopt SO_SNDTIMEO");
    if (settings_.reconnects && is_ipv4_loopback(server_.storage)) {
        bind_to_one_of_many(socket, visits_++);
    }
    const int result = ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&server_.storage),
                                 server_.length);
    if (result == -1) {
        throw_if_interrupted();
        if (errno == EADDRNOTAVAIL) {
            throw_ports_are_used_up(number);
        }
    }
    check(result, "load: connect");
    check(::fcntl(socket.get(), F_SETFL, O_NONBLOCK), "load: fcntl");
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = number;
    check(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket.get(), &event), "load: epoll_ctl");
    connections_[number].fd = std::move(socket);
    connections_[number].waits_for_room = false;
}

/// One round: sleeps until somebody is ready, and gives each of those one turn.
void Load::wait_and_serve(int timeout_ms) {
    throw_if_interrupted();
    const int count = ::epoll_wait(epoll_.get(), events.data(), events_at_once, timeout_ms);
    if (count == 0) {
        throw std::runtime_error(std::to_string(in_flight_) + " of " +
                                 std::to_string(connections_.size()) +
                                 " connections wait for the rest of an echo, and nothing comes");
    }
    serve_events(count);
}

/// The same, but sleeps no longer than until this moment.
void Load::wait_and_serve_until(Clock::time_point moment) {
    throw_if_interrupted();
    const nanoseconds left = std::max(nanoseconds{moment - Clock::now()}, nanoseconds{0});
    const timespec timeout{left.count() / 1'000'000'000, left.count() % 1'000'000'000};
    serve_events(::epoll_pwait2(epoll_.get(), events.data(), events_at_once, &timeout, nullptr));
}

void Load::serve_events(int count) {
    if (count == -1 && errno == EINTR) {
        return;  // The next round throws, where it was Ctrl-C.
    }
    check(count, "load: epoll_wait");
    for (const epoll_event& event : std::span(events).first(static_cast<std::size_t>(count))) {
        if ((event.events & EPOLLOUT) != 0) {
            send_rest(event.data.u64);
        }
        if ((event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) {
            receive(event.data.u64);
        }
    }
}

/// Open loop: sends what has fallen due, as far as there are free connections.
void Load::send_due() {
    const auto between = std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double>(1 / settings_.rate));
    while (next_ <= now_ && !free_.empty()) {
        const std::size_t number = free_.front();
        free_.pop_front();
        start_message(number, next_);
        next_ += between;
    }
}

void Load::start_message(std::size_t number, Clock::time_point due) {
    Connection& connection = connections_[number];
    if (connection.fd.get() == -1) {
        open(number);
    }
    connection.stamp = Messages::stamp(static_cast<std::uint32_t>(number), connection.sequence++);
    connection.sent = 0;
    connection.received = 0;
    connection.due = due;
    connection.is_in_flight = true;
    ++in_flight_;
    send_rest(number);
}

/// Sends as much of the message as there is room for. Epoll reports room only for as long as some
/// of it is left.
void Load::send_rest(std::size_t number) {
    Connection& connection = connections_[number];
    std::array<iovec, 2> room;
    const std::span<iovec> pieces = messages_.pieces(connection.stamp, connection.sent, room);
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = pieces.size();
    const ssize_t sent = ::sendmsg(connection.fd.get(), &message, MSG_NOSIGNAL);
    if (sent == -1 && errno != EAGAIN && errno != EINTR) {
        throw failed_call(errno, "load: send on connection", std::to_string(number + 1));
    }
    connection.sent += static_cast<std::size_t>(std::max<ssize_t>(sent, 0));

    const bool is_rest_left = connection.sent < messages_.size();
    if (is_rest_left != connection.waits_for_room) {
        epoll_event event{};
        event.events = is_rest_left ? EPOLLIN | EPOLLOUT : EPOLLIN;
        event.data.u64 = number;
        check(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection.fd.get(), &event),
              "load: epoll_ctl");
        connection.waits_for_room = is_rest_left;
    }
}

void Load::receive(std::size_t number) {
    Connection& connection = connections_[number];
    const ssize_t got = ::recv(connection.fd.get(), buffer.data(), buffer.size(), 0);
    if (got == -1 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    check(got, "load: recv on connection", std::to_string(number + 1));
    if (got == 0) {
        throw std::runtime_error("the server has closed connection " + std::to_string(number + 1));
    }
    const std::span<const char> bytes(buffer.data(), static_cast<std::size_t>(got));
    if (!connection.is_in_flight) {
        result_.wrong_bytes += bytes.size();  // An echo of nothing.
        return;
    }
    result_.wrong_bytes += messages_.count_wrong(connection.stamp, connection.received, bytes);
    connection.received += bytes.size();
    if (connection.received >= messages_.size()) {
        finish_message(number);
    }
}

/// The echo is whole. In a closed loop the next message leaves at once, as long as the slice lasts.
void Load::finish_message(std::size_t number) {
    Connection& connection = connections_[number];
    now_ = Clock::now();
    result_.latency.record(now_ - connection.due);
    ++result_.messages;
    result_.bytes += messages_.size();
    connection.is_in_flight = false;
    --in_flight_;
    if (settings_.reconnects) {
        connection.fd.close();
    }
    if (settings_.rate > 0) {
        free_.push_back(number);
    } else if (now_ < end_) {
        start_message(number, now_);
    }
}
