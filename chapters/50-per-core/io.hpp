// Input and output that a coroutine can await, multishot where it can be: the engine, on io_uring.
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
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <unordered_set>
#include <utility>
#include <vector>

#include "address.hpp"
#include "buffers.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "list.hpp"
#include "ring.hpp"
#include "task.hpp"

class Inbox;
class Wait;

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
    Wait* pending_ = nullptr;
};

/// Runs coroutines: hands their operations to the kernel, sleeps until some of them are done, and
/// resumes whoever waits for those. For one thread.
class IoContext {
public:
    /// Has room for `entries` operations that have not been handed to the kernel yet; more than
    /// that are handed over earlier. What comes is received into `buffers` buffers of `buffer_size`
    /// bytes, for all clients together. Throws std::runtime_error, which says what to do where
    /// io_uring is missing or forbidden.
    explicit IoContext(unsigned entries = 256, unsigned buffers = 64,
                       std::size_t buffer_size = 64 * 1024);

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
    friend class Inbox;
    friend class Multishot;
    friend class Operation;
    friend class Socket;
    friend class TaskGroup;
    friend class Wait;
    using Clock = std::chrono::steady_clock;

    class Sleep;

    io_uring_sqe& next_entry();
    void submit_and_wait(unsigned count);
    void take_completions();
    static void cancel(Wait* pending);
    void cancel_late_ones();
    void arm_hungry_ones();
    std::optional<Clock::time_point> next_deadline() const;

    io_uring ring_{};
    std::optional<BufferPool> pool_;
    List<Inbox> hungry_;  // who had bytes coming, and no buffer was left for them
    /// By the time that was given: whoever comes last has the last deadline of those.
    std::map<std::chrono::milliseconds, List<Wait>> deadlines_;
    Clock::time_point now_ = Clock::now();  // when the kernel was last asked
    List<Wait> done_;                       // whose coroutines are to be resumed
    TaskGroup tasks_{*this};
    std::exception_ptr failure_;
};

/// The time that a wait is given: for ever, or until it is cancelled and ends with ETIMEDOUT.
using Timeout = std::optional<std::chrono::milliseconds>;

/// What a coroutine is suspended in: until it is over, or its deadline has come.
class Wait : public Linked<Wait> {
public:
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> awaiting);

    /// It is over, with this result. The coroutine is resumed when its turn comes.
    void end(int result);

    /// It shall end soon, with the negative `error_number`, or with a result that was there before.
    void cancel(int error_number);

protected:
    /// `pending` is where the wait is found as long as its coroutine is suspended.
    Wait(IoContext& io, Wait*& pending, Timeout timeout)
        : io_(io), pending_(pending), timeout_(timeout) {}

    /// A coroutine can be destroyed while it is suspended here.
    ~Wait();

    /// Sees to it that there will be something to wait for.
    virtual void begin() = 0;

    /// Sees to it that end() is called soon.
    virtual void give_up(int error_number) = 0;

    /// What the system call of that name would have returned, or the negative error number.
    int result() const { return result_; }

    /// The result as a number of bytes. Throws std::system_error when the wait was in vain.
    std::size_t count(const char* name) const {
        if (result_ < 0) {
            throw failed_call(-result_, name);
        }
        return static_cast<std::size_t>(result_);
    }

    IoContext& io_;

private:
    friend class IoContext;

    enum class State { not_begun, suspended, over };

    Wait*& pending_;
    std::coroutine_handle<> awaiting_;
    State state_ = State::not_begun;  ///< over: in the list of those to resume
    int result_ = -ECANCELED;

    const Timeout timeout_;
    IoContext::Clock::time_point deadline_;
};

/// Whatever has completions: its address is the user data of its entry.
class Completable {
public:
    /// Takes a completion: what the system call would have returned, or the negative error number,
    /// and the flags IORING_CQE_F_....
    virtual void complete(int result, unsigned flags) = 0;

protected:
    ~Completable() = default;
};

