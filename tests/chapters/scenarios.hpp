// What a `why` test and a `limit` test observe: the same scenario, run against any chapter. Each
// returns what came of it in words, so that the good outcome and the bad one are both exact.
#pragma once

#include <string>

#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/server.hpp"

/// Sends without ever receiving until the server reads no more from this client, since it cannot
/// write either. Returns what was sent.
std::string send_until_server_is_held_back(const Server& server, Client& client);

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
