// Starts the real executable of a chapter and ends it, with everything that it has started.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fd.hpp"
#include "support/chapter.hpp"
#include "support/fail_allocations.hpp"

/// How a program is started.
struct StartSettings {
    std::vector<std::string> arguments{"--port", "0"};
    std::optional<rlim_t> max_descriptors{};  ///< RLIMIT_NOFILE, the soft limit
    std::optional<rlim_t> max_processes{};  ///< RLIMIT_NPROC; root is exempt, so with unprivileged
    std::vector<int> closed_descriptors{};  ///< of 0, 1, 2: those that are closed at the start
    int first_free_descriptor =
        3;                       ///< all below are open at the start; above 3 the limit is raised
    std::string stdout_path{};   ///< a file to be stdout, instead of the test's pipe
    int stdin_descriptor = -1;   ///< to be stdin, instead of the test's own
    int stderr_descriptor = -1;  ///< to be stderr, instead of a file that the test reads
    bool unprivileged = false;   ///< as a user that limits on processes and ports hold for
    std::vector<int> ignored_signals{};  ///< that the program inherits as ignored
    std::vector<int> blocked_signals{};  ///< that the program inherits as blocked
    bool one_processor = false;          ///< as `taskset` with one processor
    bool allocations_can_fail = false;   ///< with the library of fail_allocation() loaded
    std::vector<int> listeners{};  ///< to be descriptors 3, 4, …, as sd_listen_fds(3) has it
    std::vector<std::pair<std::string, std::string>> environment{};  ///< what else it finds there
};

/// One run of a program in a process group of its own. The destructor kills the whole group and
/// waits until nothing of it is left.
class Program {
public:
    /// Starts the executable. Throws std::system_error when that fails.
    Program(const std::filesystem::path& executable, const StartSettings& settings);
    ~Program();
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    pid_t pid() const { return pid_; }

    /// Kills the program and everything that it has started, and waits until nothing of it is left.
    void kill_all();

    /// Stops the program and everything that it has started (SIGSTOP), and waits until it stands
    /// still: a signal takes its time, and until then a server may still accept or answer.
    void stop_all() const;

    /// Lets all of it go on.
    void continue_all() const;

    /// Sends a signal to the program alone, not to its children.
    void signal(int number) const;

    /// Has the `count`-th allocation from now on throw std::bad_alloc, counted over the program,
    /// its threads and its children; 0 takes it back. It holds when the call returns. Only for a
    /// program that was started with allocations_can_fail.
    void fail_allocation(int count) const;

    /// How many allocations are left up to that one: so they can be counted, too.
    int allocations_left() const;

    /// Changes a resource limit (setrlimit(2)) of the program and of its children while they run.
    void limit(int resource, rlim_t soft_limit) const;

    /// The next line on stdout without its line feed; throws std::runtime_error when stdout ends
    /// first.
    std::string read_line();

    /// The same, or nothing when stdout ends first.
    std::optional<std::string> try_read_line();

    /// Everything that is still to come on stdout, up to its end.
    std::string read_to_end();

    /// What the program and its children have written to stderr so far.
    std::string diagnostics() const;

    /// Waits for the end: "exit 1", or "killed by SIGPIPE".
    std::string wait_for_exit();

    bool is_running() const;

private:
    pid_t pid_ = -1;
    Fd pidfd_;
    Fd stdout_;
    std::shared_ptr<Fd> stderr_;
    Fd allocations_;  ///< the file of the next; the program opens it when it starts
    std::shared_ptr<AllocationsLeft> allocations_left_;
    std::optional<std::string> exit_status_;
};

/// What a program leaves behind that ends by itself.
struct Run {
    std::string exit_status;  ///< as wait_for_exit() says it
    std::string out;
    std::string err;
};

/// Starts the server of the chapter under test with arguments that it should end on, and waits
/// until it has.
Run run_to_end(const StartSettings& settings);

/// Where a server listens.
struct Endpoint {
    std::string host;
    std::uint16_t port;
};

/// Where a server listens, by its ready line. Throws std::runtime_error when it is none.
Endpoint parse_ready_line(const std::string& line);

/// A server that has printed its ready line. The one of the chapter under test, if none is named.
/// Where the server says that io_uring is missing or forbidden, the test is skipped with its words.
class Server : public Program {
public:
    explicit Server(const StartSettings& settings = {}) : Server(chapter_under_test(), settings) {}
    explicit Server(const Chapter& chapter, const StartSettings& settings = {});

    const Endpoint& endpoint() const { return endpoint_; }

    /// How many sockets the server has beside those on which it listens. Throws std::runtime_error
    /// when it does not listen any more.
    std::size_t count_clients() const;

private:
    Endpoint endpoint_;
    std::size_t listeners_;
};

/// Skips the test, with the words of the chapter's server, where that says that io_uring is missing
/// or forbidden. For tests that make a ring of their own.
void require_io_uring();

/// Skips the test where a sanitizer has the memory in its hands, and no allocation can be made to
/// fail.
void require_failing_allocations();

/// The number of line feeds: of complete lines, of a server's diagnostics for instance.
std::size_t count_lines(const std::string& text);
