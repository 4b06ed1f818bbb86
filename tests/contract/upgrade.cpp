// SIGHUP: the next version is started, and gets the listeners.

#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <exception>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
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
#include "support/strace.hpp"
#include "support/upgrade.hpp"

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

/// The process that traces a thread, or 0.
pid_t tracer_of(pid_t thread) {
    std::ifstream file("/proc/" + std::to_string(thread) + "/status");
    std::string word;
    while (file >> word && word != "TracerPid:") {
    }
    pid_t tracer = 0;
    file >> tracer;
    return tracer;
}

}  // namespace

TEST_CASE("the next version is what lies where the server was started from, with its arguments",
          "[contract][from-successor]") {
    require_io_uring();
    Installed installed(chapter_under_test());
    Server server(installed.chapter(), {.arguments = {"--port", "0", "--idle-timeout", "4711"}});
    installed.install_script(R"(
        echo "next: $*" >&2
        [ "$LISTEN_PID" = $$ ] || echo "LISTEN_PID=$LISTEN_PID" >&2
        while read -r name value; do
            [ "$name" != SigBlk: ] || echo "blocked: $value" >&2
        done </proc/$$/status
        exec "$SERVER" "$@")");
    server.signal(SIGHUP);
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(parse_ready_line(server.read_line()).port == server.endpoint().port);
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    REQUIRE(server.diagnostics() ==
            "next: --port 0 --idle-timeout 4711\nblocked: 0000000000000000\n");
}

