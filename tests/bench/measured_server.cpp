#include "bench/measured_server.hpp"

#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "check.hpp"
#include "support/proc.hpp"

namespace {

using std::chrono::nanoseconds;

std::vector<std::string> split(const std::string& command) {
    std::istringstream stream(command);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) {
        words.push_back(word);
    }
    if (words.empty()) {
        throw std::runtime_error("a server is a program and its arguments, not an empty text");
    }
    return words;
}

std::string program_of(const std::string& command) {
    return split(command).front();
}

StartSettings start_settings(const std::string& command) {
    std::vector<std::string> words = split(command);
    words.erase(words.begin());
    const auto names_port = [](const std::string& word) { return word.starts_with("--port"); };
    if (std::none_of(words.begin(), words.end(), names_port)) {
        words.insert(words.end(), {"--port", "0"});
    }
    return {.arguments = words};
}

/// The clock of one process, with all its threads, the ended ones too. Zero when it has gone.
nanoseconds read_clock_of(pid_t process) {
    clockid_t clock = 0;
    timespec time{};
    if (::clock_getcpuclockid(process, &clock) != 0 || ::clock_gettime(clock, &time) == -1) {
        return nanoseconds{0};
    }
    return std::chrono::seconds{time.tv_sec} + nanoseconds{time.tv_nsec};
}

}  // namespace

void stay_on_processor(int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(processor), &set);
    check(::sched_setaffinity(0, sizeof set, &set), "sched_setaffinity to processor",
          std::to_string(processor));
}

std::vector<int> allowed_processors() {
    cpu_set_t set;
    check(::sched_getaffinity(0, sizeof set, &set), "sched_getaffinity");
    std::vector<int> allowed;
    for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
        if (CPU_ISSET(static_cast<std::size_t>(processor), &set)) {
            allowed.push_back(processor);
        }
    }
    return allowed;
}

MeasuredServer::MeasuredServer(const std::string& command)
    : command_(command), program_(program_of(command), start_settings(command)) {
    const std::optional<std::string> line = program_.try_read_line();
    if (!line) {
        const std::string end = program_.wait_for_exit();
        throw std::runtime_error(command + " has ended before its ready line: " + end +
                                 ", after this on stderr: " + program_.diagnostics());
    }
    endpoint_ = parse_ready_line(*line);
}

void MeasuredServer::raise_descriptor_limit() const {
    rlimit own{};
    check(::getrlimit(RLIMIT_NOFILE, &own), "getrlimit");
    program_.limit(RLIMIT_NOFILE, own.rlim_max);
}

std::vector<pid_t> MeasuredServer::processes() const {
    return proc::family(program_.pid());
}

nanoseconds MeasuredServer::processor_time() const {
    nanoseconds sum{0};
    for (const pid_t process : processes()) {
        sum += read_clock_of(process) + proc::cpu_time_of_ended_children(process);
    }
    return sum;
}

std::uint64_t MeasuredServer::anonymous_bytes() const {
    std::uint64_t kib_of_all = 0;
    for (const pid_t process : processes()) {
        std::ifstream file("/proc/" + std::to_string(process) + "/smaps_rollup");
        for (std::string word; file >> word;) {
            if (word == "Pss_Anon:") {
                std::uint64_t kib = 0;
                file >> kib;
                kib_of_all += kib;
                break;
            }
        }
    }
    return kib_of_all * 1024;
}

bool MeasuredServer::spins() const {
    constexpr std::chrono::milliseconds stretch{100};
    const nanoseconds before = processor_time();
    std::this_thread::sleep_for(stretch);  // No wait for an event: it is what is measured.
    return processor_time() - before > stretch / 10;
}
