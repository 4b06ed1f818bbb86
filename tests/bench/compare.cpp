// What two servers cost, in processor time for each message, on a machine that others use, too.
//
// An absolute figure moves by tens of percent from minute to minute: other work, the host's other
// guests, warm or cold caches. So nothing here compares figures that were not taken within the same
// second. Both servers stay up, each with its own connections, and slices of load alternate
// A B B A; each two neighbours are a pair and give one ratio, and what is reported is the median
// of the ratios with its interval. The same is done with two processes of A, in turn with the
// others: this null tells by how much two servers seem to differ that are the same program.

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <cxxopts.hpp>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "bench/circumstances.hpp"
#include "bench/disturbance.hpp"
#include "bench/interrupt.hpp"
#include "bench/json.hpp"
#include "bench/limits.hpp"
#include "bench/load.hpp"
#include "bench/measured_server.hpp"
#include "bench/statistics.hpp"
#include "bench/system_calls.hpp"
#include "bench/tool.hpp"
#include "check.hpp"

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using Microseconds = std::chrono::duration<double, std::micro>;

/// Other work may take this share of a processor during a pair that counts, and the hypervisor that
/// one.
constexpr double most_of_others = 0.10;
constexpr double most_stolen = 0.05;

/// After a pair that was disturbed; after each further one in a row it is as much longer, up to the
/// longest. What disturbed it is over soon (a command), or takes its time (a build).
constexpr milliseconds pause_after_disturbance{200};
constexpr milliseconds longest_pause{3000};

/// A server that has sent its last echo goes back to sleep within this time.
constexpr milliseconds time_to_rest{2};

struct Settings {
    std::string a;
    std::string b;
    LoadSettings load;
    std::size_t pairs = 14;
    std::size_t repeats = 42;  ///< of disturbed pairs, at the most
    milliseconds slice{500};
    int server_processor = 0;
    int load_processor = 0;
    bool with_null = true;
    bool with_calls = false;
    std::size_t idle_clients = 0;  ///< above 0: memory is measured instead
    std::string json_path;
};

/// What a user of the server would see in one slice.
struct SliceFigures {
    double messages_per_second;
    Microseconds p50;
    Microseconds p99;
    Microseconds p999;
};

/// One server with its connections, and what has been measured of it.
struct Side {
    explicit Side(const std::string& command) : server(command) {}

    MeasuredServer server;
    std::optional<Load> load;
    bool spins = false;
    std::vector<double> costs;  ///< microseconds of processor time a message, one for each slice
    std::vector<double> load_costs;  ///< the same of the load
    std::vector<SliceFigures> slices;
    LoadResult sum;               ///< of those slices
    std::optional<double> calls;  ///< a message
};

/// Pairs of the same two servers.
struct Series {
    std::vector<double> ratios;  ///< the cost of the second server by that of the first
    /// The same with the load's part of the cost: on one machine the kernel's work for a message is
    /// charged to whoever happens to run, and one server may leave more of it to the load.
    std::vector<double> whole_ratios;
    std::vector<double> disturbed;  ///< thrown away: the shares that others took of the processor
    std::vector<double> stolen;     ///< thrown away: the shares that the hypervisor took
};

struct Outcome {
    std::unique_ptr<Side> a;
    std::unique_ptr<Side> b;
    std::unique_ptr<Side> second_a;
    Series difference;
    Series null;
    std::string calls_method;
    bool is_interrupted = false;
    bool is_complete = true;
};

nanoseconds own_processor_time() {
    timespec time{};
    check(::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time), "clock_gettime");
    return std::chrono::seconds{time.tv_sec} + nanoseconds{time.tv_nsec};
}

// --- Measuring
// ------------------------------------------------------------------------------------

std::unique_ptr<Side> start(const std::string& command, const Settings& settings) {
    stay_on_processor(settings.server_processor);  // A child of ours inherits it.
    auto side = std::make_unique<Side>(command);
    stay_on_processor(settings.load_processor);
    side->server.raise_descriptor_limit();
    return side;
}

/// What went wrong, with the server's name and what it has to say.
std::runtime_error failure_of(const Side& side, const std::exception& error) {
    const std::string words = side.server.diagnostics();
    return std::runtime_error(side.server.command() + ": " + error.what() +
                              (words.empty() ? "" : "\nIt has written to stderr:\n" + words));
}

