// `successor`: what this chapter promises beside the contract.

#include <signal.h>
#include <sys/types.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
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
#include "support/upgrade.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

namespace {

/// The variables that a process was started with, each behind a zero.
std::string environment_of(pid_t process) {
    std::ifstream file("/proc/" + std::to_string(process) + "/environ", std::ios::binary);
    return '\0' + std::string{std::istreambuf_iterator<char>(file), {}};
}

int count_variables(const std::string& environment, const std::string& name) {
    const std::string wanted = '\0' + name + '=';
    int count = 0;
    for (std::size_t at = environment.find(wanted); at != std::string::npos;
         at = environment.find(wanted, at + 1)) {
        ++count;
    }
    return count;
}

}  // namespace

TEST_CASE("after SIGHUP a new client is served, by the next version", "[why]") {
    require_io_uring();
    REQUIRE(client_after_a_hangup(chapter_before()) == "killed by SIGHUP");
    REQUIRE(client_after_a_hangup(chapter_under_test()) == "the client is served");
}

TEST_CASE("the next version is what lies where the server was started from, with its arguments",
          "[promise]") {
    require_io_uring();
    Installed installed(chapter_under_test());
    Server server(installed.chapter(), {.arguments = {"--port", "0", "--idle-timeout", "4711"}});
    installed.install_script(
        "echo \"next: $*\" >&2; grep SigBlk /proc/$$/status >&2; exec \"$SERVER\" \"$@\"");
    server.signal(SIGHUP);
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(parse_ready_line(server.read_line()).port == server.endpoint().port);
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    REQUIRE(server.diagnostics() ==
            "next: --port 0 --idle-timeout 4711\nSigBlk:\t0000000000000000\n");
}

TEST_CASE("clients that connect again and again are neither refused nor reset, in three upgrades",
          "[promise]") {
    require_io_uring();
    const Notifications manager("");
    Server server(told_to(manager, {.arguments = {"--port", "0", "--workers", "2"}}));
    REQUIRE(manager.next() == "READY=1");
    std::atomic<bool> is_over = false;
    std::atomic<int> served = 0;
    std::string failure;
    std::jthread clients([&] {
        try {
            while (!is_over) {
                Client client(server);  // It throws where it is refused, and on a reset.
                const std::string echo = client.exchange("hello");
                if (echo != "hello" && !echo.empty()) {
                    throw std::runtime_error("half an echo: " + echo);
                }
                served += echo.empty() ? 0 : 1;
            }
        } catch (const std::exception& error) {
            failure = error.what();
            is_over = true;
        }
    });
    pid_t process = server.pid();
    for (int round = 0; round < 3; ++round) {
        const int before = served;
        wait_until("clients are served", [&] { return is_over || served >= before + 100; });
        process = upgrade(process, manager);
    }
    const int before = served;
    wait_until("clients are served", [&] { return is_over || served >= before + 100; });
    is_over = true;
    clients.join();
    REQUIRE(failure.empty());
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(server.diagnostics().empty());
    check(::kill(process, SIGTERM), "kill");
    REQUIRE(wait_for_orphan(process) == "exit 0");
}

TEST_CASE("a successor has what its predecessor had, and nothing more", "[promise]") {
    require_io_uring();
    const Notifications manager("");
    Server server(told_to(manager, {.arguments = {"--port", "0", "--workers", "3"},
                                    .environment = {{"LISTEN_FDNAMES", "a:b"}, {"KEPT", "yes"}}}));
    REQUIRE(manager.next() == "READY=1");
    wait_until_at_rest(server);
    const std::size_t descriptors = proc::descriptors(server.pid()).size();
    pid_t process = server.pid();
    for (int round = 0; round < 3; ++round) {
        process = upgrade(process, manager);
    }
    wait_until("the successor sleeps", [&] { return proc::is_asleep(process); });
    REQUIRE(proc::descriptors(process).size() == descriptors);
    REQUIRE(proc::count_zombies(process) == 0);
    const std::string environment = environment_of(process);
    REQUIRE(count_variables(environment, "LISTEN_PID") == 1);
    REQUIRE(count_variables(environment, "LISTEN_FDS") == 1);
    REQUIRE(count_variables(environment, "LISTEN_FDNAMES") == 0);
    REQUIRE(count_variables(environment, "NOTIFY_SOCKET") == 1);
    REQUIRE(count_variables(environment, "KEPT") == 1);
}

