#include "support/failure_report.hpp"

#include <algorithm>
#include <catch2/catch_test_case_info.hpp>
#include <catch2/reporters/catch_reporter_event_listener.hpp>
#include <catch2/reporters/catch_reporter_registrars.hpp>
#include <cstdlib>
#include <iostream>
#include <utility>
#include <vector>

#include "support/chapter.hpp"

namespace {

struct Diagnostics {
    std::string title;
    std::function<std::string()> read;
};

std::vector<Diagnostics>& all_diagnostics() {
    static std::vector<Diagnostics> remembered;
    return remembered;
}

/// The text as it must stand between single quotes of a shell.
std::string quote_for_shell(const std::string& text) {
    std::string quoted;
    for (const char character : text) {
        quoted += character == '\'' ? "'\\''" : std::string(1, character);
    }
    return quoted;
}

/// How ./learn is told which server is under test, with a blank in front: nothing for the
/// chapter's. SERVER_WORDS is how it was told, where that was not by the path.
std::string words_for_the_server() {
    const std::string server = server_of_the_learner();
    if (server.empty()) {
        return "";
    }
    const char* words = std::getenv("SERVER_WORDS");
    return words == nullptr || *words == '\0' ? " --server '" + quote_for_shell(server) + "'"
                                              : " " + std::string(words);
}

/// Of a server that is named by its path only the tests on the wire are asked, unless --all is
/// said.
bool asks_for_the_wire(const std::string& words) {
    return words.starts_with(" --server");
}

/// Listens to Catch2's events.
class FailureReport : public Catch::EventListenerBase {
public:
    using EventListenerBase::EventListenerBase;

    void testCaseStarting(const Catch::TestCaseInfo&) override { all_diagnostics().clear(); }

    void testCaseEnded(const Catch::TestCaseStats& stats) override {
        if (stats.totals.assertions.failed == 0) {
            return;
        }
        for (const Diagnostics& diagnostics : all_diagnostics()) {
            const std::string text = diagnostics.read();
            std::cout << "stderr of " << diagnostics.title << ":\n"
                      << (text.empty() ? "(nothing)\n" : text);
        }
        if (!tests_a_chapter()) {
            return;  // Those of the tools have no server to look into.
        }
        const std::string number = std::to_string(chapter_under_test().number);
        const std::string there = words_for_the_server();
        const auto& tags = stats.testInfo->tags;
        const auto has_tag = [&tags](const char* tag) {
            return std::find(tags.begin(), tags.end(), Catch::Tag(tag)) != tags.end();
        };
        std::cout << "see it happen: ./learn trace " << number << there << "\n";
        if (has_tag("exercise")) {
            return;  // It is hidden from ./learn test.
        }
        std::cout << "only this test: ./learn test " << number << " -R '"
                  << quote_for_shell(stats.testInfo->name) << "'" << there
                  << (asks_for_the_wire(there) && !has_tag("wire") ? " --all" : "") << "\n";
    }
};

}  // namespace

CATCH_REGISTER_LISTENER(FailureReport)

void remember_diagnostics(std::string title, std::function<std::string()> read) {
    all_diagnostics().push_back({std::move(title), std::move(read)});
}
