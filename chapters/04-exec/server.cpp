// Chapter 04: another program serves the client, in a process of its own.

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "address.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "listener.hpp"
#include "program.hpp"

constexpr std::chrono::milliseconds accept_pause{100};

struct Client {
    Fd fd;
    Address address;
};

void reap_ended_children();
void serve(const Fd& listener, const std::vector<std::string>& command);
Client accept_client(const Fd& listener);
[[noreturn]] void become(std::vector<std::string> command, const Client& client);

int main(int argc, char** argv) {
    std::vector<std::string> command;
    const Option exec =
        command_option("exec", "COMMAND", "program that serves a client", "cat", command);
    return run_program(argc, argv, {exec}, [&command](const Options& options) {
        const Fd listener = listen_on(options);
        reap_ended_children();
        announce(listener);
        serve(listener, command);
    });
}

/// Has every child taken off the process table as soon as it has ended, from now on.
void reap_ended_children() {
    struct sigaction action {};
    action.sa_handler = [](int) {
        // The handler may run between a failed call and the look at its errno.
        const int saved_errno = errno;
        // Signals of a kind do not queue: one SIGCHLD means "at least one child has ended", and the
        // loop takes all that have (UNP 5.10).
        while (::waitpid(-1, nullptr, WNOHANG) > 0) {
        }
        errno = saved_errno;
    };
    // Without SA_RESTART a signal makes accept() return EINTR, and accept_client() goes back to it.
    action.sa_flags = SA_NOCLDSTOP;
    check(::sigaction(SIGCHLD, &action, nullptr), "sigaction SIGCHLD");
}

/// Gives every client a process of its own, for ever.
void serve(const Fd& listener, const std::vector<std::string>& command) {
    while (true) {
        const Client client = accept_client(listener);
        const pid_t child = ::fork();
        if (child == 0) {
            become(command, client);
        }
        if (child == -1) {
            // A limit on processes, or no memory: this client is turned away and the others stay.
            const int error = errno;  // to_text() makes calls of its own.
            report(
                {"client ", to_text(client.address), " turned away: fork: ", std::strerror(error)});
        }
    }  // ~Fd closes the parent's copy. The connection lives on in the child's.
}

/// Waits for the next client. Throws std::system_error only when the listener itself is broken.
Client accept_client(const Fd& listener) {
    bool reported = false;
    while (true) {
        Client client;
        const int fd =
            ::accept4(listener.get(), client.address.get(), &client.address.length, SOCK_CLOEXEC);
        if (fd != -1) {
            client.fd = Fd{fd};
            return client;
        }
        switch (errno) {
            // A signal came first. Nothing is lost; ask again.
            case EINTR: break;

            // Something has happened to this one connection on the network (accept(2), "Error
            // handling"). The next client may be waiting already.
            case ECONNABORTED:
            case EPROTO:
            case ENETDOWN:
            case ENOPROTOOPT:
            case EHOSTDOWN:
            case ENONET:
            case EHOSTUNREACH:
            case EOPNOTSUPP:
            case ENETUNREACH: break;

            // No descriptor, no memory or no permission for one more client. accept() asks for
            // them before it looks for a client, so it would fail at once, again and again: give
            // others the time to end.
            case EMFILE:
            case ENFILE:
            case ENOBUFS:
            case ENOMEM:
            case EPERM:
                if (!std::exchange(reported, true)) {
                    report({"accept, trying again: ", std::strerror(errno)});
                }
                std::this_thread::sleep_for(accept_pause);
                break;

            default: throw failed_call(errno, "accept");
        }
    }
}

/// Turns this process into the program that serves the client, with the client's socket as its
/// stdin and stdout. Of what the server has opened it gets nothing but that.
void become(std::vector<std::string> command, const Client& client) {
    try {
        std::vector<char*> arguments;
        for (std::string& word : command) {
            arguments.push_back(word.data());
        }
        arguments.push_back(nullptr);

        // The copies that dup2() makes stay open across exec. Listener and client have the flag
        // close-on-exec: the kernel closes them when exec has succeeded.
        check(::dup2(client.fd.get(), STDIN_FILENO), "dup2");
        check(::dup2(client.fd.get(), STDOUT_FILENO), "dup2");
        // It comes back only when it has failed.
        check(::execvp(arguments.front(), arguments.data()), "exec", command.front());
    } catch (const std::exception& error) {
        report({"client ", to_text(client.address), ": ", error.what()});
    }
    // Not back into the parent's code. 127 is what a shell exits with when it can start nothing.
    ::_exit(127);
}
