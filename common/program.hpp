// What surrounds a server: exit codes and diagnostics.
#pragma once

#include <functional>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "options.hpp"

/// Reads the command line, runs `serve`, and returns the exit code for main: 1, after a line on
/// stderr that begins with `error: `, when `serve` throws; 2 is parse_options()'s, for a bad
/// command line.
int run_program(int argc, char** argv, const std::function<void(const Options&)>& serve);

/// The same for a chapter that has options beside those of every chapter.
int run_program(int argc, char** argv, const std::vector<Option>& of_this_chapter,
                const std::function<void(const Options&)>& serve);

/// Prints one line to stderr, made of `parts`: report({"client ", name, ": ", reason}). A line is
/// cut at PIPE_BUF bytes, and written at once, so that the lines of several processes or threads
/// never mix.
///
/// Never fails, never allocates, raises no signal, and leaves errno as it was. It never waits
/// either: a line for which stderr has no room (a pipe that is not read, a terminal stopped with
/// Ctrl-S) is dropped, and the next line that finds room says how many were.
void report(std::initializer_list<std::string_view> parts) noexcept;