/// Connects, and lets caches and buffers get to know the load.
void warm_up(Side& side, const Settings& settings) {
    try {
        side.load.emplace(side.server.endpoint(), settings.load);
        side.sum.wrong_bytes += side.load->run(settings.slice / 2).wrong_bytes;
    } catch (const std::exception& error) {
        throw failure_of(side, error);
    }
    side.spins = side.server.spins();
    if (side.spins) {
        side.server.stop();
    }
}

struct Slice {
    LoadResult load;
    double cost = 0;       ///< microseconds of the server's processor time a message
    double load_cost = 0;  ///< the same of the load
};

/// One slice of load. The server's clock is read when it has nothing to do.
Slice measure_slice(Side& side, const Settings& settings) {
    if (side.spins) {
        side.server.go_on();
    }
    std::this_thread::sleep_for(time_to_rest);
    const nanoseconds before = side.server.processor_time();
    const nanoseconds load_before = own_processor_time();
    Slice slice;
    try {
        slice.load = side.load->run(settings.slice);
    } catch (const std::exception& error) {
        throw failure_of(side, error);
    }
    const Microseconds used_by_load = own_processor_time() - load_before;
    if (!side.spins) {
        std::this_thread::sleep_for(time_to_rest);
    }
    const Microseconds used = side.server.processor_time() - before;
    if (side.spins) {
        side.server.stop();
    }
    const auto messages = static_cast<double>(std::max<std::uint64_t>(1, slice.load.messages));
    slice.cost = used.count() / messages;
    slice.load_cost = used_by_load.count() / messages;
    return slice;
}

void keep(Side& side, const Slice& slice) {
    side.costs.push_back(slice.cost);
    side.load_costs.push_back(slice.load_cost);
    const LatencyHistogram& latency = slice.load.latency;
    side.slices.push_back({static_cast<double>(slice.load.messages) /
                               std::chrono::duration<double>(slice.load.elapsed).count(),
                           latency.percentile(50), latency.percentile(99),
                           latency.percentile(99.9)});
    side.sum.messages += slice.load.messages;
    side.sum.bytes += slice.load.bytes;
    side.sum.unsent += slice.load.unsent;
    side.sum.elapsed += slice.load.elapsed;
    side.sum.latency.add(slice.load.latency);
}

nanoseconds servers_processor_time(const Outcome& outcome) {
    nanoseconds sum{0};
    for (const auto* side : {&outcome.a, &outcome.b, &outcome.second_a}) {
        if (*side != nullptr) {
            sum += (*side)->server.processor_time();
        }
    }
    return sum;
}

/// The shares of the more disturbed one of the processors that are in use.
class PairWatch {
public:
    PairWatch(const Outcome& outcome, const Settings& settings)
        : outcome_(outcome),
          is_one_processor_(settings.server_processor == settings.load_processor),
          server_(settings.server_processor, own_on_servers_processor()),
          load_(settings.load_processor, own_on_loads_processor()) {}

    void finish() {
        const ProcessorUse server = server_.use(own_on_servers_processor());
        const ProcessorUse load = load_.use(own_on_loads_processor());
        others = std::max(server.share_of_others(), load.share_of_others());
        stolen = std::max(server.share_stolen(), load.share_stolen());
    }

    double others = 0;
    double stolen = 0;

private:
    nanoseconds own_on_servers_processor() const {
        const nanoseconds servers = servers_processor_time(outcome_);
        return is_one_processor_ ? servers + own_processor_time() : servers;
    }

    nanoseconds own_on_loads_processor() const {
        return is_one_processor_ ? own_on_servers_processor() : own_processor_time();
    }

    const Outcome& outcome_;
    bool is_one_processor_;
    ProcessorWatch server_;
    ProcessorWatch load_;
};

/// Shows on a terminal how far it is; a line that the next one overwrites.
void show_progress(const std::string& text) {
    if (::isatty(STDERR_FILENO) == 1) {
        std::fprintf(stderr, "\r\033[K%s", text.c_str());
    }
}

