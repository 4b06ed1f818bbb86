// Where and when something was measured.
#pragma once

#include <string>

/// "Linux 6.18.44", without what a distribution appends to the number.
std::string kernel();

/// As the processor calls itself, or "unknown processor".
std::string processor_model();

/// The date in UTC, as "2026-01-31".
std::string today();
