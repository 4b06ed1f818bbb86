// Who has the next turn: descriptors, no kernel, and nothing of what a turn is.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

/// When the next turn is to be.
enum class Next {
    event,  ///< when something has changed: a call has failed with EAGAIN
    turn,   ///< after the others have had their turn: there may be more to do
};

/// The descriptors that are to have a turn, each of them queued once.
class ReadyQueue {
public:
    /// Makes room for a descriptor, so that no other call needs memory. Comes before all of them.
    void make_room(int fd) {
        const auto number = static_cast<std::size_t>(fd);
        if (is_queued_.size() <= number) {
            const std::size_t count = 2 * number + 1;
            next_round_.reserve(count);
            round_.reserve(count);
            is_queued_.resize(count);
        }
    }

    /// An event has come: the descriptor is queued, unless it is already.
    void add(int fd) {
        if (!is_queued_.at(static_cast<std::size_t>(fd))) {
            is_queued_[static_cast<std::size_t>(fd)] = true;
            next_round_.push_back(fd);
        }
    }

    /// Whether only an event can bring a descriptor a turn.
    bool empty() const { return next_round_.empty(); }

    /// Begins a round: a turn for each that is queued.
    void begin_round() {
        round_.clear();
        round_.swap(next_round_);
        turns_ = 0;
    }

    /// The descriptor whose turn it is, or nothing when the round is over. It is queued no longer.
    std::optional<int> next() {
        if (turns_ == round_.size()) {
            return std::nullopt;
        }
        const int fd = round_[turns_++];
        is_queued_[static_cast<std::size_t>(fd)] = false;
        return fd;
    }

    /// A coroutine waits for a turn of the descriptor. If it is queued already, it keeps its place.
    void wait(int fd, Next next) {
        if (next == Next::turn) {
            add(fd);
        }
    }

private:
    std::vector<bool> is_queued_;  // by descriptor: is in a list
    std::vector<int> next_round_;
    std::vector<int> round_;
    std::size_t turns_ = 0;  // how many of the round have had theirs
};
