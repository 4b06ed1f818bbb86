#include "support/server.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <stdexcept>

#include "check.hpp"
#include "support/deadline.hpp"
#include "support/failure_report.hpp"
#include "support/proc.hpp"

namespace {

namespace fs = std::filesystem;

/// A user who owns nothing and has no privilege, and of whom there is one a test: a limit on
/// processes counts all processes of a user.
uid_t unprivileged_user() {
    return 20000 + static_cast<uid_t>(::getpid()) % 40000;
}

/// The limit on descriptors with which the tests were started, and servers are. The tests' own is
/// raised as far as it goes: a test may have hundreds of clients.
const rlimit& descriptor_limit_at_start() {
    static const rlimit at_start = [] {
        rlimit limit{};
        check(::getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
        const rlimit raised{limit.rlim_max, limit.rlim_max};
        check(::setrlimit(RLIMIT_NOFILE, &raised), "setrlimit");
        return limit;
    }();
    return at_start;
}

/// A file in memory that can be executed. Before Linux 6.3 every one could, and there was no flag
/// for it.
int create_executable_in_memory() {
#ifndef MFD_EXEC
    constexpr unsigned MFD_EXEC = 0x10;
#endif
    const int fd = ::memfd_create("server", MFD_CLOEXEC | MFD_EXEC);
    return fd == -1 && errno == EINVAL ? ::memfd_create("server", MFD_CLOEXEC) : fd;
}

/// Copies an executable to memory, where every user may run it: a repository often lies where only
/// its owner can reach it. The copy is gone when the last descriptor and process of it are.
Fd copy_for_everybody(const fs::path& executable) {
    const Fd original{check(::open(executable.c_str(), O_RDONLY | O_CLOEXEC), "open the server")};
    Fd copy{check(create_executable_in_memory(), "memfd_create")};
    while (check(::sendfile(copy.get(), original.get(), nullptr, 1 << 20), "sendfile") > 0) {
    }
    check(::fchmod(copy.get(), 0755), "fchmod");
    return copy;
}

/// The library that lets allocations fail. It lies beside the tests.
const std::string& failing_allocations() {
    static const std::string path =
        fs::read_symlink("/proc/self/exe").parent_path() / "fail-allocations.so";
    return path;
}

/// Leaves this process the first of the processors that it may use.
void run_on_one_processor() {
    cpu_set_t allowed;
    check(::sched_getaffinity(0, sizeof allowed, &allowed), "sched_getaffinity");
    int first = 0;
    while (!CPU_ISSET(first, &allowed)) {
        ++first;
    }
    CPU_ZERO(&allowed);
    CPU_SET(first, &allowed);
    check(::sched_setaffinity(0, sizeof allowed, &allowed), "sched_setaffinity");
}

/// Puts the listeners where the program looks for them, and says so in its environment.
void hand_over_listeners(const std::vector<int>& listeners) {
    constexpr int first = STDERR_FILENO + 1;
    const int above = first + static_cast<int>(listeners.size());
    std::vector<int> copies;  // One that stands in another's place must not be closed by it.
    for (const int listener : listeners) {
        copies.push_back(check(::fcntl(listener, F_DUPFD_CLOEXEC, above), "fcntl"));
    }
    for (std::size_t i = 0; i < copies.size(); ++i) {
        check(::dup2(copies[i], first + static_cast<int>(i)), "dup2");
    }
    check(::setenv("LISTEN_FDS", std::to_string(listeners.size()).c_str(), 1), "setenv");
    check(::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1), "setenv");
}

/// Becomes the program. Runs in the child between fork and exec, so it makes system calls and
/// nothing else; on failure it says so on stderr and exits. `copy` is executed instead of the first
/// word where it is open.
[[noreturn]] void become(char* const* words, const StartSettings& settings, const Fd& copy,
                         const std::string& allocations, uid_t user, int out, int err) {
    const auto require = [](int result, const char* what) {
        if (result == -1) {
            ::dprintf(STDERR_FILENO, "the test cannot start the server: %s: %s\n", what,
                      ::strerror(errno));
            ::_exit(127);
        }
    };
    // Whatever the test's own parent ignores or blocks: a shell without job control ignores SIGINT
    // for what it runs in the background, and systemd ignores SIGPIPE for its services.
    for (int number = 1; number < SIGRTMIN; ++number) {
        ::signal(number, SIG_DFL);
    }
    sigset_t blocked;
    ::sigemptyset(&blocked);
    require(::setrlimit(RLIMIT_NOFILE, &descriptor_limit_at_start()), "setrlimit");
    for (const int number : settings.ignored_signals) {
        ::signal(number, SIG_IGN);
    }
    for (const int number : settings.blocked_signals) {
        ::sigaddset(&blocked, number);
    }
    require(::sigprocmask(SIG_SETMASK, &blocked, nullptr), "sigprocmask");
    if (settings.one_processor) {
        run_on_one_processor();
    }
    if (settings.allocations_can_fail) {
        require(::setenv("LD_PRELOAD", failing_allocations().c_str(), 1), "setenv");
        require(::setenv(failing_allocation_variable, allocations.c_str(), 1), "setenv");
    }

    if (settings.stdin_descriptor != -1) {
        require(::dup2(settings.stdin_descriptor, STDIN_FILENO), "dup2");
    }
    require(::dup2(err, STDERR_FILENO), "dup2");
    require(::dup2(out, STDOUT_FILENO), "dup2");
    require(::setpgid(0, 0), "setpgid");
    if (settings.max_descriptors) {
        const rlimit limit{*settings.max_descriptors, descriptor_limit_at_start().rlim_max};
        require(::setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
    }
    if (settings.max_processes) {
        const rlimit limit{*settings.max_processes, *settings.max_processes};
        require(::setrlimit(RLIMIT_NPROC, &limit), "setrlimit");
    }
    if (settings.unprivileged && ::geteuid() == 0) {
        require(::setresgid(user, user, user), "setresgid");
        require(::setresuid(user, user, user), "setresuid");
    }
    // The server does not outlive a test that is killed; its children see their clients vanish.
    // Comes after setresuid(), which would undo it (prctl(2)).
    require(::prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
    // The server starts with descriptors 0, 1 and 2, whatever else the test was given by its own
    // parent.
    require(::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC), "close_range");
    for (const int closed : settings.closed_descriptors) {
        ::close(closed);
    }
    if (settings.first_free_descriptor > STDERR_FILENO + 1) {
        const rlim_t hard_limit = descriptor_limit_at_start().rlim_max;
        const rlimit raised{hard_limit, hard_limit};
        require(::setrlimit(RLIMIT_NOFILE, &raised), "setrlimit");
        for (int taken = STDERR_FILENO + 1; taken < settings.first_free_descriptor; ++taken) {
            require(::dup2(STDIN_FILENO, taken), "dup2");
        }
    }
    if (!settings.listeners.empty()) {
        hand_over_listeners(settings.listeners);
    }
    for (const auto& [name, value] : settings.environment) {
        require(::setenv(name.c_str(), value.c_str(), 1), "setenv");
    }
    // The interpreter of a script opens it once more, by this number.
    std::array<char, 2> beginning{};
    if (copy.get() != -1 && ::pread(copy.get(), beginning.data(), beginning.size(), 0) == 2 &&
        beginning[0] == '#' && beginning[1] == '!') {
        require(::fcntl(copy.get(), F_SETFD, 0), "fcntl");
    }
    require(copy.get() == -1 ? ::execvp(words[0], words) : ::fexecve(copy.get(), words, environ),
            words[0]);
    ::_exit(127);
}

/// All of a file, from its first byte.
std::string read_file(const Fd& file) {
    std::string text;
    std::array<char, 4096> part;
    while (true) {
        const ssize_t count =
            check(::pread(file.get(), part.data(), part.size(), static_cast<off_t>(text.size())),
                  "pread");
        if (count == 0) {
            return text;
        }
        text.append(part.data(), static_cast<std::size_t>(count));
    }
}

/// A number in a file that has no name, but that another process can open by the descriptor which
/// this one has of it, for as long as it has it.
std::shared_ptr<AllocationsLeft> share_allocations_left(const Fd& file) {
    check(::ftruncate(file.get(), sizeof(AllocationsLeft)), "ftruncate");  // It is zero.
    void* page =
        ::mmap(nullptr, sizeof(AllocationsLeft), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (page == MAP_FAILED) {
        throw failed_call(errno, "mmap");
    }
    return {static_cast<AllocationsLeft*>(page),
            [](AllocationsLeft* left) { ::munmap(left, sizeof *left); }};
}

std::string describe(int status) {
    if (WIFEXITED(status)) {
        return "exit " + std::to_string(WEXITSTATUS(status));
    }
    return std::string("killed by SIG") + ::sigabbrev_np(WTERMSIG(status));
}

}  // namespace

Program::Program(const fs::path& executable, const StartSettings& settings)
    : stderr_(std::make_shared<Fd>(
          check(::memfd_create("server's stderr", MFD_CLOEXEC), "memfd_create"))),
      allocations_(check(::memfd_create("allocations left", MFD_CLOEXEC), "memfd_create")),
      allocations_left_(share_allocations_left(allocations_)) {
    // Several processes or threads may write to it at once: each line goes to the end.
    check(::fcntl(stderr_->get(), F_SETFL, O_APPEND), "fcntl");
    // Orphans of the server become ours, so that the destructor can wait for them.
    check(::prctl(PR_SET_CHILD_SUBREAPER, 1), "prctl");

    const Fd copy = settings.unprivileged ? copy_for_everybody(executable) : Fd{};
    std::vector<std::string> command = settings.arguments;
    command.insert(command.begin(), executable);
    std::vector<char*> words;
    for (std::string& word : command) {
        words.push_back(word.data());
    }
    words.push_back(nullptr);

    std::array<int, 2> ends{};
    check(::pipe2(ends.data(), O_CLOEXEC), "pipe2");
    stdout_ = Fd{ends[0]};
    Fd out{ends[1]};
    if (!settings.stdout_path.empty()) {
        out = Fd{check(::open(settings.stdout_path.c_str(), O_WRONLY | O_CLOEXEC), "open stdout")};
    }

    const uid_t user = unprivileged_user();
    descriptor_limit_at_start();
    failing_allocations();
    const std::string allocations =
        "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(allocations_.get());
    pid_ = check(::fork(), "fork");
    if (pid_ == 0) {
        become(words.data(), settings, copy, allocations, user, out.get(),
               settings.stderr_descriptor == -1 ? stderr_->get() : settings.stderr_descriptor);
    }
    // The child does the same: whichever of the two comes first, the group is there from now on.
    ::setpgid(pid_, pid_);
    pidfd_ = Fd{check(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)), "pidfd_open")};
    remember_diagnostics(executable.filename().string() + ", process " + std::to_string(pid_),
                         [file = stderr_] { return read_file(*file); });
}

