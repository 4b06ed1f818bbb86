#include "support/proc.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace proc {

namespace {

namespace fs = std::filesystem;

fs::path folder(pid_t process) {
    return "/proc/" + std::to_string(process);
}

/// The fields of /proc/PID/stat after the name, which stands in brackets and may hold anything.
/// Empty when there is no such process.
std::vector<std::string> stat_fields(pid_t process) {
    std::ifstream file(folder(process) / "stat");
    std::string line;
    std::getline(file, line);
    std::istringstream after_name(line.substr(std::min(line.size(), line.rfind(')') + 1)));
    std::vector<std::string> fields;
    for (std::string field; after_name >> field;) {
        fields.push_back(field);
    }
    return fields;
}

/// Field `number` as proc(5) counts them, where the name is field 2.
long long stat_number(pid_t process, std::size_t number) {
    const std::vector<std::string> fields = stat_fields(process);
    return fields.size() > number - 3 ? std::stoll(fields[number - 3]) : 0;
}

std::vector<pid_t> all_processes() {
    std::vector<pid_t> found;
    for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
        const std::string name = entry.path().filename();
        if (std::isdigit(static_cast<unsigned char>(name.front())) != 0) {
            found.push_back(std::stoi(name));
        }
    }
    return found;
}

/// The value of a line `NAME: value` in /proc/PID/status. Throws std::runtime_error when there is
/// none.
std::string status_field(const fs::path& folder_of_task, const std::string& name) {
    std::ifstream file(folder_of_task / "status");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(name + ":")) {
            return line.substr(line.find_first_not_of(" \t", name.size() + 1));
        }
    }
    throw std::runtime_error(folder_of_task.string() + "/status has no " + name);
}

std::string status_field(pid_t process, const std::string& name) {
    return status_field(folder(process), name);
}

/// The field of each thread, in the order of their numbers.
std::vector<std::string> status_fields_of_threads(pid_t process, const std::string& name) {
    std::vector<fs::path> threads;
    for (const fs::directory_entry& thread : fs::directory_iterator(folder(process) / "task")) {
        threads.push_back(thread.path());
    }
    std::sort(threads.begin(), threads.end());
    std::vector<std::string> fields;
    for (const fs::path& thread : threads) {
        fields.push_back(status_field(thread, name));
    }
    return fields;
}

/// Whether the digits of /proc/net/tcp, an IPv4 address as a number of this machine, are this
/// address. Of an IPv6 address they are taken to be.
bool is_address(const std::string& digits, const std::string& host) {
    in_addr address{};
    if (digits.size() != 8 || ::inet_pton(AF_INET, host.c_str(), &address) != 1) {
        return digits.size() != 8;
    }
    return std::stoul(digits, nullptr, 16) == address.s_addr;
}

/// By the line "flags:" in /proc/PID/fdinfo/NUMBER, an octal number.
bool is_close_on_exec(pid_t process, const std::string& number) {
    std::ifstream file(folder(process) / "fdinfo" / number);
    for (std::string word; file >> word;) {
        if (word == "flags:") {
            file >> word;
            return (std::stoul(word, nullptr, 8) & O_CLOEXEC) != 0;
        }
    }
    return false;
}

constexpr std::size_t field_parent = 4;
constexpr std::size_t field_user_ticks = 14;
constexpr std::size_t field_system_ticks = 15;
constexpr std::size_t field_childrens_user_ticks = 16;
constexpr std::size_t field_childrens_system_ticks = 17;
constexpr std::size_t field_threads = 20;
constexpr std::size_t field_reserved_bytes = 23;

}  // namespace

char state(pid_t process) {
    const std::vector<std::string> fields = stat_fields(process);
    return fields.empty() ? '-' : fields.front().front();
}

std::vector<pid_t> children(pid_t process) {
    std::vector<pid_t> found;
    for (const pid_t candidate : all_processes()) {
        if (stat_number(candidate, field_parent) == process) {
            found.push_back(candidate);
        }
    }
    return found;
}

