// What the library that counts allocations and those who read its count have agreed upon.
#pragma once

#include <atomic>
#include <cstdint>

/// The environment variable that names the file in which is counted. It holds one AllocationCount.
inline constexpr const char* allocations_file_variable = "COUNT_ALLOCATIONS_IN";

/// Shared by all processes that count into one file.
using AllocationCount = std::atomic<std::uint64_t>;
static_assert(AllocationCount::is_always_lock_free);  // A lock would be each process's own.
