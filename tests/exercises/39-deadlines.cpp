// The exercises of chapter 39: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>

#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/server.hpp"

using Catch::Matchers::Matches;

namespace {

/// A server that asks after 50 milliseconds of silence.
StartSettings asking(const std::string& answer_ms) {
    return {.arguments = {"--port", "0", "--idle-timeout", "50", "--answer-timeout", answer_ms}};
}

}  // namespace

TEST_CASE(
    "with --answer-timeout a silent client is asked, one that answers stays, and one that does not "
    "is evicted",
    "[.exercise]") {
    const std::string question = "still there?\n";
    const Server patient(asking("86400000"));  // A day: it never evicts who has been asked.
    Client answers(patient);
    for (int i = 0; i < 3; ++i) {
        REQUIRE(answers.receive(question.size()) == question);
        REQUIRE(answers.exchange("yes") == "yes");
    }
    REQUIRE(answers.receive(question.size()) == question);
    answers.half_close();  // That is an answer, too.
    REQUIRE(answers.receive_to_end().empty());
    REQUIRE(patient.diagnostics().empty());

    const Server strict(asking("50"));
    Client silent(strict);
    REQUIRE(silent.receive_to_end() == question);
    wait_until("the server has said so", [&] { return !strict.diagnostics().empty(); });
    REQUIRE_THAT(strict.diagnostics(),
                 Matches("client 127\\.0\\.0\\.1:[0-9]+: read: Connection timed out\n"));
}