std::vector<pid_t> family(pid_t process) {
    std::multimap<long long, pid_t> by_parent;
    for (const pid_t candidate : all_processes()) {
        by_parent.emplace(stat_number(candidate, field_parent), candidate);
    }
    std::vector<pid_t> found{process};
    for (std::size_t i = 0; i < found.size(); ++i) {
        const auto [first, last] = by_parent.equal_range(found[i]);
        std::transform(first, last, std::back_inserter(found),
                       [](const auto& entry) { return entry.second; });
    }
    return found;
}

std::size_t count_zombies(pid_t process) {
    const std::vector<pid_t> all = children(process);
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [](pid_t child) { return state(child) == 'Z'; }));
}

std::vector<Descriptor> descriptors(pid_t process) {
    std::vector<Descriptor> found;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder(process) / "fd")) {
        std::error_code closed_meanwhile;
        const std::string target = fs::read_symlink(entry.path(), closed_meanwhile);
        if (!closed_meanwhile) {
            const std::string number = entry.path().filename();
            found.push_back({std::stoi(number), target, is_close_on_exec(process, number)});
        }
    }
    std::sort(found.begin(), found.end(),
              [](const Descriptor& a, const Descriptor& b) { return a.number < b.number; });
    return found;
}

std::size_t count_sockets(pid_t process) {
    const std::vector<Descriptor> all = descriptors(process);
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(),
        [](const Descriptor& descriptor) { return descriptor.target.starts_with("socket:"); }));
}

std::size_t count_threads(pid_t process) {
    return static_cast<std::size_t>(stat_number(process, field_threads));
}

bool is_asleep(pid_t process) {
    bool has_threads = false;  // A process that has gone has none, and sleeps no more.
    std::error_code gone_meanwhile;
    for (const fs::directory_entry& thread :
         fs::directory_iterator(folder(process) / "task", gone_meanwhile)) {
        if (state(std::stoi(thread.path().filename())) != 'S') {
            return false;
        }
        has_threads = true;
    }
    return has_threads;
}

bool is_traced(pid_t process) {
    for (const fs::directory_entry& thread : fs::directory_iterator(folder(process) / "task")) {
        if (status_field(thread.path(), "TracerPid") == "0" &&
            !status_field(thread.path(), "Name").starts_with("iou-")) {
            return false;
        }
    }
    return true;
}

std::string executable(pid_t process) {
    std::error_code gone_meanwhile;
    return fs::read_symlink(folder(process) / "exe", gone_meanwhile);
}

std::uint64_t handled_signals(pid_t process) {
    return std::stoull(status_field(process, "SigCgt"), nullptr, 16);
}

std::uint64_t ignored_signals(pid_t process) {
    return std::stoull(status_field(process, "SigIgn"), nullptr, 16);
}

bool holds_signal(pid_t process, int number) {
    const std::uint64_t blocked = std::stoull(status_field(process, "SigBlk"), nullptr, 16);
    return ((blocked >> (number - 1)) & 1) != 0;
}

std::uint64_t pending_signals(pid_t process) {
    return std::stoull(status_field(process, "ShdPnd"), nullptr, 16);
}

long long voluntary_switches(pid_t process) {
    return std::stoll(status_field(process, "voluntary_ctxt_switches"));
}

std::map<pid_t, long long> voluntary_switches_of_threads(pid_t process) {
    std::map<pid_t, long long> all;
    for (const fs::directory_entry& thread : fs::directory_iterator(folder(process) / "task")) {
        if (!status_field(thread.path(), "Name").starts_with("iou-")) {
            all[std::stoi(thread.path().filename())] =
                std::stoll(status_field(thread.path(), "voluntary_ctxt_switches"));
        }
    }
    return all;
}

long long switches(pid_t thread) {
    return voluntary_switches(thread) +
           std::stoll(status_field(thread, "nonvoluntary_ctxt_switches"));
}

std::vector<long long> switches_of_threads(pid_t process) {
    std::vector<long long> all;
    for (const std::string& thread : status_fields_of_threads(process, "Pid")) {
        all.push_back(switches(std::stoi(thread)));
    }
    return all;
}

