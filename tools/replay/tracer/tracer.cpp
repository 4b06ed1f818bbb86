// Runs a server and holds each of its threads where a system call begins and where it ends, until
// it is told to go on.
//
// usage: replay-tracer PROGRAM [ARGUMENT...]
//
// Threads and processes that are made later are held too, at their first instruction. What happens
// is written to descriptor 3, a line of JSON each; the commands come on stdin, a line each:
//
//   go THREAD                     until its next stop; a signal that it was held for is delivered
//   read PROCESS ADDRESS LENGTH   answers {kind: "memory", bytes: in hexadecimal}
//   coroutines PROCESS            tell from now on where coroutines are suspended and resumed
//
// While a thread is held, the server's clock stands still: what has a time limit has it as if
// nothing were held. (A limit that the kernel has been told already runs on.)
//
// When stdin ends, all that was started is killed. The exit status is 0, or 1 where nothing could
// be started or traced.
//
// Events have `kind`, `thread` and `process`; those with a * hold the thread:
//
//   born *      stack; the first of them, the server's, has none
//   entry *     call, arguments (6 numbers as text), stack: [{file, line, function}...]
//   exit *      call, result (a number as text), is_error
//   waits       stack: for another thread, in a mutex, a condition variable, a future (futex(2))
//   woken *     it waits no more
//   signal *    signal, code, sender, status, fd, band
//   ended       status or killed_by
//   resume      frame, function: a coroutine begins or goes on
//   suspend     frame, awaiter, place
//   destroy     frame
//
// A program that takes the place of another one (execve) is watched for coroutines when that is
// asked for again.
#include <elf.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "calls.hpp"
#include "lines.hpp"
#include "memory.hpp"
#include "registers.hpp"

constexpr int events_fd = 3;
constexpr int syscall_stop = SIGTRAP | 0x80;  // PTRACE_O_TRACESYSGOOD
constexpr long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                         PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "replay-tracer: %s: %s\n", what, std::strerror(errno));
    std::exit(EXIT_FAILURE);
}

/// A line of JSON that is written when it is complete.
class Event {
public:
    explicit Event(std::string_view kind) { add("kind", kind); }

    Event& add(std::string_view key, std::string_view value) {
        begin(key);
        quote(value);
        return *this;
    }
    /// As text: a number of JavaScript has 53 bits.
    Event& add(std::string_view key, std::uint64_t value) {
        return add(key, std::string_view(std::to_string(value)));
    }
    Event& add(std::string_view key, int value) {
        begin(key);
        text_ += std::to_string(value);
        return *this;
    }
    Event& add(std::string_view key, bool value) {
        begin(key);
        text_ += value ? "true" : "false";
        return *this;
    }
    Event& add(std::string_view key, const Place& place) {
        begin(key);
        add_place(place);
        return *this;
    }
    Event& add(std::string_view key, const std::vector<Place>& places) {
        begin(key);
        text_ += '[';
        for (const Place& place : places) {
            if (text_.back() != '[') {
                text_ += ',';
            }
            add_place(place);
        }
        text_ += ']';
        return *this;
    }

    void write() {
        text_ += "}\n";
        for (std::string_view rest = text_; !rest.empty();) {
            const ssize_t written = ::write(events_fd, rest.data(), rest.size());
            if (written == -1 && errno != EINTR) {
                std::exit(EXIT_SUCCESS);  // The reader has gone.
            }
            rest.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
        }
    }

private:
    void begin(std::string_view key) {
        text_ += text_.empty() ? '{' : ',';
        quote(key);
        text_ += ':';
    }
    void quote(std::string_view value) {
        text_ += '"';
        for (const char character : value) {
            if (character == '"' || character == '\\') {
                text_ += '\\';
            }
            if (static_cast<unsigned char>(character) >= ' ') {
                text_ += character;
            }
        }
        text_ += '"';
    }
    void add_place(const Place& place) {
        text_ += "{\"file\":";
        quote(place.file);
        text_ += ",\"line\":" + std::to_string(place.line) + ",\"function\":";
        quote(place.function);
        text_ += '}';
    }

    std::string text_;
};

struct Thread {
    pid_t process = 0;
    bool is_held = false;
    int signal = 0;             // to deliver when it goes on
    std::string_view call;      // in which it is, if that is one of ours
    bool waits = false;         // for another thread, in the call in which it is
    std::uint64_t time = 0;     // where its call puts what time it is, if it asks
    std::uint64_t stepped = 0;  // the address of the stop that it is just stepping over
};

