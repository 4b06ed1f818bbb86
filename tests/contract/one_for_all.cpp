// From `nonblocking` on one thread serves all clients: nobody may cost the others their turn, or
// the server more memory than a buffer.

#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Matches;

TEST_CASE("a hundred silent clients cost neither a process nor a thread",
          "[contract][from-nonblocking]") {
    const Server server;
    std::vector<Client> clients = connect_clients(server, 1);
    const std::size_t threads_for_one = proc::count_threads(server.pid());
    for (Client& client : connect_clients(server, 100)) {
        clients.push_back(std::move(client));
    }
    REQUIRE(proc::children(server.pid()).empty());
    REQUIRE(proc::count_threads(server.pid()) == threads_for_one);
    REQUIRE(clients.front().exchange("still there?") == "still there?");
}

TEST_CASE("when clients leave, their descriptors are gone", "[contract][from-nonblocking]") {
    const Server server;
    std::vector<Client> stays = connect_clients(server, 1);
    std::vector<Client> leave = connect_clients(server, 20);
    REQUIRE(server.count_clients() == 21);
    leave.clear();
    wait_until("the sockets of those that left are gone",
               [&] { return server.count_clients() == 1; });
    REQUIRE(stays.front().exchange("still there?") == "still there?");
}

TEST_CASE("clients that reset beside others end alone", "[contract][from-nonblocking]") {
    const Server server;
    std::vector<Client> clients = connect_clients(server, 10);
    server.stop_all();  // So that all of it is news at once.
    for (std::size_t i = 0; i < 10; i += 2) {
        clients[i].reset();
    }
    for (std::size_t i = 1; i < 10; i += 2) {
        clients[i].send("still there?");
    }
    server.continue_all();
    for (std::size_t i = 1; i < 10; i += 2) {
        REQUIRE(clients[i].receive(12) == "still there?");
    }
    wait_until("the server has reported all five",
               [&] { return count_lines(server.diagnostics()) == 5; });
    wait_until("the sockets of those five are gone", [&] { return server.count_clients() == 5; });
}

TEST_CASE("a client that sends and never reads costs no more memory than its buffer",
          "[contract][from-state]") {
    // Where buffers are everybody's: a few, so that all of them have been used before.
    StartSettings settings;
    if (chapter_has("buffers")) {
        settings.arguments.insert(settings.arguments.end(), {"--buffers", "2"});
    }
    const Server server(settings);
    Client other(server);
    Client greedy(server);
    const std::string first = random_bytes(256 * 1024);
    greedy.exchange(first);
    for (int i = 0; i < 40; ++i) {
        // Whichever thread has them.
        Client(server).exchange(first);
    }
    other.exchange(first);
    wait_until_at_rest(server);
    const std::size_t before = proc::resident_bytes(server.pid());

    std::string sent = send_until_server_is_held_back(greedy);
    // Its buffer has been used already, and is in `before`. A sanitizer, which reserves terabytes
    // of addresses, also keeps what has been freed.
    const bool is_sanitized = proc::reserved_bytes(server.pid()) > std::size_t{1} << 40;
    const std::size_t more = is_sanitized ? 1024 * 1024 : 64 * 1024;
    CAPTURE(before, sent.size());
    REQUIRE(proc::resident_bytes(server.pid()) <= before + more);
    for (int i = 0; i < 100; ++i) {
        REQUIRE(other.exchange("served?") == "served?");
    }
    const bool served = other.exchange(first) == first;  // As many bytes as a buffer holds, too.
    REQUIRE(served);

    // Whatever the kernels have taken comes back once the client reads, up to the last byte.
    greedy.half_close();
    const bool same = greedy.receive_to_end() == sent;
    REQUIRE(same);
}

TEST_CASE("more bytes than one turn takes are echoed to the end",
          "[contract][wire][from-nonblocking]") {
    const Server server;
    Client client(server, {.receive_buffer = 4 * 1024 * 1024, .send_buffer = 4 * 1024 * 1024});
    REQUIRE(client.exchange("hello") == "hello");
    server.stop_all();
    const std::string sent = send_until_server_is_held_back(client);
    client.half_close();
    server.continue_all();
    const bool same = client.receive_to_end() == sent;
    REQUIRE(same);
}