std::vector<std::string> allowed_cores_of_threads(pid_t process) {
    return status_fields_of_threads(process, "Cpus_allowed_list");
}

std::chrono::milliseconds cpu_time(pid_t process) {
    const long long ticks =
        stat_number(process, field_user_ticks) + stat_number(process, field_system_ticks);
    return std::chrono::milliseconds{ticks * 1000 / ::sysconf(_SC_CLK_TCK)};
}

std::chrono::milliseconds cpu_time_of_ended_children(pid_t process) {
    const long long ticks = stat_number(process, field_childrens_user_ticks) +
                            stat_number(process, field_childrens_system_ticks);
    return std::chrono::milliseconds{ticks * 1000 / ::sysconf(_SC_CLK_TCK)};
}

std::chrono::milliseconds cpu_time_of_family(pid_t process) {
    std::chrono::milliseconds sum{0};
    for (const pid_t member : family(process)) {
        sum += cpu_time(member) + cpu_time_of_ended_children(member);
    }
    return sum;
}

double cpu_share_during(pid_t process, std::chrono::milliseconds stretch) {
    using Clock = std::chrono::steady_clock;
    const std::chrono::milliseconds cpu_before = cpu_time_of_family(process);
    const Clock::time_point before = Clock::now();
    std::this_thread::sleep_for(
        stretch);  // Not a wait for an event: the stretch is what is measured.
    const std::chrono::duration<double> elapsed = Clock::now() - before;
    const std::chrono::duration<double> used = cpu_time_of_family(process) - cpu_before;
    const char state_now = state(process);
    if (state_now == '-' || state_now == 'Z') {
        throw std::runtime_error("the server has ended, and so it uses no processor time");
    }
    return used / elapsed;
}

std::size_t reserved_bytes(pid_t process) {
    return static_cast<std::size_t>(stat_number(process, field_reserved_bytes));
}

std::size_t resident_bytes(pid_t process) {
    // The kernel counts pages for each processor, and what it says in `stat` may be 32 of them off
    // for each. Here it looks into the tables.
    std::ifstream file(folder(process) / "smaps_rollup");
    std::string word;
    while (file >> word) {
        if (word == "Rss:") {
            std::size_t kib = 0;
            file >> kib;
            return kib * 1024;
        }
    }
    throw std::runtime_error("no Rss in " + (folder(process) / "smaps_rollup").string());
}

std::size_t count_blocked_in(pid_t process, std::initializer_list<long> system_calls) {
    std::size_t count = 0;
    std::error_code gone_meanwhile;
    for (const fs::directory_entry& thread :
         fs::directory_iterator(folder(process) / "task", gone_meanwhile)) {
        // "running", or the number of the system call that the thread sleeps in and its arguments.
        std::ifstream file(thread.path() / "syscall");
        if (!file && fs::exists(thread.path(), gone_meanwhile)) {
            throw std::runtime_error(
                thread.path().string() +
                "/syscall may not be read here: the rules for ptrace forbid it "
                "(a container's, or kernel.yama.ptrace_scope)");
        }
        long number = -1;
        if (file >> number && state(std::stoi(thread.path().filename())) == 'S' &&
            std::find(system_calls.begin(), system_calls.end(), number) != system_calls.end()) {
            ++count;
        }
    }
    return count;
}

bool is_blocked_in(pid_t process, std::initializer_list<long> system_calls) {
    return count_blocked_in(process, system_calls) > 0;
}

std::size_t accept_queue_length(const Endpoint& listener) {
    for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
        std::ifstream file(table);
        for (std::string line; std::getline(file, line);) {
            char address[33] = {};
            unsigned port = 0;
            unsigned socket_state = 0;
            unsigned receive_queue = 0;
            const int matched =
                std::sscanf(line.c_str(), " %*d: %32[0-9A-F]:%X %*[0-9A-F]:%*X %X %*X:%X", address,
                            &port, &socket_state, &receive_queue);
            constexpr unsigned listening = 0x0A;
            if (matched == 4 && port == listener.port && socket_state == listening &&
                is_address(address, listener.host)) {
                return receive_queue;
            }
        }
    }
    return 0;
}

}  // namespace proc
