// Chapter 35: a ring for one thread, and words for a kernel that gives none.

#include <dlfcn.h>
#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/pair.hpp"
#include "runtime/reactor.hpp"
#include "runtime/ring.hpp"
#include "runtime/ring_setup.hpp"
#include "runtime/socket.hpp"
#include "runtime/task.hpp"
#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/proc.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using namespace std::chrono_literals;
using Catch::Matchers::Message;
using Catch::Matchers::StartsWith;

namespace {

std::optional<io_uring_op> lacking;  // an operation that this program's kernel shall not have

}  // namespace

// In the place of the library's: so a kernel without an operation can be had.
int io_uring_register_probe(io_uring* ring, io_uring_probe* probe, unsigned count) {
    static auto* const original = reinterpret_cast<decltype(&io_uring_register_probe)>(
        ::dlsym(RTLD_NEXT, "io_uring_register_probe"));
    const int result = original(ring, probe, count);
    if (lacking) {
        probe->ops[*lacking].flags = 0;
    }
    return result;
}

namespace {

std::string read_source(const Chapter& chapter, const std::string& name) {
    std::ifstream file(std::filesystem::path(CHAPTERS_FOLDER) / chapter.name / name);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// Without its first line, which names the chapter.
std::string behind_the_first_line(const std::string& text) {
    return text.substr(text.find('\n'));
}

/// How strace starts the server, one of whose calls is to fail; none where the fault is only a
/// name. The calls go to `log`.
StartSettings traced(const Chapter& chapter, const std::string& fault, const std::string& log) {
    const std::string call = fault.substr(0, fault.find(':'));
    StartSettings settings{.arguments = {"-qq", "-X", "raw", "-o", log, "-e", "trace=" + call}};
    if (fault != call) {
        settings.arguments.insert(settings.arguments.end(), {"-e", "inject=" + fault});
    }
    settings.arguments.insert(settings.arguments.end(), {chapter.server, "--port", "0"});
    return settings;
}

/// The server's end when this call fails with this error.
Run run_without(const Chapter& chapter, const std::string& fault) {
    Program strace("strace", traced(chapter, fault, "/dev/null"));
    Run run;
    run.out = strace.read_to_end();
    run.exit_status = strace.wait_for_exit();
    run.err = strace.diagnostics();
    return run;
}

/// A file that is there as long as this lives.
class TemporaryFile {
public:
    TemporaryFile() {
        std::string name = std::filesystem::temp_directory_path() / "echo-ring-XXXXXX";
        const Fd file{check(::mkstemp(name.data()), "mkstemp")};
        path_ = name;
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    ~TemporaryFile() { std::filesystem::remove(path_); }

    const std::string& path() const { return path_; }

private:
    std::string path_;
};

/// The flags with which the server asks for a ring, one time after the other, when the first
/// `refused` are refused as by a kernel that does not know them. The server then serves a client.
std::vector<std::string> flags_asked_for(int refused) {
    const TemporaryFile log;
    const std::string fault =
        refused == 0 ? "io_uring_setup"
                     : "io_uring_setup:error=EINVAL:when=1.." + std::to_string(refused);
    Program server("strace", traced(chapter_under_test(), fault, log.path()));
    Client client(parse_ready_line(server.read_line()));
    REQUIRE(client.exchange("hello") == "hello");
    client.half_close();
    REQUIRE(client.receive_to_end().empty());
    std::vector<std::string> flags;
    std::ifstream lines(log.path());
    for (std::string line; std::getline(lines, line);) {
        const std::string mark = "{flags=";
        const std::size_t begin = line.find(mark) + mark.size();
        flags.push_back(line.substr(begin, line.find(',', begin) - begin));
    }
    return flags;
}

/// A ring of this program's own, as the server has it.
class OwnRing {
public:
    OwnRing() { set_up_ring(8, ring); }
    explicit OwnRing(unsigned flags) { REQUIRE(::io_uring_queue_init(8, &ring, flags) == 0); }
    OwnRing(const OwnRing&) = delete;
    OwnRing& operator=(const OwnRing&) = delete;
    ~OwnRing() { ::io_uring_queue_exit(&ring); }

    io_uring ring{};
};

/// A receive waits in the kernel, and then there is something: how many completions there are
/// before the ring has been entered again, and after.
std::pair<unsigned, unsigned> completions_before_and_after_asking(io_uring& ring) {
    const Pair pair;
    std::array<char, 16> buffer{};
    ::io_uring_prep_recv(::io_uring_get_sqe(&ring), pair.ours.get(), buffer.data(), buffer.size(),
                         0);
    REQUIRE(::io_uring_submit(&ring) == 1);
    REQUIRE(::io_uring_cq_ready(&ring) == 0);
    say(pair.theirs, "hello");
    ::getppid();  // The thread has been in the kernel, and has come back.
    const unsigned before = ::io_uring_cq_ready(&ring);
    REQUIRE(::io_uring_get_events(&ring) >= 0);
    return {before, ::io_uring_cq_ready(&ring)};
}

/// Coroutines that always have something to read, beside one whose byte comes later.
struct Crowd {
    bool is_told = false;
    long reads = 0;
    long reads_at_the_most = 0;
};

Task<> be_busy(Reactor& reactor, Pair pair, Crowd& crowd) {
    const Socket socket(reactor, std::move(pair.ours));
    std::array<char, 1> byte{};
    while (!crowd.is_told && crowd.reads < crowd.reads_at_the_most) {
        ++crowd.reads;
        say(pair.theirs, "x");
        co_await socket.read(byte);
    }
}

/// Has its byte from one of the crowd, when it has waited in the kernel for a while.
Task<> wait_for_a_byte(Reactor& reactor, Fd fd, Crowd& crowd) {
    const Socket socket(reactor, std::move(fd));
    std::array<char, 1> byte{};
    co_await socket.read(byte);
    crowd.is_told = true;
}

Task<> say_after_ten_reads(Reactor& reactor, Pair pair, const Fd& to) {
    const Socket socket(reactor, std::move(pair.ours));
    std::array<char, 1> byte{};
    for (int i = 0; i < 10; ++i) {
        say(pair.theirs, "x");
        co_await socket.read(byte);
    }
    say(to, "x");
}

/// What a coroutine throws to end run() with the others still suspended.
struct Enough {};

/// Sleeps for an hour, so that there is a time with each wait; run() has ended long before.
Task<> sleep_for_an_hour(Reactor& reactor) {
    co_await reactor.sleep_for(1h);
}

/// One of the crowd, which ends run().
Task<> end_when_told(Reactor& reactor, Pair pair, const Crowd& crowd) {
    const Socket socket(reactor, std::move(pair.ours));
    std::array<char, 1> byte{};
    while (!crowd.is_told && crowd.reads < crowd.reads_at_the_most) {
        say(pair.theirs, "x");
        co_await socket.read(byte);
    }
    throw Enough();
}

/// Sleeps again and again, each time for no time, until it is told to stop, or gives up.
Task<> sleep_until_told(Reactor& reactor, const bool& is_told, int& rounds) {
    while (!is_told && rounds < 10'000) {
        ++rounds;
        co_await reactor.sleep_for(0ms);
    }
}

Task<> say_after(Reactor& reactor, int rounds, const Fd& to) {
    for (int i = 0; i < rounds; ++i) {
        co_await reactor.sleep_for(0ms);
    }
    say(to, "x");
}

}  // namespace

TEST_CASE("where a ring is forbidden, the server says by whom, and what to do", "[why]") {
    require_strace();
    const Run before = run_without(chapter_before(), "io_uring_setup:error=EPERM");
    const Run now = run_without(chapter_under_test(), "io_uring_setup:error=EPERM");
    // The first line: the leak sanitizer adds that it cannot work under strace.
    REQUIRE_THAT(before.err, StartsWith("error: io_uring_setup: Operation not permitted\n"));
    REQUIRE_THAT(now.err, StartsWith("error: io_uring_setup: Operation not permitted: forbidden"));
    for (const Run& run : {before, now}) {
        REQUIRE(run.exit_status == "exit 1");
        REQUIRE(run.out.empty());
    }
}

TEST_CASE("a filter that lets a ring be made and forbids its use is met before the ready line",
          "[why]") {
    require_io_uring();
    require_strace();
    const Run before = run_without(chapter_before(), "io_uring_enter:error=EPERM");
    const Run now = run_without(chapter_under_test(), "io_uring_enter:error=EPERM");
    REQUIRE_THAT(before.out, StartsWith("listening on "));
    REQUIRE_THAT(before.err, StartsWith("error: io_uring_enter: Operation not permitted\n"));
    REQUIRE(now.out.empty());
    REQUIRE_THAT(now.err, StartsWith("error: io_uring_enter: Operation not permitted: forbidden"));
    REQUIRE(before.exit_status == "exit 1");
    REQUIRE(now.exit_status == "exit 1");
}

TEST_CASE("the server and the task are the same to the byte as with a ring without flags",
          "[promise]") {
    for (const char* name : {"server.cpp", "runtime/task.hpp"}) {
        CAPTURE(name);
        REQUIRE(behind_the_first_line(read_source(chapter_under_test(), name)) ==
                behind_the_first_line(read_source(chapter_before(), name)));
    }
}

TEST_CASE("where a ring cannot be had, the server says why, and what to do", "[promise]") {
    require_strace();
    const auto [call, error, words] = GENERATE(table<std::string, std::string, std::string>({
        {"io_uring_setup", "ENOSYS",
         "Function not implemented: this kernel has no io_uring (Linux 5.6 or later"},
        {"io_uring_setup", "EPERM", "Operation not permitted: forbidden"},
        {"io_uring_setup", "EACCES", "Permission denied: forbidden"},
        {"io_uring_setup", "EINVAL", "Invalid argument: this kernel's io_uring is older"},
        {"io_uring_setup", "ENOMEM",
         "Cannot allocate memory: before Linux 5.12 the limit on locked memory"},
        {"io_uring_setup", "EMFILE", "Too many open files\n"},
    }));
    CAPTURE(call, error);
    const Run run = run_without(chapter_under_test(), call + ":error=" + error);
    REQUIRE_THAT(run.err, StartsWith("error: " + call + ": " + words));
    REQUIRE(run.exit_status == "exit 1");
    REQUIRE(run.out.empty());
}

TEST_CASE("where the kernel cannot be asked for its operations, the server says why", "[promise]") {
    require_io_uring();
    require_strace();
    const auto [error, words] = GENERATE(table<std::string, std::string>({
        {"EPERM", "Operation not permitted: forbidden"},
        {"EINVAL", "Invalid argument: this kernel's io_uring is older"},
    }));
    CAPTURE(error);
    const Run run = run_without(chapter_under_test(), "io_uring_register:error=" + error);
    REQUIRE_THAT(run.err, StartsWith("error: io_uring_register: " + words));
    REQUIRE(run.exit_status == "exit 1");
    REQUIRE(run.out.empty());
}

TEST_CASE("a ring whose descriptor cannot be registered does its work", "[promise]") {
    require_io_uring();
    require_strace();
    Program server("strace", traced(chapter_under_test(), "io_uring_register:error=EINVAL:when=1",
                                    "/dev/null"));
    Client client(parse_ready_line(server.read_line()));
    REQUIRE(client.exchange("hello") == "hello");
}

TEST_CASE("the newest flags are asked for first, and on an older kernel the server does without",
          "[promise]") {
    require_io_uring();
    require_strace();
    // SINGLE_ISSUER and DEFER_TASKRUN, COOP_TASKRUN, none.
    const std::vector<std::string> sets{"0x3000", "0x100", "0"};
    std::vector<std::string> asked = flags_asked_for(0);
    REQUIRE(asked.size() <= 3);
    REQUIRE(asked == std::vector(sets.begin(), sets.begin() + static_cast<int>(asked.size())));
    asked = flags_asked_for(1);
    REQUIRE(asked.size() >= 2);
    REQUIRE(asked == std::vector(sets.begin(), sets.begin() + static_cast<int>(asked.size())));
    REQUIRE(flags_asked_for(2) == sets);
}

TEST_CASE("a ring that is refused for another reason is not asked for again", "[promise]") {
    require_strace();
    const TemporaryFile log;
    Program server("strace",
                   traced(chapter_under_test(), "io_uring_setup:error=EPERM", log.path()));
    REQUIRE(server.wait_for_exit() == "exit 1");
    std::ifstream lines(log.path());
    REQUIRE(std::count(std::istreambuf_iterator<char>(lines), {}, '\n') == 1);
}

TEST_CASE("with no memory to lock the server serves, or says what to do", "[promise]") {
    require_io_uring();
    Program server("/bin/sh", {.arguments = {"-c", "ulimit -l 0 && exec \"$0\" --port 0",
                                             chapter_under_test().server},
                               .unprivileged = true});
    const std::optional<std::string> line = server.try_read_line();
    if (line) {
        Client client(parse_ready_line(*line));
        REQUIRE(client.exchange("hello") == "hello");
    } else {  // Before Linux 5.12.
        REQUIRE(server.wait_for_exit() == "exit 1");
        REQUIRE_THAT(server.diagnostics(), StartsWith("error: io_uring_setup: Cannot allocate "
                                                      "memory: before Linux 5.12 the limit"));
    }
}

TEST_CASE("setup: an operation that the kernel lacks is named, and no ring is left behind",
          "[promise]") {
    require_io_uring();
    const std::size_t open_before = proc::descriptors(::getpid()).size();
    for (const io_uring_op operation : {IORING_OP_ACCEPT, IORING_OP_RECV, IORING_OP_SEND,
                                        IORING_OP_TIMEOUT, IORING_OP_ASYNC_CANCEL}) {
        CAPTURE(operation);
        lacking = operation;
        REQUIRE_THROWS_MATCHES(Ring(), std::runtime_error,
                               Message("this kernel's io_uring lacks operation " +
                                       std::to_string(operation) + ": Linux 5.6 or later has it"));
    }
    lacking = IORING_OP_READ;  // Nobody needs that one.
    { const Ring ring; }
    lacking.reset();
    REQUIRE(proc::descriptors(::getpid()).size() == open_before);
}

TEST_CASE(
    "setup: nothing is completed before the thread asks, and without flags in the middle of "
    "anything",
    "[promise]") {
    require_io_uring();
    OwnRing without(0U);
    REQUIRE(completions_before_and_after_asking(without.ring) == std::pair{1U, 1U});
    OwnRing ours;
    if ((ours.ring.flags & IORING_SETUP_DEFER_TASKRUN) == 0) {
        SKIP("this kernel has no IORING_SETUP_DEFER_TASKRUN (Linux 6.1)");
    }
    REQUIRE(completions_before_and_after_asking(ours.ring) == std::pair{0U, 1U});
}

TEST_CASE("setup: the ring is for one thread, and another one is refused", "[promise]") {
    require_io_uring();
    OwnRing ours;
    if ((ours.ring.flags & IORING_SETUP_SINGLE_ISSUER) == 0) {
        SKIP("this kernel has no IORING_SETUP_SINGLE_ISSUER (Linux 6.0)");
    }
    ::io_uring_prep_nop(::io_uring_get_sqe(&ours.ring));
    int result = 0;
    // By the descriptor: that a ring is registered holds for one thread alone, too.
    std::thread([&] {
        result = ::io_uring_enter(static_cast<unsigned>(ours.ring.ring_fd), 1, 0, 0, nullptr);
    }).join();
    REQUIRE(result == -EEXIST);
    REQUIRE(::io_uring_submit(&ours.ring) == 1);
}

TEST_CASE("ring: beside a crowd that always has something to do, what has waited is completed",
          "[promise]") {
    require_io_uring();
    // 100 are handed over in one call. Of 300, 256 have been completed before the last call.
    const int size = GENERATE(100, 300);
    const bool sleeps = GENERATE(false, true);
    CAPTURE(size, sleeps);
    Crowd crowd{.reads_at_the_most = 1'000L * size};
    Pair quiet;
    Reactor reactor;
    reactor.start(wait_for_a_byte(reactor, std::move(quiet.ours), crowd));
    reactor.start(say_after_ten_reads(reactor, Pair(), quiet.theirs));
    for (int i = 0; i < size; ++i) {
        reactor.start(be_busy(reactor, Pair(), crowd));
    }
    if (sleeps) {
        reactor.start(sleep_for_an_hour(reactor));
        reactor.start(end_when_told(reactor, Pair(), crowd));
        REQUIRE_THROWS_AS(reactor.run(), Enough);
    } else {
        reactor.run();
    }
    REQUIRE(crowd.is_told);
    REQUIRE(crowd.reads <= 30L * size);
}

TEST_CASE("sleep: a coroutine that sleeps for no time again and again keeps no operation waiting",
          "[promise]") {
    require_io_uring();
    Crowd crowd{.reads_at_the_most = 0};
    int rounds = 0;
    Pair pair;
    Reactor reactor;
    reactor.start(wait_for_a_byte(reactor, std::move(pair.ours), crowd));
    reactor.start(sleep_until_told(reactor, crowd.is_told, rounds));
    reactor.start(say_after(reactor, 100, pair.theirs));  // The read has waited in the kernel.
    reactor.run();
    REQUIRE(crowd.is_told);
    REQUIRE(rounds <= 110);
}

TEST_CASE("a client that stalls stays as long as it likes", "[limit]") {
    require_io_uring();
    REQUIRE(stalled_clients(chapter_under_test(), {}) == "both are kept");
}