// An edge comes once: a server that does not look until EAGAIN has lost what was left.
TEST_CASE("bytes, end of file and clients that come in one go are all seen",
          "[contract][wire][from-epoll-edge]") {
    const Server server;
    for (unsigned i = 0; i < 30; ++i) {
        server.stop_all();
        std::vector<Client> clients;
        for (unsigned j = 0; j < 5; ++j) {
            clients.emplace_back(server);
            clients.back().send(random_bytes(1 + 20000 * j, i));
            clients.back().half_close();
        }
        server.continue_all();
        for (unsigned j = 0; j < 5; ++j) {
            CAPTURE(i, j);
            const bool same = clients[j].receive_to_end() == random_bytes(1 + 20000 * j, i);
            REQUIRE(same);
        }
    }
}

TEST_CASE("clients that are held back at the same time have each their own bytes back",
          "[contract][wire][from-state]") {
    const Server server;
    std::vector<Client> clients;
    std::vector<std::string> sent;
    for (unsigned i = 0; i < 4; ++i) {
        clients.emplace_back(server);
        sent.push_back(send_until_server_is_held_back(clients.back(), i));
    }
    for (std::size_t i = 0; i < clients.size(); ++i) {
        CAPTURE(i);
        clients[i].half_close();
        const bool same = clients[i].receive_to_end() == sent[i];
        REQUIRE(same);
    }
}

TEST_CASE("every descriptor of the server would be closed on exec",
          "[contract][from-nonblocking]") {
    const Server server;
    const std::vector<Client> clients = connect_clients(server, 2);
    REQUIRE(server.count_clients() == 2);
    for (const proc::Descriptor& descriptor : proc::descriptors(server.pid())) {
        CAPTURE(descriptor.number, descriptor.target);
        REQUIRE((descriptor.number <= 2 || descriptor.is_close_on_exec));
    }
}

TEST_CASE("a client that is held back costs no processor time",
          "[contract][from-nonblocking][sleeps]") {
    const Server server;
    Client greedy(server);
    const std::string sent = send_until_server_is_held_back(greedy);
    wait_until_it_does_not_spin(server);
    // Nor does its end of file, as long as it cannot be reached.
    greedy.half_close();
    wait_until_it_does_not_spin(server);
    const bool same = greedy.receive_to_end() == sent;
    REQUIRE(same);
}

TEST_CASE("a client that is held back and resets is reported and gone",
          "[contract][from-nonblocking]") {
    const Server server;
    Client greedy(server);
    send_until_server_is_held_back(greedy);
    greedy.reset();
    wait_until("the server has closed its side", [&] { return server.count_clients() == 0; });
    wait_until("the server has said so", [&] { return !server.diagnostics().empty(); });
    REQUIRE_THAT(server.diagnostics(), ContainsSubstring("Connection reset by peer"));
}

TEST_CASE(
    "a client that sends exactly as much as a buffer holds, and then nothing, keeps nobody waiting",
    "[contract][from-nonblocking]") {
    constexpr std::size_t buffer_size = 64 * 1024;
    const Server server;
    Client exact(server, {.receive_buffer = 4 * buffer_size, .send_buffer = 4 * buffer_size});
    REQUIRE(exact.exchange("hello") == "hello");
    const std::string bytes = random_bytes(buffer_size);
    server.stop_all();  // So that all of it is there at once.
    exact.send(bytes);
    server.continue_all();
    const bool same = exact.receive(buffer_size) == bytes;
    REQUIRE(same);
    Client other(server);
    REQUIRE(other.exchange("hello") == "hello");
}

TEST_CASE("a client that always has more to send does not keep another one waiting",
          "[contract][from-nonblocking][read-calls]") {
    require_strace();
    const Server server;
    std::vector<std::string> reads;
    const auto connect = [&](const ClientSettings& settings) {
        Client client(server, settings);
        REQUIRE(client.exchange("hello") == "hello");
        reads.push_back("(" + std::to_string(newest_descriptor(server)) + ",");
        return client;
    };
    // One quiet client before the busy one and one after it: whoever comes first in a round.
    constexpr int plenty = 4 * 1024 * 1024;
    Client quiet = connect({});
    Client busy = connect({.receive_buffer = plenty, .send_buffer = plenty});
    Client also_quiet = connect({});

    const SystemCallTrace trace(server, "read,recvfrom");
    server.stop_all();
    send_until_server_is_held_back(busy);
    quiet.send("!");
    also_quiet.send("!");
    server.continue_all();
    REQUIRE(quiet.receive(1) == "!");
    REQUIRE(also_quiet.receive(1) == "!");

    // How many reads have returned with bytes of the busy one before both quiet ones had their
    // turn.
    int turns = 0;
    int quiet_turns = 0;
    for (const std::string& line : trace.lines()) {
        const bool has_bytes =
            line.find(" = ") != std::string::npos && line.find(" = -1") == std::string::npos;
        const auto is_read_of = [&](std::size_t who) {
            return has_bytes && line.find(reads[who]) != std::string::npos;
        };
        quiet_turns += is_read_of(0) || is_read_of(2) ? 1 : 0;
        turns += is_read_of(1) && quiet_turns < 2 ? 1 : 0;
    }
    REQUIRE(quiet_turns == 2);
    REQUIRE(turns <= 5);
}