/// One pair, the second server first where `is_reversed`. Returns false when it was disturbed and
/// nothing of it was kept.
bool measure_pair(const Outcome& outcome, Series& series, Side& first, Side& second,
                  bool is_reversed, const Settings& settings) {
    PairWatch watch(outcome, settings);
    Slice of_first;
    Slice of_second;
    if (is_reversed) {
        of_second = measure_slice(second, settings);
        of_first = measure_slice(first, settings);
    } else {
        of_first = measure_slice(first, settings);
        of_second = measure_slice(second, settings);
    }
    watch.finish();
    // Bytes that are wrong are wrong, whoever else was at work.
    first.sum.wrong_bytes += of_first.load.wrong_bytes;
    second.sum.wrong_bytes += of_second.load.wrong_bytes;
    if (watch.stolen > most_stolen) {
        series.stolen.push_back(watch.stolen);
        return false;
    }
    if (watch.others > most_of_others) {
        series.disturbed.push_back(watch.others);
        return false;
    }
    keep(first, of_first);
    keep(second, of_second);
    series.ratios.push_back(of_second.cost / of_first.cost);
    series.whole_ratios.push_back((of_second.cost + of_second.load_cost) /
                                  (of_first.cost + of_first.load_cost));
    return true;
}

/// A message on each connection: from `deadlines` on a server gives clients up that have not been
/// heard of for a while, and pairs may have to be repeated for longer than that.
void keep_connections(const Outcome& outcome) {
    for (const auto* side : {&outcome.a, &outcome.b, &outcome.second_a}) {
        if (*side != nullptr && !(*side)->spins) {
            try {
                (*side)->sum.wrong_bytes += (*side)->load->run(nanoseconds{0}).wrong_bytes;
            } catch (const std::exception& error) {
                throw failure_of(**side, error);
            }
        }
    }
}

/// A B, B A, and with the null A A', A' A; then again.
///
/// Others' work comes in bouts that spoil many pairs in a row, so how many were thrown away of the
/// one series and of the other says nothing of the servers.
void measure_pairs(Outcome& outcome, const Settings& settings) {
    std::size_t repeats_left = settings.repeats;
    const auto measure_until_kept = [&](Series& series, Side& second, bool is_reversed) {
        milliseconds pause{0};
        while (!measure_pair(outcome, series, *outcome.a, second, is_reversed, settings)) {
            if (repeats_left == 0) {
                return false;
            }
            --repeats_left;
            pause = std::min(pause + pause_after_disturbance, longest_pause);
            std::this_thread::sleep_for(pause);
            keep_connections(outcome);
        }
        return true;
    };
    while (outcome.difference.ratios.size() < settings.pairs) {
        for (Series* series : {&outcome.difference, &outcome.null}) {
            Side* second = series == &outcome.null ? outcome.second_a.get() : outcome.b.get();
            for (const bool is_reversed : {false, true}) {
                if (second == nullptr || series->ratios.size() == settings.pairs) {
                    continue;
                }
                show_progress("pair " + std::to_string(outcome.difference.ratios.size() + 1) +
                              " of " + std::to_string(settings.pairs) +
                              ", thrown away: " + std::to_string(settings.repeats - repeats_left));
                if (!measure_until_kept(*series, *second, is_reversed)) {
                    outcome.is_complete = false;
                    return;
                }
            }
        }
    }
}

/// A slice of its own, since counting slows the server a little (and strace a lot).
void count_calls(Side& side, Outcome& outcome, const Settings& settings) {
    if (side.spins) {
        side.server.go_on();
    }
    SystemCallCounter counter(side.server);
    const LoadResult result = side.load->run(settings.slice);
    side.sum.wrong_bytes += result.wrong_bytes;
    side.calls = static_cast<double>(counter.finish()) /
                 static_cast<double>(std::max<std::uint64_t>(1, result.messages));
    outcome.calls_method = counter.method();
    if (side.spins) {
        side.server.stop();
    }
}

void compare(Outcome& outcome, const Settings& settings) {
    const std::size_t servers = settings.with_null ? 3 : 2;
    require_descriptors(servers, settings.load.connections);
    require_ports(settings.load.connections);
    try {
        outcome.a = start(settings.a, settings);
        outcome.b = start(settings.b, settings);
        if (settings.with_null) {
            outcome.second_a = start(settings.a, settings);
        }
        for (const auto* side : {&outcome.a, &outcome.b, &outcome.second_a}) {
            if (*side != nullptr) {
                show_progress("connecting to " + (*side)->server.command());
                warm_up(**side, settings);
            }
        }
        measure_pairs(outcome, settings);
        if (settings.with_calls) {
            count_calls(*outcome.a, outcome, settings);
            count_calls(*outcome.b, outcome, settings);
        }
    } catch (const Interrupted&) {
        outcome.is_interrupted = true;
        outcome.is_complete = false;
    } catch (...) {
        show_progress("");
        throw;
    }
    show_progress("");
}

