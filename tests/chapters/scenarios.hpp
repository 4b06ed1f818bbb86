// What a `why` test and a `limit` test observe: the same scenario, run against any chapter. Each
// returns what came of it in words, so that the good outcome and the bad one are both exact.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/server.hpp"

/// Clients that have been accepted, since each has had an echo.
std::vector<Client> connect_clients(const Server& server, int count);

/// The highest descriptor of the server's sockets: the client's that has come last, as long as none
/// has left before.
int newest_descriptor(const Server& server);

/// Sends without ever receiving until the server takes no more from this client, since it cannot
/// send either: at fifty looks in a row there was no room. Returns what was sent: bytes of
/// random_bytes() with this seed, again and again. The test fails when the server has taken more
/// than the kernel has room for: it holds nobody back.
std::string send_until_server_is_held_back(Client& client, unsigned seed = 1);

/// A client is connected and resets the connection: "the server lives", or how it ended and its
/// last words.
std::string reset_by_a_client(const Chapter& chapter);

/// A client sends, closes its sending side, and is gone before it is answered: "the server lives",
/// or how the server ended.
std::string client_gone_before_it_is_answered(const Chapter& chapter);

/// The server is stopped and continued (Ctrl-Z, fg) while it sends: "every byte came back", or
/// "bytes were lost".
std::string stopped_and_continued_while_sending(const Chapter& chapter);

/// One client is connected and silent; a second one sends a line: "the second client is served", or
/// "the second client waits in the accept queue".
std::string second_client_beside_a_silent_one(const Chapter& chapter);

/// The server is to have its clients served by `tr`, which makes capitals: "the program's answer:
/// ...", or "the server takes no other program".
std::string served_by_tr(const Chapter& chapter);

/// A hundred clients come and go, one after another: "a process for every connection", or "no
/// process for any connection".
std::string processes_for_100_connections(const Chapter& chapter);

/// Two clients are connected and silent, a third one sends a line: "the third client is served",
/// "... waits in the accept queue", or "... waits for a thread" when it has been accepted and
/// nobody reads from it.
std::string third_client_beside_two_silent_ones(const Chapter& chapter,
                                                const std::vector<std::string>& options);

/// Two hundred clients connect and say nothing: "a thread for every client", or "no thread for any
/// client".
std::string threads_for_200_idle_clients(const Chapter& chapter);

/// A client is connected and silent: "the server sleeps" when it comes to rest, "the server burns
/// processor time" when it has used half a second of it meanwhile.
std::string beside_a_silent_client(const Chapter& chapter);

/// The server may have 1,200 descriptors, and 1,100 clients connect: "every client is served", or
/// "turned away at descriptor N".
std::string eleven_hundred_clients(const Chapter& chapter);

/// Fifty clients are connected, and one of them has ten echoes: "every wake-up looks at everybody"
/// when each wait for an event passes as many descriptors to the kernel, "nobody else is looked at"
/// when none does. Needs strace.
std::string descriptors_passed_for_an_echo(const Chapter& chapter);

/// As many signals may be queued for the server as it has fingers on a hand, and twenty clients
/// send at once: "the queue of signals overflows", or "there is no queue of signals". Every client
/// is served.
std::string news_of_twenty_clients_at_once(const Chapter& chapter);

/// A client lets the server wait with its echo, again and again: "a system call for each change of
/// interest", or "interest never changes". Needs strace.
std::string interest_in_a_slow_reader(const Chapter& chapter);

/// While the server stands still, a client connects, and then one that is inside sends a line. The
/// server goes on: "first come, first served" when it lets the one in before it reads the line,
/// "the new client comes last" when it does so after. Needs strace.
std::string client_at_the_door_before_a_line(const Chapter& chapter);

/// As many clients as are asked for connect, and each has its own echo back, twice: on connecting
/// and when all are there. Skips the test where the limits do not let that many connect, with what
/// is missing.
void require_echoes_for_all_of(unsigned count);

/// A client whose descriptor epoll_ctl() does not take (a limit on watches, no memory) is turned
/// away with a message; the clients that were there, and the one that comes next, are served. Needs
/// strace.
void require_turned_away_without_room_in_epoll();

/// The calls of each descriptor, in their order. Whether epoll_wait() had to sleep is left out: a
/// coroutine goes on by itself where a callback was called once more.
std::map<std::string, std::vector<std::string>> by_descriptor(
    const std::vector<std::string>& calls);