TEST_CASE("a crowd that always has more to send does not keep a quiet client or a newcomer waiting",
          "[contract][from-setup]") {
    // More than a ring has entries (256).
    constexpr std::size_t crowd_size = 600;
    const Server server;
    Client quiet(server);
    REQUIRE(quiet.exchange("hello") == "hello");
    std::vector<Client> crowd = connect_clients(server, crowd_size);
    std::atomic<std::size_t> echoed = 0;
    const std::jthread busy([&](const std::stop_token& stop) {
        const std::string bytes(64 * 1024, 'x');
        while (!stop.stop_requested()) {
            for (Client& client : crowd) {
                client.send_some(bytes);
                echoed += client.receive_some().value_or("").size();
            }
        }
    });
    constexpr std::size_t mib = 1024 * 1024;
    wait_until("the crowd is busy", [&] { return echoed >= crowd_size * mib; });
    // How much the crowd has back before an answer comes: a part of a turn each, if there are
    // turns. Where this test is not awake when the answer comes, it is more, but not most of the
    // time.
    std::vector<std::size_t> between;
    for (int i = 0; i < 15; ++i) {
        const std::size_t before = echoed;
        if (i % 2 == 0) {
            REQUIRE(quiet.exchange("!") == "!");
        } else {
            Client newcomer(server);
            REQUIRE(newcomer.exchange("!") == "!");
        }
        between.push_back((echoed - before) / mib);
    }
    CAPTURE(between);
    std::nth_element(between.begin(), between.begin() + 7, between.end());
    REQUIRE(between[7] <= crowd_size / 2);
}

TEST_CASE("visits leave no memory behind", "[contract][from-nonblocking]") {
    const Server server;
    const auto visit = [&server] {
        Client client(server);
        REQUIRE(client.exchange("hello") == "hello");
    };
    for (int i = 0; i < 100; ++i) {
        visit();  // What is set aside once is there after these.
    }
    wait_until("the first ones are gone", [&] { return server.count_clients() == 0; });
    const std::size_t before = proc::resident_bytes(server.pid());
    for (int i = 0; i < 1000; ++i) {
        visit();
    }
    wait_until("all are gone", [&] { return server.count_clients() == 0; });
    const std::size_t now = proc::resident_bytes(server.pid());
    // A page for each visit would be four mebibytes. A sanitizer keeps what has been freed.
    const bool is_sanitized = proc::reserved_bytes(server.pid()) > std::size_t{1} << 40;
    CAPTURE(before, now);
    REQUIRE(now <= before + (is_sanitized ? 256 : 2) * std::size_t{1024} * 1024);
}

TEST_CASE("clients that send and receive at the same time, and then leave, leave nothing behind",
          "[contract][from-nonblocking]") {
    const Server server;
    const std::string sent = random_bytes(800 * 1024);
    for (int i = 0; i < 30; ++i) {
        CAPTURE(i);
        Client client(server, {.send_buffer = 4 * 1024 * 1024});
        std::string received;
        for (std::size_t at = 0; at < sent.size();) {
            at += client.send_some(std::string_view(sent).substr(at));
            received += client.receive(std::min<std::size_t>(32 * 1024, at - received.size()));
        }
        client.half_close();
        received += client.receive_to_end();
        const bool same = received == sent;
        REQUIRE(same);
    }
    wait_until("their sockets are gone", [&] { return server.count_clients() == 0; });
}

TEST_CASE("out of descriptors, those who are there are served, and the next one when one leaves",
          "[contract][from-nonblocking]") {
    const Server server(with_descriptors_for(5));
    std::vector<Client> clients = connect_clients(server, 5);
    Client waits(server);
    waits.send("hello");
    wait_until("the server says what it lacks", [&] { return !server.diagnostics().empty(); });
    for (int i = 0; i < 20; ++i) {
        REQUIRE(clients.front().exchange("still there?") == "still there?");
    }
    REQUIRE_FALSE(waits.has_input());
    clients.erase(clients.begin());
    REQUIRE(waits.receive(5) == "hello");
    // Once for a shortage, and accept() may fail once more behind the last client that got one. So
    // it is in each thread that accepts.
    const std::size_t most = 2 * proc::count_threads(server.pid());
    REQUIRE_THAT(server.diagnostics(), Matches("(accept, trying again: Too many open files\n){1," +
                                               std::to_string(most) + "}"));
}