/// What a function is whose beginning is watched.
enum class Watched { suspend, resume, destroy, free };

struct Stop {
    Watched watched;
    std::string function;
    std::array<std::uint8_t, stop_instruction.size()> original;
};

/// What is known of a process. A child begins with the stops that are in its parent's memory.
struct Process {
    std::unique_ptr<Lines> lines;
    std::map<std::uint64_t, Stop> stops;
    std::set<std::uint64_t> frames;     // of coroutines that have begun and are not destroyed
    std::set<std::uint64_t> destroyed;  // of those whose destruction has begun
};

/// Runs while no thread is held.
class HeldClock {
public:
    void hold() {
        if (held_++ == 0) {
            since_ = std::chrono::steady_clock::now();
        }
    }
    void let_go() {
        if (--held_ == 0) {
            behind_ += std::chrono::steady_clock::now() - since_;
        }
    }
    /// By how much it is behind the kernel's.
    std::chrono::nanoseconds behind() const {
        return held_ == 0 ? behind_ : behind_ + (std::chrono::steady_clock::now() - since_);
    }

private:
    int held_ = 0;
    std::chrono::steady_clock::time_point since_;
    std::chrono::nanoseconds behind_{0};
};

class Tracer {
public:
    explicit Tracer(char** words) { start(words); }
    void run();

private:
    void start(char** words);
    void take_commands();
    void obey(const std::string& line);
    void take_stops();
    void on_stop(pid_t id, int status);
    void on_birth(pid_t id);
    void on_end(pid_t id, Thread& thread, int status);
    void on_call(pid_t id, Thread& thread);
    void on_entry(pid_t id, Thread& thread, const __ptrace_syscall_info& info);
    void on_trap(pid_t id, Thread& thread);
    void on_signal(pid_t id, Thread& thread, int signal);
    void tell_watched(pid_t id, Thread& thread, const Stop& stop, const Registers& registers);
    void watch_coroutines(pid_t process);
    void insert(pid_t process, std::uint64_t address);
    void set_time_back(const Thread& thread) const;
    void resume(pid_t id, Thread& thread);
    void hold(Thread& thread, Event& event);
    Event make_event(std::string_view kind, pid_t id, const Thread& thread) const;
    const Lines& lines_of(pid_t process, std::uint64_t address);

    pid_t first_ = 0;
    int signals_ = -1;
    std::string commands_;  // what has been read and is no whole line yet
    std::map<pid_t, Thread> threads_;
    std::map<pid_t, Process> processes_;
    HeldClock clock_;
};

/// A line of /proc/PROCESS/status, as a number.
pid_t read_status(pid_t process, std::string_view key) {
    std::ifstream file("/proc/" + std::to_string(process) + "/status");
    pid_t number = 0;
    for (std::string word; file >> word;) {
        if (word == key) {
            file >> number;
            break;
        }
    }
    return number;
}

/// A program that has just begun finds what the kernel says of itself on the stack: behind the
/// words of the command line and the environment, pairs of a number and a value (getauxval(3)).
/// Without the one that says where the kernel's own library lies, it asks for the time with a
/// system call.
void hide_clock(pid_t process) {
    const auto read_word = [process](std::uint64_t address) {
        std::uint64_t word = 0;
        read_memory(process, address, &word, sizeof word);
        return word;
    };
    std::uint64_t at = stack_pointer(get_registers(process));
    at += (read_word(at) + 2) * sizeof at;  // the count of the words, they, and a null
    while (read_word(at) != 0) {            // the environment
        at += sizeof at;
    }
    at += sizeof at;
    for (std::uint64_t kind = 0; (kind = read_word(at)) != AT_NULL; at += 2 * sizeof at) {
        if (kind == AT_SYSINFO_EHDR) {
            const std::uint64_t ignored = AT_IGNORE;
            write_memory(process, at, &ignored, sizeof ignored);
        }
    }
}

