// The command line.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

/// What the command line of every chapter asks for.
struct Options {
    std::string host = "127.0.0.1";  ///< an IPv4 or IPv6 address, or a name
    int port = 9877;                 ///< UNP's SERV_PORT; 0 lets the kernel choose a free one
    int backlog = 4096;              ///< clients that may wait in the accept queue
};

/// One option: `--name VALUE`.
struct Option {
    std::string name;
    std::string value_name;     ///< what the usage calls the value: COUNT
    std::string description;    ///< what the usage says of it
    std::string default_value;  ///< what is read when the option is not given
    /// Takes the value. Throws std::invalid_argument, saying what is wanted, when it is a bad one.
    std::function<void(const std::string& value)> read;
};

/// An option whose value is a whole number from `minimum` to `maximum`. It is read into `number`,
/// which holds the default before and must live until the options have been parsed.
Option number_option(const std::string& name, const std::string& value_name,
                     const std::string& description, int& number, int minimum, int maximum);

/// An option whose value is a program and its arguments. It is split into `words` as a shell splits
/// a line, with its quotes and variables, but without starting one; `default_value` is what is
/// split when the option is not given. `words` must live until the options have been parsed.
Option command_option(const std::string& name, const std::string& value_name,
                      const std::string& description, const std::string& default_value,
                      std::vector<std::string>& words);

/// Reads the command line: the options of every chapter, and those that this one has besides.
///
/// Does not return when there is nothing to serve: `--help` prints the usage and exits with 0; an
/// option that is unknown or has a bad value prints what is wrong and the usage to stderr and exits
/// with 2.
Options parse_options(int argc, char** argv, const std::vector<Option>& of_this_chapter);
