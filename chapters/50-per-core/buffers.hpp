// Buffers that belong to the ring, and bytes that have come in one of them.
#pragma once

#include <liburing.h>
#include <sanitizer/asan_interface.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <span>
#include <stdexcept>
#include <utility>

#include "check.hpp"
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

    ~Pages() { ::munmap(begin_, size_); }
    Pages(const Pages&) = delete;
    Pages& operator=(const Pages&) = delete;

    void* begin() const { return begin_; }

private:
    void* const begin_;
    const std::size_t size_;
};

/// A ring of provided buffers: the kernel takes the next one when it has bytes for somebody, and
/// not before. Until then nobody has a buffer.
class BufferPool {
public:
    static constexpr int group = 0;  ///< the number by which entries name the pool

    /// Provides `count` buffers of `size` bytes to the ring, which must end before the pool does.
    /// Throws std::runtime_error.
    BufferPool(io_uring& ring, unsigned count, std::size_t size);
    BufferPool(const BufferPool&) = delete;
    BufferPool& operator=(const BufferPool&) = delete;
    ~BufferPool() { ASAN_UNPOISON_MEMORY_REGION(memory_.begin(), count_ * size_); }

    std::size_t buffer_size() const { return size_; }

    /// How many buffers the kernel has, as far as its completions have been taken.
    unsigned available() const { return available_; }

    /// The kernel has put `count` bytes into a buffer, which is ours now.
    std::span<char> take(unsigned id, std::size_t count) {
        --available_;
        ASAN_UNPOISON_MEMORY_REGION(buffer(id), count);
        return {buffer(id), count};
    }

    /// The kernel can have the buffer again.
    void give_back(unsigned id) {
        ASAN_POISON_MEMORY_REGION(buffer(id), size_);
        ::io_uring_buf_ring_add(queue(), buffer(id), static_cast<unsigned>(size_),
                                static_cast<unsigned short>(id), mask_, 0);
        ::io_uring_buf_ring_advance(queue(), 1);
        ++available_;
    }

private:
    io_uring_buf_ring* queue() const { return static_cast<io_uring_buf_ring*>(ring_.begin()); }
    char* buffer(unsigned id) const { return static_cast<char*>(memory_.begin()) + id * size_; }

    const unsigned count_;
    const std::size_t size_;
    const unsigned entries_ = std::bit_ceil(count_);  // the kernel wants a power of two
    const int mask_ = ::io_uring_buf_ring_mask(entries_);
    const Pages ring_{entries_ * sizeof(io_uring_buf)};
    const Pages memory_{count_ * size_};
    unsigned available_ = 0;
};

inline BufferPool::BufferPool(io_uring& ring, unsigned count, std::size_t size)
    : count_(count), size_(size) {
    io_uring_buf_reg place{};
    place.ring_addr = reinterpret_cast<std::uintptr_t>(ring_.begin());
    place.ring_entries = entries_;
    place.bgid = group;
    if (const int result = ::io_uring_register_buf_ring(&ring, &place, 0); result < 0) {
        if (result == -EINVAL) {
            throw std::runtime_error(
                std::string(failed_call(-result, "io_uring_register").what()) +
                ": no ring of provided buffers here (Linux 5.19 or later has them)");
        }
        throw no_ring("io_uring_register", -result);
    }
    ::io_uring_buf_ring_init(queue());
    for (unsigned id = 0; id < count; ++id) {
        give_back(id);
    }
}

/// Bytes that have come: in a buffer of the pool, which the end of the value gives back, or in
/// memory of their own. None at all is the end of the file.
class Bytes {
public:
    Bytes() = default;

    /// The kernel has put `count` bytes into buffer `id`.
    Bytes(BufferPool& pool, unsigned id, std::size_t count)
        : pool_(&pool), id_(id), bytes_(pool.take(id, count)) {}

    /// The bytes of `memory` up to `count`.
    Bytes(std::unique_ptr<char[]> memory, std::size_t count)
        : memory_(std::move(memory)), bytes_(memory_.get(), count) {}

    Bytes(Bytes&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)),
          id_(other.id_),
          memory_(std::move(other.memory_)),
          bytes_(std::exchange(other.bytes_, {})) {}

    Bytes& operator=(Bytes&& other) noexcept {
        std::swap(pool_, other.pool_);
        std::swap(id_, other.id_);
        std::swap(memory_, other.memory_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }

    ~Bytes() { give_back(); }

    bool empty() const { return bytes_.empty(); }
    std::span<const char> get() const { return bytes_; }

    /// Forgets the first `count` bytes.
    void drop(std::size_t count) { bytes_ = bytes_.subspan(count); }

    /// Moves the bytes into memory of their own: whoever must wait does so without a buffer.
    void leave_pool() {
        if (pool_ != nullptr) {
            memory_ = std::make_unique_for_overwrite<char[]>(bytes_.size());
            std::copy(bytes_.begin(), bytes_.end(), memory_.get());
            bytes_ = {memory_.get(), bytes_.size()};
            give_back();
        }
    }

private:
    void give_back() {
        if (pool_ != nullptr) {
            std::exchange(pool_, nullptr)->give_back(id_);
        }
    }

    BufferPool* pool_ = nullptr;
    unsigned id_ = 0;
    std::unique_ptr<char[]> memory_;
    std::span<const char> bytes_;
};
