// What an echo costs a server while others are connected and silent: processor time for a message
// of one active client, beside more and more idle ones.
//
// Each of the idle clients has had an echo. They stay, and do nothing. The figures are absolute, so
// they belong to this machine and this minute; what they show is how they grow, which is by factors
// of hundreds or not at all. docs/c10k.md reads them.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cxxopts.hpp>
#include <deque>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "bench/circumstances.hpp"
#include "bench/interrupt.hpp"
#include "bench/json.hpp"
#include "bench/limits.hpp"
#include "bench/load.hpp"
#include "bench/measured_server.hpp"
#include "bench/statistics.hpp"
#include "bench/tool.hpp"

namespace {

using std::chrono::milliseconds;
using Microseconds = std::chrono::duration<double, std::micro>;

constexpr int slices = 9;
constexpr milliseconds slice_length{60};

/// A server that has sent its last echo goes back to sleep within this time.
constexpr milliseconds time_to_rest{2};

struct Settings {
    std::vector<std::string> servers;
    std::vector<std::size_t> steps;
    int processor = 0;
    std::string json_path;
};

struct Step {
    std::size_t idle = 0;
    double cost = 0;  ///< microseconds of the server's processor time for an echo
};

struct Row {
    std::string command;
    std::vector<Step> steps{};
    std::string end{};  ///< why there are no more, where the server takes none
};

/// The median of several slices.
double cost_of_an_echo(const MeasuredServer& server, Load& active) {
    std::vector<double> costs;
    for (int i = 0; i < slices; ++i) {
        const auto before = server.processor_time();
        const LoadResult result = active.run(slice_length);
        std::this_thread::sleep_for(time_to_rest);
        const Microseconds used = server.processor_time() - before;
        costs.push_back(used.count() / static_cast<double>(result.messages));
    }
    return median(costs);
}

Row measure(const std::string& command, const Settings& settings) {
    Row row{.command = command};
    const MeasuredServer server(command);
    server.raise_descriptor_limit();
    Load active(server.endpoint(), {.connections = 1});
    std::deque<Load> idle;
    std::size_t connected = 0;
    for (const std::size_t wanted : settings.steps) {
        if (wanted > connected) {
            try {
                idle.emplace_back(server.endpoint(),
                                  LoadSettings{.connections = wanted - connected});
            } catch (const std::exception& error) {
                row.end = error.what();
                return row;
            }
            connected = wanted;
        }
        row.steps.push_back({wanted, cost_of_an_echo(server, active)});
    }
    return row;
}

void print(const Row& row) {
    std::printf("%-30s", row.command.c_str());
    for (const Step& step : row.steps) {
        std::printf(" %9.1f", step.cost);
    }
    std::printf("%s%s\n", row.end.empty() ? "" : "   ", row.end.c_str());
    std::fflush(stdout);
}

std::string json_of(const Row& row) {
    std::ostringstream text;
    text << "{\"command\": " << quoted(row.command) << ", \"date\": " << quoted(today())
         << ", \"end\": " << quoted(row.end) << ", \"steps\": [";
    for (std::size_t i = 0; i < row.steps.size(); ++i) {
        text << (i == 0 ? "" : ", ") << "{\"idle\": " << row.steps[i].idle
             << ", \"us_per_echo\": " << row.steps[i].cost << '}';
    }
    text << "]}";
    return text.str();
}

cxxopts::Options describe_options() {
    cxxopts::Options options(
        "idle-clients",
        "What an echo costs a server beside idle clients.\n"
        "A SERVER is a program, with arguments where they are quoted: \"build/bin/53-per-core "
        "--workers 1\".\n");
    options.positional_help("SERVER...");
    options.add_options("servers")("servers", "", cxxopts::value<std::vector<std::string>>());
    options.add_options()(
        "steps", "how many clients are idle, one number after the other",
        cxxopts::value<std::vector<std::size_t>>()->default_value("0,10,100,1000,3000,10000"),
        "COUNT,COUNT")("core",
                       "the processor for server and load (default: the last "
                       "one)",
                       cxxopts::value<int>(), "NUMBER")("json", "where to write the figures, too",
                                                        cxxopts::value<std::string>(),
                                                        "FILE")("help", "print this");
    options.parse_positional({"servers"});
    return options;
}

/// Throws std::invalid_argument when the values make no sense.
Settings read_settings(const cxxopts::ParseResult& given) {
    Settings settings;
    if (given.count("servers") == 0) {
        throw std::invalid_argument("a server is to be named");
    }
    settings.servers = given["servers"].as<std::vector<std::string>>();
    settings.steps = given["steps"].as<std::vector<std::size_t>>();
    if (!std::is_sorted(settings.steps.begin(), settings.steps.end())) {
        throw std::invalid_argument("the steps must grow");
    }
    settings.processor =
        given.count("core") > 0 ? given["core"].as<int>() : allowed_processors().back();
    settings.json_path = given.count("json") > 0 ? given["json"].as<std::string>() : "";
    return settings;
}

int run(const Settings& settings) {
    note_interruptions();
    require_descriptors(1, settings.steps.back() + 1);
    require_ports(settings.steps.back() + 1);
    // On two processors the figures would be those of waking up an idle one, which is none of the
    // servers' doing.
    stay_on_processor(settings.processor);
    std::printf("%s, %s, %s; server and load on processor %d\n", kernel().c_str(),
                processor_model().c_str(), today().c_str(), settings.processor);
    std::printf("microseconds of the server's processor time for an echo of 64 bytes, beside\n");
    std::printf("%-30s", "");
    for (const std::size_t step : settings.steps) {
        std::printf(" %9zu", step);
    }
    std::printf("   idle clients\n");
    std::string json;
    try {
        for (const std::string& command : settings.servers) {
            const Row row = measure(command, settings);
            print(row);
            json += (json.empty() ? "" : ",\n ") + json_of(row);
        }
    } catch (const Interrupted&) {
        return 130;
    }
    if (!settings.json_path.empty()) {
        write_file(settings.json_path, "[" + json + "]\n");
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return run_tool("idle-clients", describe_options(), argc, argv, read_settings, run);
}
