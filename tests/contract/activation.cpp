// A listener that is older than the server, and a manager that is told: sd_listen_fds(3),
// sd_notify(3).

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/installed.hpp"
#include "support/notifications.hpp"
#include "support/open_listener.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

using Catch::Matchers::ContainsSubstring;

namespace {

StartSettings started_with(const OpenListener& listener, int workers = 1) {
    return {.arguments = {"--port", "0", "--workers", std::to_string(workers)},
            .listeners = {listener.fd().get()}};
}

/// Whether a program that the server starts would have the descriptor, too.
bool is_passed_on(const Server& server, int number) {
    for (const proc::Descriptor& descriptor : proc::descriptors(server.pid())) {
        if (descriptor.number == number) {
            return !descriptor.is_close_on_exec;
        }
    }
    throw std::runtime_error("there is no such descriptor");
}

int option_of(const OpenListener& listener, int level, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    check(::getsockopt(listener.fd().get(), level, name, &value, &size), "getsockopt");
    return value;
}

}  // namespace

TEST_CASE("a client that comes between two servers is served by the next",
          "[contract][from-activation]") {
    require_io_uring();
    const OpenListener listener;
    for (int round = 0; round < 3; ++round) {
        Client early(listener.endpoint());
        early.send("hello");
        Server server(started_with(listener));
        REQUIRE(early.receive(5) == "hello");
        Client late(server);
        REQUIRE(late.exchange("hello") == "hello");
        server.signal(SIGTERM);
        REQUIRE(late.receive_to_end().empty());
        REQUIRE(early.receive_to_end().empty());
        REQUIRE(server.wait_for_exit() == "exit 0");
        REQUIRE(server.diagnostics().empty());
    }
}

TEST_CASE("what the server finds in the queue at its end is left to the next, and nobody is reset",
          "[contract][from-activation]") {
    require_io_uring();
    const OpenListener listener;
    StartSettings settings = started_with(listener, 2);
    settings.arguments.insert(settings.arguments.end(), {"--max-clients", "1"});
    Server first(settings);
    Client served(first);
    REQUIRE(served.exchange("hello") == "hello");
    std::vector<Client> clients;
    for (unsigned i = 0; i < 100; ++i) {
        clients.emplace_back(listener.endpoint());
        clients.back().send(random_bytes(1000, i));
    }
    // Each worker has one in hand, for which there is no place.
    wait_until("the workers wait for a place",
               [&] { return proc::accept_queue_length(listener.endpoint()) == 98; });
    first.signal(SIGTERM);
    REQUIRE(served.receive_to_end().empty());
    served.close();
    REQUIRE(first.wait_for_exit() == "exit 0");
    REQUIRE(proc::accept_queue_length(listener.endpoint()) == 98);
    const Server next(started_with(listener));
    for (unsigned i = 0; i < 100; ++i) {
        CAPTURE(i);
        const bool same = clients[i].receive(1000) == random_bytes(1000, i);
        REQUIRE(same);
    }
}

TEST_CASE("several workers share one listener, and every one of them gets clients",
          "[contract][from-activation]") {
    require_io_uring();
    const OpenListener listener;
    const Server server(started_with(listener, 3));
    std::vector<Client> clients = connect_clients(server, 100);
    wait_until_at_rest(server);
    const std::vector<long long> before = proc::switches_of_threads(server.pid());
    for (Client& client : clients) {
        REQUIRE(client.exchange("hello") == "hello");
    }
    const std::vector<long long> now = proc::switches_of_threads(server.pid());
    REQUIRE(now.size() == before.size());
    int awake = 0;
    for (std::size_t i = 0; i < now.size(); ++i) {
        awake += now[i] > before[i] ? 1 : 0;
    }
    REQUIRE(awake >= 3);
}

TEST_CASE("every listener that is handed over is served, also where there are fewer workers",
          "[contract][from-activation]") {
    require_io_uring();
    const OpenListener one;
    const OpenListener two;
    const OpenListener three;
    const Server server({.arguments = {"--workers", "1"},
                         .listeners = {three.fd().get(), one.fd().get(), two.fd().get()}});
    REQUIRE(server.endpoint().port == three.endpoint().port);
    for (const OpenListener* const listener : {&one, &two, &three}) {
        Client client(listener->endpoint());
        REQUIRE(client.exchange("hello") == "hello");
    }
}