TEST_CASE("out of descriptors the server does not spin, with clients or without",
          "[contract][from-nonblocking][sleeps]") {
    const Server server(with_descriptors_for(5));
    const std::vector<Client> clients = connect_clients(server, 5);
    const Client waits(server);
    wait_until("the server says what it lacks", [&] { return !server.diagnostics().empty(); });
    wait_until_it_does_not_spin(server);
}

TEST_CASE("when a shortage is over, the server sleeps as deeply as before",
          "[contract][from-nonblocking][sleeps]") {
    const Server server(with_descriptors_for(5));
    std::vector<Client> clients = connect_clients(server, 5);
    {
        const Client gives_up(server);
        wait_until("the server says what it lacks", [&] { return !server.diagnostics().empty(); });
    }
    server.limit(RLIMIT_NOFILE, 64);
    for (Client& client : clients) {
        REQUIRE(client.exchange("still there?") == "still there?");
    }
    wait_until("it is not woken by the clock any more", [&] {
        const long long before = proc::voluntary_switches(server.pid());
        std::this_thread::sleep_for(std::chrono::milliseconds{500});
        return proc::voluntary_switches(server.pid()) == before;
    });
}

TEST_CASE("five hundred clients at once are served, each with its own bytes",
          "[contract][wire][from-nonblocking]") {
    const Server server;
    std::vector<Client> clients;
    for (unsigned i = 0; i < 500; ++i) {
        clients.emplace_back(server);
        clients.back().send(random_bytes(2000, i));
    }
    for (unsigned i = 0; i < 500; ++i) {
        CAPTURE(i);
        const bool same = clients[i].receive(2000) == random_bytes(2000, i);
        REQUIRE(same);
    }
}

TEST_CASE("ten thousand clients are served at once", "[contract][wire][from-epoll]") {
    require_echoes_for_all_of(10000);
}

TEST_CASE(
    "without memory for one more client, those who are there are served, and the next one later",
    "[contract][keeps-memory]") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    SKIP("a sanitizer has no answer to a shortage of memory but to end the program");
#endif
    const Server server;
    std::vector<Client> clients = connect_clients(server, 2);
    // What it has already stays; no more is to be had.
    server.limit(RLIMIT_DATA, 1);
    std::vector<Client> more;
    wait_until("a client is turned away", [&] {
        for (int i = 0; i < 50; ++i) {
            more.emplace_back(server);
        }
        return std::any_of(more.begin(), more.end(), [](const Client& client) {
            return client.has_input();  // The end of its connection.
        });
    });
    for (Client& client : clients) {
        REQUIRE(client.exchange("still there?") == "still there?");
    }
    wait_until_it_does_not_spin(server);
    server.limit(RLIMIT_DATA, RLIM_INFINITY);
    more.clear();
    Client next(server);
    REQUIRE(next.exchange("hello") == "hello");
}

// 64 is how many events a server asks epoll for at once.
TEST_CASE("as many clients as epoll tells of at once, and nobody else, are all answered",
          "[contract][wire][from-epoll]") {
    const Server server;
    std::vector<Client> clients = connect_clients(server, 64);
    wait_until_at_rest(server);
    server.stop_all();  // So that all of it is news at once.
    for (Client& client : clients) {
        client.send("hello");
    }
    server.continue_all();
    for (Client& client : clients) {
        REQUIRE(client.receive(5) == "hello");
    }
}

TEST_CASE("when epoll has told of as many as were asked for, it is asked for more before any turn",
          "[contract][from-epoll-edge][read-calls]") {
    require_strace();
    const Server server;
    std::vector<Client> clients = connect_clients(server, 70);
    wait_until_at_rest(server);
    const SystemCallTrace trace(server, "?epoll_wait,epoll_pwait,read");
    server.stop_all();  // So that all of it is news at once.
    for (Client& client : clients) {
        client.send("hello");
    }
    server.continue_all();
    for (Client& client : clients) {
        REQUIRE(client.receive(5) == "hello");
    }
    const std::vector<std::string> calls = trace.lines();
    const auto full = std::find_if(calls.begin(), calls.end(),
                                   [](const auto& call) { return call.ends_with(" = 64"); });
    REQUIRE(full != calls.end());
    REQUIRE(full + 1 != calls.end());
    CAPTURE(*(full + 1));
    REQUIRE((full + 1)->starts_with("epoll_"));
}
