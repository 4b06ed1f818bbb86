// What a failed test says beside Catch2's own words: the server's stderr, and what to look at.
#pragma once

#include <functional>
#include <string>

/// Remembers, until the test case ends, how to read what a server has written to stderr. When the
/// test fails it is printed under `title`.
void remember_diagnostics(std::string title, std::function<std::string()> read);