Program::~Program() {
    kill_all();
    // A server that a sanitizer has ended, or a child of it, may have looked like one that ended by
    // itself.
    const std::string words = diagnostics();
    if (words.find("Sanitizer:") != std::string::npos ||
        words.find("runtime error:") != std::string::npos) {
        FAIL_CHECK("a sanitizer has found a fault in the server:\n" << words);
    }
}

void Program::kill_all() {
    ::kill(-pid_, SIGKILL);
    // The program first: when it has been waited for, its children have become ours.
    if (!exit_status_) {
        int status = 0;
        ::waitpid(pid_, &status, 0);
        exit_status_ = describe(status);
    }
    while (::waitpid(-pid_, nullptr, 0) > 0 || errno == EINTR) {
    }
}

void Program::signal(int number) const {
    check(::kill(pid_, number), "kill");
}

void Program::fail_allocation(int count) const {
    *allocations_left_ = count;
}

int Program::allocations_left() const {
    return *allocations_left_;
}

void Program::stop_all() const {
    check(::kill(-pid_, SIGSTOP), "kill");
    int looks_at_traced = 0;
    wait_until("the server and its children have stopped", [&] {
        std::vector<pid_t> all = proc::children(pid_);
        all.push_back(pid_);
        std::string states;
        for (const pid_t process : all) {
            states += proc::state(process);
        }
        if (states.find_first_not_of("TZ-") == std::string::npos) {
            return true;
        }
        // Under strace (strace.hpp) a stopped process is in state t, and so is, for a moment, one
        // that makes a system call.
        const bool is_traced = states.find_first_not_of("tTZ-") == std::string::npos;
        looks_at_traced = is_traced ? looks_at_traced + 1 : 0;
        return looks_at_traced == 20;
    });
}

