// Chapter 01: one client at a time, from accept() to close().

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>

#include "check.hpp"
#include "fd.hpp"
#include "listener.hpp"
#include "program.hpp"

constexpr std::size_t buffer_size = 64 * 1024;  // bytes

void serve(const Fd& listener);
void echo(const Fd& client);

int main(int argc, char** argv) {
    return run_program(argc, argv, [](const Options& options) {
        const Fd listener = listen_on(options);
        announce(listener);
        serve(listener);
    });
}

/// Serves one client after another, for ever.
void serve(const Fd& listener) {
    while (true) {
        const Fd client{check(::accept(listener.get(), nullptr, nullptr), "accept")};
        echo(client);
    }  // ~Fd closes the client's socket, and the kernel sends the client our end of file.
}

/// Sends back whatever the client sends, until the client closes its sending side.
void echo(const Fd& client) {
    std::array<char, buffer_size> buffer;
    while (true) {
        const ssize_t received = check(::read(client.get(), buffer.data(), buffer.size()), "read");
        if (received == 0) {
            return;  // End of file: the client has closed its sending side.
        }
        check(::write(client.get(), buffer.data(), static_cast<std::size_t>(received)), "write");
    }
}
