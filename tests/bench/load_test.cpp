// The load against servers that do what a test wants: a thread, and one read for each write.

#include "bench/load.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "check.hpp"

namespace {

using std::chrono::milliseconds;

/// Serves in a thread of its own, with poll(2). `answer` is asked what to send back for what has
/// come on a connection; nothing closes the connection.
class SmallServer {
public:
    using Answer =
        std::function<std::optional<std::string>(std::size_t connection, std::string bytes)>;

    explicit SmallServer(Answer answer) : answer_(std::move(answer)) {
        listener_ = Fd{check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        auto* generic = reinterpret_cast<sockaddr*>(&address);
        check(::bind(listener_.get(), generic, length), "bind");
        check(::listen(listener_.get(), 100), "listen");
        check(::getsockname(listener_.get(), generic, &length), "getsockname");
        endpoint_ = {"127.0.0.1", ntohs(address.sin_port)};
        std::array<int, 2> ends{};
        check(::pipe2(ends.data(), O_CLOEXEC), "pipe2");
        end_reading_ = Fd{ends[0]};
        end_writing_ = Fd{ends[1]};
        thread_ = std::thread([this] { serve(); });
    }

    ~SmallServer() {
        end_writing_.close();
        thread_.join();
    }

    const Endpoint& endpoint() const { return endpoint_; }

private:
    void serve() {
        std::vector<Fd> clients;
        while (true) {
            std::vector<pollfd> entries{{end_reading_.get(), POLLIN, 0},
                                        {listener_.get(), POLLIN, 0}};
            for (const Fd& client : clients) {
                // A client that was closed is -1, which poll(2) leaves out.
                entries.push_back({client.get(), POLLIN, 0});
            }
            check(::poll(entries.data(), entries.size(), -1), "poll");
            if (entries[0].revents != 0) {
                return;
            }
            for (std::size_t i = 2; i < entries.size(); ++i) {
                if (entries[i].revents != 0) {
                    serve_client(clients[i - 2], i - 2);
                }
            }
            if (entries[1].revents != 0) {
                clients.emplace_back(::accept(listener_.get(), nullptr, nullptr));
            }
        }
    }

    void serve_client(Fd& client, std::size_t number) {
        std::string bytes(1 << 20, '\0');
        const ssize_t got = ::recv(client.get(), bytes.data(), bytes.size(), 0);
        if (got <= 0) {
            client = Fd{};
            return;
        }
        bytes.resize(static_cast<std::size_t>(got));
        const std::optional<std::string> answer = answer_(number, bytes);
        if (!answer) {
            client = Fd{};
            return;
        }
        ::send(client.get(), answer->data(), answer->size(), MSG_NOSIGNAL);
    }

    Answer answer_;
    Fd listener_;
    Fd end_reading_;
    Fd end_writing_;
    Endpoint endpoint_;
    std::thread thread_;
};

std::string echo(std::size_t, std::string bytes) {
    return bytes;
}

}  // namespace

TEST_CASE("the load counts whole messages, and none of an honest server is wrong") {
    for (const std::size_t size : {1, 64, 300'000, 10'000'000}) {
        SmallServer server(echo);
        Load load(server.endpoint(), {.connections = 5, .message_size = size});
        const LoadResult result = load.run(milliseconds{50});
        CAPTURE(size);
        REQUIRE(result.messages >= 5);
        REQUIRE(result.bytes == result.messages * size);
        REQUIRE(result.latency.count() == result.messages);
        REQUIRE(result.wrong_bytes == 0);
    }
}

TEST_CASE("the load goes on after a pause on the same connections") {
    std::size_t most = 0;
    SmallServer server([&most](std::size_t connection, std::string bytes) {
        most = std::max(most, connection);
        return bytes;
    });
    Load load(server.endpoint(), {.connections = 3});
    REQUIRE(load.run(milliseconds{10}).messages >= 3);
    REQUIRE(load.run(milliseconds{10}).messages >= 3);
    REQUIRE(most == 2);
}

TEST_CASE("a load that reconnects has a connection for each message") {
    std::atomic<std::size_t> connections = 0;
    SmallServer server([&connections](std::size_t connection, std::string bytes) {
        connections = std::max<std::size_t>(connections, connection + 1);
        return bytes;
    });
    Load load(server.endpoint(), {.connections = 3, .reconnects = true});
    REQUIRE(connections == 3);  // The first one of each.
    const LoadResult result = load.run(milliseconds{20});
    REQUIRE(result.messages >= 3);
    REQUIRE(result.wrong_bytes == 0);
    REQUIRE(connections == 3 + result.messages);
}

TEST_CASE("the load notices a byte that has changed") {
    std::size_t turns = 0;
    SmallServer server([&turns](std::size_t, std::string bytes) {
        if (++turns == 20) {
            bytes[5] ^= 1;
        }
        return bytes;
    });
    Load load(server.endpoint(), {.connections = 1});
    std::uint64_t messages = 0;
    std::uint64_t wrong = 0;
    while (messages < 20) {
        const LoadResult result = load.run(milliseconds{1});
        messages += result.messages;
        wrong += result.wrong_bytes;
    }
    REQUIRE(wrong == 1);
}

TEST_CASE("the load notices that a client gets what was sent before, by whichever client") {
    std::string before;
    std::size_t turns = 0;
    SmallServer server([&](std::size_t, std::string bytes) {
        const std::string earlier = std::exchange(before, bytes);
        return ++turns <= 2 ? bytes : earlier;  // Each client's first echo is its own.
    });
    Load load(server.endpoint(), {.connections = 2});
    const LoadResult result = load.run(milliseconds{20});
    REQUIRE(result.wrong_bytes > result.messages * 40);
}

TEST_CASE("the load notices an echo that is too long") {
    std::size_t turns = 0;
    SmallServer server(
        [&turns](std::size_t, std::string bytes) { return ++turns == 2 ? bytes + "more" : bytes; });
    Load load(server.endpoint(), {.connections = 1});
    REQUIRE(load.run(milliseconds{1}).wrong_bytes >= 4);
}

TEST_CASE("the load says so when the first echo is wrong already") {
    SmallServer server(
        [](std::size_t, std::string bytes) { return std::string(bytes.size(), 'x'); });
    REQUIRE_THROWS_WITH(Load(server.endpoint(), {.connections = 1}),
                        Catch::Matchers::ContainsSubstring("first echo on connection 1"));
}

TEST_CASE("a slice of no length is one message on each connection") {
    SmallServer server(echo);
    Load load(server.endpoint(), {.connections = 3});
    REQUIRE(load.run(milliseconds{0}).messages == 3);
}

TEST_CASE("the load says so when the server closes a connection") {
    std::size_t turns = 0;
    SmallServer server([&turns](std::size_t, std::string bytes) {
        return ++turns == 10 ? std::nullopt : std::optional(bytes);
    });
    Load load(server.endpoint(), {.connections = 1});
    REQUIRE_THROWS_WITH(load.run(std::chrono::seconds{30}),
                        Catch::Matchers::ContainsSubstring("closed connection 1") ||
                            Catch::Matchers::ContainsSubstring("on connection 1"));
}

TEST_CASE("an open loop sends as many messages as its rate says") {
    SmallServer server(echo);
    Load load(server.endpoint(), {.connections = 4, .rate = 1000});
    const LoadResult result = load.run(milliseconds{200});
    // Those that found no connection in time on a busy machine were due all the same.
    REQUIRE(result.messages + result.unsent >= 199);
    REQUIRE(result.messages + result.unsent <= 201);
    REQUIRE(result.wrong_bytes == 0);
}

TEST_CASE("an open loop counts the wait for a free connection as latency") {
    SmallServer server([](std::size_t, std::string bytes) {
        std::this_thread::sleep_for(milliseconds{5});
        return bytes;
    });
    Load load(server.endpoint(), {.connections = 1, .rate = 1000});
    const LoadResult result = load.run(milliseconds{200});
    REQUIRE(result.messages <= 41);
    REQUIRE(result.unsent >= 150);
    // The last one that was sent had been due for most of the slice.
    REQUIRE(result.latency.percentile(100) > milliseconds{100});
}