/// An operation that the kernel does once, while the coroutine is suspended. From the moment at
/// which it is handed over until it is done, it and the memory that it works on belong to the
/// kernel.
class Operation : public Wait, public Completable {
protected:
    /// `memory` is what the kernel works on: the address sanitizer reports whoever touches it
    /// meanwhile.
    Operation(IoContext& io, Wait*& pending, Timeout timeout, std::span<const char> memory)
        : Wait(io, pending, timeout), memory_(memory) {}

    /// The kernel is made to let go first.
    ~Operation();

    /// Writes down in a submission queue entry what is to be done.
    virtual void describe(io_uring_sqe& entry) = 0;

    /// Whether it is to be handed over again, instead of being done with this result, or with the
    /// one that it is changed to.
    virtual bool goes_on(int& result) { return result == -EINTR; }  // A signal came first.

    void work_on(std::span<const char> memory) { memory_ = memory; }

private:
    void begin() override;
    void give_up(int error_number) override;
    void complete(int result, unsigned flags) override;

    bool is_in_flight_ = false;
    int cancelled_with_ = 0;  ///< the error number of cancel()
    std::span<const char> memory_;
};

/// An operation that is handed over once and then done again and again, each time with a
/// completion, until it is cancelled or cannot go on. What has come is kept until a coroutine takes
/// it: one at a time.
class Multishot : public Completable {
public:
    Multishot(const Multishot&) = delete;
    Multishot& operator=(const Multishot&) = delete;

    /// Ends the wait of `waiting_` if something has come; or else lets something come.
    void serve();

    Wait* waiting_ = nullptr;

protected:
    explicit Multishot(IoContext& io) : io_(io) {}
    ~Multishot() { assert(!is_armed_); }

    virtual void describe(io_uring_sqe& entry) = 0;
    virtual void take(int result, unsigned flags) = 0;
    virtual bool has_something() const = 0;

    /// Hands it over, if the kernel does not have it.
    virtual void arm();

    /// Has the kernel stop. Completions can still come until it has.
    void disarm();

    /// The same, and waits until it has. For the destructors of derived classes.
    void stop();

    /// Whether the kernel has it.
    bool is_armed() const { return is_armed_; }

    IoContext& io_;

private:
    void complete(int result, unsigned flags) override;

    bool is_armed_ = false;
    bool is_disarmed_ = false;  // or soon will be
};

/// The clients that have come to a listener and have not been asked for.
class Newcomers : public Multishot {
public:
    Newcomers(IoContext& io, const Fd& listener) : Multishot(io), listener_(listener) {}
    ~Newcomers();

    /// The descriptor of the first one, or a negative error number.
    int take_first();

    /// No more can come than are in the accept queue.
    void end();

private:
    void describe(io_uring_sqe& entry) override;
    void take(int result, unsigned flags) override;
    bool has_something() const override {
        return !arrived_.empty() || is_out_of_memory_ || (has_ended_ && !is_armed());
    }

    const Fd& listener_;
    std::deque<int> arrived_;  // descriptors and negative error numbers
    bool is_out_of_memory_ = false;
    bool has_ended_ = false;
};

/// The bytes that have come from a client and have not been read.
class Inbox : public Multishot, public Linked<Inbox> {
public:
    Inbox(IoContext& io, const Fd& client) : Multishot(io), client_(client) {}
    ~Inbox();

    bool has_something() const override { return !arrived_.empty() || end_ || left_; }

    /// The first bytes; none are the end of the file. Throws std::system_error.
    Bytes take_first();

    /// No more can come than the socket has received.
    void end();

    /// Their reader is going to wait for something else: they shall hold no buffer meanwhile, and
    /// no more shall come.
    void leave_pool();

private:
    friend class IoContext;

    void describe(io_uring_sqe& entry) override;
    void take(int result, unsigned flags) override;
    void arm() override;
    void see_what_is_left();
    void run_out_of_memory();
    Bytes receive_what_is_left();

    const Fd& client_;
    std::vector<Bytes> arrived_;
    std::optional<int> end_;  // behind them: 0 is the end of the file, or an error number
    bool leaves_pool_ = false;
    bool has_ended_ = false;
    std::optional<std::size_t> left_;  // bytes in the socket before the end
};

