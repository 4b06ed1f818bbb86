// What the measuring programs do alike: read a command line, refuse a wrong one, report a failure.
#pragma once

#include <cxxopts.hpp>
#include <exception>
#include <iostream>
#include <string>

/// The main() of a measuring program. `read_settings` makes settings of the parsed options and
/// throws, with what is wrong, when they make no sense; `run` measures and returns the exit status.
/// A wrong command line is status 2, a failure 1.
template <typename ReadSettings, typename Run>
int run_tool(const std::string& name, cxxopts::Options options, int argc, char** argv,
             ReadSettings read_settings, Run run) {
    decltype(read_settings(options.parse(argc, argv))) settings;
    try {
        const cxxopts::ParseResult given = options.parse(argc, argv);
        if (given.count("help") > 0) {
            std::cout << options.help({""});
            return 0;
        }
        settings = read_settings(given);
    } catch (const std::exception& error) {
        std::cerr << name << ": " << error.what() << "\n\n" << options.help({""});
        return 2;
    }
    try {
        return run(settings);
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << '\n';
        return 1;
    }
}
