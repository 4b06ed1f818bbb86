// What the tests and the library that lets allocations fail have in common.
#pragma once

#include <atomic>

/// Allocations up to the one that fails; 0: none does.
using AllocationsLeft = std::atomic<int>;
static_assert(AllocationsLeft::is_always_lock_free);  // Two processes share one.

/// The environment variable with the path of the file in which an AllocationsLeft lies.
constexpr const char* failing_allocation_variable = "FAILING_ALLOCATION";
