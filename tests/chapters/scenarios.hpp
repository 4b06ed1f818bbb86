// What a `why` test and a `limit` test observe: the same scenario, run against any chapter. Each
// returns what came of it in words, so that the good outcome and the bad one are both exact.
#pragma once

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
/// send either: at fifty looks in a row there was no room. Returns what was sent.
std::string send_until_server_is_held_back(Client& client);

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
