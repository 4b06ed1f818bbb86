#include "chapters/scenarios.hpp"

#include <signal.h>
#include <sys/syscall.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <optional>
#include <set>
#include <system_error>

#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"

namespace {

/// "the server lives" when it echoes for a new client, otherwise how it ended.
std::string how_it_is(Server& server) {
    try {
        Client client(server);
        if (client.exchange("still there?") == "still there?") {
            return "the server lives";
        }
    } catch (const std::system_error&) {
        // It is gone, or going while we look.
    }
    const std::string end = server.wait_for_exit();
    const std::string last_words = server.diagnostics();
    return end + (last_words.empty() ? "" : ", " + last_words.substr(0, last_words.find('\n')));
}

}  // namespace

std::vector<Client> connect_clients(const Server& server, int count) {
    std::vector<Client> clients;
    for (int i = 0; i < count; ++i) {
        clients.emplace_back(server);
        REQUIRE(clients.back().exchange("hello") == "hello");
    }
    return clients;
}

int newest_descriptor(const Server& server) {
    int newest = -1;
    for (const proc::Descriptor& descriptor : proc::descriptors(server.pid())) {
        if (descriptor.target.starts_with("socket:")) {
            newest = std::max(newest, descriptor.number);
        }
    }
    return newest;
}

std::string send_until_server_is_held_back(Client& client) {
    const std::string part = random_bytes(64 * 1024);
    std::string all_sent;
    int looks_in_vain = 0;
    wait_until("the server takes no more bytes", [&] {
        const std::size_t sent = client.send_some(part);
        all_sent += part.substr(0, sent);
        looks_in_vain = sent == 0 ? looks_in_vain + 1 : 0;
        return looks_in_vain == 50;
    });
    return all_sent;
}

std::string reset_by_a_client(const Chapter& chapter) {
    Server server(chapter);
    Client client(server);
    client.exchange("hello");
    client.reset();
    return how_it_is(server);
}

std::string client_gone_before_it_is_answered(const Chapter& chapter) {
    Server server(chapter);
    Client client(server);
    client.exchange("hello");
    server.stop_all();  // So that the client is gone before the server reads.
    // More than one buffer of the server: its first write brings back the reset, its second fails.
    client.send(random_bytes(100 * 1024));
    client.half_close();
    client.close();
    server.continue_all();
    return how_it_is(server);
}

std::string stopped_and_continued_while_sending(const Chapter& chapter) {
    const Server server(chapter);
    Client client(server, {.receive_buffer = 16 * 1024});
    std::string sent = send_until_server_is_held_back(client);
    std::string received;
    for (int i = 0; i < 20; ++i) {
        server.stop_all();
        server.continue_all();
        // Some room, so that the server's write gets on and is held up again in the middle of a
        // buffer.
        received += client.receive(40 * 1024);
        sent += send_until_server_is_held_back(client);
    }
    client.half_close();
    received += client.receive_to_end();
    return received == sent ? "every byte came back" : "bytes were lost";
}

std::string second_client_beside_a_silent_one(const Chapter& chapter) {
    const Server server(chapter);
    Client silent(server);
    silent.exchange("hello");  // It has been accepted.
    Client second(server);
    second.send("hello");
    bool waits = false;
    wait_until("the second client is served or the server is asleep with it in the accept queue",
               [&] {
                   waits = proc::is_blocked_in(server.pid(), {SYS_read, SYS_recvfrom}) &&
                           proc::accept_queue_length(server.endpoint()) == 1;
                   return waits || second.has_input();
               });
    return waits ? "the second client waits in the accept queue" : "the second client is served";
}

std::string served_by_tr(const Chapter& chapter) {
    const StartSettings settings{.arguments = {"--port", "0", "--exec", "tr a-z A-Z"}};
    Program server(chapter.server, settings);
    const std::optional<std::string> line = server.try_read_line();
    if (!line) {
        // Which quotation marks stand around the name depends on the release of cxxopts.
        const std::string words = server.diagnostics();
        const bool refused = server.wait_for_exit() == "exit 2" &&
                             words.starts_with("error: Option ") &&
                             words.find("exec") != std::string::npos &&
                             words.find(" does not exist\n") != std::string::npos;
        return refused ? "the server takes no other program" : server.diagnostics();
    }
    Client client(parse_ready_line(*line));
    client.send("hello");
    client.half_close();
    return "the program's answer: " + client.receive_to_end();
}

std::string processes_for_100_connections(const Chapter& chapter) {
    const Server server(chapter);
    std::set<pid_t> seen;
    for (int i = 0; i < 100; ++i) {
        Client client(server);
        client.exchange("hello");
        const std::vector<pid_t> now = proc::children(server.pid());
        seen.insert(now.begin(), now.end());
        client.half_close();
        client.receive_to_end();
    }
    if (seen.size() >= 100) {
        return "a process for every connection";
    }
    const std::vector<pid_t> now = proc::children(server.pid());
    return seen == std::set<pid_t>(now.begin(), now.end()) ? "no process for any connection"
                                                           : "a process for some connections";
}

std::string third_client_beside_two_silent_ones(const Chapter& chapter,
                                                const std::vector<std::string>& options) {
    StartSettings settings;
    settings.arguments.insert(settings.arguments.end(), options.begin(), options.end());
    const Server server(chapter, settings);
    std::vector<Client> silent;
    for (int i = 0; i < 2; ++i) {
        silent.emplace_back(server);
        silent.back().exchange("hello");  // It has been accepted.
    }
    Client third(server);
    third.send("hello");
    RestWatcher watcher(server);
    wait_until("the third client is served, or the server is at rest",
               [&] { return third.has_input() || watcher.is_at_rest(); });
    if (third.has_input()) {
        return "the third client is served";
    }
    return proc::accept_queue_length(server.endpoint()) == 1
               ? "the third client waits in the accept queue"
               : "the third client waits for a thread";
}

std::string threads_for_200_idle_clients(const Chapter& chapter) {
    const Server server(chapter);
    const std::size_t at_first = proc::count_threads(server.pid());
    std::vector<Client> clients;
    for (int i = 0; i < 200; ++i) {
        clients.emplace_back(server);
    }
    wait_until_at_rest(server);
    const std::size_t more = proc::count_threads(server.pid()) - at_first;
    // A sanitizer may start a thread of its own with the first of ours.
    if (more >= 200) {
        return "a thread for every client";
    }
    return more <= 1 ? "no thread for any client" : std::to_string(more) + " more threads";
}
