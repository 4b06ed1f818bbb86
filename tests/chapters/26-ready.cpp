// Chapter 26: an operation knows when its call would find nothing, and does not make it.

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

TEST_CASE("before, an echo cost four system calls, and now it costs three", "[why]") {
    require_strace();
    const std::size_t before = system_calls_of_ten_echoes(chapter_before());
    const std::size_t now = system_calls_of_ten_echoes(chapter_under_test());
    CAPTURE(before, now);
    // One call of each ten may fall into the time in which strace comes or goes.
    REQUIRE((before == 40 || before == 39));
    REQUIRE((now == 30 || now == 29));  // epoll_wait, read, sendto
}

TEST_CASE("bytes behind an urgent one are seen, although the read before them was cut short",
          "[promise]") {
    const Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    server.stop_all();
    client.send("abc");
    client.send_urgent('!');
    client.send("def");
    server.continue_all();
    REQUIRE(client.receive(7) == "abc!def");
    REQUIRE(client.exchange("still there?") == "still there?");
}

TEST_CASE("an end of input that has come with the last bytes is seen", "[promise]") {
    const Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    server.stop_all();
    client.send("goodbye");
    client.half_close();
    server.continue_all();
    REQUIRE(client.receive_to_end() == "goodbye");
}

TEST_CASE("a client that sends exactly what one read takes, and no more, is not kept waiting",
          "[promise]") {
    const Server server;
    Client client(server);
    for (const std::size_t size : {65535, 65536, 65537, 131072}) {
        CAPTURE(size);
        const std::string bytes(size, 'x');
        REQUIRE(client.exchange(bytes) == bytes);
    }
}

TEST_CASE("a silent client costs no read before its first bytes come", "[promise]") {
    require_strace();
    const Server server;
    const SystemCallTrace trace(server, "read,accept4");
    Client client(server);
    wait_until_at_rest(server);
    REQUIRE(trace.count("accept4") >= 1);
    REQUIRE(trace.count("read") == 0);
}

TEST_CASE("with a shortage and others who are busy, accept() is asked again and again", "[limit]") {
    require_strace();
    const Server server;
    Client busy(server);
    REQUIRE(busy.exchange("hello") == "hello");
    const FaultInjection shortage(server, "accept4:error=EMFILE");
    Client waits(server);
    for (int i = 0; i < 100; ++i) {
        REQUIRE(busy.exchange("hello") == "hello");
    }
    REQUIRE(shortage.count() >= 50);  // Each round asks: a pause ends with whatever happens.
}
