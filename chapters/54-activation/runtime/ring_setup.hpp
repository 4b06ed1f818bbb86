// Setting up a ring, or saying why there can be none.
#pragma once

#include <liburing.h>

#include <cerrno>
#include <cstddef>
#include <fstream>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <vector>

#include "check.hpp"

/// Why io_uring cannot be used here, and what to do about it, when one of its calls has failed.
inline std::runtime_error no_ring(const char* call, int error_number) {
    std::string reason = failed_call(error_number, call).what();
    if (error_number == ENOSYS) {
        reason +=
            ": this kernel has no io_uring (Linux 5.6 or later, built with CONFIG_IO_URING), or a "
            "filter hides it";
    } else if (error_number == EINVAL) {
        reason += ": this kernel's io_uring is older than what is asked of it (Linux 5.6)";
    } else if (error_number == EPERM || error_number == EACCES) {
        int disabled = 0;
        std::ifstream("/proc/sys/kernel/io_uring_disabled") >> disabled;
        reason += disabled == 0
                      ? ": forbidden, most likely by a container's filter (Docker: --security-opt "
                        "seccomp=unconfined)"
                      : ": forbidden by the setting kernel.io_uring_disabled=" +
                            std::to_string(disabled) + " (sysctl -w kernel.io_uring_disabled=0)";
    } else if (error_number == ENOMEM) {
        reason += ": the limit on locked memory may be too low (ulimit -l)";
    }
    return std::runtime_error(reason);
}

/// Throws std::runtime_error when the kernel lacks one of the operations.
inline void require_operations(io_uring& ring, std::initializer_list<io_uring_op> operations) {
    constexpr unsigned most = 256;  // operations for which there is room in the answer
    std::vector<std::byte> room(sizeof(io_uring_probe) + most * sizeof(io_uring_probe_op));
    auto* const probe = reinterpret_cast<io_uring_probe*>(room.data());
    if (const int result = ::io_uring_register_probe(&ring, probe, most); result < 0) {
        throw no_ring("io_uring_register", -result);
    }
    for (const io_uring_op operation : operations) {
        if (!::io_uring_opcode_supported(probe, operation)) {
            throw std::runtime_error("this kernel's io_uring lacks operation " +
                                     std::to_string(operation) + ": Linux 5.6 or later has it");
        }
    }
}

/// Makes a ring with room for `entries` submissions. Throws std::runtime_error, saying what to do.
inline void set_up_ring(unsigned entries, io_uring& ring) {
    // The kernel finishes operations only when this thread asks for completions, which saves
    // interruptions: Linux 6.1. Before that at least without an interrupt to another processor:
    // 5.19. A flag that the kernel does not know is EINVAL.
    int result = -EINVAL;
    for (const unsigned flags :
         {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_COOP_TASKRUN, 0U}) {
        if (result == -EINVAL) {
            result = ::io_uring_queue_init(entries, &ring, flags);
        }
    }
    if (result < 0) {
        throw no_ring("io_uring_setup", -result);
    }
    // Saves the kernel a look into the table of descriptors with each call; Linux 5.18, and no loss
    // where it fails.
    ::io_uring_register_ring_fd(&ring);
    try {
        require_operations(ring, {IORING_OP_ACCEPT, IORING_OP_RECV, IORING_OP_SEND,
                                  IORING_OP_TIMEOUT, IORING_OP_ASYNC_CANCEL});
        // A filter may let a ring be made and forbid its use, and that had better be known now.
        if (const int used = ::io_uring_get_events(&ring); used < 0) {
            throw no_ring("io_uring_enter", -used);
        }
    } catch (...) {
        ::io_uring_queue_exit(&ring);
        throw;
    }
}