TEST_CASE("a listener that comes from outside is as our own: no delay, and urgent data in line",
          "[contract][from-activation]") {
    require_io_uring();
    const OpenListener listener(GENERATE(0, int{SOCK_NONBLOCK}));
    const Server server(started_with(listener));
    REQUIRE(option_of(listener, IPPROTO_TCP, TCP_NODELAY) == 1);
    REQUIRE(option_of(listener, SOL_SOCKET, SO_OOBINLINE) == 1);
    REQUIRE_FALSE(is_passed_on(server, 3));
    wait_until_at_rest(server);
    Client client(server);
    client.send_urgent('!');
    REQUIRE(client.receive(1) == "!");
}

TEST_CASE("listeners that are meant for another process are not touched",
          "[contract][from-activation]") {
    require_io_uring();
    const OpenListener listener;
    StartSettings settings = started_with(listener);
    settings.environment = {{"LISTEN_PID", "1"}, {"LISTEN_FDS", "many"}};
    const Server server(settings);
    REQUIRE(server.endpoint().port != listener.endpoint().port);
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
}

TEST_CASE("a descriptor that is no TCP listener is refused by its number",
          "[contract][from-activation]") {
    require_io_uring();
    const OpenListener listener;
    const Fd file{check(::open("/dev/null", O_RDONLY | O_CLOEXEC), "open")};
    const Fd idle{check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
    const Fd udp{check(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket")};
    const Fd local{check(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
    check(::bind(
              local.get(),
              [] {
                  static sockaddr_un any{.sun_family = AF_UNIX, .sun_path = {}};
                  return reinterpret_cast<sockaddr*>(&any);
              }(),
              sizeof(sa_family_t)),
          "bind");
    check(::listen(local.get(), 1), "listen");
    for (const Fd* const wrong : {&file, &idle, &udp, &local}) {
        const Run run = run_to_end(
            {.arguments = {"--port", "0"}, .listeners = {listener.fd().get(), wrong->get()}});
        REQUIRE(run.exit_status == "exit 1");
        REQUIRE(run.out.empty());
        REQUIRE(run.err == "error: LISTEN_FDS: descriptor 4 is no TCP socket that listens\n");
    }
    StartSettings too_many = started_with(listener);
    too_many.environment = {{"LISTEN_FDS", "2147483647"}};
    REQUIRE(run_to_end(too_many).err ==
            "error: LISTEN_FDS: descriptor 4 is no TCP socket that listens\n");
}

TEST_CASE("a variable that is no number is refused by its name", "[contract][from-activation]") {
    require_io_uring();
    const OpenListener listener;
    const std::string name = GENERATE("LISTEN_FDS", "LISTEN_PID");
    const std::string value = GENERATE("two", "", "1x", " 1", "-1", "99999999999");
    CAPTURE(name, value);
    StartSettings settings = started_with(listener);
    settings.environment = {{name, value}};
    const Run run = run_to_end(settings);
    REQUIRE(run.exit_status == "exit 1");
    REQUIRE(run.err == "error: " + name + ": '" + value + "' is no number\n");
}

TEST_CASE("the manager is told when the server is ready, and when it ends",
          "[contract][from-activation]") {
    require_io_uring();
    const TemporaryFolder folder;
    const bool is_abstract = GENERATE(true, false);
    const Notifications manager(is_abstract ? "" : folder.path() / "notify");
    Server server({.environment = {{"NOTIFY_SOCKET", manager.name()}}});
    REQUIRE(manager.next() == "READY=1");
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    server.signal(SIGTERM);
    REQUIRE(manager.next() == "STOPPING=1");
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(server.diagnostics().empty());
}

TEST_CASE("a manager that cannot be told is reported, and the server serves",
          "[contract][from-activation]") {
    require_io_uring();
    const std::string name = GENERATE(as<std::string>{}, "/nobody/listens/here",
                                      "@nobody listens here", "", std::string(108, 'a'));
    CAPTURE(name);
    Server server({.environment = {{"NOTIFY_SOCKET", name}}});
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    server.signal(SIGTERM);
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(count_lines(server.diagnostics()) == 2);
    const std::string why = name.size() == 108 ? "File name too long" : "";
    REQUIRE_THAT(server.diagnostics(), ContainsSubstring("NOTIFY_SOCKET " + name + ": " + why));
}
