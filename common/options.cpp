#include "options.hpp"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cxxopts.hpp>
#include <limits>
#include <stdexcept>

namespace {

/// The whole number that `--name` was given. Throws std::invalid_argument when it is not one or
/// lies outside [minimum, maximum].
int parse_number(const cxxopts::ParseResult& given, const std::string& name, int minimum,
                 int maximum) {
    const std::string& text = given[name].as<std::string>();
    const char* end = text.data() + text.size();
    int number = 0;
    const auto [stopped_at, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || stopped_at != end || number < minimum || number > maximum) {
        throw std::invalid_argument("--" + name + " wants a whole number from " +
                                    std::to_string(minimum) + " to " + std::to_string(maximum) +
                                    ", not '" + text + "'");
    }
    return number;
}

}  // namespace

Options parse_options(int argc, char** argv) {
    Options options;
    cxxopts::Options usage(argv[0], "A TCP echo server: whatever a client sends comes back.\n");
    usage.add_options()  //
        ("host", "IPv4 or IPv6 address, or name, to listen on",
         cxxopts::value<std::string>()->default_value(options.host), "ADDRESS")  //
        ("port", "port to listen on; 0 = any free one",
         cxxopts::value<std::string>()->default_value(std::to_string(options.port)), "PORT")  //
        ("backlog", "clients that may wait to be accepted (at most net.core.somaxconn)",
         cxxopts::value<std::string>()->default_value(std::to_string(options.backlog)), "COUNT")  //
        ("help", "print this and exit");
    try {
        const cxxopts::ParseResult given = usage.parse(argc, argv);
        if (given.count("help") != 0) {
            std::fputs(usage.help().c_str(), stdout);
            std::exit(EXIT_SUCCESS);
        }
        if (!given.unmatched().empty()) {
            throw std::invalid_argument("'" + given.unmatched().front() + "' is not an option");
        }
        options.host = given["host"].as<std::string>();
        if (options.host.empty()) {
            throw std::invalid_argument("--host wants an address or a name, not ''");
        }
        options.port = static_cast<std::uint16_t>(
            parse_number(given, "port", 0, std::numeric_limits<std::uint16_t>::max()));
        options.backlog = parse_number(given, "backlog", 1, std::numeric_limits<int>::max());
    } catch (const std::exception& error) {
        std::fprintf(stderr, "error: %s\n\n%s", error.what(), usage.help().c_str());
        std::exit(2);
    }
    return options;
}