/// A listening socket on which a client can be awaited, by one coroutine at a time.
class Acceptor {
public:
    /// Takes over the listener.
    Acceptor(IoContext& io, Fd listener) : io_(io), fd_(std::move(listener)), newcomers_(io, fd_) {}
    Acceptor(const Acceptor&) = delete;
    Acceptor& operator=(const Acceptor&) = delete;

    /// `co_await acceptor.accept(address)`: the descriptor of the next client, whose address is put
    /// into `address`, or the negative error number with which accept4(2) has failed.
    auto accept(Address& address);

    /// The coroutine that awaits a client gets -ECANCELED, if none has come before.
    void cancel() { IoContext::cancel(newcomers_.waiting_); }

    /// No new client can connect any more. Those who have can still be accepted; behind the last
    /// one, accept() answers -EAGAIN.
    void end_queue();

private:
    IoContext& io_;
    Fd fd_;
    Newcomers newcomers_;
};

/// A client's socket on which bytes, or room for them, can be awaited: one read and one send at a
/// time.
class Socket {
public:
    /// Takes over a descriptor from Acceptor::accept().
    Socket(IoContext& io, Fd client) : io_(io), fd_(std::move(client)), inbox_(io, fd_) {}
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    /// `co_await socket.read(timeout)`: the next bytes that have come; none are the end of the
    /// file. Throws std::system_error: with ETIMEDOUT when nothing has come in time.
    auto read(Timeout timeout = {});

    /// `co_await socket.send(bytes, timeout)`: how many of the bytes have been sent, at least 1.
    /// They leave the pool when there is no room for them at once. Throws std::system_error: with
    /// ETIMEDOUT when there was no room in time.
    auto send(Bytes& bytes, Timeout timeout = {});

    /// Whoever is suspended on this socket gets the error ECANCELED, if his operation was not done
    /// before.
    void cancel() {
        IoContext::cancel(inbox_.waiting_);
        IoContext::cancel(sending_);
    }

    /// What has come by now can still be read. Behind it read() finds the end of the file, once:
    /// whoever reads on then gets what the client sends after that.
    void end_input() { inbox_.end(); }

    /// The client finds the end of the file behind what has been sent. Nothing can be sent any
    /// more.
    void end_output();

