// Input and output that a coroutine can await: the engine, on epoll.
#pragma once

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <limits>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "address.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "list.hpp"
#include "task.hpp"

class Operation;

/// Runs coroutines: sleeps until a descriptor is ready or a time has come, and resumes whoever
/// waits for it. For one thread.
class IoContext {
public:
    IoContext() : epoll_(check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {}

    /// Destroys the tasks that have been started and have not ended, where they are suspended.
    ~IoContext();
    IoContext(const IoContext&) = delete;
    IoContext& operator=(const IoContext&) = delete;

    /// Begins a task that nobody awaits, and owns it until it has ended.
    void start(Task<> task);

    /// Runs until every task has ended. Throws what one of them has thrown; what is suspended then
    /// stays so.
    void run();

    /// `co_await io.sleep_for(time)` goes on after the time, or a little later.
    auto sleep_for(std::chrono::milliseconds time);

private:
    friend class Operation;
    friend class WatchedFd;
    using Clock = std::chrono::steady_clock;

    class Sleep;

    /// What is known of a socket.
    struct Watched {
        Operation* waiting = nullptr;  ///< the one operation that is suspended, if there is one
        bool is_ready = false;  ///< an event has come, and no call has failed with EAGAIN since
    };

    class Started;

    Started run_to_end(Task<> task);
    void take_events();
    int wait_ms() const;
    void give_turn(Operation& operation);
    void wake_sleepers();

    static constexpr int events_at_once = 64;
    static constexpr int operations_at_once = 8;

    Fd epoll_;
    std::unordered_map<int, Watched> watched_;  // by descriptor
    List<Operation> ready_;                     // suspended operations that are to be tried again
    int operations_left_ = operations_at_once;  // for the coroutine that runs, in this turn
    List<Sleep> sleeping_;                      // whose time comes first stands first
    std::unordered_set<void*> started_;         // the frames of the tasks that have not ended
    std::exception_ptr failure_;
};

/// A system call on a socket that can be awaited. It is tried at once when the socket is known to
/// be ready, and otherwise after the next event; the coroutine is suspended meanwhile.
class Operation : public Linked<Operation> {
public:
    bool await_ready();
    void await_suspend(std::coroutine_handle<> awaiting) noexcept;

protected:
    Operation(IoContext& io, int fd) : io_(io), fd_(fd) {}

    /// A coroutine can be destroyed while it is suspended here.
    ~Operation();

    /// Makes the call, and returns what it returned.
    virtual ssize_t call() = 0;

    int fd() const { return fd_; }
    int error() const { return error_; }
    ssize_t result() const { return result_; }

    /// The result as a number of bytes. Throws std::system_error when the call has failed.
    std::size_t count(const char* name) const {
        if (error_ != 0) {
            throw failed_call(error_, name);
        }
        return static_cast<std::size_t>(result_);
    }

private:
    friend class IoContext;

    /// Makes the call. Returns false when it would have to wait.
    bool try_call(IoContext::Watched& watched);

    IoContext& io_;
    const int fd_;
    std::coroutine_handle<> awaiting_;
    ssize_t result_ = -1;
    int error_ = 0;
};

/// Owns a nonblocking descriptor whose events the IoContext is told.
class WatchedFd {
public:
    /// Throws std::system_error.
    WatchedFd(IoContext& io, Fd fd);
    ~WatchedFd() { io_.watched_.erase(fd_.get()); }
    WatchedFd(const WatchedFd&) = delete;
    WatchedFd& operator=(const WatchedFd&) = delete;

    IoContext& io() const { return io_; }
    const Fd& fd() const { return fd_; }
    int get() const { return fd_.get(); }

private:
    IoContext& io_;
    Fd fd_;
};

/// A listening socket on which a client can be awaited, by one coroutine at a time.
class Acceptor {
public:
    /// Takes over the listener. Throws std::system_error.
    Acceptor(IoContext& io, Fd listener);

    /// `co_await acceptor.accept(address)`: the descriptor of the next client, whose address is put
    /// into `address`, or the negative error number with which accept4(2) has failed.
    auto accept(Address& address) const;

    const Fd& listener() const { return fd_.fd(); }

private:
    WatchedFd fd_;
};

/// A client's socket on which bytes, or room for them, can be awaited: one operation at a time.
class Socket {
public:
    /// Takes over a descriptor from Acceptor::accept(). Throws std::system_error.
    Socket(IoContext& io, Fd client) : fd_(io, std::move(client)) {}

