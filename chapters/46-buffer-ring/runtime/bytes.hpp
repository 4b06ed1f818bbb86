// Bytes that have come.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>

/// Bytes in memory of their own. None at all is the end of the file.
class Bytes {
public:
    Bytes() = default;

    /// The first `count` bytes of `memory`.
    Bytes(std::unique_ptr<char[]> memory, std::size_t count)
        : memory_(std::move(memory)), bytes_(memory_.get(), count) {}

    /// A copy.
    explicit Bytes(std::span<const char> bytes)
        : Bytes(std::make_unique_for_overwrite<char[]>(bytes.size()), bytes.size()) {
        std::copy(bytes.begin(), bytes.end(), memory_.get());
    }

    Bytes(Bytes&& other) noexcept
        : memory_(std::move(other.memory_)), bytes_(std::exchange(other.bytes_, {})) {}
    Bytes& operator=(Bytes&&) = delete;

    bool empty() const noexcept { return bytes_.empty(); }
    std::span<const char> get() const noexcept { return bytes_; }

    /// Forgets the first `count` bytes.
    void drop(std::size_t count) noexcept { bytes_ = bytes_.subspan(count); }

private:
    std::unique_ptr<char[]> memory_;
    std::span<const char> bytes_;
};
