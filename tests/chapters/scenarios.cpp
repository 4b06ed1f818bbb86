#include "chapters/scenarios.hpp"

#include <signal.h>
#include <sys/syscall.h>

#include "support/deadline.hpp"
#include "support/proc.hpp"

namespace {

/// "the server lives" when it echoes for a new client, otherwise how it ended.
std::string how_it_is(Server& server) {
    try {
        Client client(server);
        if (client.exchange("still there?") == "still there?") {
            return "the server lives";
        }
    } catch (const std::system_error&) {
        // It is gone, or going while we look.
    }
    const std::string end = server.wait_for_exit();
    const std::string last_words = server.diagnostics();
    return end + (last_words.empty() ? "" : ", " + last_words.substr(0, last_words.find('\n')));
}

bool is_sending(const Server& server) {
    if (proc::is_blocked_in(server.pid(), {SYS_write, SYS_sendto})) {
        return true;
    }
    for (const pid_t child : proc::children(server.pid())) {
        if (proc::is_blocked_in(child, {SYS_write, SYS_sendto})) {
            return true;
        }
    }
    return false;
}

}  // namespace

std::string send_until_server_is_held_back(const Server& server, Client& client) {
    const std::string part = random_bytes(64 * 1024);
    std::string all_sent;
    wait_until("the server is blocked in its write to a client that does not read", [&] {
        const std::size_t sent = client.send_some(part);
        all_sent += part.substr(0, sent);
        return sent == 0 && is_sending(server);
    });
    return all_sent;
}

std::string reset_by_a_client(const Chapter& chapter) {
    Server server(chapter);
    Client client(server);
    client.exchange("hello");
    client.reset();
    return how_it_is(server);
}

std::string client_gone_before_it_is_answered(const Chapter& chapter) {
    Server server(chapter);
    Client client(server);
    client.exchange("hello");
    server.signal(SIGSTOP);  // So that the client is gone before the server reads.
    client.send(random_bytes(100 * 1024));
    client.half_close();
    client.close();
    server.signal(SIGCONT);
    return how_it_is(server);
}

std::string stopped_and_continued_while_sending(const Chapter& chapter) {
    const Server server(chapter);
    Client client(server, {.receive_buffer = 16 * 1024});
    const std::string sent = send_until_server_is_held_back(server, client);
    std::string received;
    for (int i = 0; i < 20 && received.size() < sent.size(); ++i) {
        // Some room, so that the server's write gets on and is blocked again in the middle of a
        // buffer.
        received += client.receive(40 * 1024);
        wait_until("the server is blocked in its write again", [&] { return is_sending(server); });
        server.signal(SIGSTOP);
        wait_until("the server has stopped", [&] { return proc::state(server.pid()) == 'T'; });
        server.signal(SIGCONT);
        wait_until("the server goes on", [&] { return proc::state(server.pid()) != 'T'; });
    }
    client.half_close();
    received += client.receive_to_end();
    return received == sent ? "every byte came back" : "bytes were lost";
}

std::string second_client_beside_a_silent_one(const Chapter& chapter) {
    const Server server(chapter);
    Client silent(server);
    silent.exchange("hello");  // It has been accepted.
    Client second(server);
    second.send("hello");
    bool waits = false;
    wait_until("the second client is served or the server is asleep with it in the accept queue",
               [&] {
                   waits = proc::is_blocked_in(server.pid(), {SYS_read, SYS_recvfrom}) &&
                           proc::accept_queue_length(server.endpoint()) == 1;
                   return waits || second.has_input();
               });
    return waits ? "the second client waits in the accept queue" : "the second client is served";
}