void Tracer::start(char** words) {
    sigset_t child;
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &child, nullptr);
    signals_ = ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    ::fcntl(events_fd, F_SETFD, FD_CLOEXEC);
    first_ = ::fork();
    if (first_ == -1) {
        fail("fork");
    }
    if (first_ == 0) {
        ::setpgid(0, 0);
        ::close_range(events_fd, ~0U, 0);  // The server's own descriptors begin with 3.
        ::sigprocmask(SIG_UNBLOCK, &child, nullptr);
        ::close(STDIN_FILENO);
        ::open("/dev/null", O_RDONLY);  // NOLINT: it gets the number of stdin
        if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == -1) {
            std::fprintf(stderr, "replay-tracer: ptrace: %s\n", std::strerror(errno));
            std::_Exit(EXIT_FAILURE);
        }
        ::execv(words[0], words);
        std::fprintf(stderr, "replay-tracer: %s: %s\n", words[0], std::strerror(errno));
        std::_Exit(EXIT_FAILURE);
    }
    int status = 0;
    if (::waitpid(first_, &status, 0) == -1 || !WIFSTOPPED(status)) {
        std::exit(EXIT_FAILURE);  // The child has said why.
    }
    if (::ptrace(PTRACE_SETOPTIONS, first_, nullptr, options) == -1) {
        fail("ptrace");
    }
    hide_clock(first_);
    Thread& thread = threads_[first_];
    thread.process = first_;
    Event event = make_event("born", first_, thread);
    hold(thread, event);
}

void Tracer::run() {
    std::array<pollfd, 2> watched{{{STDIN_FILENO, POLLIN, 0}, {signals_, POLLIN, 0}}};
    while (!threads_.empty()) {
        if (::poll(watched.data(), watched.size(), -1) == -1 && errno != EINTR) {
            fail("poll");
        }
        if (watched[1].revents != 0) {
            signalfd_siginfo news;
            while (::read(signals_, &news, sizeof news) > 0) {
            }
            take_stops();
        }
        if (watched[0].revents != 0) {
            take_commands();
        }
    }
}

void Tracer::take_commands() {
    std::array<char, 4096> buffer;
    const ssize_t count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (count <= 0) {
        std::exit(EXIT_SUCCESS);  // PTRACE_O_EXITKILL ends what runs.
    }
    commands_.append(buffer.data(), static_cast<std::size_t>(count));
    for (std::size_t end; (end = commands_.find('\n')) != std::string::npos;) {
        const std::string line = commands_.substr(0, end);
        commands_.erase(0, end + 1);
        obey(line);
    }
}

void Tracer::obey(const std::string& line) {
    std::istringstream words(line);
    std::string command;
    pid_t id = 0;
    words >> command >> id;
    if (command == "go") {
        const auto entry = threads_.find(id);
        if (entry != threads_.end() && entry->second.is_held) {
            resume(id, entry->second);
        }
    } else if (command == "read") {
        std::uint64_t address = 0;
        std::size_t length = 0;
        words >> address >> length;
        std::string bytes(length, '\0');
        bytes.resize(read_memory(id, address, bytes.data(), length));
        std::string hex;
        for (const char byte : bytes) {
            constexpr char digits[] = "0123456789abcdef";
            hex += digits[static_cast<unsigned char>(byte) >> 4];
            hex += digits[static_cast<unsigned char>(byte) & 15];
        }
        Event("memory").add("bytes", std::string_view(hex)).write();
    } else if (command == "coroutines") {
        watch_coroutines(id);
    }
}

void Tracer::take_stops() {
    int status = 0;
    for (pid_t id; (id = ::waitpid(-1, &status, __WALL | WNOHANG)) > 0;) {
        on_stop(id, status);
    }
}

void Tracer::on_stop(pid_t id, int status) {
    const auto entry = threads_.find(id);
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
        if (entry != threads_.end()) {
            on_end(id, entry->second, status);
            threads_.erase(entry);
        }
        return;
    }
    if (entry == threads_.end()) {
        return on_birth(id);
    }
    Thread& thread = entry->second;
    const int signal = WSTOPSIG(status);
    const int happened = status >> 16;
    if (signal == syscall_stop) {
        on_call(id, thread);
    } else if (happened != 0) {
        if (happened == PTRACE_EVENT_EXEC) {
            processes_.erase(thread.process);
            hide_clock(thread.process);
        }
        resume(id, thread);
    } else if (signal == SIGTRAP) {
        on_trap(id, thread);
    } else {
        on_signal(id, thread, signal);
    }
}

/// A new thread or process, which begins stopped by SIGSTOP.
void Tracer::on_birth(pid_t id) {
    Thread& thread = threads_[id];
    thread.process = read_status(id, "Tgid:");
    if (thread.process == id) {
        processes_[id].stops = processes_[read_status(id, "PPid:")].stops;
    }
    Event event = make_event("born", id, thread);
    const Lines& lines = lines_of(thread.process, program_counter(get_registers(id)));
    event.add("stack", lines.stack(id));
    hold(thread, event);
}

