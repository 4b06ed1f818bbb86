// Input and output that a coroutine can await, and groups of tasks: the engine, on io_uring.
#pragma once

#include <fcntl.h>
#include <liburing.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <sanitizer/asan_interface.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <optional>
#include <span>
#include <unordered_set>
#include <utility>

#include "address.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "list.hpp"
#include "ring.hpp"
#include "task.hpp"

class Operation;

class IoContext;

/// Owns tasks that run beside each other, and can wait for them.
class TaskGroup {
public:
    explicit TaskGroup(IoContext& io) : io_(io) {}

    /// Destroys the tasks that have not ended, where they are suspended.
    ~TaskGroup() { clear(); }
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;

    /// Begins a task, and owns it until it has ended. What it throws, IoContext::run() throws.
    void start(Task<> task);

    /// How many tasks have not ended.
    std::size_t size() const { return frames_.size(); }

    /// `co_await group.ended(time)`: whether all tasks have ended before the time is over. For one
    /// coroutine at a time, which is not one of the group.
    auto ended(std::chrono::milliseconds time);

private:
    friend class IoContext;

    class Ended;
    class Started;

    Started run_to_end(Task<> task);
    void clear();

    IoContext& io_;
    std::unordered_set<void*> frames_;
    Operation* pending_ = nullptr;
};

/// Runs coroutines: hands their operations to the kernel, sleeps until some of them are done, and
/// resumes whoever waits for those. For one thread.
class IoContext {
public:
    /// Has room for `entries` operations that have not been handed to the kernel yet; more than
    /// that are handed over earlier. Throws std::runtime_error, which says what to do where
    /// io_uring is missing or forbidden.
    explicit IoContext(unsigned entries = 256);

    /// Destroys the tasks that have been started and have not ended, where they are suspended.
    ~IoContext();
    IoContext(const IoContext&) = delete;
    IoContext& operator=(const IoContext&) = delete;

    /// Begins a task that nobody awaits, and owns it until it has ended.
    void start(Task<> task) { tasks_.start(std::move(task)); }

    /// Runs until every task has ended. Throws what one of them has thrown; what is suspended then
    /// stays so.
    void run();

    /// `co_await io.sleep_for(time)` goes on after the time, or a little later.
    auto sleep_for(std::chrono::milliseconds time);

private:
    friend class Acceptor;
    friend class Operation;
    friend class Socket;
    friend class TaskGroup;
    using Clock = std::chrono::steady_clock;

    class Sleep;

    io_uring_sqe& next_entry();
    void submit_and_wait(unsigned count);
    void take_completions();
    static void cancel(Operation* pending);
    void cancel_late_ones();
    std::optional<Clock::time_point> next_deadline() const;

    io_uring ring_{};
    /// By the time that was given: whoever comes last has the last deadline of those.
    std::map<std::chrono::milliseconds, List<Operation>> deadlines_;
    Clock::time_point now_ = Clock::now();  // when the kernel was last asked
    List<Operation> done_;                  // whose coroutines are to be resumed
    TaskGroup tasks_{*this};
    std::exception_ptr failure_;
};

/// The time that an operation is given: for ever, or until it is cancelled and ends with ETIMEDOUT.
using Timeout = std::optional<std::chrono::milliseconds>;

/// An operation that the kernel does while the coroutine is suspended. From the moment at which it
/// is handed over until it is done, it and the memory that it works on belong to the kernel.
class Operation : public Linked<Operation> {
public:
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> awaiting);

protected:
    /// `pending` is where the operation is found as long as its coroutine is suspended, and
    /// `memory` what the kernel works on: the address sanitizer reports whoever touches it
    /// meanwhile.
    Operation(IoContext& io, Operation*& pending, Timeout timeout, std::span<const char> memory)
        : io_(io), pending_(pending), timeout_(timeout), memory_(memory) {}

    /// A coroutine can be destroyed while it is suspended here. The kernel is made to let go first.
    ~Operation();

    /// Writes down in a submission queue entry what is to be done.
    virtual void describe(io_uring_sqe& entry) = 0;

    /// The result is a descriptor, which is nobody's until the coroutine has been resumed.
    bool is_opening_ = false;

    /// What the system call of that name would have returned, or the negative error number.
    int result() const { return result_; }

    /// The result as a number of bytes. Throws std::system_error when the operation has failed.
    std::size_t count(const char* name) const {
        if (result_ < 0) {
            throw failed_call(-result_, name);
        }
        return static_cast<std::size_t>(result_);
    }

    /// Asks the kernel to give up. The operation ends with the negative `error_number`, or with its
    /// result, when it was done before.
    void cancel(int error_number);

