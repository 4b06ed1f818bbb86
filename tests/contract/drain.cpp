// From `drain` on a signal ends the server in good order.

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

using Catch::Matchers::ContainsSubstring;

namespace {

constexpr const char* a_day = "86400000";  // milliseconds

StartSettings with_drain_timeout(const std::string& milliseconds) {
    return {.arguments = {"--port", "0", "--drain-timeout", milliseconds}};
}

/// A client that sends and receives all the time, and knows what it has sent.
class Streamer {
public:
    explicit Streamer(const Server& server, unsigned seed)
        : client_(server), bytes_(random_bytes(100'003, seed)) {}

    /// Goes on sending and receiving without waiting. False at the server's end of file, after
    /// which the client has closed, too.
    bool go_on() {
        try {
            const std::size_t at = sent_ % bytes_.size();
            sent_ += client_.send_some(std::string_view(bytes_).substr(at));
        } catch (const std::system_error& error) {
            // On a slow machine it may be silent for so long, with all of its echo acknowledged,
            // that the server does not wait for it.
            REQUIRE(error.code() == std::errc::broken_pipe);
        }
        const std::optional<std::string> got = client_.receive_some();
        if (!got) {
            client_.close();
            return false;
        }
        for (const char byte : *got) {
            is_same_ = is_same_ && byte == bytes_[received_ % bytes_.size()];
            ++received_;
        }
        return true;
    }

    /// How many bytes the server's kernel has for certain.
    std::size_t acknowledged() const { return sent_ - client_.unacknowledged(); }

    std::size_t received() const { return received_; }

    /// Whether what came back is what was sent, as far as it goes.
    bool is_same() const { return is_same_ && received_ <= sent_; }

private:
    Client client_;
    std::string bytes_;
    std::size_t sent_ = 0;
    std::size_t received_ = 0;
    bool is_same_ = true;
};

/// Sends "hello" and its end of file. A client that was accepted after the signal, and says nothing
/// for longer than the server waits, has had its goodbye, and finds nobody there any more. That is
/// no reset: what it reads next is the end of the file, and after a reset that came first it would
/// be ECONNRESET.
void say_hello_and_no_more(Client& client) {
    try {
        client.send("hello");
        client.half_close();
    } catch (const std::system_error& error) {
        if (error.code() != std::errc::broken_pipe && error.code() != std::errc::not_connected) {
            throw;
        }
    }
}

}  // namespace

TEST_CASE("a signal ends a server without clients, with 0", "[contract][from-stop]") {
    const int signal = GENERATE(SIGTERM, SIGINT);
    Server server(with_drain_timeout(a_day));
    wait_until_at_rest(server);
    server.signal(signal);
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(server.diagnostics().empty());
}

TEST_CASE("idle clients find the end of the file, and keep nobody waiting",
          "[contract][from-goodbye]") {
    Server server(with_drain_timeout(a_day));
    std::vector<Client> clients = connect_clients(server, 100);
    server.signal(SIGTERM);
    for (Client& client : clients) {
        REQUIRE(client.receive_to_end().empty());
    }
    // None of them has closed, and yet:
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(server.diagnostics().empty());
}

TEST_CASE("clients in the accept queue are served before the end",
          "[contract][from-accept-queue]") {
    Server server(with_drain_timeout(a_day));
    wait_until_at_rest(server);
    server.stop_all();
    std::vector<Client> clients;
    for (unsigned i = 0; i < 100; ++i) {
        clients.emplace_back(server);
        clients.back().send(random_bytes(1000, i));
    }
    server.signal(SIGTERM);
    server.continue_all();
    for (unsigned i = 0; i < 100; ++i) {
        CAPTURE(i);
        REQUIRE(clients[i].receive_to_end() == random_bytes(1000, i));
    }
    clients.clear();
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(server.diagnostics().empty());
}

TEST_CASE("whoever comes while the server ends is served whole or refused, never reset",
          "[contract][from-accept-queue]") {
    for (int round = 0; round < 3; ++round) {
        Server server(with_drain_timeout(a_day));
        std::atomic<int> served = 0;
        std::atomic<bool> is_over = false;
        // From another thread, so that it comes at any moment of a client's life.
        std::thread stopper([&] {
            while (served < 10 && !is_over) {
                std::this_thread::yield();
            }
            server.signal(SIGTERM);
        });
        std::string end;
        while (end.empty()) {
            std::optional<Client> client;
            try {
                client.emplace(server);
            } catch (const std::system_error& error) {
                end = error.code().value() == ECONNREFUSED ? "refused" : error.what();
                continue;
            }
            try {
                say_hello_and_no_more(*client);
                const std::string answer = client->receive_to_end();
                served += answer == "hello" ? 1 : 0;
                end = answer == "hello" || answer.empty() ? "" : "half an answer";
            } catch (const std::system_error& error) {
                end = error.what();
            }
        }
        is_over = true;
        stopper.join();
        REQUIRE(end == "refused");
        REQUIRE(served > 0);
        REQUIRE(server.wait_for_exit() == "exit 0");
    }
}

TEST_CASE("under load, no byte that the server had received before the signal is lost",
          "[contract][from-goodbye]") {
    Server server(with_drain_timeout(a_day));
    std::vector<Streamer> streamers;
    for (unsigned i = 0; i < 20; ++i) {
        streamers.emplace_back(server, i);
    }
    wait_until("everybody has received a good deal", [&] {
        std::size_t least = std::string::npos;
        for (Streamer& streamer : streamers) {
            REQUIRE(streamer.go_on());
            least = std::min(least, streamer.received());
        }
        return least >= 300'000;
    });
    std::vector<std::size_t> received_by_server;
    for (const Streamer& streamer : streamers) {
        received_by_server.push_back(streamer.acknowledged());
    }
    server.signal(SIGTERM);

    std::vector<bool> is_over(streamers.size(), false);
    wait_until("everybody has found the end of the file", [&] {
        for (std::size_t i = 0; i < streamers.size(); ++i) {
            is_over[i] = is_over[i] || !streamers[i].go_on();
        }
        return std::find(is_over.begin(), is_over.end(), false) == is_over.end();
    });
    for (std::size_t i = 0; i < streamers.size(); ++i) {
        CAPTURE(i);
        REQUIRE(streamers[i].is_same());
        REQUIRE(streamers[i].received() >= received_by_server[i]);
    }
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(server.diagnostics().empty());
}

TEST_CASE("a slow reader has all that the server has received, up to the last byte",
          "[contract][from-goodbye]") {
    Server server(with_drain_timeout(a_day));
    Client slow(server, {.receive_buffer = 16 * 1024});
    const std::string sent = send_until_server_is_held_back(slow);
    const std::size_t unacknowledged = slow.unacknowledged();
    server.signal(SIGTERM);
    // What was in the client's own kernel at the signal may come too late.
    const std::string received = slow.receive_to_end();
    REQUIRE(received.size() >= sent.size() - unacknowledged);
    const bool same = received == sent.substr(0, received.size());
    REQUIRE(same);
    slow.close();
    REQUIRE(server.wait_for_exit() == "exit 0");
}

TEST_CASE("a client that does not finish is evicted when the time is over",
          "[contract][from-stop]") {
    Server server(with_drain_timeout("300"));
    Client greedy(server);
    send_until_server_is_held_back(greedy);
    server.signal(SIGTERM);
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(server.diagnostics() == "drain: 1 evicted\n");
}

TEST_CASE("a second signal ends the server at once", "[contract][from-stop]") {
    Server server(with_drain_timeout(a_day));
    Client greedy(server);
    send_until_server_is_held_back(greedy);
    server.signal(SIGTERM);
    wait_until_taken_and_released(server, SIGTERM);
    server.signal(SIGINT);
    REQUIRE(server.wait_for_exit() == "killed by SIGINT");
}

TEST_CASE("a signal right after the ready line is not lost", "[contract][from-stop]") {
    for (int i = 0; i < 20; ++i) {
        Server server(with_drain_timeout(a_day));
        server.signal(SIGTERM);
        REQUIRE(server.wait_for_exit() == "exit 0");
    }
}

TEST_CASE("without a descriptor for those in the accept queue, the server ends all the same",
          "[contract][from-accept-queue]") {
    StartSettings settings = with_descriptors_for(3);
    settings.arguments = with_drain_timeout("500").arguments;
    Server server(settings);
    std::vector<Client> clients = connect_clients(server, 3);
    std::vector<Client> waiting;
    for (int i = 0; i < 5; ++i) {
        waiting.emplace_back(server);
    }
    wait_until("the server says what it lacks", [&] { return !server.diagnostics().empty(); });
    server.signal(SIGTERM);
    REQUIRE(server.wait_for_exit() == "exit 0");
}

TEST_CASE("a drain timeout that cannot be is refused, and the exit code is 2",
          "[contract][from-stop]") {
    const std::string option = GENERATE("--drain-timeout=0", "--drain-timeout=soon");
    const Run run = run_to_end({.arguments = {"--port", "0", option}});
    REQUIRE(run.exit_status == "exit 2");
    REQUIRE_THAT(run.err, ContainsSubstring("--drain-timeout wants a whole number from 1 to "));
}