// --- Reports
// --------------------------------------------------------------------------------------

double messages_a_second(const Side& side) {
    return static_cast<double>(side.sum.messages) /
           std::chrono::duration<double>(side.sum.elapsed).count();
}

double percentile(const Side& side, double percent) {
    return Microseconds(side.sum.latency.percentile(percent)).count();
}

void print_side(const char* name, const Side& side) {
    if (side.costs.empty()) {
        return;
    }
    char calls[16] = "-";
    if (side.calls) {
        std::snprintf(calls, sizeof calls, "%.2f", *side.calls);
    }
    std::printf("%-3s %10.2f %10.2f %10s %12.0f %8.0f %8.0f %8.0f   %s\n", name, median(side.costs),
                median(side.load_costs), calls, messages_a_second(side), percentile(side, 50),
                percentile(side, 99), percentile(side, 99.9), side.server.command().c_str());
}

void print_ratio(const std::vector<double>& ratios) {
    std::printf("%.3f", median(ratios));
    if (const std::optional<Interval> interval = median_interval(ratios)) {
        std::printf(" (95%%: %.3f to %.3f)", interval->low, interval->high);
    } else {
        std::printf(" (too few pairs for an interval)");
    }
}

void print_series(const char* name, const Series& series) {
    std::printf("%-5s", name);
    if (series.ratios.empty()) {
        std::printf("no pair");
    } else {
        print_ratio(series.ratios);
        std::printf("; with the load's part ");
        print_ratio(series.whole_ratios);
        std::printf("; %zu pair%s", series.ratios.size(), series.ratios.size() == 1 ? "" : "s");
    }
    std::printf(", %zu thrown away", series.disturbed.size() + series.stolen.size());
    if (!series.disturbed.empty()) {
        std::printf(" (%zu for others' work, %.0f%% in the median)", series.disturbed.size(),
                    100 * median(series.disturbed));
    }
    if (!series.stolen.empty()) {
        std::printf(" (%zu for stolen time, %.0f%% in the median)", series.stolen.size(),
                    100 * median(series.stolen));
    }
    std::printf("\n");
}

/// In words what two intervals say, where there are both.
void print_verdict(const char* subject, const std::vector<double>& ratios,
                   const std::vector<double>& null_ratios) {
    const auto difference = median_interval(ratios);
    const auto null = median_interval(null_ratios);
    if (!difference || !null) {
        return;
    }
    if (difference->high < null->low) {
        std::printf("%s: B costs less than A; its interval is below that of a second A.\n",
                    subject);
    } else if (difference->low > null->high) {
        std::printf("%s: B costs more than A; its interval is above that of a second A.\n",
                    subject);
    } else {
        std::printf("%s: no difference is shown; B's interval overlaps that of a second A.\n",
                    subject);
    }
}

std::string describe_load(const LoadSettings& load) {
    std::ostringstream text;
    text << load.connections << (load.connections == 1 ? " connection" : " connections")
         << (load.reconnects ? " at a time, a new one for each message, " : ", ")
         << load.message_size << (load.message_size == 1 ? " byte" : " bytes") << " a message, ";
    if (load.rate == 0) {
        text << "closed loop";
    } else {
        text << load.rate << " messages a second";
    }
    return text.str();
}

std::string describe_processors(const Settings& settings) {
    if (settings.server_processor == settings.load_processor) {
        return "server and load on processor " + std::to_string(settings.server_processor);
    }
    return "server on processor " + std::to_string(settings.server_processor) + ", load on " +
           std::to_string(settings.load_processor);
}