void Program::continue_all() const {
    check(::kill(-pid_, SIGCONT), "kill");
}

void Program::limit(int resource, rlim_t soft_limit) const {
    // prlimit(2)'s type of `resource` is an enumeration in C++ with glibc, and an int elsewhere.
    const auto which = static_cast<__rlimit_resource>(resource);
    const auto limit_one = [&](pid_t process) {
        rlimit limits{};
        if (::prlimit(process, which, nullptr, &limits) == 0) {
            limits.rlim_cur = soft_limit;
            ::prlimit(process, which, &limits, nullptr);
        } else if (errno != ESRCH) {  // A child may have ended since we looked.
            throw failed_call(errno, "prlimit");
        }
    };
    // The program first: a child that it starts after that has the new limit already.
    limit_one(pid_);
    for (const pid_t child : proc::children(pid_)) {
        limit_one(child);
    }
}

std::string Program::read_line() {
    const std::optional<std::string> line = try_read_line();
    if (!line) {
        throw std::runtime_error("the server's stdout has ended, and the server: " +
                                 wait_for_exit() + ", after this on stderr: " + diagnostics());
    }
    return *line;
}

std::optional<std::string> Program::try_read_line() {
    const Deadline deadline;
    std::string line;
    char byte = 0;
    while (true) {
        wait_for(stdout_.get(), POLLIN, deadline, "for a line on the server's stdout");
        if (check(::read(stdout_.get(), &byte, 1), "read the server's stdout") == 0) {
            return std::nullopt;
        }
        if (byte == '\n') {
            return line;
        }
        line += byte;
    }
}

