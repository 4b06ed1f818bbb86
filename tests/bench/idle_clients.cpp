// What idle clients cost: the memory of the server for each of them, and the processor time of an
// echo for somebody else.
//
// Prints a table and where and when it was made. Absolute figures belong to this machine; what they
// show is how they grow. docs/c10k.md reads them.

#include <sched.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <cxxopts.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "check.hpp"
#include "support/client.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

namespace {

namespace fs = std::filesystem;

constexpr int slices = 9;
constexpr int echoes_in_a_slice = 500;

/// The sum of a field of /proc/PID/smaps_rollup over the server and its children, in KiB.
long long resident_kib(const Server& server) {
    std::vector<pid_t> all = proc::children(server.pid());
    all.push_back(server.pid());
    long long sum = 0;
    for (const pid_t process : all) {
        std::ifstream file("/proc/" + std::to_string(process) + "/smaps_rollup");
        for (std::string word; file >> word;) {
            if (word == "Pss:") {
                long long kib = 0;
                file >> kib;
                sum += kib;
                break;
            }
        }
    }
    return sum;
}

/// Time on a processor, user and system, of all threads of the server and of its children.
std::chrono::nanoseconds time_on_processor(const Server& server) {
    std::vector<pid_t> all = proc::children(server.pid());
    all.push_back(server.pid());
    long long sum = 0;
    for (const pid_t process : all) {
        const fs::path threads = "/proc/" + std::to_string(process) + "/task";
        for (const fs::directory_entry& thread : fs::directory_iterator(threads)) {
            std::ifstream file(thread.path() / "schedstat");  // Nanoseconds come first.
            long long nanoseconds = 0;
            file >> nanoseconds;
            sum += nanoseconds;
        }
    }
    return std::chrono::nanoseconds{sum};
}

/// Microseconds of processor time of the server for one echo of 64 bytes: the median of several
/// slices.
double cost_of_an_echo(const Server& server, Client& active) {
    const std::string message(64, 'x');
    std::array<double, slices> costs{};
    for (double& cost : costs) {
        const std::chrono::nanoseconds before = time_on_processor(server);
        for (int i = 0; i < echoes_in_a_slice; ++i) {
            active.exchange(message);
        }
        const std::chrono::duration<double, std::micro> used = time_on_processor(server) - before;
        cost = used.count() / echoes_in_a_slice;
    }
    std::sort(costs.begin(), costs.end());
    return costs[slices / 2];
}

struct Row {
    std::string chapter;
    std::size_t clients = 0;
    std::size_t processes = 0;
    std::size_t threads = 0;
    double kib_per_client = 0;
    double alone = 0;                  ///< microseconds for an echo with no idle clients
    std::optional<double> thousand{};  ///< beside 1,000
    std::optional<double> all{};       ///< beside all of `clients`
};

/// Connects idle clients until there are `wanted` of them. Each has had one echo. Returns false
/// when the server takes no more.
bool have_idle_clients(const Server& server, std::vector<Client>& idle, std::size_t wanted) {
    while (idle.size() < wanted) {
        Client client(server);
        try {
            if (client.exchange("hello\n") != "hello\n") {
                return false;
            }
        } catch (const std::system_error&) {
            return false;
        }
        idle.push_back(std::move(client));
    }
    return true;
}

Row measure(const Chapter& chapter, std::size_t wanted, std::size_t descriptors) {
    const Server server(chapter);
    server.limit(RLIMIT_NOFILE, descriptors);
    Client active(server);
    active.exchange("hello\n");
    std::vector<Client> idle;
    Row row{.chapter = chapter.name, .alone = cost_of_an_echo(server, active)};
    const long long kib_before = resident_kib(server);
    if (have_idle_clients(server, idle, std::min<std::size_t>(1000, wanted))) {
        row.thousand = cost_of_an_echo(server, active);
        if (have_idle_clients(server, idle, wanted)) {
            row.all = cost_of_an_echo(server, active);
        }
    }
    row.clients = idle.size();
    row.processes = 1 + proc::children(server.pid()).size();
    row.threads = proc::count_threads(server.pid());
    row.kib_per_client = static_cast<double>(resident_kib(server) - kib_before) /
                         static_cast<double>(std::max<std::size_t>(1, idle.size()));
    return row;
}

/// Clients and servers share one processor from here on. On two of them the figures would be those
/// of waking up an idle processor, which is none of the servers' doing.
void stay_on_one_processor() {
    cpu_set_t allowed;
    check(::sched_getaffinity(0, sizeof allowed, &allowed), "sched_getaffinity");
    int last = CPU_SETSIZE - 1;
    while (!CPU_ISSET(last, &allowed)) {
        --last;
    }
    CPU_ZERO(&allowed);
    CPU_SET(last, &allowed);
    check(::sched_setaffinity(0, sizeof allowed, &allowed), "sched_setaffinity");
}

std::string first_value(const char* path, const std::string& key) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(key)) {
            return line.substr(line.find(':') + 2);
        }
    }
    return "unknown";
}