void print_report(const Outcome& outcome, const Settings& settings) {
    std::printf("%s; slices of %lld ms; %s\n", describe_load(settings.load).c_str(),
                static_cast<long long>(settings.slice.count()),
                describe_processors(settings).c_str());
    std::printf("%s, %s, %s\n\n", kernel().c_str(), processor_model().c_str(), today().c_str());
    if (outcome.is_interrupted) {
        std::printf("Interrupted; this is what there is.\n");
    } else if (!outcome.is_complete) {
        std::printf("The machine was too busy: after %zu repeats this is what there is.\n",
                    settings.repeats);
    }
    std::printf("%-3s %21s %10s %12s %8s %8s %8s\n", "", "us of CPU a message:", "calls",
                "messages", "p50", "p99", "p99.9");
    std::printf("%-3s %10s %10s %10s %12s %8s %8s %8s\n", "", "server", "load", "a message",
                "a second", "us", "us", "us");
    const std::array<std::pair<const char*, const Side*>, 3> sides{
        {{"A", outcome.a.get()}, {"B", outcome.b.get()}, {"A'", outcome.second_a.get()}}};
    std::uint64_t wrong_bytes = 0;
    std::uint64_t unsent = 0;
    std::uint64_t messages = 0;
    for (const auto& [name, side] : sides) {
        if (side != nullptr) {
            print_side(name, *side);
            wrong_bytes += side->sum.wrong_bytes;
            unsent += side->sum.unsent;
            messages += side->sum.messages;
        }
    }
    std::printf("\n");
    print_series("B/A", outcome.difference);
    if (settings.with_null) {
        print_series("A'/A", outcome.null);
        print_verdict("The server alone", outcome.difference.ratios, outcome.null.ratios);
        print_verdict("Server and load", outcome.difference.whole_ratios,
                      outcome.null.whole_ratios);
    }
    if (outcome.calls_method == "strace") {
        std::printf("System calls were counted with strace, which slows a server down.\n");
    }
    // One or two at the end of a slice are due and not sent yet.
    if (unsent * 100 > messages) {
        std::printf("%llu messages fell due and found no free connection: too high a --rate.\n",
                    static_cast<unsigned long long>(unsent));
    }
    if (wrong_bytes > 0) {
        std::printf("WRONG BYTES: %llu. One of the servers does not echo what it was sent.\n",
                    static_cast<unsigned long long>(wrong_bytes));
    }
}

std::string json_list(const std::vector<double>& values) {
    std::ostringstream text;
    text << '[';
    for (std::size_t i = 0; i < values.size(); ++i) {
        text << (i == 0 ? "" : ", ") << values[i];
    }
    text << ']';
    return text.str();
}

std::string json_of(const Side& side) {
    std::ostringstream text;
    text << "{\"command\": " << quoted(side.server.command());
    if (!side.costs.empty()) {
        text << ", \"us_per_message\": " << median(side.costs)
             << ", \"load_us_per_message\": " << median(side.load_costs)
             << ", \"messages_per_second\": " << messages_a_second(side)
             << ", \"p50_us\": " << percentile(side, 50) << ", \"p99_us\": " << percentile(side, 99)
             << ", \"p999_us\": " << percentile(side, 99.9);
    }
    if (side.calls) {
        text << ", \"calls_per_message\": " << *side.calls;
    }
    text << ", \"messages\": " << side.sum.messages << ", \"unsent\": " << side.sum.unsent
         << ", \"wrong_bytes\": " << side.sum.wrong_bytes
         << ", \"slices_us_per_message\": " << json_list(side.costs) << ", \"slices\": [";
    for (std::size_t i = 0; i < side.slices.size(); ++i) {
        const SliceFigures& slice = side.slices[i];
        text << (i == 0 ? "" : ", ") << "{\"messages_per_second\": " << slice.messages_per_second
             << ", \"p50_us\": " << slice.p50.count() << ", \"p99_us\": " << slice.p99.count()
             << ", \"p999_us\": " << slice.p999.count() << '}';
    }
    text << "]}";
    return text.str();
}

/// `"NAME": {"median": 1, "low": 0.9, "high": 1.1, "ratios": [...]}`
std::string json_of(const char* name, const std::vector<double>& ratios) {
    std::ostringstream text;
    text << '"' << name << "\": {";
    if (!ratios.empty()) {
        text << "\"median\": " << median(ratios) << ", ";
    }
    if (const std::optional<Interval> interval = median_interval(ratios)) {
        text << "\"low\": " << interval->low << ", \"high\": " << interval->high << ", ";
    }
    text << "\"ratios\": " << json_list(ratios) << '}';
    return text.str();
}

std::string json_of(const Series& series) {
    std::ostringstream text;
    text << '{' << json_of("server", series.ratios) << ", "
         << json_of("server_and_load", series.whole_ratios)
         << ", \"disturbed\": " << json_list(series.disturbed)
         << ", \"stolen\": " << json_list(series.stolen) << '}';
    return text.str();
}