    /// `co_await socket.read(buffer)`: how many bytes have come, at most buffer.size(); 0 is the
    /// end of the file. Throws std::system_error.
    auto read(std::span<char> buffer) const;

    /// `co_await socket.send(bytes)`: how many of the bytes have been sent, at least 1. Throws
    /// std::system_error.
    auto send(std::span<const char> bytes) const;

private:
    WatchedFd fd_;
};

// ---- Tasks that nobody awaits ----

/// The outermost coroutine of a task that was started: its frame is destroyed when it ends.
class IoContext::Started {
public:
    class promise_type {
    public:
        promise_type(IoContext& io, const Task<>&) : io_(io) { io_.started_.insert(frame()); }
        ~promise_type() { io_.started_.erase(frame()); }

        Started get_return_object() const { return {}; }
        std::suspend_never initial_suspend() const noexcept { return {}; }
        std::suspend_never final_suspend() const noexcept { return {}; }
        void return_void() const noexcept {}
        void unhandled_exception() noexcept { io_.failure_ = std::current_exception(); }

    private:
        void* frame() { return std::coroutine_handle<promise_type>::from_promise(*this).address(); }

        IoContext& io_;
    };
};

inline IoContext::Started IoContext::run_to_end(Task<> task) {
    co_await task;
}

inline void IoContext::start(Task<> task) {
    run_to_end(std::move(task));
}

inline IoContext::~IoContext() {
    while (!started_.empty()) {
        std::coroutine_handle<>::from_address(*started_.begin()).destroy();
    }
}

// ---- The loop ----

inline void IoContext::run() {
    while (!started_.empty() && !failure_) {
        take_events();
        wake_sleepers();
        // Whoever joins them meanwhile has his turn in the next round.
        for (std::size_t turns = ready_.size(); turns > 0 && !ready_.empty(); --turns) {
            give_turn(ready_.pop_front());
        }
    }
    if (failure_) {
        std::rethrow_exception(std::exchange(failure_, nullptr));
    }
}

inline void IoContext::take_events() {
    std::array<epoll_event, events_at_once> events;
    int timeout = wait_ms();
    int count = 0;
    // All there are: or else a client behind a crowd in epoll's list would wait for several rounds.
    do {
        count = ::epoll_wait(epoll_.get(), events.data(), events_at_once, timeout);
        if (count == -1 && errno != EINTR) {
            throw failed_call(errno, "epoll_wait");
        }
        for (int i = 0; i < count; ++i) {
            const int fd = events[static_cast<std::size_t>(i)].data.fd;
            Watched& watched = watched_.at(fd);
            if (!std::exchange(watched.is_ready, true) && watched.waiting != nullptr) {
                ready_.push_back(*watched.waiting);
            }
        }
        timeout = 0;
    } while (count == events_at_once);
}

/// Tries a suspended operation again, and resumes its coroutine if it has been done.
inline void IoContext::give_turn(Operation& operation) {
    Watched& watched = watched_.at(operation.fd_);
    operations_left_ = operations_at_once;
    if (watched.waiting->try_call(watched)) {
        std::exchange(watched.waiting, nullptr)->awaiting_.resume();
    }
}

class IoContext::Sleep : public Linked<Sleep> {
public:
    Sleep(IoContext& io, std::chrono::milliseconds time) : io_(io), end_(Clock::now() + time) {}

    bool await_ready() const noexcept { return false; }

    void await_suspend(std::coroutine_handle<> awaiting) noexcept {
        awaiting_ = awaiting;
        Sleep* later = io_.sleeping_.front();
        while (later != nullptr && later->end_ <= end_) {
            later = io_.sleeping_.next(*later);
        }
        io_.sleeping_.insert(*this, later);
    }

    void await_resume() const noexcept {}

private:
    friend class IoContext;

