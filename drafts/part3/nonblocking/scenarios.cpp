
std::string beside_a_client_that_does_not_read(const Chapter& chapter) {
    const Server server(chapter);
    Client other(server);
    other.exchange("hello");  // It has been accepted.
    Client greedy(server);
    send_until_server_is_held_back(greedy);
    const std::chrono::milliseconds before = proc::cpu_time(server.pid());
    other.send("served?");
    bool waits = false;
    wait_until("the other client is served, or the server has been busy without it", [&] {
        waits = !other.has_input() &&
                proc::cpu_time(server.pid()) >= before + std::chrono::milliseconds{200};
        return waits || other.has_input();
    });
    return waits ? "the other client waits" : "the other client is served";
}
