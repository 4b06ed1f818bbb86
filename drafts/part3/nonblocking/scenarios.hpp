
/// One client sends and never reads, until the server can send it no more; then another one sends a
/// line: "the other client is served", or "the other client waits" when the server has spent a
/// fifth of a second of processor time on other things meanwhile.
std::string beside_a_client_that_does_not_read(const Chapter& chapter);