    IoContext& io_;
    const Clock::time_point end_;
    std::coroutine_handle<> awaiting_;
};

inline auto IoContext::sleep_for(std::chrono::milliseconds time) {
    return Sleep(*this, time);
}

inline void IoContext::wake_sleepers() {
    const Clock::time_point now = Clock::now();
    while (!sleeping_.empty() && sleeping_.front()->end_ <= now) {
        operations_left_ = operations_at_once;
        sleeping_.pop_front().awaiting_.resume();
    }
}

/// How long epoll_wait() may sleep, in milliseconds; -1 is for ever.
inline int IoContext::wait_ms() const {
    if (!ready_.empty()) {
        return 0;
    }
    if (sleeping_.empty()) {
        return -1;
    }
    using std::chrono::milliseconds;
    const auto left = std::chrono::ceil<milliseconds>(sleeping_.front()->end_ - Clock::now());
    constexpr milliseconds longest{std::numeric_limits<int>::max()};
    return static_cast<int>(std::clamp(left, milliseconds{0}, longest).count());
}

// ---- Operations on sockets ----

inline WatchedFd::WatchedFd(IoContext& io, Fd fd) : io_(io), fd_(std::move(fd)) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.fd = fd_.get();
    check(::epoll_ctl(io_.epoll_.get(), EPOLL_CTL_ADD, fd_.get(), &event), "epoll_ctl");
    io_.watched_.try_emplace(fd_.get());
}

/// The same descriptor; from here on no call on it waits.
inline Fd make_nonblocking(Fd fd) {
    const int flags = check(::fcntl(fd.get(), F_GETFL), "fcntl F_GETFL");
    check(::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK), "fcntl F_SETFL");
    return fd;
}

inline Acceptor::Acceptor(IoContext& io, Fd listener)
    : fd_(io, make_nonblocking(std::move(listener))) {}

inline bool Operation::await_ready() {
    IoContext::Watched& watched = io_.watched_.at(fd_);
    assert(watched.waiting == nullptr);
    return watched.is_ready && io_.operations_left_ > 0 && try_call(watched);
}

inline void Operation::await_suspend(std::coroutine_handle<> awaiting) noexcept {
    awaiting_ = awaiting;
    IoContext::Watched& watched = io_.watched_.at(fd_);
    watched.waiting = this;
    if (watched.is_ready) {
        io_.ready_.push_back(*this);  // Enough for one turn: the others first.
    }
}

inline Operation::~Operation() {
    if (const auto entry = io_.watched_.find(fd_);
        entry != io_.watched_.end() && entry->second.waiting == this) {
        entry->second.waiting = nullptr;
    }
}

inline bool Operation::try_call(IoContext::Watched& watched) {
    do {
        result_ = call();
    } while (result_ == -1 && errno == EINTR);
    if (result_ == -1 && errno == EAGAIN) {
        watched.is_ready = false;
        return false;
    }
    error_ = result_ == -1 ? errno : 0;
    --io_.operations_left_;
    return true;
}

/// What Acceptor::accept() returns.
class Accept : public Operation {
public:
    Accept(IoContext& io, int fd, Address& address) : Operation(io, fd), address_(address) {}

    int await_resume() const { return error() == 0 ? static_cast<int>(result()) : -error(); }

private:
    ssize_t call() override {
        address_.length = sizeof address_.storage;
        return ::accept4(fd(), address_.get(), &address_.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }

    Address& address_;
};

/// What Socket::read() returns.
class Read : public Operation {
public:
    Read(IoContext& io, int fd, std::span<char> buffer) : Operation(io, fd), buffer_(buffer) {}

    std::size_t await_resume() const { return count("read"); }

private:
    ssize_t call() override { return ::read(fd(), buffer_.data(), buffer_.size()); }

    const std::span<char> buffer_;
};

/// What Socket::send() returns.
class Send : public Operation {
public:
    Send(IoContext& io, int fd, std::span<const char> bytes) : Operation(io, fd), bytes_(bytes) {}

    std::size_t await_resume() const { return count("send"); }

private:
    // MSG_NOSIGNAL: a client that is gone shall be the error EPIPE here, not the signal SIGPIPE,
    // which ends the process.
    ssize_t call() override { return ::send(fd(), bytes_.data(), bytes_.size(), MSG_NOSIGNAL); }

    const std::span<const char> bytes_;
};

inline auto Acceptor::accept(Address& address) const {
    return Accept(fd_.io(), fd_.get(), address);
}

inline auto Socket::read(std::span<char> buffer) const {
    return Read(fd_.io(), fd_.get(), buffer);
}

inline auto Socket::send(std::span<const char> bytes) const {
    return Send(fd_.io(), fd_.get(), bytes);
}