private:
    friend class IoContext;

    enum class State { ours, in_flight, done };

    void submit();
    void end(int result);

    IoContext& io_;
    Operation*& pending_;
    std::coroutine_handle<> awaiting_;
    State state_ = State::ours;  ///< in_flight: the kernel's; done: in the list of those to resume
    int cancelled_with_ = 0;     ///< the error number of cancel()
    int result_ = -ECANCELED;

    const Timeout timeout_;
    const std::span<const char> memory_;
    IoContext::Clock::time_point deadline_;
};

/// A listening socket on which a client can be awaited, by one coroutine at a time.
class Acceptor {
public:
    /// Takes over the listener.
    Acceptor(IoContext& io, Fd listener) : io_(io), fd_(std::move(listener)) {}
    Acceptor(const Acceptor&) = delete;
    Acceptor& operator=(const Acceptor&) = delete;

    /// `co_await acceptor.accept(address)`: the descriptor of the next client, whose address is put
    /// into `address`, or the negative error number with which accept4(2) has failed.
    auto accept(Address& address);

    /// The coroutine that awaits a client gets -ECANCELED, if none has come before.
    void cancel() { IoContext::cancel(pending_); }

    /// No new client can connect any more. Those who have can still be accepted; behind the last
    /// one, accept() answers -EAGAIN.
    void end_queue();

private:
    friend class Accept;

    IoContext& io_;
    Fd fd_;
    Operation* pending_ = nullptr;
    bool has_ended_ = false;
};

/// A client's socket on which bytes, or room for them, can be awaited: one read and one send at a
/// time.
class Socket {
public:
    /// Takes over a descriptor from Acceptor::accept().
    Socket(IoContext& io, Fd client) : io_(io), fd_(std::move(client)) {}
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    /// `co_await socket.read(buffer, timeout)`: how many bytes have come, at most buffer.size(); 0
    /// is the end of the file. Throws std::system_error: with ETIMEDOUT when none have come in
    /// time.
    auto read(std::span<char> buffer, Timeout timeout = {});

    /// `co_await socket.send(bytes, timeout)`: how many of the bytes have been sent, at least 1.
    /// Throws std::system_error: with ETIMEDOUT when there was no room in time.
    auto send(std::span<const char> bytes, Timeout timeout = {});

    /// Whoever is suspended on this socket gets the error ECANCELED, if his operation was not done
    /// before.
    void cancel() {
        IoContext::cancel(reading_);
        IoContext::cancel(sending_);
    }

    /// What has come by now can still be read. Behind it read() finds the end of the file, once:
    /// whoever reads on then gets what the client sends after that.
    void end_input();

    /// The client finds the end of the file behind what has been sent. Nothing can be sent any
    /// more.
    void end_output();

    /// How many bytes have been sent and not been acknowledged by the client's kernel.
    std::size_t unacknowledged() const;

private:
    friend class Read;

    std::size_t take_what_is_left(std::span<char> buffer);

    IoContext& io_;
    Fd fd_;
    Operation* reading_ = nullptr;
    Operation* sending_ = nullptr;
    std::optional<std::size_t> left_;  // bytes to be read before the end of the file
};

// ---- Tasks that nobody awaits ----

/// The outermost coroutine of a task that was started: its frame is destroyed when it ends.
class TaskGroup::Started {
public:
    class promise_type {
    public:
        promise_type(TaskGroup& group, const Task<>&) : group_(group) {
            group_.frames_.insert(frame());
        }

        ~promise_type() {
            group_.frames_.erase(frame());
            if (group_.frames_.empty()) {
                IoContext::cancel(group_.pending_);
            }
        }

        Started get_return_object() const { return {}; }
        std::suspend_never initial_suspend() const noexcept { return {}; }
        std::suspend_never final_suspend() const noexcept { return {}; }
        void return_void() const noexcept {}
        void unhandled_exception() noexcept { group_.io_.failure_ = std::current_exception(); }

