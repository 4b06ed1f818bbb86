// How many heap allocations a running server makes.
#pragma once

#include <cstdint>
#include <string>

#include "bench/allocations.hpp"
#include "bench/measured_server.hpp"

/// Counts the heap allocations of a server from its start on, its threads and its children
/// included: a library of ours is loaded into it (LD_PRELOAD, ld.so(8)) and stands before malloc(3)
/// and the others. This slows an allocation by an atomic addition.
class AllocationCounter {
public:
    /// Throws std::system_error.
    AllocationCounter();
    ~AllocationCounter();
    AllocationCounter(const AllocationCounter&) = delete;
    AllocationCounter& operator=(const AllocationCounter&) = delete;

    /// The command that starts the server with the library. Its count lives as long as this object.
    std::string command_for(const std::string& server) const;

    /// Whether all processes of the server have loaded the library. One that is linked statically,
    /// as Go's are, cannot. A program that has an allocator of its own, and asks the kernel for
    /// memory, may load it and is counted as having none.
    bool covers(const MeasuredServer& server) const;

    /// The allocations so far.
    std::uint64_t count() const { return *count_; }

private:
    std::string library_;
    Fd file_;
    AllocationCount* count_;
};