void write_json(const Outcome& outcome, const Settings& settings) {
    std::ostringstream file;
    file << "{\n  \"kernel\": " << quoted(kernel())
         << ",\n  \"processor\": " << quoted(processor_model())
         << ",\n  \"date\": " << quoted(today())
         << ",\n  \"connections\": " << settings.load.connections
         << ",\n  \"message_bytes\": " << settings.load.message_size
         << ",\n  \"rate\": " << settings.load.rate
         << ",\n  \"reconnects\": " << (settings.load.reconnects ? "true" : "false")
         << ",\n  \"slice_ms\": " << settings.slice.count()
         << ",\n  \"server_processor\": " << settings.server_processor
         << ",\n  \"load_processor\": " << settings.load_processor
         << ",\n  \"complete\": " << (outcome.is_complete ? "true" : "false");
    if (!outcome.calls_method.empty()) {
        file << ",\n  \"calls_counted_with\": " << quoted(outcome.calls_method);
    }
    const std::array<std::pair<const char*, const Side*>, 3> sides{
        {{"a", outcome.a.get()}, {"b", outcome.b.get()}, {"second_a", outcome.second_a.get()}}};
    for (const auto& [name, side] : sides) {
        if (side != nullptr) {
            file << ",\n  \"" << name << "\": " << json_of(*side);
        }
    }
    file << ",\n  \"b_by_a\": " << json_of(outcome.difference);
    if (settings.with_null) {
        file << ",\n  \"null\": " << json_of(outcome.null);
    }
    file << "\n}\n";
    write_file(settings.json_path, file.str());
}

// --- Memory
// ---------------------------------------------------------------------------------------

std::string json_of_memory(const std::string& command, double bytes_per_client,
                           const Settings& settings) {
    std::ostringstream text;
    text << "{\"command\": " << quoted(command) << ", \"clients\": " << settings.idle_clients
         << ", \"bytes_per_client\": " << bytes_per_client << ", \"date\": " << quoted(today())
         << '}';
    return text.str();
}

struct Memory {
    std::uint64_t before = 0;  ///< bytes, with one client
    std::uint64_t after = 0;   ///< with all of them
    double for_each = 0;       ///< bytes
};

/// The memory of a server with one client and with many, each of which has had an echo.
Memory measure_memory(const std::string& command, const Settings& settings) {
    const std::unique_ptr<Side> side = start(command, settings);
    try {
        Memory memory;
        const Load one(side->server.endpoint(), {.connections = 1});
        memory.before = side->server.anonymous_bytes();
        const Load all(side->server.endpoint(), {.connections = settings.idle_clients});
        memory.after = side->server.anonymous_bytes();
        memory.for_each = (static_cast<double>(memory.after) - static_cast<double>(memory.before)) /
                          static_cast<double>(settings.idle_clients);
        return memory;
    } catch (const std::exception& error) {
        throw failure_of(*side, error);
    }
}

int compare_memory(const Settings& settings) {
    require_descriptors(1, settings.idle_clients);
    require_ports(settings.idle_clients);
    std::printf(
        "%zu idle clients, each after one echo of 64 bytes; anonymous memory in RAM\n%s, %s\n\n",
        settings.idle_clients, kernel().c_str(), today().c_str());
    std::printf("%12s %12s %12s\n", "bytes for", "KiB with", "KiB with");
    std::printf("%12s %12s %12s\n", "each of them", "one client", "all of them");
    std::string json;
    try {
        for (const std::string& command : {settings.a, settings.b}) {
            if (command.empty()) {
                continue;
            }
            const Memory memory = measure_memory(command, settings);
            std::printf("%12.0f %12llu %12llu   %s\n", memory.for_each,
                        static_cast<unsigned long long>(memory.before / 1024),
                        static_cast<unsigned long long>(memory.after / 1024), command.c_str());
            std::fflush(stdout);
            json +=
                (json.empty() ? "" : ",\n ") + json_of_memory(command, memory.for_each, settings);
        }
    } catch (const Interrupted&) {
        return 130;
    }
    if (!settings.json_path.empty()) {
        write_file(settings.json_path, "[" + json + "]\n");
    }
    return 0;
}

// --- The command line
// -----------------------------------------------------------------------------

