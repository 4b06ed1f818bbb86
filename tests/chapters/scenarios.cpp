#include "chapters/scenarios.hpp"

#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cctype>
#include <fstream>
#include <optional>
#include <regex>
#include <set>
#include <system_error>

#include "check.hpp"
#include "fd.hpp"
#include "support/deadline.hpp"
#include "support/installed.hpp"
#include "support/notifications.hpp"
#include "support/open_listener.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/strace.hpp"
#include "support/upgrade.hpp"

namespace {

constexpr std::size_t mib = 1024 * 1024;

/// The largest size of a socket's buffer for receiving (tcp_rmem) or sending (tcp_wmem), in bytes:
/// the third number of that setting, see tcp(7).
std::size_t largest_buffer(const std::string& setting) {
    std::size_t least = 0;
    std::size_t at_first = 0;
    std::size_t most = 0;
    std::ifstream("/proc/sys/net/ipv4/" + setting) >> least >> at_first >> most;
    return std::max(most, 8 * mib);  // Twice what a test asks for itself.
}

/// How many bytes the kernel keeps at most on their way from a client to a server and back.
std::size_t room_between_a_client_and_a_server() {
    return 2 * (largest_buffer("tcp_rmem") + largest_buffer("tcp_wmem"));
}

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

/// Memory is the allocator's affair.
void erase_calls_for_memory(std::vector<std::string>& calls) {
    std::erase_if(calls, [](const std::string& call) {
        return call.starts_with("brk(") || call.starts_with("mmap(") ||
               call.starts_with("munmap(") || call.starts_with("madvise(");
    });
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

std::string send_until_server_is_held_back(Client& client, unsigned seed) {
    const std::string part = random_bytes(64 * 1024, seed);
    const std::size_t room = room_between_a_client_and_a_server();
    std::string all_sent;
    int looks_in_vain = 0;
    wait_until("the server takes no more bytes", [&] {
        const std::size_t sent = client.send_some(part);
        all_sent += part.substr(0, sent);
        if (all_sent.size() > room + mib) {  // The server has a buffer, too.
            FAIL("the client has sent " << all_sent.size() / mib
                                        << " MiB and received nothing, and the server takes more; "
                                        << "the kernel has room for " << room / mib
                                        << " MiB there and back, so the server "
                                        << "keeps the rest in its memory, or drops it");
        }
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
    if (proc::accept_queue_length(server.endpoint()) == 1) {
        return "the third client waits in the accept queue";
    }
    return server.count_clients() == 3 ? "the third client waits for a thread"
                                       : "the third client is nowhere";
}

std::string threads_for_200_idle_clients(const Chapter& chapter) {
    const Server server(chapter);
    const std::size_t at_first = proc::count_threads(server.pid());
    std::vector<Client> clients;
    for (int i = 0; i < 200; ++i) {
        clients.emplace_back(server);
    }
    wait_until_at_rest(server);
    const std::size_t now = proc::count_threads(server.pid());
    REQUIRE(now >= at_first);
    const std::size_t more = now - at_first;
    // A sanitizer may start a thread of its own with the first of ours.
    if (more >= 200) {
        return "a thread for every client";
    }
    return more <= 1 ? "no thread for any client" : std::to_string(more) + " more threads";
}

std::string beside_a_silent_client(const Chapter& chapter) {
    const Server server(chapter);
    Client silent(server);
    silent.exchange("hello");  // It has been accepted.
    const std::chrono::milliseconds before = proc::cpu_time(server.pid());
    int looks_asleep = 0;
    bool burns = false;
    wait_until("the server sleeps, or has used half a second of processor time", [&] {
        looks_asleep = proc::is_asleep(server.pid()) ? looks_asleep + 1 : 0;
        burns = proc::cpu_time(server.pid()) >= before + std::chrono::milliseconds{500};
        return burns || looks_asleep == 50;
    });
    return burns ? "the server burns processor time" : "the server sleeps";
}

std::string eleven_hundred_clients(const Chapter& chapter) {
    const Server server(chapter);
    server.limit(RLIMIT_NOFILE, 1200);
    std::vector<Client> clients;
    for (int i = 0; i < 1100; ++i) {
        clients.emplace_back(server);
        try {
            if (clients.back().exchange("hello") == "hello") {
                continue;
            }
        } catch (const std::system_error&) {
            // Closed by the server with "hello" unread, the connection ends with a reset.
        }
        return "turned away at descriptor " + std::to_string(newest_descriptor(server) + 1);
    }
    return "every client is served";
}

std::string descriptors_passed_for_an_echo(const Chapter& chapter) {
    const Server server(chapter);
    std::vector<Client> clients = connect_clients(server, 50);
    const SystemCallTrace trace(server, "?poll,ppoll,rt_sigtimedwait,?epoll_wait,epoll_pwait,read");
    for (int i = 0; i < 10; ++i) {
        clients.front().exchange("hello");
    }
    wait_until_at_rest(server);
    // poll([{fd=3, events=POLLIN}, ...], 51, -1): the number is what is passed.
    const std::regex passed(R"(poll\(\[.*\], (\d+), )");
    int large_waits = 0;
    int waits = 0;
    for (const std::string& line : trace.lines()) {
        waits += line.find("poll(") == 0 || line.find("ppoll(") == 0 || line.find("rt_sig") == 0 ||
                 line.find("epoll_") == 0;
        std::smatch match;
        if (std::regex_search(line, match, passed)) {
            large_waits += std::stoi(match[1]) == 1 + 50 ? 1 : 0;
        }
    }
    REQUIRE(waits >= 9);  // The first has begun before strace came.
    if (trace.count("read") >= 10 * 50) {
        return "every client is read from";
    }
    if (large_waits == 0) {
        return "nobody else is looked at";
    }
    return large_waits == waits ? "every wake-up looks at everybody" : "it depends";
}

std::string news_of_twenty_clients_at_once(const Chapter& chapter) {
    const Server server(chapter);
    std::vector<Client> clients = connect_clients(server, 20);
    wait_until_at_rest(server);
    server.limit(RLIMIT_SIGPENDING, 5);
    server.stop_all();
    for (Client& client : clients) {
        client.send("hello");
    }
    const bool overflows = proc::pending_signals(server.pid()) & (1ULL << (SIGIO - 1));
    server.continue_all();
    for (Client& client : clients) {
        REQUIRE(client.receive(5) == "hello");
    }
    return overflows ? "the queue of signals overflows" : "there is no queue of signals";
}

std::string interest_in_a_slow_reader(const Chapter& chapter) {
    const Server server(chapter);
    Client slow(server, {.receive_buffer = 16 * 1024});
    const SystemCallTrace trace(server, "epoll_ctl");
    std::string sent;
    std::string received;
    for (int i = 0; i < 5; ++i) {
        sent += send_until_server_is_held_back(slow);
        received += slow.receive(sent.size() - received.size());
        sent += "now it reads again";
        received += slow.exchange("now it reads again");
    }
    REQUIRE(received.size() == sent.size());
    // To room for what is unsent, and back to reading: twice in each round.
    const std::size_t changes = trace.count("epoll_ctl");
    if (changes == 0) {
        return "interest never changes";
    }
    return changes >= 10 ? "a system call for each change of interest" : "it depends";
}

std::string client_at_the_door_before_a_line(const Chapter& chapter) {
    const Server server(chapter);
    Client inside(server);
    REQUIRE(inside.exchange("hello") == "hello");
    wait_until_at_rest(server);
    const SystemCallTrace trace(server, "accept4,read");
    server.stop_all();
    Client at_the_door(server);
    inside.send("a line");
    server.continue_all();
    REQUIRE(inside.receive(6) == "a line");
    REQUIRE(at_the_door.exchange("hello") == "hello");
    wait_until_at_rest(server);
    for (const std::string& call : trace.lines()) {
        if (call.starts_with("accept4(")) {
            return "first come, first served";
        }
        if (call.find("\"a line\"") != std::string::npos) {
            return "the new client comes last";
        }
    }
    return "neither was traced";
}

StartSettings with_descriptors_for(rlim_t clients) {
    const Server example;
    wait_until_at_rest(example);
    int highest = 0;
    for (const proc::Descriptor& descriptor : proc::descriptors(example.pid())) {
        highest = std::max(highest, descriptor.number);
    }
    return {.max_descriptors = static_cast<rlim_t>(highest) + 1 + clients};
}

void require_echoes_for_all_of(unsigned count) {
    rlimit descriptors{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &descriptors) == 0);
    const rlim_t wanted = count + 100;
    if (descriptors.rlim_max < wanted) {
        SKIP(count << " clients want a hard limit of " << wanted << " descriptors; here it is "
                   << descriptors.rlim_max << " (ulimit -Hn; docs/c10k.md says how to raise it)");
    }
    const Server server({.max_descriptors = wanted});
    std::vector<Client> clients;
    for (unsigned i = 0; i < count; ++i) {
        CAPTURE(i);
        clients.emplace_back(server);
        REQUIRE(clients.back().exchange("hello") == "hello");
    }
    for (unsigned i = 0; i < count; ++i) {
        clients[i].send("client " + std::to_string(i));
    }
    for (unsigned i = 0; i < count; ++i) {
        const std::string own = "client " + std::to_string(i);
        const bool same = clients[i].receive(own.size()) == own;
        CAPTURE(i);
        REQUIRE(same);
    }
}

void require_turned_away_without_room_in_epoll() {
    const Server server;
    std::vector<Client> clients = connect_clients(server, 3);
    const FaultInjection no_room(server, "epoll_ctl:error=ENOSPC:when=1");
    Client turned_away(server);
    REQUIRE(turned_away.receive_to_end().empty());
    wait_until("the server has said so", [&] { return !server.diagnostics().empty(); });
    REQUIRE_THAT(server.diagnostics(),
                 Catch::Matchers::Matches("client 127\\.0\\.0\\.1:[0-9]+ turned away: epoll_ctl: "
                                          "No space left on device\n"));
    Client next(server);
    REQUIRE(next.exchange("hello") == "hello");
    for (Client& client : clients) {
        REQUIRE(client.exchange("still there?") == "still there?");
    }
}

void require_never_asleep(const Server& server, Client& active) {
    const long long sleeps = proc::voluntary_switches(server.pid());
    const auto start = proc::cpu_time(server.pid());
    wait_until("it has used a fifth of a second of processor time", [&] {
        REQUIRE(active.exchange("hello") == "hello");
        return proc::cpu_time(server.pid()) - start >= std::chrono::milliseconds{200};
    });
    REQUIRE(proc::voluntary_switches(server.pid()) == sleeps);
}

std::vector<std::string> system_calls_of_a_session(const Chapter& chapter) {
    const Server server(chapter);
    const std::vector<Client> silent = connect_clients(server, 1);
    const SystemCallTrace trace(server, "all");
    // Everything waits for its answer, so that the order is the same each time.
    for (int i = 0; i < 2; ++i) {
        Client client(server);
        wait_until_at_rest(server);
        for (int j = 0; j < 3; ++j) {
            REQUIRE(client.exchange("hello") == "hello");
            wait_until_at_rest(server);
        }
        client.half_close();
        REQUIRE(client.receive_to_end().empty());
        wait_until_at_rest(server);
        Client resets(server);
        wait_until_at_rest(server);
        REQUIRE(resets.exchange("hello") == "hello");
        wait_until_at_rest(server);
        resets.reset();
        wait_until_at_rest(server);
    }
    std::vector<std::string> calls = trace.lines();
    REQUIRE(calls.size() > 40);
    for (std::string& call : calls) {
        call = std::regex_replace(call, std::regex("htons\\([0-9]+\\)"), "htons(PORT)");
        call = std::regex_replace(call, std::regex("127\\.0\\.0\\.1:[0-9]+"), "127.0.0.1:PORT");
        call = std::regex_replace(call, std::regex("0x[0-9a-f]+"), "ADDRESS");
    }
    // The first wait has begun before strace came, and may be missing.
    calls.erase(calls.begin(), std::find_if(calls.begin(), calls.end(), [](const auto& call) {
                    return call.starts_with("accept4(");
                }));
    erase_calls_for_memory(calls);
    // Who of those that are ready at once has the first turn is not promised: the listener, here.
    const auto is_wait = [](const std::string& call) {
        return call.starts_with("epoll_wait(") || call.starts_with("epoll_pwait(");
    };
    for (auto round = calls.begin(); round != calls.end();) {
        const auto end = std::find_if(round + 1, calls.end(), is_wait);
        std::stable_partition(round + 1, end,
                              [](const std::string& call) { return call.starts_with("accept4("); });
        round = end;
    }
    return calls;
}

std::size_t system_calls_of_ten_echoes(const Chapter& chapter) {
    const Server server(chapter);
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    const SystemCallTrace trace(server, "all");
    for (int i = 0; i < 10; ++i) {
        REQUIRE(client.exchange("hello") == "hello");
        wait_until_at_rest(server);
    }
    std::vector<std::string> calls = trace.lines();
    erase_calls_for_memory(calls);
    return calls.size() - 1;  // In the last one it sleeps.
}

std::string system_calls_for_echoes_of_fifty(const Chapter& chapter) {
    const Server server(chapter);
    std::vector<Client> clients = connect_clients(server, 50);
    const SystemCallTrace trace(server, "all");
    const std::size_t rounds = 10;
    for (std::size_t i = 0; i < rounds; ++i) {
        server.stop_all();  // So that all of them are there when it looks.
        for (Client& client : clients) {
            client.send("hello");
        }
        server.continue_all();
        for (Client& client : clients) {
            REQUIRE(client.receive(5) == "hello");
        }
    }
    wait_until_at_rest(server);
    const std::size_t calls = trace.lines().size();
    const std::size_t echoes = rounds * clients.size();
    CAPTURE(calls, echoes);
    if (calls >= 2 * echoes) {
        return "two and more for each echo";
    }
    return calls <= echoes / 10 ? "one for ten echoes or more" : std::to_string(calls) + " calls";
}

std::string stalled_clients(const Chapter& chapter, const std::vector<std::string>& options) {
    StartSettings settings;
    settings.arguments.insert(settings.arguments.end(), options.begin(), options.end());
    const Server server(chapter, settings);
    Client silent(server);
    silent.exchange("hello");
    Client greedy(server);
    const std::string part = random_bytes(64 * 1024);
    std::size_t clients = 2;
    // A server without deadlines is given a second; one that has them, as long as it needs.
    const auto time = options.empty() ? std::chrono::seconds{1} : patience() / 2;
    const auto give_up = std::chrono::steady_clock::now() + time;
    wait_until("the time is over, or they are gone", [&] {
        try {
            greedy.send_some(part);
        } catch (const std::system_error&) {
            // It has been evicted, and the connection reset.
        }
        clients = server.count_clients();
        return clients == 0 || std::chrono::steady_clock::now() >= give_up;
    });
    if (clients == 0) {
        return "both are evicted";
    }
    return clients == 2 ? "both are kept" : "one of them is kept";
}

void require_echoes_in_spite_of_false_eagain() {
    const Server server;
    const FaultInjection in_vain(server, "read:error=EAGAIN:when=1+2");
    Client client(server);
    for (int i = 0; i < 10; ++i) {
        REQUIRE(client.exchange("hello") == "hello");
    }
    REQUIRE(in_vain.count() >= 10);
}

std::string stopped_with_bytes_unread(const Chapter& chapter) {
    Server server(chapter);
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    server.stop_all();  // So that it certainly has not read them yet.
    const std::string sent = random_bytes(20'000);
    client.send(sent);
    wait_until("the server's kernel has the bytes", [&] { return client.unacknowledged() == 0; });
    server.signal(SIGTERM);
    server.continue_all();
    std::string received;
    try {
        received = client.receive_to_end();
    } catch (const std::system_error&) {
        // A reset: the server's kernel had bytes that nobody will read.
    }
    client.close();
    const std::string end = server.wait_for_exit();
    return (received == sent ? "every byte came back, " : "bytes were lost, ") + end;
}

std::string buffers_of_silent_clients(const Chapter& chapter) {
    constexpr std::size_t count = 200;
    constexpr std::size_t size = 64 * 1024;
    const Server server(chapter);
    const std::string message = random_bytes(size);
    {
        // What all clients share is not counted.
        Client first(server);
        for (int i = 0; i < 200; ++i) {
            first.exchange(message);
        }
    }
    wait_until_at_rest(server);
    const std::size_t before = proc::resident_bytes(server.pid());
    std::vector<Client> clients = connect_clients(server, count);
    for (Client& client : clients) {
        // Several times: a receive may find a part of it only, and touch no more of a buffer.
        for (int i = 0; i < 5; ++i) {
            const bool same = client.exchange(message) == message;
            REQUIRE(same);
        }
    }
    wait_until_at_rest(server);
    const std::size_t now = proc::resident_bytes(server.pid());
    const std::size_t each = now > before ? (now - before) / count : 0;
    CAPTURE(before, now, each);
    if (each >= size / 2) {
        return "each silent client keeps a buffer";
    }
    return each <= size / 10 ? "silent clients keep no buffer" : std::to_string(each) + " bytes";
}

/// How many entries were handed over in the calls of io_uring_enter that strace has seen.
static int count_entries(const SystemCallTrace& trace) {
    // io_uring_enter(5, 2, 1, ...): the second number is how many entries are handed over.
    const std::regex entered(R"(io_uring_enter\(\d+, (\d+), )");
    int entries = 0;
    for (const std::string& line : trace.lines()) {
        std::smatch match;
        if (std::regex_search(line, match, entered)) {
            entries += std::stoi(match[1]);
        }
    }
    return entries;
}

std::string entries_for_forty_with_one_buffer(const Chapter& chapter) {
    constexpr int count = 40;
    const Server server(chapter, {.arguments = {"--port", "0", "--buffers", "1"}});
    std::vector<Client> clients = connect_clients(server, count);
    wait_until_at_rest(server);
    const SystemCallTrace trace(server, "io_uring_enter");
    server.stop_all();
    for (Client& client : clients) {
        client.send("hello");
    }
    server.continue_all();
    for (Client& client : clients) {
        REQUIRE(client.receive(5) == "hello");
    }
    wait_until_at_rest(server);
    const int entries = count_entries(trace);
    CAPTURE(entries);
    REQUIRE(entries >= 2 * count - 1);
    return entries <= 6 * count ? "a few for each" : "many for each";
}

std::string entries_for_ten_echoes(const Chapter& chapter) {
    const Server server(chapter);
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    wait_until_at_rest(server);
    const SystemCallTrace trace(server, "io_uring_enter");
    for (int i = 0; i < 10; ++i) {
        REQUIRE(client.exchange("hello") == "hello");
        wait_until_at_rest(server);
    }
    const int entries = count_entries(trace);
    // What the first wait is for was handed over before strace came; and once more at the end.
    const int each = (entries + 1) / 10;
    const std::vector<std::string> words{"no", "one", "two", "three"};
    return std::abs(entries - 10 * each) <= 1 && each < 4
               ? words[static_cast<std::size_t>(each)] + " for each echo"
               : std::to_string(entries);
}

std::string memory_taken_by_ten_echoes(const Chapter& chapter) {
    const Server server(chapter, {.arguments = {"--port", "0"}, .allocations_can_fail = true});
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    wait_until_at_rest(server);
    constexpr int many = 1'000'000;
    server.fail_allocation(many);
    for (int i = 0; i < 10; ++i) {
        REQUIRE(client.exchange("hello") == "hello");
    }
    wait_until_at_rest(server);
    const int count = many - server.allocations_left();
    return count == 0 ? "none" : count == 10 ? "one for each echo" : std::to_string(count);
}

std::string threads_that_serve(const Chapter& chapter, const std::vector<std::string>& options) {
    StartSettings settings;
    settings.arguments.insert(settings.arguments.end(), options.begin(), options.end());
    const Server server(chapter, settings);
    std::vector<Client> clients = connect_clients(server, 64);
    wait_until_at_rest(server);
    const std::vector<long long> before = proc::switches_of_threads(server.pid());
    for (int i = 0; i < 10; ++i) {
        for (Client& client : clients) {
            REQUIRE(client.exchange("hello") == "hello");
        }
    }
    const std::vector<long long> now = proc::switches_of_threads(server.pid());
    REQUIRE(now.size() == before.size());
    int awake = 0;  // A sanitizer's own thread may be awake now and then: it does not count.
    for (std::size_t i = 0; i < now.size(); ++i) {
        awake += now[i] - before[i] >= 10 ? 1 : 0;
    }
    if (awake >= 2) {
        return "several threads serve";
    }
    return awake == 1 ? "one thread serves everybody" : "no thread has been awake";
}

std::string client_before_the_server(const Chapter& chapter) {
    const OpenListener listener;
    Client client(listener.endpoint());
    client.send("hello");
    const Server server(chapter, {.listeners = {listener.fd().get()}});
    if (server.endpoint().port != listener.endpoint().port) {
        return "the server listens elsewhere";
    }
    return client.receive(5) == "hello" ? "the client is served" : "the echo is wrong";
}

std::string client_after_a_hangup(const Chapter& chapter) {
    Server server(chapter);
    server.signal(SIGHUP);
    const std::string end = server.wait_for_exit();
    if (end != "exit 0") {
        return end;
    }
    Client client(server);
    return client.exchange("hello") == "hello" ? "the client is served" : "the echo is wrong";
}

std::string new_version_that_fails(const Chapter& chapter) {
    Installed installed(chapter);
    Server server(installed.chapter());
    installed.install_script("exit 3");
    server.signal(SIGHUP);
    wait_until("the server has ended, or says why not",
               [&] { return !server.is_running() || !server.diagnostics().empty(); });
    if (server.is_running()) {
        Client client(server);
        return client.exchange("hello") == "hello" ? "the old version goes on"
                                                   : "the echo is wrong";
    }
    wait_until("nobody listens any more", [&] {
        try {
            const Client client(server);
            return false;
        } catch (const std::system_error& error) {
            return error.code() == std::errc::connection_refused ||
                   error.code() == std::errc::connection_reset;
        }
    });
    return "no server is left";
}

std::string silent_client_in_an_upgrade(const Chapter& chapter) {
    const Notifications manager("");
    Server server(chapter, told_to(manager));
    REQUIRE(manager.next() == "READY=1");
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    upgrade(server.pid(), manager);
    wait_until("the old version listens no more",
               [&] { return proc::count_sockets(server.pid()) <= 1; });
    client.send("hello");
    const std::string echo = client.receive(5);
    return echo == "hello" ? "the client is served on"
           : echo.empty()  ? "the client is told the end"
                           : "the echo is wrong";
}

void wait_until_taken_and_released(const Server& server, int signal) {
    wait_until("the server has taken the signal and released it", [&] {
        // In this order: inside sigwait(3) a signal is not blocked, until it has been taken.
        return proc::pending_signals(server.pid()) == 0 &&
               !proc::holds_signal(server.pid(), signal);
    });
}

std::string beside_a_client_that_does_not_read(const Chapter& chapter) {
    const Server server(chapter);
    Client other(server);
    other.exchange("hello");  // It has been accepted.
    Client greedy(server);
    // Full buffers may grow once more, and a window that was closed is tried again after a while.
    // So a server that stands still for the greedy client can be released a few times before it
    // stands still for good.
    for (int i = 0; i < 5; ++i) {
        send_until_server_is_held_back(greedy, static_cast<unsigned>(i));
        const std::chrono::milliseconds before = proc::cpu_time(server.pid());
        other.send("served?");
        wait_until("the other client is served, or the server has been busy without it", [&] {
            return other.has_input() ||
                   proc::cpu_time(server.pid()) >= before + std::chrono::milliseconds{200};
        });
        if (!other.has_input()) {
            return "the other client waits";
        }
        REQUIRE(other.receive(7) == "served?");
    }
    return "the other client is served";
}

std::map<std::string, std::vector<std::string>> by_descriptor(
    const std::vector<std::string>& calls) {
    std::map<std::string, std::vector<std::string>> found;
    for (std::string call : calls) {
        const std::size_t open = call.find('(');
        const std::string first = call.substr(open + 1, call.find_first_of(",)") - open - 1);
        if (first.empty() || std::isdigit(static_cast<unsigned char>(first.front())) == 0) {
            continue;
        }
        const std::size_t timeout = call.find(", 64, ");
        found[first].push_back(call.substr(0, timeout));
    }
    return found;
}

int break_listener(const Server& server) {
    const int process = static_cast<int>(::syscall(SYS_pidfd_open, server.pid(), 0));
    const Fd pidfd{process};
    for (const proc::Descriptor& descriptor : proc::descriptors(server.pid())) {
        const int copy =
            static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd.get(), descriptor.number, 0));
        if (copy == -1) {
            SKIP("a test may not have a copy of a server's descriptor here: pidfd_getfd(2)");
        }
        const Fd fd{copy};
        int listens = 0;
        socklen_t size = sizeof listens;
        if (::getsockopt(fd.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 &&
            listens != 0) {
            check(::shutdown(fd.get(), SHUT_RD), "shutdown");
            return descriptor.number;
        }
    }
    FAIL("the server has no listener");
    return -1;
}

std::size_t bytes_of_a_silent_client(const Chapter& chapter) {
    const Server server(chapter, {.arguments = {"--port", "0"}});
    constexpr std::size_t count = 5000;
    const std::vector<Client> first = connect_clients(server, 64);
    wait_until_at_rest(server);
    const std::size_t before = proc::resident_bytes(server.pid());
    const std::vector<Client> clients = connect_clients(server, count);
    wait_until_at_rest(server);
    return (proc::resident_bytes(server.pid()) - before) / count;
}