void Tracer::on_end(pid_t id, Thread& thread, int status) {
    if (thread.is_held) {
        clock_.let_go();
    }
    if (id == thread.process) {
        processes_.erase(id);
    }
    Event event = make_event("ended", id, thread);
    WIFEXITED(status) ? event.add("status", WEXITSTATUS(status))
                      : event.add("killed_by", WTERMSIG(status));
    event.write();
}

void Tracer::on_call(pid_t id, Thread& thread) {
    __ptrace_syscall_info info{};
    if (::ptrace(PTRACE_GET_SYSCALL_INFO, id, sizeof info, &info) == -1) {
        return;  // It has been killed; its end comes next.
    }
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        return on_entry(id, thread, info);
    }
    if (thread.time != 0) {
        set_time_back(thread);
    }
    if (thread.waits) {
        Event event = make_event("woken", id, thread);
        return hold(thread, event);
    }
    if (thread.call.empty()) {
        return resume(id, thread);
    }
    Event event = make_event("exit", id, thread);
    event.add("call", thread.call)
        .add("result", std::string_view(std::to_string(info.exit.rval)))
        .add("is_error", info.exit.is_error != 0);
    thread.call = {};
    hold(thread, event);
}

void Tracer::on_entry(pid_t id, Thread& thread, const __ptrace_syscall_info& info) {
    const auto& arguments = info.entry.args;
    thread.call = name_call(static_cast<long>(info.entry.nr));
    const bool asks_for_time = info.entry.nr == SYS_clock_gettime &&
                               (arguments[0] == CLOCK_MONOTONIC || arguments[0] == CLOCK_REALTIME);
    thread.time = asks_for_time ? arguments[1] : 0;
    const std::uint64_t command = arguments[1] & FUTEX_CMD_MASK;
    thread.waits =
        info.entry.nr == SYS_futex && (command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET ||
                                       command == FUTEX_LOCK_PI || command == FUTEX_LOCK_PI2);
    const auto add_stack = [&](Event& event) -> Event& {
        return event.add("stack", lines_of(thread.process, info.instruction_pointer).stack(id));
    };
    if (thread.waits) {
        Event event = make_event("waits", id, thread);
        add_stack(event).write();
    }
    if (thread.call.empty()) {
        return resume(id, thread);
    }
    Event event = make_event("entry", id, thread);
    event.add("call", thread.call);
    std::string numbers;
    for (const std::uint64_t argument : arguments) {
        numbers += (numbers.empty() ? "" : " ") + std::to_string(argument);
    }
    event.add("arguments", std::string_view(numbers));
    hold(thread, add_stack(event));
}

void Tracer::on_trap(pid_t id, Thread& thread) {
    if (thread.stepped != 0) {
        insert(thread.process, std::exchange(thread.stepped, 0));
        return resume(id, thread);
    }
    Registers registers = get_registers(id);
    const std::uint64_t address = program_counter(registers) - stop_length;
    const std::map<std::uint64_t, Stop>& stops = processes_[thread.process].stops;
    const auto stop = stops.find(address);
    if (stop == stops.end()) {
        return resume(id, thread);
    }
    set_program_counter(registers, address);
    set_registers(id, registers);
    tell_watched(id, thread, stop->second, registers);
    // One instruction without the stop, and then it is put back.
    write_memory(thread.process, address, stop->second.original.data(),
                 stop->second.original.size());
    thread.stepped = address;
    ::ptrace(PTRACE_SINGLESTEP, id, nullptr, 0);
}

void Tracer::tell_watched(pid_t id, Thread& thread, const Stop& stop, const Registers& registers) {
    Process& process = processes_[thread.process];
    const std::uint64_t first = first_argument(registers);
    switch (stop.watched) {
        case Watched::suspend: {
            const std::uint64_t frame = second_argument(registers);
            const std::uint64_t caller = return_address(thread.process, registers) - 1;
            process.frames.insert(frame);
            make_event("suspend", id, thread)
                .add("frame", frame)
                .add("awaiter", std::string_view(stop.function))
                .add("place", lines_of(thread.process, caller).find(caller))
                .write();
            break;
        }
        case Watched::resume:
            if (process.destroyed.erase(first) != 0) {
                break;  // The frame's destructors run as a part of the coroutine itself.
            }
            process.frames.insert(first);
            make_event("resume", id, thread)
                .add("frame", first)
                .add("function", std::string_view(stop.function))
                .write();
            break;
        case Watched::destroy: process.destroyed.insert(first); [[fallthrough]];
        case Watched::free:
            if (process.frames.erase(first) != 0) {
                make_event("destroy", id, thread).add("frame", first).write();
            }
            break;
    }
}

