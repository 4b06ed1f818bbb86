// What the load sends, and whether that is what comes back.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

/// The messages of all connections, all of one size. No two are the same: the first eight bytes
/// hold the numbers of the connection and of the message, mixed so that each byte depends on both,
/// and the rest is a piece of a pattern that begins at another place for each message. So an echo
/// is recognised that went to another client, or came twice or in another order.
///
/// A message of fewer than eight bytes has that many of them, and may by chance be like another.
class Messages {
public:
    /// What tells one message from all others.
    using Stamp = std::uint64_t;

    explicit Messages(std::size_t size);

    std::size_t size() const { return size_; }

    static Stamp stamp(std::uint32_t connection, std::uint32_t sequence);

    /// The bytes of a message from `offset` on, for sendmsg(2), as one piece or two. They lie in
    /// `stamp`, which must stay where it is as long as they are used, and in this object: no byte
    /// is copied.
    std::span<iovec> pieces(const Stamp& stamp, std::size_t offset,
                            std::array<iovec, 2>& room) const;

    /// How many bytes differ from those of the message from `offset` on. Where more have come than
    /// the message has, the surplus is wrong.
    std::size_t count_wrong(const Stamp& stamp, std::size_t offset,
                            std::span<const char> received) const;

private:
    std::size_t size_;
    std::vector<char> pattern_;
};
