// What surrounds a server: exit codes and diagnostics.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "options.hpp"

/// Reads the command line, with the options that this chapter has beside those of every chapter,
/// runs `serve`, and returns the exit code for main: 1, after a line on stderr that begins with
/// `error: `, when `serve` throws; 2 is parse_options()'s, for a bad command line.
int run_program(int argc, char** argv, const std::function<void(const Options&)>& serve,
                const std::vector<Option>& of_this_chapter = {});

/// Prints one line to stderr, with a single write, so that the lines of several processes or
/// threads never mix. Leaves errno as it was.
void report(const std::string& line);
