// Bytes that have come.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "buffer_pool.hpp"

/// Bytes on loan, in a buffer of the pool, which has it back at the end of the value; or in memory
/// of their own. None at all is the end of the file.
class Bytes {
public:
    Bytes() = default;

    /// The first `count` bytes of `memory`.
    Bytes(std::unique_ptr<char[]> memory, std::size_t count)
        : memory_(std::move(memory)), bytes_(memory_.get(), count) {}

    /// The kernel has put `count` bytes into buffer `id`.
    Bytes(BufferPool& pool, unsigned id, std::size_t count)
        : pool_(&pool), id_(id), bytes_(pool.take(id, count)) {}

    Bytes(Bytes&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)),
          id_(other.id_),
          memory_(std::move(other.memory_)),
          bytes_(std::exchange(other.bytes_, {})) {}
    Bytes& operator=(Bytes&&) = delete;

    ~Bytes() { give_back(); }

    bool empty() const noexcept { return bytes_.empty(); }
    std::span<const char> get() const noexcept { return bytes_; }

    /// Forgets the first `count` bytes.
    void drop(std::size_t count) noexcept { bytes_ = bytes_.subspan(count); }

    bool is_on_loan() const noexcept { return pool_ != nullptr; }

    /// Moves the bytes into memory of their own: a coroutine that must wait does so without a
    /// buffer. Returns whether there was memory for it.
    bool copy_out() noexcept;

private:
    void give_back() noexcept {
        if (pool_) {
            std::exchange(pool_, nullptr)->give_back(id_);
        }
    }

    BufferPool* pool_ = nullptr;
    unsigned id_ = 0;
    std::unique_ptr<char[]> memory_;
    std::span<const char> bytes_;
};

inline bool Bytes::copy_out() noexcept {
    if (!is_on_loan()) {
        return true;
    }
    memory_.reset(new (std::nothrow) char[bytes_.size()]);
    if (memory_) {
        std::copy(bytes_.begin(), bytes_.end(), memory_.get());
        bytes_ = {memory_.get(), bytes_.size()};
        give_back();
    }
    return memory_ != nullptr;
}