    private:
        void* frame() { return std::coroutine_handle<promise_type>::from_promise(*this).address(); }

        TaskGroup& group_;
    };
};

inline TaskGroup::Started TaskGroup::run_to_end(Task<> task) {
    co_await task;
}

inline void TaskGroup::start(Task<> task) {
    run_to_end(std::move(task));
}

inline void TaskGroup::clear() {
    while (!frames_.empty()) {
        std::coroutine_handle<>::from_address(*frames_.begin()).destroy();
    }
}

inline IoContext::~IoContext() {
    tasks_.clear();
    ::io_uring_queue_exit(&ring_);
}

// ---- The loop ----

inline __kernel_timespec to_timespec(std::chrono::nanoseconds time) {
    constexpr std::chrono::nanoseconds second = std::chrono::seconds{1};
    return {.tv_sec = time / second, .tv_nsec = (time % second).count()};
}

inline IoContext::IoContext(unsigned entries) {
    make_ring(entries, ring_);
}

inline void IoContext::run() {
    while (tasks_.size() > 0 && !failure_) {
        submit_and_wait(done_.empty() ? 1 : 0);
        take_completions();
        cancel_late_ones();
        for (std::size_t turns = done_.size(); turns > 0 && !done_.empty(); --turns) {
            Operation& operation = done_.pop_front();
            operation.state_ = Operation::State::ours;
            operation.pending_ = nullptr;
            operation.awaiting_.resume();
        }
    }
    if (failure_) {
        std::rethrow_exception(std::exchange(failure_, nullptr));
    }
}

/// A free entry of the submission queue. When it is full, what is in it is handed over first.
inline io_uring_sqe& IoContext::next_entry() {
    while (true) {
        if (io_uring_sqe* entry = ::io_uring_get_sqe(&ring_)) {
            return *entry;
        }
        submit_and_wait(0);
        take_completions();
    }
}

/// Hands over all entries of the submission queue, and sleeps until at least `count` operations are
/// done or the next deadline has come: one system call for all of it.
inline void IoContext::submit_and_wait(unsigned count) {
    int result = 0;
    if (count == 0) {
        // Here, too, the kernel has to be asked for completions: until it is, it finishes nothing
        // of what has waited in it (IORING_SETUP_DEFER_TASKRUN).
        result = ::io_uring_submit_and_get_events(&ring_);
    } else if (const auto deadline = next_deadline()) {
        const auto left = std::max(*deadline - Clock::now(), Clock::duration::zero());
        __kernel_timespec time = to_timespec(left);
        io_uring_cqe* completion = nullptr;
        result = ::io_uring_submit_and_wait_timeout(&ring_, &completion, count, &time, nullptr);
    } else {
        result = ::io_uring_submit_and_wait(&ring_, count);
    }
    now_ = Clock::now();
    // The deadline has come, or a signal; or there is no memory, or no room for completions, until
    // some of those that are there have been taken. Nothing is lost: what is left goes with the
    // next call.
    if (result < 0 && result != -ETIME && result != -EINTR && result != -EAGAIN &&
        result != -EBUSY) {
        throw failed_call(-result, "io_uring_enter");
    }
}

/// Notes which operations are done. Their memory is ours again.
inline void IoContext::take_completions() {
    io_uring_cqe* completion = nullptr;
    while (::io_uring_peek_cqe(&ring_, &completion) == 0) {
        // Copied out before anything else is done: with cqe_seen() its place is the kernel's again.
        auto* const operation = static_cast<Operation*>(::io_uring_cqe_get_data(completion));
        const int result = completion->res;
        ::io_uring_cqe_seen(&ring_, completion);
        if (operation != nullptr) {  // Or else it is the answer to a request to cancel.
            operation->end(result);
        }
    }
}

/// The first deadline of all operations in flight.
inline std::optional<IoContext::Clock::time_point> IoContext::next_deadline() const {
    std::optional<Clock::time_point> next;
    for (const auto& [time, list] : deadlines_) {
        if (list.front() != nullptr && (!next || list.front()->deadline_ < *next)) {
            next = list.front()->deadline_;
        }
    }
    return next;
}

inline void IoContext::cancel_late_ones() {
    for (auto& [time, list] : deadlines_) {
        while (list.front() != nullptr && list.front()->deadline_ <= now_) {
            list.front()->cancel(ETIMEDOUT);
        }
    }
}

