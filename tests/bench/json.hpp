// Figures as JSON, for other programs.
#pragma once

#include <string>

/// The text as a JSON string. Control characters are left out: nothing here needs them.
std::string quoted(const std::string& text);

/// Throws std::runtime_error when the file cannot be written.
void write_file(const std::string& path, const std::string& text);
