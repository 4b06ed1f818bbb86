// What a coroutine costs, apart from any network: an operation that does nothing (IORING_OP_NOP),
// again and again, as a bare loop over the ring, with a callback, awaited, and inside a Task. All
// of it on the engine of chapter 16, or on a ring that is made as its own is.

#include <liburing.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bench/statistics.hpp"
#include "io.hpp"
#include "ring.hpp"
#include "task.hpp"

namespace {

constexpr unsigned operations = 256 * 1024;  // in one measurement
constexpr int measurements = 41;             // of each contender, in turns

/// A ring without an engine.
class BareRing {
public:
    BareRing() { make_ring(256, ring_); }
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

class Nop : public Operation {
public:
    explicit Nop(IoContext& io) : Operation(io) {}

    int await_resume() const { return result(); }

private:
    void describe(io_uring_sqe& entry) override { ::io_uring_prep_nop(&entry); }
};

Task<> await_nops(IoContext& io, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
        co_await Nop(io);
    }
}

Task<int> nop(IoContext& io) {
    co_return co_await Nop(io);
}

Task<> await_tasks(IoContext& io, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
        co_await nop(io);
    }
}

void coroutines(IoContext& io, unsigned at_once, Task<> (*work)(IoContext&, unsigned)) {
    for (unsigned i = 0; i < at_once; ++i) {
        io.start(work(io, operations / at_once));
    }
    io.run();
}

/// Nanoseconds for each operation.
double measure(const std::function<void()>& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
    return time.count() / operations;
}

void compare(unsigned at_once) {
    BareRing ring;
    IoContext io;
    struct Contender {
        const char* name;
        std::function<void()> work;
        std::vector<double> times{};
    };
    std::array<Contender, 4> contenders{{
        {"bare loop", [&] { bare_loop(ring, at_once); }},
        {"callback", [&] { callbacks(ring, at_once); }},
        {"awaiter", [&] { coroutines(io, at_once, await_nops); }},
        {"Task", [&] { coroutines(io, at_once, await_tasks); }},
    }};
    // In turns, so that whatever slows the machine down for a while slows down all of them.
    for (int i = 0; i < measurements; ++i) {
        for (Contender& contender : contenders) {
            contender.times.push_back(measure(contender.work));
        }
    }
    std::printf("%u in each system call\n", at_once);
    for (const Contender& contender : contenders) {
        std::vector<double> more;
        for (std::size_t i = 0; i < contender.times.size(); ++i) {
            more.push_back(contender.times[i] - contenders[1].times[i]);
        }
        const Interval interval = median_interval(more).value();
        std::printf("  %-10s %7.1f ns, than a callback %+6.1f (95%%: %+.1f to %+.1f)\n",
                    contender.name, median(contender.times), median(more), interval.low,
                    interval.high);
    }
}

}  // namespace

int main() {
    try {
        std::printf("IORING_OP_NOP, nanoseconds for each, the median of %d times %u\n",
                    measurements, operations);
        for (const unsigned at_once : {1U, 64U}) {
            compare(at_once);
        }
        return EXIT_SUCCESS;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "error: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
