// A peer: the echo server in libuv's own idiom, a stream with callbacks for each client.
//
// Settings: TCP_NODELAY; one read buffer of 64 KiB for all clients, since uv_try_write() has sent
// its bytes by the time at which the next client is read from. Only what the kernel has no room for
// is copied and given to uv_write(), and until that is sent its client is not read from
// (uv_read_stop), so nobody makes this server hold more than one buffer for them.

#include <netinet/in.h>
#include <signal.h>
#include <uv.h>

#include <array>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/peers/peer.hpp"
#include "program.hpp"

namespace {

constexpr std::size_t buffer_size = 64 * 1024;  // bytes

struct Client {
    uv_tcp_t stream;    ///< whose `data` is this client
    uv_write_t rest{};  ///< the write of `unsent`
    std::vector<char> unsent;
};

std::array<char, buffer_size> buffer;

void require(int result, const std::string& call) {
    if (result < 0) {
        throw std::runtime_error(call + ": " + uv_strerror(result));
    }
}

uv_stream_t* stream_of(Client& client) {
    return reinterpret_cast<uv_stream_t*>(&client.stream);  // libuv's way to derive a type.
}

void close(Client& client) {
    auto* handle = reinterpret_cast<uv_handle_t*>(&client.stream);
    if (uv_is_closing(handle) == 0) {
        uv_close(handle, [](uv_handle_t* closed) { delete static_cast<Client*>(closed->data); });
    }
}

void read_on(Client& client);

/// Sends what uv_try_write() could not. One buffer of it at the most: nothing is read meanwhile.
void send_rest(Client& client, std::size_t sent, std::size_t received) {
    uv_read_stop(stream_of(client));
    client.unsent.assign(buffer.data() + sent, buffer.data() + received);
    const uv_buf_t rest =
        uv_buf_init(client.unsent.data(), static_cast<unsigned>(client.unsent.size()));
    uv_write(&client.rest, stream_of(client), &rest, 1, [](uv_write_t* request, int status) {
        auto& writer = *static_cast<Client*>(request->handle->data);
        status < 0 ? close(writer) : read_on(writer);
    });
}

void read_on(Client& client) {
    const auto lend_buffer = [](uv_handle_t*, std::size_t, uv_buf_t* lent) {
        *lent = uv_buf_init(buffer.data(), buffer.size());
    };
    const auto echo = [](uv_stream_t* stream, ssize_t received, const uv_buf_t*) {
        auto& sender = *static_cast<Client*>(stream->data);
        if (received < 0) {
            close(sender);  // UV_EOF, too.
            return;
        }
        if (received == 0) {
            return;  // EAGAIN
        }
        const uv_buf_t bytes = uv_buf_init(buffer.data(), static_cast<unsigned>(received));
        const int result = uv_try_write(stream, &bytes, 1);
        if (result < 0 && result != UV_EAGAIN) {
            close(sender);
        } else if (result < received) {
            send_rest(sender, result < 0 ? 0 : static_cast<std::size_t>(result),
                      static_cast<std::size_t>(received));
        }
    };
    uv_read_start(stream_of(client), lend_buffer, echo);
}

void accept_client(uv_stream_t* listener, int status) {
    if (status < 0) {
        return;  // For want of a descriptor, say. libuv then turns the client away by itself.
    }
    auto* client = new Client;
    uv_tcp_init(listener->loop, &client->stream);
    client->stream.data = client;
    if (uv_accept(listener, stream_of(*client)) < 0) {
        close(*client);
        return;
    }
    uv_tcp_nodelay(&client->stream, 1);
    read_on(*client);
}

}  // namespace

int main(int argc, char** argv) {
    return run_program(argc, argv, [](const Options& options) {
        ::signal(SIGPIPE, SIG_IGN);  // libuv sends with write(2), which raises it.
        uv_loop_t* loop = uv_default_loop();
        uv_tcp_t listener;
        sockaddr_in address{};
        require(uv_tcp_init(loop, &listener), "uv_tcp_init");
        require(uv_ip4_addr("127.0.0.1", options.port, &address), "uv_ip4_addr");
        auto* generic = reinterpret_cast<sockaddr*>(&address);
        require(uv_tcp_bind(&listener, generic, 0), "uv_tcp_bind");  // Sets SO_REUSEADDR.
        require(
            uv_listen(reinterpret_cast<uv_stream_t*>(&listener), options.backlog, accept_client),
            "uv_listen");
        int length = sizeof address;
        require(uv_tcp_getsockname(&listener, generic, &length), "uv_tcp_getsockname");
        announce_port(ntohs(address.sin_port));
        require(uv_run(loop, UV_RUN_DEFAULT), "uv_run");
    });
}
