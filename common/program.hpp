// What surrounds a server: exit codes and diagnostics.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "options.hpp"

/// Reads the command line, runs `serve`, and returns the exit code for main: 1, after a line on
/// stderr that begins with `error: `, when `serve` throws; 2 is parse_options()'s, for a bad
/// command line.
int run_program(int argc, char** argv, const std::function<void(const Options&)>& serve);

/// The same for a chapter that has options beside those of every chapter.
int run_program(int argc, char** argv, const std::vector<Option>& of_this_chapter,
                const std::function<void(const Options&)>& serve);

/// Prints one line to stderr, with a single write, so that the lines of several processes or
/// threads never mix. Never fails, never raises SIGPIPE, and leaves errno as it was.
void report(const std::string& line);