TEST_CASE("clients that connect again and again are neither refused nor reset, in three upgrades",
          "[contract][from-successor]") {
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

TEST_CASE("a successor has what its predecessor had, and nothing more",
          "[contract][from-successor]") {
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
          "[contract][from-successor]") {
    require_io_uring();
    const Notifications manager("");
    Server server(told_to(manager, {.arguments = {"--port", "0", "--workers", "1", "--max-clients",
                                                  "1", "--drain-timeout", "86400000"}}));
    REQUIRE(manager.next() == "READY=1");
    const pid_t process = upgrade(server.pid(), manager);
    REQUIRE(server.wait_for_exit() == "exit 0");
    Client served(server);
    REQUIRE(served.exchange("hello") == "hello");
    std::vector<Client> clients;
    for (unsigned i = 0; i < 10; ++i) {
        clients.emplace_back(server);
        clients.back().send(random_bytes(1000, i));
    }
    // The worker has one in hand, for which there is no place.
    wait_until("the others wait",
               [&] { return proc::accept_queue_length(server.endpoint()) == 9; });
    check(::kill(process, SIGTERM), "kill");
    REQUIRE(served.receive_to_end().empty());
    served.close();
    for (unsigned i = 0; i < 10; ++i) {
        CAPTURE(i);
        const bool same = clients[i].receive_to_end() == random_bytes(1000, i);
        REQUIRE(same);
        clients[i].close();
    }
    REQUIRE(wait_for_orphan(process) == "exit 0");
}

TEST_CASE("a queue that the manager shares is left to it by the successor, too",
          "[contract][from-successor]") {
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
          "[contract][from-successor]") {
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

TEST_CASE("where nothing can be started, the server says so and goes on",
          "[contract][from-successor]") {
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
    client.close();
    installed.install();
    const pid_t process = upgrade(server.pid(), manager);
    REQUIRE(server.wait_for_exit() == "exit 0");
    Client late(server);
    REQUIRE(late.exchange("hello") == "hello");
    REQUIRE(proc::executable(process) == path);
}

TEST_CASE("a SIGHUP that is ignored stays so: nohup(1)", "[contract][from-successor]") {
    require_io_uring();
    Server server({.ignored_signals = {SIGHUP}});
    server.signal(SIGHUP);
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    server.signal(SIGTERM);
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(server.try_read_line() == std::nullopt);  // No other one has been there.
}

TEST_CASE("a new version that fails is no end of the old one, which says so",
          "[contract][from-handover]") {
    require_io_uring();
    const Notifications manager("");
    Installed installed(chapter_under_test());
    Server server(installed.chapter(), told_to(manager));
    REQUIRE(manager.next() == "READY=1");
    wait_until_at_rest(server);
    const std::size_t descriptors = proc::descriptors(server.pid()).size();
    installed.install_script("exit 3");
    server.signal(SIGHUP);
    wait_until("the server has said why", [&] { return count_lines(server.diagnostics()) == 1; });
    REQUIRE(server.diagnostics() == "upgrade: the new version has ended\n");
    wait_until("the new version is gone", [&] { return proc::children(server.pid()).empty(); });
    REQUIRE(proc::descriptors(server.pid()).size() == descriptors);
    REQUIRE(manager.is_silent());
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    client.close();
    installed.install();
    upgrade(server.pid(), manager);
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(Client(server).exchange("hello") == "hello");
}

TEST_CASE("a new version that is not ready in time is ended, and the old one goes on",
          "[contract][from-handover]") {
    require_io_uring();
    Installed installed(chapter_under_test());
    Server server(installed.chapter(), {.arguments = {"--port", "0", "--upgrade-timeout", "200"}});
    installed.install_script("exec sleep 86400");
    server.signal(SIGHUP);
    wait_until("the server has said why", [&] { return count_lines(server.diagnostics()) == 1; });
    REQUIRE(server.diagnostics() == "upgrade: the new version is not ready in time\n");
    wait_until("the new version is gone", [&] { return proc::children(server.pid()).empty(); });
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    server.signal(SIGTERM);
    REQUIRE(server.wait_for_exit() == "exit 0");
}

TEST_CASE("until the next version is ready the old one serves, and the new one from then on",
          "[contract][from-handover]") {
    require_io_uring();
    const Notifications manager("");
    Installed installed(chapter_under_test());
    Server server(installed.chapter(), told_to(manager));
    REQUIRE(manager.next() == "READY=1");
    const Gate gate(installed.folder());
    installed.install_script(gate.words() + "exec \"$SERVER\" \"$@\"");
    server.signal(SIGHUP);
    wait_until("the next version stands at its gate", [&] { return gate.is_reached(); });
    for (int i = 0; i < 10; ++i) {
        Client client(server);
        REQUIRE(client.exchange("hello") == "hello");
    }
    REQUIRE(manager.is_silent());
    gate.open();
    REQUIRE(manager.next() == "READY=1");
    REQUIRE(manager.next().starts_with("MAINPID="));
    REQUIRE(server.wait_for_exit() == "exit 0");
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
}

TEST_CASE(
    "a client that comes as the listener changes hands is not forgotten, though no other one comes",
    "[contract][from-handover]") {
    require_io_uring();
    require_strace();
    const Notifications manager("");
    Server server(told_to(manager, {.arguments = {"--port", "0", "--workers", "1"}}));
    REQUIRE(manager.next() == "READY=1");
    wait_until_at_rest(server);
    std::map<pid_t, long long> threads = proc::voluntary_switches_of_threads(server.pid());
    threads.erase(server.pid());
#if defined(__SANITIZE_THREAD__)
    threads.erase(threads.begin());  // The sanitizer's own, which is there before the worker.
#endif
    REQUIRE(threads.size() == 1);
    const pid_t worker = threads.begin()->first;
    // Its accept is in flight, and first in line, until its next call to the ring takes it back.
    const Program late(
        "strace",
        {.arguments = {"-qq", "-o", "/dev/null", "-e", "trace=io_uring_enter", "-e",
                       "inject=io_uring_enter:delay_enter=500000", "-p", std::to_string(worker)}});
    wait_until("strace is there, and the worker sleeps in its call",
               [&] { return tracer_of(worker) != 0 && proc::state(worker) == 'S'; });
    upgrade(server.pid(), manager);
    wait_until("the worker is held before its next call",
               [&] { return proc::state(worker) == 't'; });
    Client client(server);
    client.send("hello");
    // It is the new version's, or the old one's, which tells it the end.
    const std::string echo = client.receive(5);
    REQUIRE((echo == "hello" || echo.empty()));
}

TEST_CASE("SIGTERM does not wait for a new version that is not ready",
          "[contract][from-handover]") {
    require_io_uring();
    Installed installed(chapter_under_test());
    Server server(installed.chapter(),
                  {.arguments = {"--port", "0", "--upgrade-timeout", "86400000"}});
    installed.install_script("exec sleep 86400");
    server.signal(SIGHUP);
    wait_until("the next version is there",
               [&] { return proc::children(server.pid()).size() == 1; });
    server.signal(SIGTERM);
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(server.diagnostics() == "upgrade: the new version is not waited for\n");
    REQUIRE(proc::family(::getpid()).size() == 1);
}

TEST_CASE("a second SIGHUP begins anew, with what is installed by then",
          "[contract][from-handover]") {
    require_io_uring();
    const Notifications manager("");
    Installed installed(chapter_under_test());
    StartSettings settings{.arguments = {"--port", "0", "--upgrade-timeout", "86400000"}};
    Server server(installed.chapter(), told_to(manager, settings));
    REQUIRE(manager.next() == "READY=1");
    installed.install_script("exec sleep 86400");
    server.signal(SIGHUP);
    wait_until("the next version is there",
               [&] { return proc::children(server.pid()).size() == 1; });
    installed.install();
    upgrade(server.pid(), manager);
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(server.diagnostics() == "upgrade: the new version is not waited for\n");
    REQUIRE(Client(server).exchange("hello") == "hello");
}

TEST_CASE("a server that fails ends also while it waits for its next version",
          "[contract][from-handover]") {
    require_io_uring();
    Installed installed(chapter_under_test());
    Server server(installed.chapter(),
                  {.arguments = {"--port", "0", "--upgrade-timeout", "86400000"}});
    installed.install_script("exec sleep 86400");
    server.signal(SIGHUP);
    wait_until("the next version is there",
               [&] { return proc::children(server.pid()).size() == 1; });
    break_listener(server);
    REQUIRE(server.wait_for_exit() == "exit 1");
    REQUIRE(server.diagnostics().find("error: accept: Invalid argument\n") != std::string::npos);
    REQUIRE(proc::family(::getpid()).size() == 1);
}

TEST_CASE("a next version whose predecessor has died meanwhile serves",
          "[contract][from-handover]") {
    require_io_uring();
    const Notifications manager("");
    Installed installed(chapter_under_test());
    Server server(installed.chapter(), told_to(manager));
    REQUIRE(manager.next() == "READY=1");
    const Gate gate(installed.folder());
    installed.install_script(gate.words() + "exec \"$SERVER\" \"$@\"");
    server.signal(SIGHUP);
    wait_until("the next version stands at its gate", [&] { return gate.is_reached(); });
    const std::vector<pid_t> children = proc::children(server.pid());
    REQUIRE(children.size() == 1);
    server.signal(SIGKILL);
    REQUIRE(server.wait_for_exit() == "killed by SIGKILL");
    Client client(server);  // Its listener is there, and waits with it.
    client.send("hello");
    gate.open();
    REQUIRE(manager.next() == "READY=1");
    REQUIRE(client.receive(5) == "hello");
    wait_until("the new version sleeps", [&] { return proc::is_asleep(children.front()); });
    REQUIRE(client.exchange("still there?") == "still there?");
}

TEST_CASE("words of a handover that are meant for another process are not heeded",
          "[contract][from-handover]") {
    require_io_uring();
    Server server({.environment = {{"HANDOVER_READY", "1"}, {"HANDOVER_SHARED", "1"}}});
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    wait_until_at_rest(server);
    const std::vector<proc::Descriptor> all = proc::descriptors(server.pid());
    REQUIRE(std::any_of(all.begin(), all.end(), [](const proc::Descriptor& one) {
        return one.number == STDOUT_FILENO && one.target.starts_with("pipe:");
    }));
    server.signal(SIGTERM);
    REQUIRE(server.wait_for_exit() == "exit 0");
}

TEST_CASE("clients that the old version has are served on beside the new one, to the last byte",
          "[contract][from-overlap]") {
    require_io_uring();
    const Notifications manager("");
    Server server(told_to(manager, {.arguments = {"--port", "0", "--overlap", "86400000"}}));
    REQUIRE(manager.next() == "READY=1");
    std::vector<Client> clients = connect_clients(server, 10);
    Client greedy(server, {.receive_buffer = 16 * 1024});
    const std::string sent = send_until_server_is_held_back(greedy);
    const pid_t successor = upgrade(server.pid(), manager);
    wait_until("the old version listens no more",
               [&] { return proc::count_sockets(server.pid()) == 11; });
    Client newcomer(server);
    REQUIRE(newcomer.exchange("hello") == "hello");
    for (int round = 0; round < 3; ++round) {
        for (Client& client : clients) {
            REQUIRE(client.exchange("still there?") == "still there?");
        }
    }
    greedy.half_close();
    const bool same = greedy.receive_to_end() == sent;
    REQUIRE(same);
    REQUIRE(server.is_running());
    // Its last client gone, the old version has nothing left to do.
    clients.clear();
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(newcomer.exchange("still there?") == "still there?");
    check(::kill(successor, SIGTERM), "kill");
    REQUIRE(wait_for_orphan(successor) == "exit 0");
    REQUIRE(server.diagnostics().empty());
}

TEST_CASE("every client has its echo, however often it connects, in three upgrades",
          "[contract][from-overlap]") {
    require_io_uring();
    const Notifications manager("");
    Server server(told_to(manager, {.arguments = {"--port", "0", "--workers", "2"}}));
    REQUIRE(manager.next() == "READY=1");
    Client lasting(server);
    REQUIRE(lasting.exchange("hello") == "hello");
    std::atomic<bool> is_over = false;
    std::atomic<int> served = 0;
    std::string failure;
    std::jthread clients([&] {
        try {
            while (!is_over) {
                if (Client(server).exchange("hello") != "hello") {
                    throw std::runtime_error("a client without its echo");
                }
                ++served;
            }
        } catch (const std::exception& error) {
            failure = error.what();
            is_over = true;
        }
    });
    const auto wait_for_clients = [&] {
        const int before = served;
        wait_until("clients are served", [&] { return is_over || served >= before + 100; });
    };
    pid_t process = server.pid();
    for (int round = 0; round < 3; ++round) {
        wait_for_clients();
        process = upgrade(process, manager);
    }
    wait_for_clients();
    is_over = true;
    clients.join();
    REQUIRE(failure.empty());
    REQUIRE(lasting.exchange("still there?") == "still there?");
    REQUIRE(server.diagnostics().empty());
}

TEST_CASE("when the overlap is over the old version says goodbye, and then it evicts",
          "[contract][from-overlap]") {
    require_io_uring();
    const Notifications manager("");
    Server server(told_to(
        manager, {.arguments = {"--port", "0", "--overlap", "200", "--drain-timeout", "3000"}}));
    REQUIRE(manager.next() == "READY=1");
    Client silent(server);
    REQUIRE(silent.exchange("hello") == "hello");
    Client greedy(server, {.receive_buffer = 16 * 1024});
    send_until_server_is_held_back(greedy);
    upgrade(server.pid(), manager);
    REQUIRE(silent.receive_to_end().empty());  // the end of the file, and no reset
    silent.close();
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(server.diagnostics() == "drain: 1 evicted\n");
}

TEST_CASE("SIGTERM without a successor waits for no overlap", "[contract][from-overlap]") {
    require_io_uring();
    Server server({.arguments = {"--port", "0", "--overlap", "86400000"}});
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    server.signal(SIGTERM);
    REQUIRE(client.receive_to_end().empty());
    client.close();
    REQUIRE(server.wait_for_exit() == "exit 0");
}
