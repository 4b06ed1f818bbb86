// What a coroutine costs, apart from any network: an operation that does nothing (IORING_OP_NOP),
// again and again, as a bare loop over the ring, with a callback, awaited, and inside a Task. All
// of it on the engine of `drain`, or on a ring that is made as its own is.

#include <liburing.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <cstdio>
#include <cstdlib>
#include <cxxopts.hpp>
#include <functional>
#include <iostream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bench/circumstances.hpp"
#include "bench/json.hpp"
#include "bench/measured_server.hpp"
#include "bench/statistics.hpp"
#include "runtime/reactor.hpp"
#include "runtime/ring.hpp"
#include "runtime/ring_setup.hpp"
#include "runtime/task.hpp"

namespace {

constexpr unsigned operations = 256 * 1024;  // in one measurement

struct Settings {
    int measurements = 41;  ///< of each contender, in turns
    int processor = 0;
    std::string json_path;
};

/// A ring without an engine.
class BareRing {
public:
    BareRing() { set_up_ring(256, ring_); }
    ~BareRing() { ::io_uring_queue_exit(&ring_); }
    BareRing(const BareRing&) = delete;
    BareRing& operator=(const BareRing&) = delete;

    io_uring* get() { return &ring_; }

    void submit_nop(void* user_data) {
        io_uring_sqe* entry = ::io_uring_get_sqe(&ring_);
        ::io_uring_prep_nop(entry);
        ::io_uring_sqe_set_data(entry, user_data);
    }

private:
    io_uring ring_{};
};

/// `at_once` operations in each system call, and nobody to be told of their ends.
void bare_loop(BareRing& ring, unsigned at_once) {
    for (unsigned done = 0; done < operations; done += at_once) {
        for (unsigned i = 0; i < at_once; ++i) {
            ring.submit_nop(nullptr);
        }
        ::io_uring_submit_and_wait(ring.get(), at_once);
        io_uring_cqe* completion = nullptr;
        while (::io_uring_peek_cqe(ring.get(), &completion) == 0) {
            ::io_uring_cqe_seen(ring.get(), completion);
        }
    }
}

/// The same; the end of an operation calls a function, which begins the next one.
void callbacks(BareRing& ring, unsigned at_once) {
    struct Call {
        std::function<void()> at_end;
    };
    std::vector<Call> calls(at_once);
    unsigned begun = 0;
    for (Call& call : calls) {
        call.at_end = [&ring, &begun, &call] {
            if (begun < operations) {
                ++begun;
                ring.submit_nop(&call);
            }
        };
        call.at_end();
    }
    for (unsigned done = 0; done < operations;) {
        ::io_uring_submit_and_wait(ring.get(), 1);
        io_uring_cqe* completion = nullptr;
        while (::io_uring_peek_cqe(ring.get(), &completion) == 0) {
            auto* const call = static_cast<Call*>(::io_uring_cqe_get_data(completion));
            ::io_uring_cqe_seen(ring.get(), completion);
            ++done;
            call->at_end();
        }
    }
}

/// An operation that does nothing.
class Nop : public Submission {
public:
    explicit Nop(Reactor& reactor) : Submission({}), reactor_(reactor) {}
    ~Nop() { reactor_.let_go(*this); }

    bool await_ready() const noexcept { return false; }

    void await_suspend(std::coroutine_handle<> frame) noexcept {
        resume_later(frame);
        reactor_.submit(*this);
    }

    int await_resume() const noexcept { return result(); }

private:
    void describe(io_uring_sqe& entry) override { ::io_uring_prep_nop(&entry); }

    Reactor& reactor_;
};

Task<> await_nops(Reactor& reactor, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
        co_await Nop(reactor);
    }
}

Task<int> nop(Reactor& reactor) {
    co_return co_await Nop(reactor);
}

Task<> await_tasks(Reactor& reactor, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
        co_await nop(reactor);
    }
}

void coroutines(Reactor& reactor, unsigned at_once, Task<> (*work)(Reactor&, unsigned)) {
    for (unsigned i = 0; i < at_once; ++i) {
        reactor.start(work(reactor, operations / at_once));
    }
    reactor.run();
}