void print_circumstances() {
    utsname system{};
    ::uname(&system);
    const std::time_t now = std::time(nullptr);
    char date[16];
    std::strftime(date, sizeof date, "%Y-%m-%d", std::gmtime(&now));
    std::printf("Linux %s, %s, %s\n", system.release,
                first_value("/proc/cpuinfo", "model name").c_str(), date);
}

void print(const Row& row) {
    const auto optional = [](const std::optional<double>& value) {
        char text[16] = "-";
        if (value) {
            std::snprintf(text, sizeof text, "%.1f", *value);
        }
        return std::string(text);
    };
    std::printf("%-17s %8zu %10zu %8zu %12.1f %8.1f %10s %10s\n", row.chapter.c_str(), row.clients,
                row.processes, row.threads, row.kib_per_client, row.alone,
                optional(row.thousand).c_str(), optional(row.all).c_str());
    std::fflush(stdout);
}

std::vector<Chapter> all_chapters(const fs::path& bin) {
    std::vector<Chapter> found;
    for (const fs::directory_entry& entry : fs::directory_iterator(bin)) {
        const std::string name = entry.path().filename();
        if (name.size() > 3 && name[2] == '-' && !name.ends_with("-tests") &&
            std::isdigit(static_cast<unsigned char>(name[0])) != 0) {
            found.push_back({std::stoi(name), name, entry.path()});
        }
    }
    std::sort(found.begin(), found.end(),
              [](const Chapter& a, const Chapter& b) { return a.number < b.number; });
    return found;
}

}  // namespace

int main(int argc, char** argv) {
    cxxopts::Options options("idle-clients", "What idle clients cost each chapter.");
    options.add_options()("clients", "how many are idle at the most",
                          cxxopts::value<std::size_t>()->default_value("10000"))(
        "chapter", "only this one; may be given several times", cxxopts::value<std::vector<int>>())(
        "help", "print this");
    try {
        const cxxopts::ParseResult given = options.parse(argc, argv);
        if (given.count("help") > 0 || !given.unmatched().empty()) {
            std::cout << options.help();
            return given.unmatched().empty() ? 0 : 2;
        }
        const auto clients = given["clients"].as<std::size_t>();
        std::vector<int> only;
        if (given.count("chapter") > 0) {
            only = given["chapter"].as<std::vector<int>>();
        }
        stay_on_one_processor();
        print_circumstances();
        std::printf(
            "64-byte echoes, the median of %d times %d; one processor; each idle client has had an "
            "echo\n\n",
            slices, echoes_in_a_slice);
        std::printf("%-17s %8s %10s %8s %12s %31s\n", "", "idle", "", "", "KiB for each",
                    "microseconds for an echo beside");
        std::printf("%-17s %8s %10s %8s %12s %8s %10s %10s\n", "chapter", "clients", "processes",
                    "threads", "of them", "0 idle", "1,000", "all idle");
        for (const Chapter& chapter : all_chapters(fs::canonical("/proc/self/exe").parent_path())) {
            const bool is_wanted =
                only.empty() || std::find(only.begin(), only.end(), chapter.number) != only.end();
            // 01 and 02 serve one client, and 05 and 07 as many as they have workers.
            const bool serves_many = chapter.number == 3 || chapter.number == 4 ||
                                     chapter.number == 6 || chapter.number >= 8;
            if (is_wanted && serves_many) {
                print(measure(chapter, clients, clients + 100));
            }
        }
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << '\n';
        return 1;
    }
}
