#include "bench/message.hpp"

#include <catch2/catch_test_macros.hpp>
#include <set>
#include <string>

namespace {

/// What goes over the wire, from `offset` on.
std::string bytes_of(const Messages& messages, Messages::Stamp stamp, std::size_t offset = 0) {
    std::array<iovec, 2> room;
    std::string bytes;
    for (const iovec& piece : messages.pieces(stamp, offset, room)) {
        bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    }
    return bytes;
}

}  // namespace

TEST_CASE("a message has its size, and is right when it comes back as it was") {
    for (const std::size_t size : {1, 7, 8, 9, 64, 65536}) {
        const Messages messages(size);
        const Messages::Stamp stamp = Messages::stamp(3, 4);
        const std::string bytes = bytes_of(messages, stamp);
        REQUIRE(bytes.size() == size);
        REQUIRE(messages.count_wrong(stamp, 0, bytes) == 0);
    }
}

TEST_CASE("a message that comes in parts is right wherever it was cut") {
    const Messages messages(20);
    const Messages::Stamp stamp = Messages::stamp(3, 4);
    const std::string bytes = bytes_of(messages, stamp);
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        REQUIRE(bytes_of(messages, stamp, cut) == bytes.substr(cut));
        REQUIRE(messages.count_wrong(stamp, 0, std::span(bytes).first(cut)) == 0);
        REQUIRE(messages.count_wrong(stamp, cut, std::span(bytes).subspan(cut)) == 0);
    }
}

TEST_CASE("each byte that has changed is counted, in the stamp and behind it") {
    const Messages messages(100);
    const Messages::Stamp stamp = Messages::stamp(3, 4);
    for (std::size_t i = 0; i < messages.size(); ++i) {
        std::string bytes = bytes_of(messages, stamp);
        bytes[i] ^= 1;
        REQUIRE(messages.count_wrong(stamp, 0, bytes) == 1);
    }
}

TEST_CASE("the message of another client, or another message of the same, is wrong") {
    const Messages messages(64);
    const std::string bytes = bytes_of(messages, Messages::stamp(3, 4));
    for (const Messages::Stamp other :
         {Messages::stamp(4, 4), Messages::stamp(3, 5), Messages::stamp(4, 3)}) {
        // Not the stamp alone: the bytes behind it differ, too.
        REQUIRE(messages.count_wrong(other, 0, bytes) > 40);
        REQUIRE(messages.count_wrong(other, 8, std::span(bytes).subspan(8)) > 40);
    }
}

TEST_CASE("bytes beyond the end of a message are wrong") {
    const Messages messages(64);
    const Messages::Stamp stamp = Messages::stamp(3, 4);
    REQUIRE(messages.count_wrong(stamp, 0, bytes_of(messages, stamp) + "abc") == 3);
}

TEST_CASE("a lost byte makes what follows wrong") {
    const Messages messages(64);
    const Messages::Stamp stamp = Messages::stamp(3, 4);
    REQUIRE(messages.count_wrong(stamp, 0, bytes_of(messages, stamp).erase(20, 1)) > 30);
}

TEST_CASE("no two messages have the same stamp") {
    std::set<Messages::Stamp> seen;
    for (std::uint32_t connection = 0; connection < 100; ++connection) {
        for (std::uint32_t sequence = 0; sequence < 100; ++sequence) {
            REQUIRE(seen.insert(Messages::stamp(connection, sequence)).second);
        }
    }
}