    /// How many bytes have been sent and not been acknowledged by the client's kernel.
    std::size_t unacknowledged() const;

private:
    IoContext& io_;
    Fd fd_;
    Inbox inbox_;
    Wait* sending_ = nullptr;
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

inline IoContext::IoContext(unsigned entries, unsigned buffers, std::size_t buffer_size) {
    make_ring(entries, ring_);
    try {
        pool_.emplace(ring_, buffers, buffer_size);
    } catch (...) {
        ::io_uring_queue_exit(&ring_);
        throw;
    }
}

inline void IoContext::run() {
    while (tasks_.size() > 0 && !failure_) {
        arm_hungry_ones();
        // Those who go on may find that nothing has come, and take no buffer: then it is for
        // others.
        const bool others_can_go_on = pool_->available() > 0 && !hungry_.empty();
        submit_and_wait(done_.empty() && !others_can_go_on ? 1 : 0);
        take_completions();
        cancel_late_ones();
        for (std::size_t turns = done_.size(); turns > 0 && !done_.empty(); --turns) {
            Wait& wait = done_.pop_front();
            wait.state_ = Wait::State::not_begun;
            wait.pending_ = nullptr;
            wait.awaiting_.resume();
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
        auto* const completable = static_cast<Completable*>(::io_uring_cqe_get_data(completion));
        const int result = completion->res;
        const unsigned flags = completion->flags;
        ::io_uring_cqe_seen(&ring_, completion);
        if (completable != nullptr) {  // Or else it is the answer to a request to cancel.
            completable->complete(result, flags);
        }
    }
}

/// The first deadline of all waits.
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

inline void IoContext::cancel(Wait* pending) {
    if (pending != nullptr) {
        pending->cancel(ECANCELED);
    }
}

/// As many as there are buffers go on, whoever has waited longest first. One that is too late once
/// more waits behind the others.
inline void IoContext::arm_hungry_ones() {
    for (unsigned buffers = pool_->available(); buffers > 0 && !hungry_.empty();) {
        Inbox& inbox = hungry_.pop_front();
        if (inbox.waiting_ != nullptr) {  // Or else it takes none: its reader does something else.
            inbox.serve();
            --buffers;
        }
    }
}

// ---- Waits and operations ----

inline void Wait::await_suspend(std::coroutine_handle<> awaiting) {
    assert(pending_ == nullptr);
    awaiting_ = awaiting;
    pending_ = this;
    state_ = State::suspended;
    begin();
    if (timeout_ && state_ == State::suspended) {
        deadline_ = io_.now_ + *timeout_;
        io_.deadlines_[*timeout_].push_back(*this);
    }
}

inline void Wait::end(int result) {
    if (state_ == State::suspended) {
        leave_list();  // That of the deadlines: it has no other before it is over.
        result_ = result;
        state_ = State::over;
        io_.done_.push_back(*this);
    }
}

inline void Wait::cancel(int error_number) {
    if (state_ == State::suspended) {
        leave_list();
        give_up(error_number);
    }
}

inline Wait::~Wait() {
    if (state_ != State::not_begun) {
        pending_ = nullptr;
    }
}

/// Puts the operation into the submission queue. The kernel is told of it when run() sleeps.
inline void Operation::begin() {
    io_uring_sqe& entry = io_.next_entry();
    describe(entry);
    ::io_uring_sqe_set_data(&entry, static_cast<Completable*>(this));
    is_in_flight_ = true;
    ASAN_POISON_MEMORY_REGION(memory_.data(), memory_.size());
}

inline void Operation::give_up(int error_number) {
    if (is_in_flight_ && cancelled_with_ == 0) {
        io_uring_sqe& entry = io_.next_entry();
        ::io_uring_prep_cancel(&entry, static_cast<Completable*>(this), 0);
        ::io_uring_sqe_set_data(&entry, nullptr);
        cancelled_with_ = error_number;
    }
}

/// The kernel is done with it.
inline void Operation::complete(int result, unsigned) {
    ASAN_UNPOISON_MEMORY_REGION(memory_.data(), memory_.size());
    is_in_flight_ = false;
    const bool was_stopped = result == -EINTR || result == -ECANCELED;
    if (cancelled_with_ == 0 && goes_on(result)) {
        begin();
    } else {
        end(was_stopped && cancelled_with_ != 0 ? -cancelled_with_ : result);
    }
}

inline Operation::~Operation() {
    cancel(ECANCELED);
    while (is_in_flight_) {
        io_.submit_and_wait(1);
        io_.take_completions();
    }
}

inline void Multishot::serve() {
    if (has_something()) {
        if (waiting_ != nullptr) {
            waiting_->end(0);
        }
    } else if (waiting_ != nullptr) {
        arm();
    }
}

inline void Multishot::arm() {
    if (!is_armed_) {
        io_uring_sqe& entry = io_.next_entry();
        describe(entry);
        ::io_uring_sqe_set_data(&entry, static_cast<Completable*>(this));
        is_armed_ = true;
        is_disarmed_ = false;
    }
}

inline void Multishot::disarm() {
    if (is_armed_ && !is_disarmed_) {
        io_uring_sqe& entry = io_.next_entry();
        ::io_uring_prep_cancel(&entry, static_cast<Completable*>(this), 0);
        ::io_uring_sqe_set_data(&entry, nullptr);
        is_disarmed_ = true;
    }
}

/// Without IORING_CQE_F_MORE it is the last completion, whatever the reason: the kernel has let go.
inline void Multishot::complete(int result, unsigned flags) {
    is_armed_ = (flags & IORING_CQE_F_MORE) != 0;
    take(result, flags);
    serve();
}

inline void Multishot::stop() {
    assert(waiting_ == nullptr);  // Whoever waits is to be destroyed first.
    disarm();
    while (is_armed_) {
        io_.submit_and_wait(1);
        io_.take_completions();
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
    Wait* pending_ = nullptr;
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

// ---- Clients that come ----

inline void Newcomers::describe(io_uring_sqe& entry) {
    ::io_uring_prep_multishot_accept(&entry, listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
}

inline void Newcomers::take(int result, unsigned) {
    if (result == -ECANCELED || result == -EINTR) {
        return;
    }
    try {
        arrived_.push_back(result);
    } catch (const std::bad_alloc&) {
        is_out_of_memory_ = true;
        if (result >= 0) {
            ::close(result);  // One client is turned away, and no other hears of it.
        }
    }
}

inline int Newcomers::take_first() {
    if (!arrived_.empty()) {
        const int first = arrived_.front();
        arrived_.pop_front();
        return first;
    }
    if (std::exchange(is_out_of_memory_, false)) {
        return -ENOMEM;
    }
    const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

inline Newcomers::~Newcomers() {
    stop();
    for (const int result : arrived_) {
        if (result >= 0) {
            ::close(result);  // Nobody is there to take it.
        }
    }
}

/// What Acceptor::accept() returns.
class [[nodiscard]] Accept : public Wait {
public:
    Accept(IoContext& io, Newcomers& newcomers, Address& address)
        : Wait(io, newcomers.waiting_, std::nullopt), newcomers_(newcomers), address_(address) {}

    int await_resume() {
        if (result() < 0) {
            return result();
        }
        const int fd = newcomers_.take_first();
        // One entry for all clients has no place for the address of each. It stays empty when the
        // client has gone already.
        address_.length = sizeof address_.storage;
        if (fd >= 0) {
            ::getpeername(fd, address_.get(), &address_.length);
        }
        return fd;
    }

private:
    void begin() override { newcomers_.serve(); }
    void give_up(int error_number) override { end(-error_number); }

    Newcomers& newcomers_;
    Address& address_;
};

inline auto Acceptor::accept(Address& address) {
    return Accept(io_, newcomers_, address);
}

// ---- Bytes that come ----

inline void Inbox::describe(io_uring_sqe& entry) {
    ::io_uring_prep_recv_multishot(&entry, client_.get(), nullptr, 0, 0);
    entry.flags |= IOSQE_BUFFER_SELECT;
    entry.buf_group = BufferPool::group;
}

inline void Inbox::take(int result, unsigned flags) {
    constexpr std::size_t enough = 4;
    if ((flags & IORING_CQE_F_BUFFER) != 0) {
        try {
            Bytes bytes(*io_.pool_, flags >> IORING_CQE_BUFFER_SHIFT,
                        static_cast<std::size_t>(result));
            if (leaves_pool_) {
                bytes.leave_pool();
            }
            if (!end_) {
                arrived_.push_back(std::move(bytes));
            }
        } catch (const std::bad_alloc&) {
            run_out_of_memory();
        }
        if (waiting_ == nullptr && arrived_.size() >= enough) {
            disarm();  // The client is faster than its reader.
        }
    } else if (result == -ENOBUFS) {
        io_.hungry_.push_back(*this);
    } else if (result != -ECANCELED && result != -EINTR) {
        end_ = -result;
    }
    see_what_is_left();
}

inline void Inbox::arm() {
    if (!is_listed()) {  // With the hungry ones.
        leaves_pool_ = false;
        Multishot::arm();
    }
}

inline Bytes Inbox::take_first() {
    if (!arrived_.empty()) {
        Bytes first = std::move(arrived_.front());
        arrived_.erase(arrived_.begin());
        return first;
    }
    if (end_) {
        const int error_number = *std::exchange(end_, std::nullopt);
        if (error_number != 0) {
            throw failed_call(error_number, "read");
        }
        return {};
    }
    return receive_what_is_left();
}

inline void Inbox::leave_pool() {
    try {
        for (Bytes& bytes : arrived_) {
            bytes.leave_pool();
        }
    } catch (const std::bad_alloc&) {
        run_out_of_memory();
    }
    leaves_pool_ = true;
    disarm();
}

/// Bytes are lost, so the reader may have none of those that came after them.
inline void Inbox::run_out_of_memory() {
    arrived_.clear();
    end_ = ENOMEM;
    disarm();
}

inline Inbox::~Inbox() {
    stop();
}

/// What Socket::read() returns.
class [[nodiscard]] Read : public Wait {
public:
    Read(IoContext& io, Inbox& inbox, Timeout timeout)
        : Wait(io, inbox.waiting_, timeout), inbox_(inbox) {}

    Bytes await_resume() {
        if (!inbox_.has_something()) {
            throw failed_call(-result(), "read");
        }
        return inbox_.take_first();
    }

private:
    void begin() override { inbox_.serve(); }
    void give_up(int error_number) override { end(-error_number); }

    Inbox& inbox_;
};

/// What Socket::send() returns.
class [[nodiscard]] Send : public Operation {
public:
    Send(IoContext& io, Wait*& pending, const Fd& fd, Inbox& inbox, Bytes& bytes, Timeout timeout)
        : Operation(io, pending, timeout, bytes.get()), fd_(fd), inbox_(inbox), bytes_(bytes) {}

    std::size_t await_resume() const { return count("send"); }

private:
    // MSG_NOSIGNAL: a client that is gone shall be the error EPIPE here, not the signal SIGPIPE,
    // which ends the process.
    void describe(io_uring_sqe& entry) override {
        const std::span<const char> bytes = bytes_.get();
        ::io_uring_prep_send(&entry, fd_.get(), bytes.data(), bytes.size(),
                             MSG_NOSIGNAL | (waits_ ? 0 : MSG_DONTWAIT));
    }

    bool goes_on(int& result) override {
        if (result == -EAGAIN && !waits_) {
            // Nobody waits for a client with a buffer in his hand: others need it.
            waits_ = true;
            try {
                bytes_.leave_pool();
            } catch (const std::bad_alloc&) {
                result = -ENOMEM;
                return false;
            }
            inbox_.leave_pool();
            work_on(bytes_.get());
            return true;
        }
        return Operation::goes_on(result);
    }

    const Fd& fd_;
    Inbox& inbox_;
    Bytes& bytes_;
    bool waits_ = false;  // for room; the first time, it only tries
};

inline auto Socket::read(Timeout timeout) {
    return Read(io_, inbox_, timeout);
}

inline auto Socket::send(Bytes& bytes, Timeout timeout) {
    return Send(io_, sending_, fd_, inbox_, bytes, timeout);
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
    newcomers_.end();
}

inline void Newcomers::end() {
    has_ended_ = true;
    disarm();
    serve();
}

inline void Inbox::end() {
    has_ended_ = true;
    disarm();
    see_what_is_left();
    serve();
}

/// What has not been received when the kernel has let go of the socket.
inline void Inbox::see_what_is_left() {
    if (has_ended_ && !is_armed()) {
        int waiting = 0;
        ::ioctl(client_.get(), SIOCINQ, &waiting);
        left_ = static_cast<std::size_t>(waiting);
    }
}

/// No more than that: a client that sends on and on comes to an end.
inline Bytes Inbox::receive_what_is_left() {
    const std::size_t wanted = std::min(io_.pool_->buffer_size(), *left_);
    auto memory = std::make_unique_for_overwrite<char[]>(wanted);
    const ssize_t received =
        wanted == 0 ? 0 : ::recv(client_.get(), memory.get(), wanted, MSG_DONTWAIT);
    if (received < 0 && errno != EAGAIN) {
        throw failed_call(errno, "read");
    }
    if (received <= 0) {
        left_.reset();
        has_ended_ = false;
        return {};
    }
    *left_ -= static_cast<std::size_t>(received);
    return {std::move(memory), static_cast<std::size_t>(received)};
}

inline void Socket::end_output() {
    check(::shutdown(fd_.get(), SHUT_WR), "shutdown");
}

inline std::size_t Socket::unacknowledged() const {
    int bytes = 0;
    check(::ioctl(fd_.get(), SIOCOUTQ, &bytes), "ioctl SIOCOUTQ");
    return static_cast<std::size_t>(bytes);
}
