// A peer: the echo server in Asio's own idiom for C++20, a coroutine for each client.
//
// Settings: UNSAFE as concurrency hint, since one thread runs all of it: no mutex is taken for a
// scheduler or a socket. TCP_NODELAY. A buffer of 64 KiB for each client, in its coroutine's frame.
// as_tuple: an error of a client's is a value, and no exception is thrown for an end of file.
//
// The same file is built twice. Asio 1.22 uses epoll unless it is told otherwise;
// ASIO_HAS_IO_URING with ASIO_DISABLE_EPOLL has it give everything to io_uring.

#include <signal.h>

#include <array>
#include <asio.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <chrono>
#include <cstddef>
#include <utility>

#include "bench/peers/peer.hpp"
#include "program.hpp"

namespace {

using asio::awaitable;
using asio::ip::tcp;

constexpr auto as_result = asio::experimental::as_tuple(asio::use_awaitable);
constexpr std::size_t buffer_size = 64 * 1024;  // bytes
constexpr std::chrono::milliseconds accept_pause{100};

/// Reads again only when all of the last read has been sent, so a client that does not read is not
/// read from.
awaitable<void> echo(tcp::socket client) {
    std::array<char, buffer_size> buffer;
    while (true) {
        const auto [failure, received] =
            co_await client.async_read_some(asio::buffer(buffer), as_result);
        if (failure) {
            co_return;  // End of file, too. The socket closes itself.
        }
        const auto [send_failure, sent] =
            co_await asio::async_write(client, asio::buffer(buffer, received), as_result);
        if (send_failure) {
            co_return;
        }
    }
}

awaitable<void> serve(tcp::acceptor& acceptor) {
    asio::steady_timer pause(acceptor.get_executor());
    while (true) {
        auto [failure, client] = co_await acceptor.async_accept(as_result);
        if (failure) {  // No descriptor for one more client, for instance: some may end meanwhile.
            pause.expires_after(accept_pause);
            co_await pause.async_wait(as_result);
            continue;
        }
        asio::co_spawn(acceptor.get_executor(), echo(std::move(client)), asio::detached);
    }
}

}  // namespace

int main(int argc, char** argv) {
    return run_program(argc, argv, [](const Options& options) {
        ::signal(SIGPIPE, SIG_IGN);  // io_uring's sends are made without MSG_NOSIGNAL.
        asio::io_context context(ASIO_CONCURRENCY_HINT_UNSAFE);
        const tcp::endpoint address(asio::ip::address_v4::loopback(),
                                    static_cast<asio::ip::port_type>(options.port));
        tcp::acceptor acceptor(context);
        acceptor.open(address.protocol());
        acceptor.set_option(tcp::acceptor::reuse_address(true));
        acceptor.set_option(tcp::no_delay(true));  // Accepted sockets inherit it.
        acceptor.bind(address);
        acceptor.listen(options.backlog);
        announce_port(acceptor.local_endpoint().port());
        asio::co_spawn(context, serve(acceptor), asio::detached);
        context.run();
    });
}
