// From `cancel` on: the operations and the loop without a kernel. Whatever a completion can say is
// said here, to each operation, which no kernel would do on demand.

#include <dlfcn.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "address.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/fake_ring.hpp"
#include "runtime/reactor.hpp"
#include "runtime/socket.hpp"
#include "runtime/task.hpp"
#include "support/chapter.hpp"

// ---- In the place of the library's and the standard library's ----

namespace {

/// Every other function of the library that is called is defined here. So that the program is
/// linked with it all the same, and finds those that these stand in the place of.
[[maybe_unused]] int (*const volatile of_the_library)(io_uring*) = io_uring_unregister_ring_fd;

void note_freed(void* memory) {
    if (reinterpret_cast<std::uint64_t>(memory) == watched_block) {
        is_watched_block_freed = true;
    }
}

/// The library's own function of this name.
template <typename Function>
Function* original_of(Function&, const char* name) {
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

int io_uring_queue_init(unsigned entries, io_uring* ring, unsigned flags) {
    if (FakeRing::now) {
        FakeRing::now->set_up(entries, *ring);
        return 0;
    }
    static auto* const original = original_of(io_uring_queue_init, "io_uring_queue_init");
    return original(entries, ring, ring_flags.value_or(flags));
}

void io_uring_queue_exit(io_uring* ring) {
    static auto* const original = original_of(io_uring_queue_exit, "io_uring_queue_exit");
    if (!FakeRing::now) {
        original(ring);
    }
}

int io_uring_register_ring_fd(io_uring* ring) {
    static auto* const original =
        original_of(io_uring_register_ring_fd, "io_uring_register_ring_fd");
    return FakeRing::now ? 1 : original(ring);
}

int io_uring_register_probe(io_uring* ring, io_uring_probe* probe, unsigned count) {
    if (FakeRing::now) {  // It has every operation.
        probe->last_op = IORING_OP_LAST - 1;
        probe->ops_len = static_cast<std::uint8_t>(std::min<unsigned>(count, IORING_OP_LAST));
        for (unsigned i = 0; i < probe->ops_len; ++i) {
            probe->ops[i].op = static_cast<std::uint8_t>(i);
            probe->ops[i].flags = IO_URING_OP_SUPPORTED;
        }
        return 0;
    }
    static auto* const original = original_of(io_uring_register_probe, "io_uring_register_probe");
    return original(ring, probe, count);
}

int io_uring_register_buf_ring(io_uring* ring, io_uring_buf_reg* buffers, unsigned flags) {
    static auto* const original =
        original_of(io_uring_register_buf_ring, "io_uring_register_buf_ring");
    if (!FakeRing::now) {
        return original(ring, buffers, flags);
    }
    FakeRing::now->provide(*buffers);
    return FakeRing::now->answer_to_buffers;
}

int io_uring_get_events(io_uring* ring) {
    static auto* const original = original_of(io_uring_get_events, "io_uring_get_events");
    return FakeRing::now ? 0 : original(ring);
}

int io_uring_submit(io_uring* ring) {
    static auto* const original = original_of(io_uring_submit, "io_uring_submit");
    return FakeRing::now ? FakeRing::now->submit() : original(ring);
}

int io_uring_submit_and_get_events(io_uring* ring) {
    static auto* const original =
        original_of(io_uring_submit_and_get_events, "io_uring_submit_and_get_events");
    return FakeRing::now ? FakeRing::now->submit() : original(ring);
}

int io_uring_submit_and_wait(io_uring* ring, unsigned count) {
    static auto* const original = original_of(io_uring_submit_and_wait, "io_uring_submit_and_wait");
    return FakeRing::now ? FakeRing::now->submit_and_wait(count) : original(ring, count);
}

int io_uring_submit_and_wait_timeout(io_uring* ring, io_uring_cqe** completion, unsigned count,
                                     __kernel_timespec* time, sigset_t* signals) {
    static auto* const original =
        original_of(io_uring_submit_and_wait_timeout, "io_uring_submit_and_wait_timeout");
    return FakeRing::now ? FakeRing::now->submit_and_wait(count)
                         : original(ring, completion, count, time, signals);
}

int __io_uring_get_cqe(io_uring* ring, io_uring_cqe** completion, unsigned submit, unsigned count,
                       sigset_t* signals) {
    static auto* const original = original_of(__io_uring_get_cqe, "__io_uring_get_cqe");
    return FakeRing::now ? -EAGAIN : original(ring, completion, submit, count, signals);
}

// Not inlined: g++ would take free() for a mistake where it sees both.
[[gnu::noinline]] void* operator new(std::size_t size) {
    ++allocations_so_far;
    greatest_allocation = std::max<std::size_t>(greatest_allocation, size);
    const bool fails = allocations_to_fail > 0 && allocations_to_fail-- > 0;
    void* const memory = fails ? nullptr : std::malloc(size);
    if (!memory) {
        throw std::bad_alloc();
    }
    return memory;
}

// The other forms are those of the library, or of a sanitizer: all are to come here.
[[gnu::noinline]] void* operator new[](std::size_t size) {
    return operator new(size);
}

[[gnu::noinline]] void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    try {
        return operator new(size);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

[[gnu::noinline]] void operator delete[](void* memory) noexcept {
    operator delete(memory);
}

[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept {
    operator delete(memory);
}

[[gnu::noinline]] void operator delete(void* memory) noexcept {
    note_freed(memory);
    std::free(memory);
}

[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
    note_freed(memory);
    std::free(memory);
}

// ---- The fake ring ----

void FakeRing::set_up(unsigned entries, io_uring& ring) {
    ring = {};
    ring_ = &ring;
    ring.features = IORING_FEAT_EXT_ARG;
    ring.ring_fd = -1;
    ring.enter_ring_fd = -1;
    ring.sq.khead = &sq_head_;
    ring.sq.ktail = &sq_tail_;
    ring.sq.kflags = &sq_flags_;
    ring.sq.sqes = entries_.data();
    ring.sq.ring_entries = entries;
    ring.sq.ring_mask = entries - 1;
    ring.cq.khead = &cq_head_;
    ring.cq.ktail = &cq_tail_;
    ring.cq.kflags = &cq_flags_;
    ring.cq.cqes = completions_.data();
    ring.cq.ring_entries = most;
    ring.cq.ring_mask = most - 1;
}

const io_uring_sqe& FakeRing::find(io_uring_op operation) const {
    const auto found = std::find_if(in_flight.begin(), in_flight.end(),
                                    [&](const auto& entry) { return entry.opcode == operation; });
    REQUIRE(found != in_flight.end());
    return *found;
}

std::size_t FakeRing::count(io_uring_op operation) const {
    return static_cast<std::size_t>(
        std::count_if(in_flight.begin(), in_flight.end(),
                      [&](const auto& entry) { return entry.opcode == operation; }));
}

void FakeRing::complete(std::uint64_t data, int result) {
    const auto found = std::find_if(in_flight.begin(), in_flight.end(),
                                    [&](const auto& entry) { return entry.user_data == data; });
    REQUIRE(found != in_flight.end());
    const bool takes_buffer = (found->flags & IOSQE_BUFFER_SELECT) != 0 && result > 0;
    in_flight.erase(found);
    io_uring_cqe& completion = completions_[cq_tail_++ % most];
    completion.user_data = data;
    completion.res = result;
    completion.flags = 0;
    if (takes_buffer) {
        REQUIRE(buffers() > 0);
        const io_uring_buf& buffer = buffers_->bufs[buffers_head_++ & (buffer_places_ - 1)];
        REQUIRE(static_cast<unsigned>(result) <= buffer.len);
        completion.flags = IORING_CQE_F_BUFFER | static_cast<unsigned>(buffer.bid)
                                                     << IORING_CQE_BUFFER_SHIFT;
    }
}

void FakeRing::provide(const io_uring_buf_reg& buffers) {
    buffers_ = reinterpret_cast<io_uring_buf_ring*>(buffers.ring_addr);
    buffer_places_ = buffers.ring_entries;
    buffers_head_ = 0;
}

unsigned FakeRing::buffers() const {
    return buffers_ ? static_cast<std::uint16_t>(buffers_->tail - buffers_head_) : 0;
}

int FakeRing::submit() {
    if (!refusals.empty()) {
        const int refusal = refusals.front();
        refusals.pop_front();
        return refusal;
    }
    int taken = 0;
    for (; sq_head_ != ring_->sq.sqe_tail; ++sq_head_, ++taken) {
        in_flight.push_back(entries_[sq_head_ & ring_->sq.ring_mask]);
        if (in_flight.back().opcode == IORING_OP_POLL_ADD && polls_are_ready) {
            complete(in_flight.back().user_data, POLLIN);
        }
    }
    return taken;
}

int FakeRing::submit_and_wait(unsigned count) {
    const int taken = submit();
    if (taken >= 0 && count > 0 && cq_head_ == cq_tail_) {
        REQUIRE(when_asleep);
        when_asleep();
        REQUIRE(cq_head_ != cq_tail_);  // Or else the thread would sleep for ever.
    }
    return taken;
}

// ---- The tests ----

namespace {

/// Whether a read puts the bytes into memory of its caller's. From `poll-first` on it returns them.
template <typename AnySocket>
constexpr bool reads_into_memory = requires(AnySocket& socket, std::span<char> buffer) {
    socket.read(buffer);
};

/// What such a read returns.
template <typename AnySocket>
using BytesOf = decltype(std::declval<AnySocket&>().read().await_resume());

/// How many bytes have come; 0 is the end of the file.
template <typename AnySocket>
Task<std::size_t> read_once(AnySocket& socket) {
    if constexpr (reads_into_memory<AnySocket>) {
        std::array<char, 16> buffer{};
        co_return co_await socket.read(buffer);
    } else {
        const BytesOf<AnySocket> bytes = co_await socket.read();
        co_return bytes.get().size();
    }
}

/// Reads until the end of the file, and counts what is allocated meanwhile.
template <typename AnySocket>
Task<> read_until_end(AnySocket& socket, int& allocations) {
    const int before = allocations_so_far;
    if constexpr (reads_into_memory<AnySocket>) {
        std::array<char, 16> buffer{};
        while (co_await socket.read(buffer) > 0) {
        }
    } else {
        for (bool is_end = false; !is_end;) {
            const BytesOf<AnySocket> bytes = co_await socket.read();
            is_end = bytes.empty();
        }
    }
    allocations = allocations_so_far - before;
}

/// How many of the bytes have been sent.
template <typename AnySocket>
Task<std::size_t> send_once(AnySocket& socket, std::string bytes) {
    if constexpr (requires(std::span<const char> span) { socket.send(span); }) {
        co_return co_await socket.send(std::span<const char>(bytes));
    } else {
        auto memory = std::make_unique<char[]>(bytes.size());
        std::copy(bytes.begin(), bytes.end(), memory.get());
        BytesOf<AnySocket> own(std::move(memory), bytes.size());
        co_return co_await socket.send(own);
    }
}

/// What a read, a send or an accept came to: a number, or the number of an error.
Task<> note_read_result(Socket& socket, std::string& noted) {
    try {
        const std::size_t count = co_await read_once(socket);
        noted += std::to_string(count);
    } catch (const std::system_error& error) {
        noted += "error " + std::to_string(error.code().value());
    }
    noted += ";";
}

Task<> note_send_result(Socket& socket, std::string bytes, std::string& noted) {
    try {
        const std::size_t count = co_await send_once(socket, std::move(bytes));
        noted += std::to_string(count);
    } catch (const std::system_error& error) {
        noted += "error " + std::to_string(error.code().value());
    }
    noted += ";";
}

Task<> note_accept_result(Acceptor& acceptor, std::string& noted) {
    Address address;
    const int result = co_await acceptor.accept(address);
    noted += std::to_string(result) + ";";
}

Fd some_descriptor() {
    return Fd{check(::open("/dev/null", O_RDONLY | O_CLOEXEC), "open")};
}

/// Every error number, and some that are none.
constexpr int last_error = 133;

/// Whether a read that has failed so is asked again: it was interrupted, has not waited, or there
/// was no buffer.
bool is_asked_again(int result) {
    return result == -EINTR || result == -EAGAIN || (result == -ENOBUFS && chapter_has("buffers"));
}

}  // namespace

TEST_CASE("fake ring: a read comes to what its completion says, whatever that is", "[promise]") {
    FakeRing fake;
    Reactor reactor;
    Socket socket(reactor, some_descriptor());
    for (int result = -last_error; result <= 16; ++result) {
        CAPTURE(result);
        std::string noted;
        int asked = 0;
        fake.when_asleep = [&] {
            // What has been interrupted, or has not waited, is asked again, and then comes to 5.
            fake.complete(IORING_OP_RECV, asked++ == 0 ? result : 5);
        };
        reactor.start(note_read_result(socket, noted));
        reactor.run();
        REQUIRE(asked == (is_asked_again(result) ? 2 : 1));
        REQUIRE(noted == (is_asked_again(result) ? "5;"
                          : result < 0           ? "error " + std::to_string(-result) + ";"
                                                 : std::to_string(result) + ";"));
        REQUIRE(fake.in_flight.empty());
    }
}

TEST_CASE("fake ring: a send comes to what its completion says, whatever that is", "[promise]") {
    FakeRing fake;
    Reactor reactor;
    Socket socket(reactor, some_descriptor());
    const std::string bytes = "hello, world 16 ";
    for (int result = -last_error; result <= 16; ++result) {
        CAPTURE(result);
        std::string noted;
        int asked = 0;
        fake.when_asleep = [&] { fake.complete(IORING_OP_SEND, asked++ == 0 ? result : 5); };
        reactor.start(note_send_result(socket, bytes, noted));
        reactor.run();
        const bool is_asked_again = result == -EINTR || result == -EAGAIN;
        REQUIRE(asked == (is_asked_again ? 2 : 1));
        REQUIRE(noted == (is_asked_again ? "5;"
                          : result < 0   ? "error " + std::to_string(-result) + ";"
                                         : std::to_string(result) + ";"));
        REQUIRE(fake.in_flight.empty());
    }
}

TEST_CASE("fake ring: an accept comes to what its completion says, whatever that is", "[promise]") {
    FakeRing fake;
    Reactor reactor;
    Acceptor acceptor(reactor, some_descriptor());
    for (int result = -last_error; result <= 3; ++result) {
        CAPTURE(result);
        std::string noted;
        int asked = 0;
        fake.when_asleep = [&] { fake.complete(IORING_OP_ACCEPT, asked++ == 0 ? result : 1234); };
        reactor.start(note_accept_result(acceptor, noted));
        reactor.run();
        const bool is_asked_again = result == -EINTR || result == -EAGAIN;
        REQUIRE(asked == (is_asked_again ? 2 : 1));
        REQUIRE(noted == (is_asked_again ? "1234;" : std::to_string(result) + ";"));
    }
}

TEST_CASE(
    "fake ring: from the completion to the turn nothing is allocated, but memory for a message",
    "[promise]") {
    FakeRing fake;
    fake.in_flight.reserve(100);
    Reactor reactor;
    Socket socket(reactor, some_descriptor());
    constexpr std::array<int, 3> results{1, -EINTR, -EAGAIN};
    constexpr int messages = 300;
    int completions = 0;
    fake.when_asleep = [&] {
        const bool is_last = completions == messages * static_cast<int>(results.size());
        fake.complete(
            IORING_OP_RECV,
            is_last ? 0 : results[static_cast<std::size_t>(completions) % results.size()]);
        ++completions;
    };
    int allocations = -1;
    reactor.start(read_until_end(socket, allocations));
    reactor.run();
    REQUIRE(completions == messages * static_cast<int>(results.size()) + 1);
    CAPTURE(allocations);
    if (chapter_has("keeps-memory")) {
        REQUIRE(allocations == 0);
    } else {
        REQUIRE(allocations >= messages);
        REQUIRE(allocations <= messages + 1);  // The end of the file may have taken memory, too.
    }
}

TEST_CASE("fake ring: a read and the request to cancel it end in either order", "[promise]") {
    FakeRing fake;
    Reactor reactor;
    Socket socket(reactor, some_descriptor());
    struct Case {
        int of_read;
        int of_request;
        std::string noted;
    };
    const Case now =
        GENERATE(Case{-ECANCELED, 0, "error 125;"}, Case{7, -ENOENT, "7;"}, Case{0, -ENOENT, "0;"},
                 Case{-ECONNRESET, -ENOENT, "error 104;"}, Case{-EINTR, -EALREADY, "error 125;"},
                 Case{7, -EALREADY, "7;"}, Case{-EAGAIN, -ENOENT, "error 125;"});
    const bool is_request_first = GENERATE(false, true);
    CAPTURE(now.of_read, now.of_request, is_request_first);
    std::string noted;
    int asleep = 0;
    fake.when_asleep = [&] {
        if (asleep++ == 0) {
            socket.cancel();
            // Something else happens, so that the loop goes round and hands the request over.
            fake.complete(IORING_OP_SEND, 1);
            return;
        }
        const std::uint64_t read = fake.find(IORING_OP_RECV).user_data;
        REQUIRE(fake.find(IORING_OP_ASYNC_CANCEL).addr == read);
        if (is_request_first) {
            fake.complete(IORING_OP_ASYNC_CANCEL, now.of_request);
            fake.complete(read, now.of_read);
        } else {
            fake.complete(read, now.of_read);
            fake.complete(IORING_OP_ASYNC_CANCEL, now.of_request);
        }
    };
    Socket other(reactor, some_descriptor());
    std::string of_other;
    reactor.start(note_read_result(socket, noted));
    reactor.start(note_send_result(other, "x", of_other));
    reactor.run();
    REQUIRE(noted == now.noted);
    REQUIRE(of_other == "1;");
    REQUIRE(fake.in_flight.empty());
}

TEST_CASE("fake ring: who is destroyed in flight waits for the kernel, whatever it answers",
          "[promise]") {
    FakeRing fake;
    const int of_read = GENERATE(-ECANCELED, 5, 0, -EINTR, -EAGAIN, -ECONNRESET);
    const int of_request = GENERATE(0, -ENOENT, -EALREADY);
    const bool is_request_first = GENERATE(false, true);
    CAPTURE(of_read, of_request, is_request_first);
    std::string noted;
    {
        Reactor reactor;
        Socket socket(reactor, some_descriptor());
        int asleep = 0;
        fake.when_asleep = [&] {
            if (asleep++ == 0) {
                fake.complete(IORING_OP_SEND, 1);
            } else if (is_request_first && fake.count(IORING_OP_ASYNC_CANCEL) == 1) {
                fake.complete(IORING_OP_ASYNC_CANCEL, of_request);
            } else {
                fake.complete(IORING_OP_RECV, of_read);
            }
        };
        Socket other(reactor, some_descriptor());
        reactor.start(note_read_result(socket, noted));
        reactor.start([](Socket& sends) -> Task<> {
            co_await send_once(sends, "x");
            throw std::runtime_error("enough");
        }(other));
        REQUIRE_THROWS_AS(reactor.run(), std::runtime_error);
        REQUIRE(fake.count(IORING_OP_RECV) == 1);
    }
    REQUIRE(fake.count(IORING_OP_RECV) == 0);
    REQUIRE(noted.empty());
}

TEST_CASE("fake ring: no answer is awaited to a request for which there was no room", "[promise]") {
    FakeRing fake;
    std::string noted;
    {
        Reactor reactor;
        // More than the submission queue has places, and the kernel does not take them yet.
        for (int i = 0; i < 300; ++i) {
            reactor.start([](Reactor& loop, std::string& notes) -> Task<> {
                Socket socket(loop, some_descriptor());
                co_await note_read_result(socket, notes);
            }(reactor, noted));
        }
        reactor.start([](Reactor& loop) -> Task<> {
            co_await loop.sleep_for(std::chrono::milliseconds{0});
            throw std::runtime_error("enough");
        }(reactor));
        fake.refusals = {-EAGAIN};
        REQUIRE_THROWS_AS(reactor.run(), std::runtime_error);
        REQUIRE(fake.in_flight.empty());
        fake.when_asleep = [&] {
            const std::uint64_t asked_for = fake.find(IORING_OP_ASYNC_CANCEL).addr;
            fake.complete(IORING_OP_ASYNC_CANCEL, 0);
            fake.complete(asked_for, -ECANCELED);
        };
    }
    REQUIRE(fake.in_flight.empty());
    REQUIRE(noted.empty());
}

TEST_CASE("fake ring: a client that comes as its accept is destroyed is closed", "[promise]") {
    FakeRing fake;
    const int number = check(::open("/dev/null", O_RDONLY | O_CLOEXEC), "open");
    std::string noted;
    {
        Reactor reactor;
        Acceptor acceptor(reactor, some_descriptor());
        Socket other(reactor, some_descriptor());
        int asleep = 0;
        fake.when_asleep = [&] {
            if (asleep++ == 0) {
                fake.complete(IORING_OP_SEND, 1);
            } else {
                fake.complete(IORING_OP_ACCEPT, number);
            }
        };
        reactor.start(note_accept_result(acceptor, noted));
        reactor.start([](Socket& sends) -> Task<> {
            co_await send_once(sends, "x");
            throw std::runtime_error("enough");
        }(other));
        REQUIRE_THROWS_AS(reactor.run(), std::runtime_error);
    }
    REQUIRE(noted.empty());
    REQUIRE(::fcntl(number, F_GETFD) == -1);
    REQUIRE(errno == EBADF);
}

TEST_CASE("fake ring: what the kernel does not take for now goes with a later call", "[promise]") {
    FakeRing fake;
    Reactor reactor;
    Socket socket(reactor, some_descriptor());
    const int refusal = GENERATE(-EAGAIN, -EBUSY, -EINTR);
    const std::size_t times = GENERATE(1U, 2U, 10U);
    CAPTURE(refusal, times);
    fake.refusals.assign(times, refusal);
    fake.when_asleep = [&] { fake.complete(IORING_OP_RECV, 5); };
    std::string noted;
    reactor.start(note_read_result(socket, noted));
    reactor.run();
    REQUIRE(noted == "5;");
    REQUIRE(fake.refusals.empty());
}

TEST_CASE("fake ring: where the kernel takes nothing any more, run() throws", "[promise]") {
    FakeRing fake;
    std::string noted;
    std::string words;
    {
        Reactor reactor;
        Socket socket(reactor, some_descriptor());
        reactor.start(note_read_result(socket, noted));
        fake.refusals = {-EBADF};
        try {
            reactor.run();
        } catch (const std::system_error& error) {
            words = error.what();
        }
        // The frame is destroyed, and its entry is in the submission queue still.
        fake.when_asleep = [&] { fake.complete(IORING_OP_RECV, -ECANCELED); };
    }
    REQUIRE(words.find("io_uring_enter") == 0);
    REQUIRE(noted.empty());
}