TEST_CASE("what waits in the queue is the successor's, which serves it before its own end",
          "[promise]") {
    require_io_uring();
    const Notifications manager("");
    Server server(told_to(manager, {.arguments = {"--port", "0", "--workers", "2"}}));
    REQUIRE(manager.next() == "READY=1");
    const pid_t process = upgrade(server.pid(), manager);
    REQUIRE(server.wait_for_exit() == "exit 0");
    wait_until("the successor sleeps", [&] { return proc::is_asleep(process); });
    server.stop_all();  // The successor is in the same process group.
    wait_until("the successor stands still", [&] { return proc::state(process) == 'T'; });
    std::vector<Client> clients;
    for (unsigned i = 0; i < 50; ++i) {
        clients.emplace_back(server);
        clients.back().send(random_bytes(1000, i));
    }
    check(::kill(process, SIGTERM), "kill");
    server.continue_all();
    for (unsigned i = 0; i < 50; ++i) {
        CAPTURE(i);
        const bool same = clients[i].receive_to_end() == random_bytes(1000, i);
        REQUIRE(same);
        clients[i].close();
    }
    REQUIRE(wait_for_orphan(process) == "exit 0");
}

TEST_CASE("a queue that the manager shares is left to it by the successor, too", "[promise]") {
    require_io_uring();
    const OpenListener listener;
    const Notifications manager("");
    const StartSettings settings = told_to(manager, {.listeners = {listener.fd().get()}});
    Server server(settings);
    REQUIRE(manager.next() == "READY=1");
    const pid_t process = upgrade(server.pid(), manager);
    REQUIRE(server.wait_for_exit() == "exit 0");
    check(::kill(process, SIGTERM), "kill");
    REQUIRE(manager.next() == "STOPPING=1");
    REQUIRE(wait_for_orphan(process) == "exit 0");
    Client client(listener.endpoint());
    client.send("hello");
    const Server next(settings);
    REQUIRE(client.receive(5) == "hello");
}

TEST_CASE("the manager is told of the new main process, and the old one's end is none",
          "[promise]") {
    require_io_uring();
    const Notifications manager("");
    Server server(told_to(manager));
    REQUIRE(manager.next() == "READY=1");
    const pid_t process = upgrade(server.pid(), manager);
    REQUIRE(proc::executable(process) == chapter_under_test().server);
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(manager.is_silent());
    check(::kill(process, SIGTERM), "kill");
    REQUIRE(manager.next() == "STOPPING=1");
    REQUIRE(wait_for_orphan(process) == "exit 0");
}

TEST_CASE("where nothing can be started, the server says so and goes on", "[promise]") {
    require_io_uring();
    const Notifications manager("");
    Installed installed(chapter_under_test());
    Server server(installed.chapter(), told_to(manager));
    REQUIRE(manager.next() == "READY=1");
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    const std::string path = installed.chapter().server;
    installed.remove();
    server.signal(SIGHUP);
    wait_until("the server has said why", [&] { return count_lines(server.diagnostics()) == 1; });
    REQUIRE(server.diagnostics() == "upgrade: access " + path + ": No such file or directory\n");
    REQUIRE(client.exchange("still there?") == "still there?");
    installed.install();
    const pid_t process = upgrade(server.pid(), manager);
    REQUIRE(server.wait_for_exit() == "exit 0");
    Client late(server);
    REQUIRE(late.exchange("hello") == "hello");
    REQUIRE(proc::executable(process) == path);
}

TEST_CASE("a SIGHUP that is ignored stays so: nohup(1)", "[promise]") {
    require_io_uring();
    Server server({.ignored_signals = {SIGHUP}});
    server.signal(SIGHUP);
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    server.signal(SIGTERM);
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(server.try_read_line() == std::nullopt);  // No other one has been there.
}

TEST_CASE("a new version that does not start leaves no server", "[limit]") {
    require_io_uring();
    Installed installed(chapter_under_test());
    Server server(installed.chapter());
    installed.install_script("exit 3");
    server.signal(SIGHUP);
    REQUIRE(server.wait_for_exit() == "exit 0");
    wait_until("nobody listens any more", [&] {
        try {
            const Client client(server);
            return false;
        } catch (const std::system_error& error) {
            return error.code() == std::errc::connection_refused;
        }
    });
}

TEST_CASE("a client that the old version has, and that is silent, is told the end", "[limit]") {
    require_io_uring();
    const Notifications manager("");
    Server server(told_to(manager));
    REQUIRE(manager.next() == "READY=1");
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    upgrade(server.pid(), manager);
    REQUIRE(client.receive_to_end().empty());
}