inline void IoContext::cancel(Operation* pending) {
    if (pending != nullptr) {
        pending->cancel(ECANCELED);
    }
}

// ---- Operations ----

inline void Operation::await_suspend(std::coroutine_handle<> awaiting) {
    assert(pending_ == nullptr);
    awaiting_ = awaiting;
    submit();
    pending_ = this;
    if (timeout_) {
        deadline_ = io_.now_ + *timeout_;
        io_.deadlines_[*timeout_].push_back(*this);
    }
}

/// Puts the operation into the submission queue. The kernel is told of it when run() sleeps.
inline void Operation::submit() {
    io_uring_sqe& entry = io_.next_entry();
    describe(entry);
    ::io_uring_sqe_set_data(&entry, this);
    state_ = State::in_flight;
    ASAN_POISON_MEMORY_REGION(memory_.data(), memory_.size());
}

inline void Operation::cancel(int error_number) {
    if (state_ == State::in_flight && cancelled_with_ == 0) {
        leave_list();  // That of the deadlines: it has no other before it is done.
        io_uring_sqe& entry = io_.next_entry();
        ::io_uring_prep_cancel(&entry, this, 0);
        ::io_uring_sqe_set_data(&entry, nullptr);
        cancelled_with_ = error_number;
    }
}

/// The kernel is done with it.
inline void Operation::end(int result) {
    const bool was_stopped = result == -EINTR || result == -ECANCELED;
    if (result == -EINTR && cancelled_with_ == 0) {
        submit();  // A signal came first. Nothing is lost; ask again.
        return;
    }
    ASAN_UNPOISON_MEMORY_REGION(memory_.data(), memory_.size());
    result_ = was_stopped && cancelled_with_ != 0 ? -cancelled_with_ : result;
    state_ = State::done;
    leave_list();
    io_.done_.push_back(*this);
}

inline Operation::~Operation() {
    cancel(ECANCELED);
    while (state_ == State::in_flight) {
        io_.submit_and_wait(1);
        io_.take_completions();
    }
    if (state_ == State::done) {
        if (is_opening_ && result_ >= 0) {
            ::close(result_);
        }
        pending_ = nullptr;
    }
}

class [[nodiscard]] IoContext::Sleep : public Operation {
public:
    Sleep(IoContext& io, std::chrono::milliseconds time)
        : Operation(io, pending_, std::nullopt, {}), time_(to_timespec(time)) {}

    void await_resume() const noexcept {}

private:
    void describe(io_uring_sqe& entry) override { ::io_uring_prep_timeout(&entry, &time_, 0, 0); }

    __kernel_timespec time_;
    Operation* pending_ = nullptr;
};

inline auto IoContext::sleep_for(std::chrono::milliseconds time) {
    return Sleep(*this, time);
}

/// What TaskGroup::ended() returns: a sleep that the end of the last task cuts short.
class [[nodiscard]] TaskGroup::Ended : public Operation {
public:
    Ended(TaskGroup& group, std::chrono::milliseconds time)
        : Operation(group.io_, group.pending_, std::nullopt, {}),
          group_(group),
          time_(to_timespec(time)) {}

    bool await_ready() const noexcept { return group_.size() == 0; }
    bool await_resume() const noexcept { return group_.size() == 0; }

private:
    void describe(io_uring_sqe& entry) override { ::io_uring_prep_timeout(&entry, &time_, 0, 0); }

    const TaskGroup& group_;
    __kernel_timespec time_;
};

inline auto TaskGroup::ended(std::chrono::milliseconds time) {
    return Ended(*this, time);
}

/// What Acceptor::accept() returns.
class [[nodiscard]] Accept : public Operation {
public:
    Accept(Acceptor& acceptor, Address& address)
        : Operation(acceptor.io_, acceptor.pending_, std::nullopt, {}),
          acceptor_(acceptor),
          address_(address) {
        is_opening_ = true;
    }

    bool await_ready() const noexcept { return acceptor_.has_ended_; }

