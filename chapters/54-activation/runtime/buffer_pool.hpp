// Buffers that belong to the ring: the kernel takes one when bytes have come for a read.
#pragma once

#include <liburing.h>
#include <sanitizer/asan_interface.h>
#include <sys/mman.h>

#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>

#include "check.hpp"
#include "queue.hpp"
#include "ring.hpp"

/// Pages from the kernel, which gives each of them memory when it is first touched.
class Pages {
public:
    /// Throws std::system_error.
    explicit Pages(std::size_t size)
        : begin_(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)),
          size_(size) {
        if (begin_ == MAP_FAILED) {
            throw failed_call(errno, "mmap");
        }
    }
    Pages(const Pages&) = delete;
    Pages& operator=(const Pages&) = delete;
    ~Pages() { ::munmap(begin_, size_); }

    void* begin() const noexcept { return begin_; }

private:
    void* const begin_;
    const std::size_t size_;
};

/// A ring of provided buffers, for all receives together. Until bytes come, no read has a buffer.
class BufferPool {
public:
    static constexpr std::uint16_t group = 0;  ///< the number by which entries name the pool

    /// Provides `count` buffers of `size` bytes to the ring. When the pool ends, nothing may be in
    /// flight that takes from it. Throws std::runtime_error, which says what to do.
    BufferPool(Ring& ring, unsigned count, std::size_t size);
    BufferPool(const BufferPool&) = delete;
    BufferPool& operator=(const BufferPool&) = delete;
    ~BufferPool() { ASAN_UNPOISON_MEMORY_REGION(memory_.begin(), count_ * size_); }

    std::size_t buffer_size() const noexcept { return size_; }

    /// What the kernel has put into a buffer. It is ours until it is given back.
    std::span<const char> take(unsigned id, std::size_t count) noexcept {
        --available_;
        ASAN_UNPOISON_MEMORY_REGION(buffer(id), count);
        return {buffer(id), count};
    }

    /// The kernel can have the buffer again.
    void give_back(unsigned id) noexcept;

    /// Reads for which no buffer was left, the one that has waited longest first.
    Queue<Submission>& starved() noexcept { return starved_; }

    bool can_feed() const noexcept { return available_ > 0 && !starved_.empty(); }

    /// As many of them as there are buffers go on, before all reads that have come later. One for
    /// which there are no bytes takes no buffer: then there is one for another, the next time.
    void feed(Ring& ring) noexcept {
        Queue<Submission> fed;
        for (unsigned i = 0; i < available_ && !starved_.empty(); ++i) {
            fed.push(starved_.pop());
        }
        ring.add_first(fed);
    }

private:
    io_uring_buf_ring* queue() const { return static_cast<io_uring_buf_ring*>(queue_.begin()); }
    char* buffer(unsigned id) const { return static_cast<char*>(memory_.begin()) + id * size_; }

    const unsigned count_;
    const std::size_t size_;
    const unsigned entries_ = std::bit_ceil(count_);  // the kernel wants a power of two
    const Pages queue_{entries_ * sizeof(io_uring_buf)};
    const Pages memory_{count_ * size_};
    unsigned available_ = 0;  // the kernel has so many, as far as its completions have been taken
    Queue<Submission> starved_;
};

inline BufferPool::BufferPool(Ring& ring, unsigned count, std::size_t size)
    : count_(count), size_(size) {
    ring.provide(queue_.begin(), entries_, group);
    for (unsigned id = 0; id < count; ++id) {
        give_back(id);
    }
}

inline void BufferPool::give_back(unsigned id) noexcept {
    ASAN_POISON_MEMORY_REGION(buffer(id), size_);
    ::io_uring_buf_ring_add(queue(), buffer(id), static_cast<unsigned>(size_),
                            static_cast<unsigned short>(id), ::io_uring_buf_ring_mask(entries_), 0);
    ::io_uring_buf_ring_advance(queue(), 1);
    ++available_;
}
