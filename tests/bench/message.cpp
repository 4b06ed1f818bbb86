#include "bench/message.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>

namespace {

constexpr std::size_t places = 4093;  ///< at which a message's pattern may begin; a prime

}  // namespace

Messages::Messages(std::size_t size) : size_(size), pattern_(size + places) {
    std::mt19937 generator(1);  // The same bytes in every run.
    std::generate(pattern_.begin(), pattern_.end(),
                  [&generator] { return static_cast<char>(generator() & 0xFF); });
}

/// The last step of splitmix64 (Steele, Lea, Flood 2014): no two numbers give the same one.
Messages::Stamp Messages::stamp(std::uint32_t connection, std::uint32_t sequence) {
    std::uint64_t mixed = (std::uint64_t{connection} << 32 | sequence) + 0x9E3779B97F4A7C15;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
    return mixed ^ (mixed >> 31);
}

std::span<iovec> Messages::pieces(const Stamp& stamp, std::size_t offset,
                                  std::array<iovec, 2>& room) const {
    const std::size_t in_stamp = std::min(size_, sizeof stamp);
    std::size_t used = 0;
    // sendmsg(2) only reads, but its iovec is that of recvmsg(2), which writes.
    if (offset < in_stamp) {
        const char* bytes = reinterpret_cast<const char*>(&stamp) + offset;
        room[used++] = {const_cast<char*>(bytes), in_stamp - offset};
        offset = in_stamp;
    }
    if (offset < size_) {
        const char* bytes = pattern_.data() + stamp % places + offset;
        room[used++] = {const_cast<char*>(bytes), size_ - offset};
    }
    return std::span(room).first(used);
}

std::size_t Messages::count_wrong(const Stamp& stamp, std::size_t offset,
                                  std::span<const char> received) const {
    std::array<iovec, 2> room;
    std::size_t wrong = 0;
    for (const iovec& piece : pieces(stamp, offset, room)) {
        const std::size_t length = std::min(piece.iov_len, received.size());
        const char* expected = static_cast<const char*>(piece.iov_base);
        // One comparison where all is well; counted one by one only where it is not.
        if (std::memcmp(expected, received.data(), length) != 0) {
            wrong += std::transform_reduce(
                received.begin(), received.begin() + static_cast<std::ptrdiff_t>(length), expected,
                std::size_t{0}, std::plus<>(), [](char a, char b) { return std::size_t{a != b}; });
        }
        received = received.subspan(length);
    }
    return wrong + received.size();
}
