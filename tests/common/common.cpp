// The parts that every chapter is made of.

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <utility>

#include "address.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "listener.hpp"
#include "program.hpp"
#include "support/client.hpp"

namespace {

bool is_open(int number) {
    return ::fcntl(number, F_GETFD) != -1;
}

int socket_option(const Fd& socket, int level, int option) {
    int value = -1;
    socklen_t length = sizeof value;
    check(::getsockopt(socket.get(), level, option, &value, &length), "getsockopt");
    return value;
}

int open_descriptor() {
    return check(::open("/dev/null", O_RDONLY | O_CLOEXEC), "open");
}

}  // namespace

TEST_CASE("an Fd closes its descriptor at the end of its scope") {
    const int number = open_descriptor();
    {
        const Fd owner{number};
        REQUIRE(is_open(number));
    }
    REQUIRE_FALSE(is_open(number));
}

TEST_CASE("an Fd that has been moved from closes nothing") {
    const int number = open_descriptor();
    Fd second;
    {
        Fd first{number};
        second = std::move(first);
    }
    REQUIRE(is_open(number));
    REQUIRE(second.get() == number);
}

TEST_CASE("an Fd that is assigned to closes what it owned before, at once") {
    const int before = open_descriptor();
    Fd owner{before};
    Fd other{open_descriptor()};
    const int after = other.get();
    owner = std::move(other);
    REQUIRE_FALSE(is_open(before));
    REQUIRE(owner.get() == after);
    REQUIRE(is_open(after));
}

TEST_CASE("an Fd that has been closed does not close the number's next owner") {
    Fd first{open_descriptor()};
    const int number = first.get();
    first.close();
    const Fd second{open_descriptor()};
    REQUIRE(second.get() == number);  // The kernel gives the lowest free number.
    first.close();
    REQUIRE(is_open(number));
}

TEST_CASE("check() names the call that failed") {
    try {
        check(::close(-1), "close", "nothing");
        FAIL("check() should have thrown");
    } catch (const std::system_error& error) {
        REQUIRE(error.what() == std::string("close nothing: Bad file descriptor"));
        REQUIRE(error.code().value() == EBADF);
    }
}

TEST_CASE("the listener is reusable, closed on exec, and its clients send without delay") {
    const Fd listener = listen_on({.port = 0});
    REQUIRE(socket_option(listener, SOL_SOCKET, SO_REUSEADDR) == 1);
    REQUIRE((::fcntl(listener.get(), F_GETFD) & FD_CLOEXEC) != 0);

    Address address;
    check(::getsockname(listener.get(), address.get(), &address.length), "getsockname");
    const auto port = reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port;
    const Client client(Endpoint{"127.0.0.1", ntohs(port)});
    const Fd accepted{check(::accept(listener.get(), nullptr, nullptr), "accept")};
    REQUIRE(socket_option(accepted, IPPROTO_TCP, TCP_NODELAY) == 1);
}

TEST_CASE("the accept queue is as long as the backlog that was asked for") {
    const Fd listener = listen_on({.port = 0, .backlog = 3});
    tcp_info info{};
    socklen_t length = sizeof info;
    check(::getsockopt(listener.get(), IPPROTO_TCP, TCP_INFO, &info, &length), "getsockopt");
    REQUIRE(info.tcpi_sacked == 3);  // Of a listening socket Linux tells the queue's limit here.
}

TEST_CASE("report() prints a line with one write and leaves errno alone") {
    std::array<int, 2> ends{};
    check(::pipe2(ends.data(), O_CLOEXEC | O_DIRECT),
          "pipe2");  // A read returns what one write wrote.
    const Fd reading_end{ends[0]};
    const Fd real_stderr{::dup(STDERR_FILENO)};
    check(::dup2(ends[1], STDERR_FILENO), "dup2");
    ::close(ends[1]);
    errno = EMFILE;
    report({"a ", "line"});
    const int errno_after = errno;
    check(::dup2(real_stderr.get(), STDERR_FILENO), "dup2");

    std::array<char, 100> line{};
    const ssize_t length = check(::read(reading_end.get(), line.data(), line.size()), "read");
    REQUIRE(std::string(line.data(), static_cast<std::size_t>(length)) == "a line\n");
    REQUIRE(errno_after == EMFILE);
}

TEST_CASE("an address reads as people write it") {
    Address address;
    auto* ipv4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    ipv4->sin_family = AF_INET;
    ipv4->sin_port = htons(9877);
    ipv4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(to_string(address) == "127.0.0.1:9877");

    address = {};
    auto* ipv6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = htons(9877);
    ipv6->sin6_addr = in6addr_loopback;
    REQUIRE(to_string(address) == "[::1]:9877");

    REQUIRE(to_string(Address{}) == "an unknown address");
}
