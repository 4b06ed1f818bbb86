// The exercises of chapter 17: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "support/client.hpp"
#include "support/server.hpp"

TEST_CASE("with --log-turns every turn is a line with its descriptor and its answer",
          "[.exercise]") {
    Server server({.arguments = {"--port", "0", "--log-turns", "1"}});
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    client.half_close();
    REQUIRE(client.receive_to_end().empty());

    std::vector<int> descriptors;
    std::map<int, std::string> answers;
    std::string answer;
    while (answer != "end") {
        std::istringstream line(server.read_line());
        std::string word;
        int fd = -1;
        REQUIRE(line >> word >> fd >> answer);
        REQUIRE(word == "turn");
        if (answers.count(fd) == 0) {
            descriptors.push_back(fd);
        }
        answers[fd] += answer + " ";
    }
    // The listener lets the client in and looks for another one. How often the client has a turn
    // depends on the moment at which its bytes come.
    REQUIRE(descriptors.size() == 2);
    REQUIRE(answers[descriptors[0]] == "turn event ");
    std::string& of_client = answers[descriptors[1]];
    while (of_client.starts_with("event ")) {
        of_client.erase(0, 6);
    }
    REQUIRE(of_client == "end ");
}
