// A queue whose members have the links themselves: to join it, and to leave it, needs no memory.
#pragma once

#include <cassert>

/// What can stand in a Queue, in one at a time. It leaves the queue when it is destroyed.
class Linked {
public:
    Linked(const Linked&) = delete;
    Linked& operator=(const Linked&) = delete;

    bool is_queued() const noexcept { return next_ != this; }

protected:
    Linked() = default;
    ~Linked() { leave_queue(); }

    /// Does nothing where it stands in none.
    void leave_queue() noexcept {
        link(*previous_, *next_);
        link(*this, *this);
    }

private:
    template <typename T>
    friend class Queue;

    static void link(Linked& first, Linked& second) noexcept {
        first.next_ = &second;
        second.previous_ = &first;
    }

    Linked* previous_ = this;
    Linked* next_ = this;
};

/// First come, first served. The queue is a circle: in front of the first member and behind the
/// last one stands the queue itself, so that its end is no case of its own.
template <typename T>
class Queue : private Linked {
public:
    bool empty() const noexcept { return !is_queued(); }

    /// Puts a member that stands in no queue at the end. It stays the caller's.
    void push(T& member) noexcept {
        Linked& linked = member;
        assert(!linked.is_queued());
        link(*previous_, linked);
        link(linked, *this);
    }

    /// The first member, and the one behind `member`, or null where there is none.
    T* first() const noexcept { return behind(*this); }
    T* next(const T& member) const noexcept { return behind(member); }

    /// Takes out the first member. There must be one.
    T& pop() noexcept {
        assert(!empty());
        Linked& first = *next_;
        link(*this, *first.next_);
        link(first, first);
        return static_cast<T&>(first);
    }

    /// Puts all members of another queue at the end, in their order.
    void take_all_of(Queue& other) noexcept {
        while (!other.empty()) {
            push(other.pop());
        }
    }

private:
    T* behind(const Linked& linked) const noexcept {
        return linked.next_ == this ? nullptr : static_cast<T*>(linked.next_);
    }
};
