// What servers ask of the kernel and of the heap for each message: system calls and allocations.
//
// Counts need no quiet machine. Those of calls do depend on how many messages a server finds when
// it wakes up, and so on the number of connections and, a little, on the machine.

#include <chrono>
#include <cstdio>
#include <cxxopts.hpp>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/circumstances.hpp"
#include "bench/interrupt.hpp"
#include "bench/json.hpp"
#include "bench/limits.hpp"
#include "bench/measured_server.hpp"
#include "bench/per_message.hpp"
#include "bench/tool.hpp"

namespace {

struct Settings {
    std::vector<std::string> servers;
    LoadSettings load;
    std::chrono::milliseconds slice{500};
    int processor = 0;
    std::string json_path;
};

struct Row {
    std::string command;
    MessageCounts counts;
};

cxxopts::Options describe_options() {
    cxxopts::Options options("count-per-message",
                             "System calls and heap allocations of servers for each message.\n"
                             "A server is a program, with arguments where they are quoted: "
                             "\"build/bin/05-prefork --workers 50\".\n");
    options.positional_help("SERVER...");
    options.add_options()("connections", "to each server",
                          cxxopts::value<std::size_t>()->default_value("50"), "COUNT")(
        "size", "of a message, in bytes", cxxopts::value<std::size_t>()->default_value("64"),
        "BYTES")("slice", "for how long is counted", cxxopts::value<int>()->default_value("500"),
                 "MILLISECONDS")(
        "core", "the processor for server and load (default: the last one)", cxxopts::value<int>(),
        "NUMBER")("json", "where to write the counts, too", cxxopts::value<std::string>(), "FILE")(
        "help", "print this");
    return options;
}

Settings read_settings(const cxxopts::ParseResult& given) {
    Settings settings;
    settings.servers = given.unmatched();
    settings.load.connections = given["connections"].as<std::size_t>();
    settings.load.message_size = given["size"].as<std::size_t>();
    settings.slice = std::chrono::milliseconds{given["slice"].as<int>()};
    settings.processor =
        given.count("core") > 0 ? given["core"].as<int>() : allowed_processors().back();
    settings.json_path = given.count("json") > 0 ? given["json"].as<std::string>() : "";
    if (settings.servers.empty()) {
        throw std::invalid_argument("no server is named");
    }
    if (settings.load.connections == 0 || settings.load.message_size == 0 ||
        settings.slice < std::chrono::milliseconds{10}) {
        throw std::invalid_argument("connections and size are 1 at least, and a slice is 10 ms");
    }
    return settings;
}

void print_head(const Settings& settings) {
    std::printf(
        "%zu bytes a message, closed loop, %lld ms; server and load on processor %d\n"
        "%s, %s\n\n"
        "                 calls  allocations    wrong\n"
        "connections  a message    a message    bytes  counted with  server\n",
        settings.load.message_size, static_cast<long long>(settings.slice.count()),
        settings.processor, kernel().c_str(), today().c_str());
}

void print_row(const Row& row, const Settings& settings) {
    const MessageCounts& counts = row.counts;
    char allocations[16] = "unknown";
    if (counts.allocations) {
        std::snprintf(allocations, sizeof allocations, "%.3f",
                      counts.per_message(*counts.allocations));
    }
    std::printf("%11zu %10.3f %12s %8llu  %-12s  %s\n", settings.load.connections,
                counts.per_message(counts.calls), allocations,
                static_cast<unsigned long long>(counts.wrong_bytes),
                counts.calls_counted_with.c_str(), row.command.c_str());
    std::fflush(stdout);
}

std::string json_of(const Row& row, const Settings& settings) {
    const MessageCounts& counts = row.counts;
    std::ostringstream text;
    text << "  {\"command\": " << quoted(row.command)
         << ", \"connections\": " << settings.load.connections
         << ", \"message_bytes\": " << settings.load.message_size
         << ", \"calls_per_message\": " << counts.per_message(counts.calls)
         << ", \"allocations_per_message\": ";
    if (counts.allocations) {
        text << counts.per_message(*counts.allocations);
    } else {
        text << "null";
    }
    text << ", \"wrong_bytes\": " << counts.wrong_bytes
         << ", \"calls_counted_with\": " << quoted(counts.calls_counted_with) << "}";
    return text.str();
}

void write_json(const std::vector<Row>& rows, const Settings& settings) {
    std::string text;
    for (const Row& row : rows) {
        text += (text.empty() ? "" : ",\n") + json_of(row, settings);
    }
    write_file(settings.json_path, "[\n" + text + "\n]\n");
}

/// A server that fails is said to have failed, and the next one's turn comes.
int run(const Settings& settings) {
    note_interruptions();
    require_descriptors(1, settings.load.connections);
    require_ports(settings.load.connections);
    stay_on_processor(settings.processor);  // A child of ours inherits it.
    print_head(settings);
    std::vector<Row> rows;
    int status = 0;
    try {
        for (const std::string& server : settings.servers) {
            try {
                rows.push_back({server, count_per_message(server, settings.load, settings.slice)});
            } catch (const std::exception& error) {
                std::cerr << "error: " << error.what() << '\n';
                status = 1;
                continue;
            }
            print_row(rows.back(), settings);
            if (rows.back().counts.wrong_bytes > 0) {
                status = 1;
            }
        }
    } catch (const Interrupted&) {
        status = 130;
    }
    if (!settings.json_path.empty()) {
        write_json(rows, settings);
    }
    return status;
}

}  // namespace

int main(int argc, char** argv) {
    return run_tool("count-per-message", describe_options(), argc, argv, read_settings, run);
}