cxxopts::Options describe_options() {
    cxxopts::Options options("compare",
                             "What two servers cost, in processor time for each message.\n"
                             "A and B are programs, with arguments where they are quoted: "
                             "\"build/bin/05-prefork --workers 50\".\n");
    options.positional_help("A B");
    options.add_options("servers")("a", "", cxxopts::value<std::string>()->default_value(""))(
        "b", "", cxxopts::value<std::string>()->default_value(""));
    options.add_options()("connections", "to each server",
                          cxxopts::value<std::size_t>()->default_value("50"),
                          "COUNT")("size", "of a message, in bytes",
                                   cxxopts::value<std::size_t>()->default_value("64"), "BYTES")(
        "rate",
        "messages a second over all connections; 0: each connection sends its next message when "
        "it has the last one back",
        cxxopts::value<double>()->default_value("0"),
        "COUNT")("reconnect", "a connection for each message: connect, one echo, close")(
        "pairs", "of slices, one on each server",
        cxxopts::value<std::size_t>()->default_value("14"),
        "COUNT")("repeats", "of disturbed pairs, at the most (default: three for each pair)",
                 cxxopts::value<std::size_t>(), "COUNT")(
        "slice", "how long one lasts", cxxopts::value<int>()->default_value("500"), "MILLISECONDS")(
        "core", "the processor for servers and load (default: the last one)", cxxopts::value<int>(),
        "NUMBER")("cores", "one for the servers and one for the load",
                  cxxopts::value<std::vector<int>>(),
                  "NUMBER,NUMBER")("no-null", "without a second process of A")(
        "calls", "count system calls, in a slice of their own at the end")(
        "memory", "instead of all this: the memory of A (and B) for each of so many idle clients",
        cxxopts::value<std::size_t>(),
        "COUNT")("json", "where to write the figures, too", cxxopts::value<std::string>(), "FILE")(
        "help", "print this");
    options.parse_positional({"a", "b"});
    return options;
}

/// Throws std::invalid_argument when the values make no sense.
Settings read_settings(const cxxopts::ParseResult& given) {
    Settings settings;
    settings.a = given["a"].as<std::string>();
    settings.b = given["b"].as<std::string>();
    settings.load = {.connections = given["connections"].as<std::size_t>(),
                     .message_size = given["size"].as<std::size_t>(),
                     .rate = given["rate"].as<double>(),
                     .reconnects = given.count("reconnect") > 0};
    settings.pairs = given["pairs"].as<std::size_t>();
    settings.repeats =
        given.count("repeats") > 0 ? given["repeats"].as<std::size_t>() : 3 * settings.pairs;
    settings.slice = milliseconds{given["slice"].as<int>()};
    settings.server_processor = settings.load_processor = allowed_processors().back();
    if (given.count("core") > 0) {
        settings.server_processor = settings.load_processor = given["core"].as<int>();
    }
    if (given.count("cores") > 0) {
        const auto two = given["cores"].as<std::vector<int>>();
        if (two.size() != 2 || given.count("core") > 0) {
            throw std::invalid_argument(
                "--cores takes two numbers, as in --cores 0,1, and no --core");
        }
        settings.server_processor = two[0];
        settings.load_processor = two[1];
    }
    settings.with_null = given.count("no-null") == 0;
    settings.with_calls = given.count("calls") > 0;
    settings.idle_clients = given.count("memory") > 0 ? given["memory"].as<std::size_t>() : 0;
    settings.json_path = given.count("json") > 0 ? given["json"].as<std::string>() : "";
    if (settings.a.empty() || (settings.b.empty() && settings.idle_clients == 0)) {
        throw std::invalid_argument("two servers are to be named");
    }
    if (settings.load.connections == 0 || settings.load.message_size == 0 || settings.pairs == 0 ||
        settings.slice < milliseconds{10} || !(settings.load.rate >= 0)) {
        throw std::invalid_argument(
            "connections, size and pairs are 1 at least, a slice is 10 ms, and no rate is below 0");
    }
    if (!given.unmatched().empty()) {
        throw std::invalid_argument("what is '" + given.unmatched().front() + "'?");
    }
    return settings;
}

int run(const Settings& settings) {
    note_interruptions();
    if (settings.idle_clients > 0) {
        return compare_memory(settings);
    }
    Outcome outcome;
    compare(outcome, settings);
    print_report(outcome, settings);
    if (!settings.json_path.empty()) {
        write_json(outcome, settings);
    }
    if (outcome.is_interrupted) {
        return 130;
    }
    for (const auto* side : {&outcome.a, &outcome.b, &outcome.second_a}) {
        if (*side != nullptr && (*side)->sum.wrong_bytes > 0) {
            return 1;
        }
    }
    return outcome.is_complete ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    return run_tool("compare", describe_options(), argc, argv, read_settings, run);
}
