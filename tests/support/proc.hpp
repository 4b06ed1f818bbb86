// What the kernel says of a process, through /proc (proc(5)).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "support/server.hpp"

namespace proc {

/// One open descriptor.
struct Descriptor {
    int number;
    std::string target;  ///< "/dev/null", "socket:[4711]", "pipe:[42]"
    bool is_close_on_exec;
};

/// 'R' running, 'S' asleep, 'T' stopped, 'Z' zombie; '-' when there is no such process.
char state(pid_t process);

/// The children that the process has and has not waited for, zombies included.
std::vector<pid_t> children(pid_t process);

/// The process, its children, theirs and so on, zombies included, by one look at all processes.
std::vector<pid_t> family(pid_t process);

/// How many of the children have ended and have not been waited for.
std::size_t count_zombies(pid_t process);

std::vector<Descriptor> descriptors(pid_t process);

/// How many of the descriptors are sockets.
std::size_t count_sockets(pid_t process);

std::size_t count_threads(pid_t process);

/// Whether every thread of the process is asleep.
bool is_asleep(pid_t process);

/// Whether every thread of the process has a tracer. The threads that the kernel lends to an
/// io_uring do not count: nobody may trace them.
bool is_traced(pid_t process);

/// The executable that the process runs.
std::string executable(pid_t process);

/// The signals for which the process has a handler, as a set of bits: signal 1 is the lowest.
std::uint64_t handled_signals(pid_t process);

/// The signals that the process ignores.
std::uint64_t ignored_signals(pid_t process);

/// Whether the process's first thread has blocked the signal.
bool holds_signal(pid_t process, int number);

/// The signals that wait to be taken by the process, as such a set.
std::uint64_t pending_signals(pid_t process);

/// How often the process has gone to sleep by itself so far: for each thing that it waited for.
long long voluntary_switches(pid_t process);

/// The same of each of its threads, by its number; those that the kernel has started for io_uring
/// are left out.
std::map<pid_t, long long> voluntary_switches_of_threads(pid_t process);

/// How often the thread has left a processor so far, by itself or for another thread. One that
/// shares its processor with its client may have no time to go to sleep.
long long switches(pid_t thread);

/// The same for each thread of the process.
std::vector<long long> switches_of_threads(pid_t process);

/// On which processors each of the threads may run, as the kernel writes it: "0-3", "2".
std::vector<std::string> allowed_cores_of_threads(pid_t process);

/// Processor time used so far, user and system.
std::chrono::milliseconds cpu_time(pid_t process);

/// Processor time of its children, and of theirs, that have ended and been waited for.
std::chrono::milliseconds cpu_time_of_ended_children(pid_t process);

/// Processor time of the process, its children, theirs and so on, also of those that have ended and
/// been waited for.
std::chrono::milliseconds cpu_time_of_family(pid_t process);

/// How much of a processor the process and its children, and theirs, use in a stretch of time that
/// begins now: 1.0 is a whole one. Throws std::runtime_error when the process has ended meanwhile:
/// nothing uses less.
double cpu_share_during(pid_t process, std::chrono::milliseconds stretch);

/// Addresses that are in use, in bytes, whether there is memory behind them or not (VmSize).
std::size_t reserved_bytes(pid_t process);

/// Memory in RAM, in bytes.
std::size_t resident_bytes(pid_t process);

/// How many threads of the process are asleep inside one of these system calls (SYS_read,
/// SYS_sendto, ...).
std::size_t count_blocked_in(pid_t process, std::initializer_list<long> system_calls);

/// Whether there is one.
bool is_blocked_in(pid_t process, std::initializer_list<long> system_calls);

/// How many clients are connected to the listening socket and not yet accepted: Recv-Q of `ss
/// -ltn`.
std::size_t accept_queue_length(const Endpoint& listener);

}  // namespace proc
