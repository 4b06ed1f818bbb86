// For the tests of the counters: an echo server that asks for memory seven times and makes two
// system calls for each message, in the main thread, in another one, or in a child.
//
// usage: allocating-server main|thread|child --port 0

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <thread>

#include "check.hpp"
#include "fd.hpp"

namespace {

struct alignas(64) Wide {
    std::array<char, 64> bytes;
};

/// What is in it the compiler cannot know, so it cannot leave the allocation out.
void* volatile kept;

void allocate_seven_times() {
    kept = std::malloc(100);
    kept = std::realloc(kept, 200);
    std::free(kept);
    kept = std::calloc(3, 50);
    std::free(kept);
    kept = std::aligned_alloc(64, 128);
    std::free(kept);
    void* memory = nullptr;
    check(-::posix_memalign(&memory, 64, 128), "posix_memalign");
    kept = memory;
    std::free(kept);
    kept = ::operator new(10);
    ::operator delete(kept);
    kept = new Wide;
    delete static_cast<Wide*>(kept);
}

void echo(const Fd& client) {
    std::array<char, 64 * 1024> buffer;
    while (true) {
        const ssize_t received = ::read(client.get(), buffer.data(), buffer.size());
        if (received <= 0) {
            return;
        }
        allocate_seven_times();
        ::send(client.get(), buffer.data(), static_cast<std::size_t>(received), MSG_NOSIGNAL);
    }
}

Fd listen_anywhere() {
    Fd listener{check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    check(::bind(listener.get(), generic, length), "bind");
    check(::listen(listener.get(), 100), "listen");
    check(::getsockname(listener.get(), generic, &length), "getsockname");
    ::dprintf(STDOUT_FILENO, "listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    return listener;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string place = argc > 1 ? argv[1] : "main";
    const Fd listener = listen_anywhere();
    const Fd client{check(::accept(listener.get(), nullptr, nullptr), "accept")};
    if (place == "thread") {
        std::thread(echo, std::cref(client)).join();
    } else if (place != "child" || check(::fork(), "fork") == 0) {
        echo(client);
    }
    ::pause();  // Until the test ends it.
}