/// Nanoseconds for each operation.
double measure(const std::function<void()>& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
    return time.count() / operations;
}

struct Figures {
    const char* name;
    unsigned at_once;
    double nanoseconds;  ///< for each operation
    Interval interval;
};

std::vector<Figures> compare(unsigned at_once, const Settings& settings) {
    BareRing ring;
    Reactor reactor;
    struct Contender {
        const char* name;
        std::function<void()> work;
        std::vector<double> times{};
    };
    std::array<Contender, 4> contenders{{
        {"bare loop", [&] { bare_loop(ring, at_once); }},
        {"callback", [&] { callbacks(ring, at_once); }},
        {"awaiter", [&] { coroutines(reactor, at_once, await_nops); }},
        {"Task", [&] { coroutines(reactor, at_once, await_tasks); }},
    }};
    // In turns, so that whatever slows the machine down for a while slows down all of them.
    for (int i = 0; i < settings.measurements; ++i) {
        for (Contender& contender : contenders) {
            contender.times.push_back(measure(contender.work));
        }
    }
    std::printf("%u in each system call\n", at_once);
    std::vector<Figures> figures;
    for (const Contender& contender : contenders) {
        std::vector<double> more;
        for (std::size_t i = 0; i < contender.times.size(); ++i) {
            more.push_back(contender.times[i] - contenders[1].times[i]);
        }
        const Interval interval = median_interval(more).value();
        std::printf("  %-10s %7.1f ns, than a callback %+6.1f (95%%: %+.1f to %+.1f)\n",
                    contender.name, median(contender.times), median(more), interval.low,
                    interval.high);
        figures.push_back({contender.name, at_once, median(contender.times),
                           median_interval(contender.times).value()});
    }
    return figures;
}

std::string json_of(const std::vector<Figures>& all) {
    std::ostringstream text;
    for (const Figures& figures : all) {
        text << (text.tellp() == 0 ? "[" : ",\n ") << "{\"form\": " << quoted(figures.name)
             << ", \"at_once\": " << figures.at_once << ", \"ns\": " << figures.nanoseconds
             << ", \"low\": " << figures.interval.low << ", \"high\": " << figures.interval.high
             << ", \"date\": " << quoted(today()) << '}';
    }
    return text.str() + "]\n";
}

int run(const Settings& settings) {
    stay_on_processor(settings.processor);
    std::printf("IORING_OP_NOP, nanoseconds for each, the median of %d times %u\n",
                settings.measurements, operations);
    std::vector<Figures> all;
    for (const unsigned at_once : {1U, 64U}) {
        const std::vector<Figures> figures = compare(at_once, settings);
        all.insert(all.end(), figures.begin(), figures.end());
    }
    if (!settings.json_path.empty()) {
        write_file(settings.json_path, json_of(all));
    }
    return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
    cxxopts::Options options("coroutine-cost",
                             "What an operation costs, and a coroutine around it.\n");
    options.add_options()("measurements", "of each form, in turns; 6 at least",
                          cxxopts::value<int>()->default_value("41"), "COUNT")(
        "core", "the processor to run on (default: the last one)", cxxopts::value<int>(), "NUMBER")(
        "json", "where to write the figures, too", cxxopts::value<std::string>()->default_value(""),
        "FILE")("help", "print this");
    Settings settings;
    try {
        const cxxopts::ParseResult given = options.parse(argc, argv);
        if (given.count("help") > 0) {
            std::cout << options.help({""});
            return EXIT_SUCCESS;
        }
        settings.measurements = given["measurements"].as<int>();
        settings.processor =
            given.count("core") > 0 ? given["core"].as<int>() : allowed_processors().back();
        settings.json_path = given["json"].as<std::string>();
        if (settings.measurements < 6 || !given.unmatched().empty()) {
            throw std::invalid_argument(
                "it takes six measurements or more for an interval, and no further words");
        }
    } catch (const std::exception& error) {
        std::cerr << "coroutine-cost: " << error.what() << "\n\n" << options.help({""});
        return 2;
    }
    try {
        return run(settings);
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << '\n';
        return EXIT_FAILURE;
    }
}
