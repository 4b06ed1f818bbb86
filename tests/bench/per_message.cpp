#include "bench/per_message.hpp"

#include <algorithm>
#include <stdexcept>
#include <thread>

#include "bench/allocation_counter.hpp"
#include "bench/measured_server.hpp"
#include "bench/system_calls.hpp"

namespace {

/// A server that has sent its last echo goes back to sleep within this time: its last call, to wait
/// for the next message, belongs to the slice.
constexpr std::chrono::milliseconds time_to_rest{2};

MessageCounts count_of(const MeasuredServer& server, const AllocationCounter& allocations,
                       const LoadSettings& load_settings, std::chrono::milliseconds slice) {
    Load load(server.endpoint(), load_settings);
    MessageCounts counts;
    counts.wrong_bytes = load.run(slice / 2).wrong_bytes;
    std::this_thread::sleep_for(time_to_rest);

    SystemCallCounter calls(server);
    const std::uint64_t allocations_before = allocations.count();
    const LoadResult result = load.run(slice);
    std::this_thread::sleep_for(time_to_rest);
    const std::uint64_t allocations_after = allocations.count();
    counts.calls = calls.finish();
    counts.calls_counted_with = calls.method();
    if (allocations.covers(server)) {
        counts.allocations = allocations_after - allocations_before;
    }
    counts.messages = std::max<std::uint64_t>(1, result.messages);
    counts.wrong_bytes += result.wrong_bytes;
    return counts;
}

}  // namespace

MessageCounts count_per_message(const std::string& server, const LoadSettings& load,
                                std::chrono::milliseconds slice) {
    const AllocationCounter allocations;
    const MeasuredServer measured(allocations.command_for(server));
    measured.raise_descriptor_limit();
    try {
        return count_of(measured, allocations, load, slice);
    } catch (const std::exception& error) {
        const std::string words = measured.diagnostics();
        throw std::runtime_error(server + ": " + error.what() +
                                 (words.empty() ? "" : "\nIt has written to stderr:\n" + words));
    }
}
