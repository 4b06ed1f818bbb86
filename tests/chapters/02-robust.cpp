// `robust`: no client, no signal and no shortage ends the server or loses a byte. What it
// promises, every later chapter promises too: see contract/faults.cpp.

#include <catch2/catch_test_macros.hpp>

#include "chapters/scenarios.hpp"

TEST_CASE("a client that resets the connection ends alone", "[why]") {
    REQUIRE(reset_by_a_client(chapter_before()) == "exit 1, error: read: Connection reset by peer");
    REQUIRE(reset_by_a_client(chapter_under_test()) == "the server lives");
}

TEST_CASE("a client that is gone before it is answered ends alone", "[why]") {
    REQUIRE(client_gone_before_it_is_answered(chapter_before()) == "killed by SIGPIPE");
    REQUIRE(client_gone_before_it_is_answered(chapter_under_test()) == "the server lives");
}

TEST_CASE("a write that a stop cuts short is taken up again", "[why]") {
    REQUIRE(stopped_and_continued_while_sending(chapter_before()) == "bytes were lost");
    REQUIRE(stopped_and_continued_while_sending(chapter_under_test()) == "every byte came back");
}

TEST_CASE("the second client waits for the first to leave", "[limit]") {
    REQUIRE(second_client_beside_a_silent_one(chapter_under_test()) ==
            "the second client waits in the accept queue");
}