std::string Program::read_to_end() {
    const Deadline deadline;
    std::string text;
    std::array<char, 4096> part;
    while (true) {
        wait_for(stdout_.get(), POLLIN, deadline, "for the end of the server's stdout");
        const ssize_t count = check(::read(stdout_.get(), part.data(), part.size()), "read stdout");
        if (count == 0) {
            return text;
        }
        text.append(part.data(), static_cast<std::size_t>(count));
    }
}

std::string Program::diagnostics() const {
    return read_file(*stderr_);
}

bool Program::is_running() const {
    pollfd entry{pidfd_.get(), POLLIN, 0};  // pidfd_open(2): readable once the process has ended
    return !exit_status_ && ::poll(&entry, 1, 0) == 0;
}

std::string Program::wait_for_exit() {
    if (!exit_status_) {
        wait_for(pidfd_.get(), POLLIN, Deadline{}, "for the server to end");
        int status = 0;
        check(::waitpid(pid_, &status, 0), "waitpid");
        exit_status_ = describe(status);
    }
    return *exit_status_;
}

Run run_to_end(const StartSettings& settings) {
    Program program(chapter_under_test().server, settings);
    Run run;
    run.out = program.read_to_end();
    run.exit_status = program.wait_for_exit();
    run.err = program.diagnostics();
    return run;
}

Server::Server(const Chapter& chapter, const StartSettings& settings)
    : Program(chapter.server, settings) {
    const std::optional<std::string> line = try_read_line();
    if (!line) {
        const std::string end = wait_for_exit();
        // A machine without io_uring is no fault of the server's, which says so itself.
        if (diagnostics().starts_with("error: io_uring")) {
            SKIP(diagnostics());
        }
        throw std::runtime_error("the server has ended before its ready line: " + end +
                                 ", after this on stderr: " + diagnostics());
    }
    endpoint_ = parse_ready_line(*line);
    listeners_ = proc::count_sockets(pid());
}

void require_io_uring() {
    static bool has_one = !chapter_has("liburing");
    if (!has_one) {
        const Server says_what_it_lacks;
        has_one = true;  // Once is enough.
    }
}

void require_failing_allocations() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    SKIP("a sanitizer has the memory in its hands");
#endif
    // The variable's words are separated by them: ld.so(8).
    if (failing_allocations().find_first_of(" :") != std::string::npos) {
        SKIP("LD_PRELOAD cannot name a library in a folder with a space or a colon in its name");
    }
}

std::size_t Server::count_clients() const {
    const std::size_t sockets = proc::count_sockets(pid());
    if (sockets < listeners_) {
        throw std::runtime_error("the server does not listen any more, or has ended");
    }
    return sockets - listeners_;
}

Endpoint parse_ready_line(const std::string& line) {
    const std::string before_address = "listening on ";
    const std::size_t colon = line.rfind(':');
    const std::string port = line.substr(std::min(line.size(), colon + 1));
    if (!line.starts_with(before_address) || colon == std::string::npos || port.empty() ||
        port.find_first_not_of("0123456789") != std::string::npos) {
        throw std::runtime_error("the ready line should read 'listening on ADDRESS:PORT', not '" +
                                 line + "'");
    }
    std::string host = line.substr(before_address.size(), colon - before_address.size());
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);  // IPv6
    }
    return {host, static_cast<std::uint16_t>(std::stoi(port))};
}

std::size_t count_lines(const std::string& text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}