void Tracer::on_signal(pid_t id, Thread& thread, int signal) {
    siginfo_t info{};
    if (::ptrace(PTRACE_GETSIGINFO, id, nullptr, &info) == -1) {
        return;
    }
    thread.signal = signal;
    if (thread.stepped != 0) {  // It is delivered behind the step.
        ::ptrace(PTRACE_SINGLESTEP, id, nullptr, std::exchange(thread.signal, 0));
        return;
    }
    Event event = make_event("signal", id, thread);
    event.add("signal", signal)
        .add("code", info.si_code)
        .add("sender", static_cast<int>(info.si_pid))
        .add("status", info.si_status)
        .add("fd", info.si_fd)
        .add("band", static_cast<int>(info.si_band));
    hold(thread, event);
}

/// Has the program stop where a coroutine is suspended or resumed, and where its frame is destroyed
/// or freed.
void Tracer::watch_coroutines(pid_t process) {
    const auto is_wanted = [](std::string_view symbol) {
        return symbol.find("13await_suspend") != symbol.npos || symbol.ends_with(".actor") ||
               symbol.ends_with(".destroy") || symbol == "_ZdlPv" || symbol == "_ZdlPvm";
    };
    std::map<std::uint64_t, Stop>& stops = processes_[process].stops;
    processes_[process].lines.reset();  // Libraries have been loaded since.
    for (const Lines::Symbol& symbol : lines_of(process, 0).list_functions(is_wanted)) {
        const std::string_view name = symbol.name;
        const Watched watched = name.ends_with(".actor")     ? Watched::resume
                                : name.ends_with(".destroy") ? Watched::destroy
                                : name.starts_with("_ZdlPv") ? Watched::free
                                                             : Watched::suspend;
        Stop stop{watched, name_function(name), {}};
        if (!stops.contains(symbol.address) &&
            read_memory(process, symbol.address, stop.original.data(), stop.original.size()) ==
                stop.original.size()) {
            stops.emplace(symbol.address, stop);
            insert(process, symbol.address);
        }
    }
}

void Tracer::insert(pid_t process, std::uint64_t address) {
    write_memory(process, address, stop_instruction.data(), stop_instruction.size());
}

/// The thread has asked what time it is, and gets to know what its clock says.
void Tracer::set_time_back(const Thread& thread) const {
    timespec time{};
    if (read_memory(thread.process, thread.time, &time, sizeof time) != sizeof time) {
        return;
    }
    using namespace std::chrono;
    const nanoseconds shown = seconds(time.tv_sec) + nanoseconds(time.tv_nsec) - clock_.behind();
    time.tv_sec = floor<seconds>(shown).count();
    time.tv_nsec = (shown - floor<seconds>(shown)).count();
    write_memory(thread.process, thread.time, &time, sizeof time);
}

void Tracer::resume(pid_t id, Thread& thread) {
    if (std::exchange(thread.is_held, false)) {
        clock_.let_go();
    }
    ::ptrace(PTRACE_SYSCALL, id, nullptr, std::exchange(thread.signal, 0));
}

void Tracer::hold(Thread& thread, Event& event) {
    thread.is_held = true;
    clock_.hold();
    event.write();
}

Event Tracer::make_event(std::string_view kind, pid_t id, const Thread& thread) const {
    Event event(kind);
    event.add("thread", id).add("process", thread.process);
    return event;
}

/// What is known of the process; anew where `address` is in a library that has been loaded since.
const Lines& Tracer::lines_of(pid_t process, std::uint64_t address) {
    std::unique_ptr<Lines>& lines = processes_[process].lines;
    if (!lines || !lines->knows(address)) {
        lines = std::make_unique<Lines>(process);
    }
    return *lines;
}

int main(int count, char** words) {
    if (count < 2) {
        std::fputs("usage: replay-tracer PROGRAM [ARGUMENT...]\n", stderr);
        return EXIT_FAILURE;
    }
    Tracer(words + 1).run();
    return EXIT_SUCCESS;
}
