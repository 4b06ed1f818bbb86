// The command line when all is well: the ready line, --help, addresses.

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cerrno>
#include <system_error>

#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/server.hpp"

using Catch::Matchers::ContainsSubstring;

namespace {

/// Whether a socket can be bound to ::1 here. Containers often have no IPv6.
bool has_ipv6() {
    const Fd socket{::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

/// Whether nobody listens there.
bool is_refused(const Endpoint& endpoint) {
    try {
        const Client client(endpoint);
        return false;
    } catch (const std::system_error& error) {
        return error.code().value() == ECONNREFUSED;
    }
}

}  // namespace

TEST_CASE("the first line on stdout says where the server listens", "[contract]") {
    require_io_uring();
    Program server(chapter_under_test().server, {});
    const std::string line = server.read_line();
    REQUIRE_THAT(line, Catch::Matchers::Matches("listening on 127\\.0\\.0\\.1:[1-9][0-9]*"));
}

TEST_CASE("the usage names the options that every chapter has, and --help exits with 0",
          "[contract]") {
    const Run run = run_to_end({.arguments = {"--help"}});
    REQUIRE(run.exit_status == "exit 0");
    for (const char* option : {"--host", "--port", "--backlog", "--help", "9877", "127.0.0.1"}) {
        REQUIRE_THAT(run.out, ContainsSubstring(option));
    }
    REQUIRE(run.err.empty());
}

TEST_CASE("the server listens on the IPv4 address that it was given", "[contract]") {
    const std::string host = GENERATE("127.0.0.1", "127.0.0.2");
    CAPTURE(host);
    const Server server({.arguments = {"--port", "0", "--host", host}});
    REQUIRE(server.endpoint().host == host);
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
}

TEST_CASE("the server listens on the IPv6 address that it was given", "[contract]") {
    if (!has_ipv6()) {
        SKIP("this machine has no IPv6");
    }
    const Server server({.arguments = {"--port", "0", "--host", "::1"}});
    REQUIRE(server.endpoint().host == "::1");
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
}

TEST_CASE("a name is resolved", "[contract]") {
    addrinfo* found = nullptr;
    if (::getaddrinfo("localhost", nullptr, nullptr, &found) != 0) {
        SKIP("this machine does not know the name localhost (it belongs into /etc/hosts)");
    }
    ::freeaddrinfo(found);
    const Server server({.arguments = {"--port", "0", "--host", "localhost"}});
    const std::string host = server.endpoint().host;
    REQUIRE((host == "127.0.0.1" || host == "::1"));
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
}

TEST_CASE("a server that was killed can be started again on its port at once", "[contract]") {
    Server first;
    Client client(first);
    REQUIRE(client.exchange("hello") == "hello");
    // The server's side closes first, so its end of the connection goes to TIME_WAIT and holds the
    // port.
    first.kill_all();
    REQUIRE(client.receive_to_end().empty());
    client.close();
    if (chapter_has("liburing")) {
        // The ring of a killed process holds the listener until the kernel has taken it down, which
        // is a moment after the end of the process.
        wait_until("nobody listens on the port any more",
                   [&] { return is_refused(first.endpoint()); });
    }

    const Server second({.arguments = {"--port", std::to_string(first.endpoint().port)}});
    Client other(second);
    REQUIRE(other.exchange("hello again") == "hello again");
}

TEST_CASE("a server started with stdin and stderr closed gives their numbers to no socket",
          "[contract]") {
    require_io_uring();
    const Server server({.closed_descriptors = {0, 2}});
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    for (const proc::Descriptor& descriptor : proc::descriptors(server.pid())) {
        if (descriptor.number <= 2) {
            CAPTURE(descriptor.number);
            REQUIRE_THAT(descriptor.target, !ContainsSubstring("socket"));
        }
    }
}