    int await_resume() const {
        if (result() == -ECANCELED && acceptor_.has_ended_) {
            const int fd = ::accept4(acceptor_.fd_.get(), address_.get(), &address_.length,
                                     SOCK_CLOEXEC);  // The listener does not block any more.
            return fd >= 0 ? fd : -errno;
        }
        return result();
    }

private:
    void describe(io_uring_sqe& entry) override {
        address_.length = sizeof address_.storage;
        ::io_uring_prep_accept(&entry, acceptor_.fd_.get(), address_.get(), &address_.length,
                               SOCK_CLOEXEC);
    }

    const Acceptor& acceptor_;
    Address& address_;
};

/// What Socket::read() returns.
class [[nodiscard]] Read : public Operation {
public:
    Read(Socket& socket, std::span<char> buffer, Timeout timeout)
        : Operation(socket.io_, socket.reading_, timeout, buffer),
          socket_(socket),
          buffer_(buffer) {}

    bool await_ready() const noexcept { return socket_.left_.has_value(); }

    std::size_t await_resume() const {
        if (result() == -ECANCELED && socket_.left_) {
            return socket_.take_what_is_left(buffer_);
        }
        return count("read");
    }

private:
    void describe(io_uring_sqe& entry) override {
        ::io_uring_prep_recv(&entry, socket_.fd_.get(), buffer_.data(), buffer_.size(), 0);
    }

    Socket& socket_;
    const std::span<char> buffer_;
};

/// What Socket::send() returns.
class [[nodiscard]] Send : public Operation {
public:
    Send(IoContext& io, Operation*& pending, int fd, std::span<const char> bytes, Timeout timeout)
        : Operation(io, pending, timeout, bytes), fd_(fd), bytes_(bytes) {}

    std::size_t await_resume() const { return count("send"); }

private:
    // MSG_NOSIGNAL: a client that is gone shall be the error EPIPE here, not the signal SIGPIPE,
    // which ends the process.
    void describe(io_uring_sqe& entry) override {
        ::io_uring_prep_send(&entry, fd_, bytes_.data(), bytes_.size(), MSG_NOSIGNAL);
    }

    const int fd_;
    const std::span<const char> bytes_;
};

inline auto Acceptor::accept(Address& address) {
    return Accept(*this, address);
}

inline auto Socket::read(std::span<char> buffer, Timeout timeout) {
    return Read(*this, buffer, timeout);
}

inline auto Socket::send(std::span<const char> bytes, Timeout timeout) {
    return Send(io_, sending_, fd_.get(), bytes, timeout);
}

// ---- The end of a listener and of a connection, from our side ----

inline void Acceptor::end_queue() {
    // A connection is opened by a packet with SYN and without ACK. From now on the kernel drops
    // those before the listener sees them: byte 13 of a TCP header holds the flags (RFC 9293, 3.1).
    // Whoever has begun already can still get to the end. socket(7), SO_ATTACH_FILTER.
    constexpr std::uint8_t syn = 0x02;
    std::array<sock_filter, 4> program{{
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, syn, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 0xffff),
    }};
    const sock_fprog filter{program.size(), program.data()};
    // If there is no memory for it, whoever comes last may be reset: no reason not to end.
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
    ::fcntl(fd_.get(), F_SETFL, O_NONBLOCK);
    has_ended_ = true;
    cancel();
}

inline void Socket::end_input() {
    int waiting = 0;
    ::ioctl(fd_.get(), SIOCINQ, &waiting);
    left_ = static_cast<std::size_t>(waiting);
    IoContext::cancel(reading_);
}

/// At most what was there when the input was ended: a client that sends on and on comes to an end.
inline std::size_t Socket::take_what_is_left(std::span<char> buffer) {
    const std::size_t wanted = std::min(buffer.size(), *left_);
    const ssize_t received =
        wanted == 0 ? 0 : ::recv(fd_.get(), buffer.data(), wanted, MSG_DONTWAIT);
    if (received < 0 && errno != EAGAIN) {
        throw failed_call(errno, "read");
    }
    if (received <= 0) {
        left_.reset();
        return 0;
    }
    *left_ -= static_cast<std::size_t>(received);
    return static_cast<std::size_t>(received);
}

inline void Socket::end_output() {
    check(::shutdown(fd_.get(), SHUT_WR), "shutdown");
}

inline std::size_t Socket::unacknowledged() const {
    int bytes = 0;
    check(::ioctl(fd_.get(), SIOCOUTQ, &bytes), "ioctl SIOCOUTQ");
    return static_cast<std::size_t>(bytes);
}