/// Requires that no call of the server sleeps while `active`, who has been accepted, sends and
/// receives: a thread that sleeps gives the processor away by itself, and the kernel counts that.
void require_never_asleep(const Server& server, Client& active);

/// The system calls of a session, one after another: a client connects, has three echoes and
/// leaves, another one resets, and a third is silent. Addresses and what else differs from run to
/// run are left out. Needs strace.
std::vector<std::string> system_calls_of_a_session(const Chapter& chapter);

/// How many system calls the server makes for ten echoes, one after another; those for memory do
/// not count. The first wait has begun before strace came, and may be missing. Needs strace.
std::size_t system_calls_of_ten_echoes(const Chapter& chapter);

/// Fifty clients send at once and have their echoes, ten times: "two and more for each echo" when
/// the server makes that many system calls, "one for ten echoes or more". Needs strace.
std::string system_calls_for_echoes_of_fifty(const Chapter& chapter);

/// One client sends nothing, another one takes nothing: "both are evicted" when the server has
/// closed their connections; "both are kept", after a second where no options are given.
std::string stalled_clients(const Chapter& chapter, const std::vector<std::string>& options);

/// A server whose descriptors are all taken when `clients` clients have come. The limit is there
/// from the start: a multishot accept has the one of the moment at which it was handed over.
StartSettings with_descriptors_for(rlim_t clients);

/// Waits until the server has taken the signal, which it held, and holds it no longer.
void wait_until_taken_and_released(const Server& server, int signal);

/// The server is told to end (SIGTERM) while it has bytes of a client in its socket that it has not
/// read: "every byte came back, exit 0" or "bytes were lost, killed by SIGTERM".
std::string stopped_with_bytes_unread(const Chapter& chapter);

/// 200 clients have each had an echo of 64 KiB, and are silent: "each silent client keeps a buffer"
/// or "silent clients keep no buffer".
std::string buffers_of_silent_clients(const Chapter& chapter);

/// How many entries the server hands to its ring for ten echoes of one client: "two for each echo",
/// "one for each echo". Needs strace.
std::string entries_for_ten_echoes(const Chapter& chapter);

/// How much memory a server allocates while a client has ten echoes: "one for each echo", "none".
std::string memory_taken_by_ten_echoes(const Chapter& chapter);

/// How many entries it takes until forty clients that have sent at the same moment have their
/// echoes, where there is one buffer: "a few for each" or "many for each".
std::string entries_for_forty_with_one_buffer(const Chapter& chapter);

/// Who has worked when 64 clients have had their echoes: "one thread serves everybody", "several
/// threads serve", or "no thread has been awake".
std::string threads_that_serve(const Chapter& chapter, const std::vector<std::string>& options);

/// A listener is there before the server is, with a client that waits, and the server is started
/// with it as descriptor 3 (sd_listen_fds(3)): "the client is served", or "the server listens
/// elsewhere".
std::string client_before_the_server(const Chapter& chapter);

/// The server is told to hang up (SIGHUP), and then a client connects: "the client is served", or
/// how the server has ended.
std::string client_after_a_hangup(const Chapter& chapter);

/// The server is told to start its next version (SIGHUP), which ends at once: "the old version goes
/// on", or "no server is left".
std::string new_version_that_fails(const Chapter& chapter);

/// A client has had an echo, and is silent while the next version takes over: "the client is served
/// on", or "the client is told the end".
std::string silent_client_in_an_upgrade(const Chapter& chapter);

/// Every second read fails with EAGAIN although there are bytes, and yet each echo comes: the
/// server does not forget whom it has been told of. Needs strace.
void require_echoes_in_spite_of_false_eagain();

/// One client sends and never reads, until the server can send it no more; then another one sends a
/// line: "the other client is served", or "the other client waits" when the server has spent a
/// fifth of a second of processor time on other things meanwhile.
std::string beside_a_client_that_does_not_read(const Chapter& chapter);

/// The accepts of a running server fail from now on, with EINVAL: another descriptor for its
/// listener shuts it down. Returns the number of the server's own. Skips the test where that is
/// forbidden.
int break_listener(const Server& server);

/// How many bytes of memory each of 5000 silent clients costs the process.
std::size_t bytes_of_a_silent_client(const Chapter& chapter);
