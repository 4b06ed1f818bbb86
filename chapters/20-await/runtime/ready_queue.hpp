// Who has the next turn: descriptors, no kernel, and nothing of what a turn is.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

/// What is answered at the end of a turn: when the next one is to be.
enum class Next {
    event,  ///< when something has changed: a call has failed with EAGAIN
    turn,   ///< after the others have had their turn: there may be more to do
    pause,  ///< after a while: it cannot go on, and no event will tell when it can
    end,    ///< never
};

/// The descriptors that are to have a turn, each of them queued once.
class ReadyQueue {
public:
    /// Makes room for a descriptor, so that no other call needs memory. Comes before all of them.
    void make_room(int fd) {
        const auto number = static_cast<std::size_t>(fd);
        if (is_queued_.size() <= number) {
            const std::size_t count = 2 * number + 1;
            for (std::vector<int>* list : {&next_round_, &round_, &paused_}) {
                list->reserve(count);
            }
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

    /// For how long the thread may sleep before the next round, as epoll_wait(2) wants it: 0 when a
    /// descriptor is to have a turn, -1 when only an event can bring one.
    int timeout_ms() const {
        if (!next_round_.empty()) {
            return 0;
        }
        return paused_.empty() ? -1 : pause_ms;
    }

    /// Begins a round: a turn for each that is queued, and for each that has paused, since
    /// something has changed or the time is over.
    void begin_round() {
        next_round_.insert(next_round_.end(), paused_.begin(), paused_.end());
        paused_.clear();
        round_.clear();
        round_.swap(next_round_);
        turns_ = 0;
    }

    /// The descriptor whose turn it is, or nothing when the round is over.
    std::optional<int> next() {
        return turns_ < round_.size() ? std::optional(round_[turns_++]) : std::nullopt;
    }

    /// The turn of a descriptor is over, and the answer says when it has the next one.
    void end_turn(int fd, Next next) {
        switch (next) {
            case Next::turn: next_round_.push_back(fd); break;
            case Next::pause: paused_.push_back(fd); break;
            case Next::event:
            case Next::end: is_queued_[static_cast<std::size_t>(fd)] = false; break;
        }
    }

private:
    static constexpr int pause_ms = 100;

    std::vector<bool> is_queued_;  // by descriptor: is in a list, or has its turn
    std::vector<int> next_round_;
    std::vector<int> round_;
    std::size_t turns_ = 0;    // how many of the round have had theirs
    std::vector<int> paused_;  // that answered Next::pause in this round
};
