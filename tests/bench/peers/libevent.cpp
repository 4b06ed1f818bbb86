// A peer: the echo server on libevent, with an event for each client and recv(2) and send(2) in its
// callback, as libevent's own book begins (its low-level ROT13 server).
//
// Of three spellings this is the cheapest one. A bufferevent makes 5 system calls a message where
// this makes 2: it asks how much there is to read (FIONREAD), and always waits until it is told
// that it may write, which is two epoll_ctl(). With evbuffer_read() and evbuffer_write() alone it
// is 3. An evbuffer holds here what the kernel had no room for, and until that is sent its client
// is not read from, so nobody makes this server hold more than one buffer for them.
//
// Settings: no locks (EVENT_BASE_FLAG_NOLOCK), TCP_NODELAY, one read buffer of 64 KiB for all
// clients. EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST changes nothing where interest rarely changes.

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <memory>

#include "bench/peers/peer.hpp"
#include "program.hpp"

namespace {

constexpr std::size_t buffer_size = 64 * 1024;  // bytes

struct Client {
    event* readable = nullptr;
    event* writable = nullptr;  ///< waited for, instead of the other, while something is unsent
    evbuffer* unsent = evbuffer_new();
};

std::array<char, buffer_size> buffer;

void close(Client* client) {
    evutil_closesocket(event_get_fd(client->readable));
    event_free(client->readable);
    event_free(client->writable);
    evbuffer_free(client->unsent);
    delete client;
}

/// Whether a call that has failed is to be made again at the next event.
bool is_passing() {
    return errno == EAGAIN || errno == EINTR;
}

void echo(evutil_socket_t fd, short, void* context) {
    auto* client = static_cast<Client*>(context);
    const ssize_t received = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (received == 0 || (received < 0 && !is_passing())) {
        close(client);
        return;
    }
    if (received < 0) {
        return;
    }
    ssize_t sent = ::send(fd, buffer.data(), static_cast<std::size_t>(received), MSG_NOSIGNAL);
    if (sent < 0 && !is_passing()) {
        close(client);
        return;
    }
    sent = sent < 0 ? 0 : sent;
    if (sent < received) {
        evbuffer_add(client->unsent, buffer.data() + sent,
                     static_cast<std::size_t>(received - sent));
        event_del(client->readable);
        event_add(client->writable, nullptr);
    }
}

void send_rest(evutil_socket_t fd, short, void* context) {
    auto* client = static_cast<Client*>(context);
    if (evbuffer_write(client->unsent, fd) < 0 && !is_passing()) {
        close(client);
    } else if (evbuffer_get_length(client->unsent) == 0) {
        event_del(client->writable);
        event_add(client->readable, nullptr);
    }
}

void accept_client(evconnlistener* listener, evutil_socket_t fd, sockaddr*, int, void*) {
    event_base* base = evconnlistener_get_base(listener);
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto* client = new Client;
    client->readable = event_new(base, fd, EV_READ | EV_PERSIST, echo, client);
    client->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, send_rest, client);
    event_add(client->readable, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
    return run_program(argc, argv, [](const Options& options) {
        ::signal(SIGPIPE, SIG_IGN);  // evbuffer_write() sends with writev(2), which raises it.
        const std::unique_ptr<event_config, decltype(&event_config_free)> config(
            event_config_new(), &event_config_free);
        event_config_set_flag(config.get(), EVENT_BASE_FLAG_NOLOCK);
        event_base* base = event_base_new_with_config(config.get());
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<in_port_t>(options.port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        auto* generic = reinterpret_cast<sockaddr*>(&address);
        socklen_t length = sizeof address;
        evconnlistener* listener =
            evconnlistener_new_bind(base, accept_client, nullptr, LEV_OPT_REUSEABLE,
                                    options.backlog, generic, sizeof address);
        if (listener == nullptr) {
            throw failed_call(errno, "evconnlistener_new_bind");
        }
        check(::getsockname(evconnlistener_get_fd(listener), generic, &length), "getsockname");
        announce_port(ntohs(address.sin_port));
        event_base_dispatch(base);
    });
}
