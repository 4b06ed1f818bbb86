#include "options.hpp"

#include <wordexp.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cxxopts.hpp>
#include <limits>
#include <stdexcept>

Option number_option(const std::string& name, const std::string& value_name,
                     const std::string& description, int& number, int minimum, int maximum) {
    const auto read = [name, &number, minimum, maximum](const std::string& value) {
        const char* end = value.data() + value.size();
        const auto [stopped_at, error] = std::from_chars(value.data(), end, number);
        if (error != std::errc{} || stopped_at != end || number < minimum || number > maximum) {
            throw std::invalid_argument("--" + name + " wants a whole number from " +
                                        std::to_string(minimum) + " to " + std::to_string(maximum) +
                                        ", not '" + value + "'");
        }
    };
    return {name, value_name, description, std::to_string(number), read};
}

Option command_option(const std::string& name, const std::string& value_name,
                      const std::string& description, const std::string& default_value,
                      std::vector<std::string>& words) {
    const auto read = [name, &words](const std::string& value) {
        // WRDE_NOCMD refuses $(...), which would start a shell; WRDE_UNDEF a variable that nobody
        // has set.
        wordexp_t expanded{};
        if (::wordexp(value.c_str(), &expanded, WRDE_NOCMD | WRDE_UNDEF) == 0) {
            words.assign(expanded.we_wordv, expanded.we_wordv + expanded.we_wordc);
            ::wordfree(&expanded);
        }
        if (words.empty()) {
            throw std::invalid_argument("--" + name + " wants a program and its arguments, not '" +
                                        value + "'");
        }
    };
    return {name, value_name, description, default_value, read};
}

namespace {

/// The options that every chapter has, which are read into `options`.
std::vector<Option> options_of_every_chapter(Options& options) {
    const auto read_host = [&options](const std::string& value) {
        if (value.empty()) {
            throw std::invalid_argument("--host wants an address or a name, not ''");
        }
        options.host = value;
    };
    return {
        {"host", "ADDRESS", "IPv4 or IPv6 address, or name, to listen on", options.host, read_host},
        number_option("port", "PORT", "port to listen on; 0 = any free one", options.port, 0,
                      std::numeric_limits<std::uint16_t>::max()),
        number_option("backlog", "COUNT",
                      "clients that may wait to be accepted (at most net.core.somaxconn)",
                      options.backlog, 1, std::numeric_limits<int>::max()),
    };
}

}  // namespace

Options parse_options(int argc, char** argv, const std::vector<Option>& of_this_chapter) {
    Options options;
    std::vector<Option> known = options_of_every_chapter(options);
    known.insert(known.end(), of_this_chapter.begin(), of_this_chapter.end());

    cxxopts::Options usage(argv[0], "A TCP echo server: whatever a client sends comes back.\n");
    for (const Option& option : known) {
        usage.add_options()(option.name, option.description,
                            cxxopts::value<std::string>()->default_value(option.default_value),
                            option.value_name);
    }
    usage.add_options()("help", "print this and exit");

    try {
        const cxxopts::ParseResult given = usage.parse(argc, argv);
        if (given.count("help") != 0) {
            std::fputs(usage.help().c_str(), stdout);
            std::exit(EXIT_SUCCESS);
        }
        if (!given.unmatched().empty()) {
            throw std::invalid_argument("'" + given.unmatched().front() + "' is not an option");
        }
        for (const Option& option : known) {
            option.read(given[option.name].as<std::string>());
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "error: %s\n\n%s", error.what(), usage.help().c_str());
        std::exit(2);
    }
    return options;
}
