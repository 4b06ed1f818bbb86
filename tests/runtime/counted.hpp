// An object that is counted.
#pragma once

/// How many objects of this type live. One in each coroutine tells how many frames there are.
struct Counted {
    Counted() { ++alive; }
    Counted(const Counted&) { ++alive; }
    Counted(Counted&&) noexcept { ++alive; }
    Counted& operator=(const Counted&) = default;
    ~Counted() { --alive; }

    static inline int alive = 0;
};
