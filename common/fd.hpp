// The owner of a descriptor: closes it exactly once.
#pragma once

#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <utility>

/// Owns one open descriptor and closes it when it goes out of scope. Can be moved, never copied:
/// two owners would close the same number twice, and the second close may hit a descriptor that
/// another part of the program has opened in between.
class Fd {
public:
    /// Owns nothing.
    Fd() = default;

    /// Takes over `number`, an open descriptor that no other code will close.
    explicit Fd(int number) : number_(number) {}

    Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, none)) {}

    /// Closes what it owned before.
    Fd& operator=(Fd&& other) noexcept {
        const Fd before{std::exchange(number_, std::exchange(other.number_, none))};
        return *this;
    }

    ~Fd() { close(); }

    /// The number to hand to a system call. The owner stays the owner.
    int get() const { return number_; }

    /// Closes now instead of at the end of the scope. A second call does nothing.
    void close() {
        if (number_ != none) {
            // Never tried again, not even after EINTR: on Linux the number is free in any case.
            // close(2), "Dealing with error returns from close()".
            [[maybe_unused]] const int result = ::close(std::exchange(number_, none));
            assert(result == 0 || errno != EBADF);  // Other code has closed our descriptor.
        }
    }

private:
    static constexpr int none = -1;
    int number_ = none;
};
