#include "bench/limits.hpp"

#include <sys/resource.h>

#include <fstream>
#include <stdexcept>
#include <string>

#include "check.hpp"

void require_descriptors(std::size_t servers, std::size_t connections) {
    constexpr std::size_t others = 100;  // Standard streams, pipes, what the servers have open.
    rlimit limit{};
    check(::getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
    const std::size_t needed = servers * connections + others;
    if (limit.rlim_max < needed) {
        throw std::runtime_error(
            std::to_string(connections) + " connections to each of " + std::to_string(servers) +
            " servers need " + std::to_string(needed) + " descriptors, and this process may have " +
            std::to_string(limit.rlim_max) + ": ask for at most " +
            std::to_string((limit.rlim_max - others) / servers) +
            ", or raise the limit (ulimit -n, as root)" +
            (servers == 3 ? "; --no-null needs a third less" : ""));
    }
    limit.rlim_cur = limit.rlim_max;
    check(::setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
}

void require_ports(std::size_t connections) {
    std::ifstream file("/proc/sys/net/ipv4/ip_local_port_range");
    std::size_t first = 0;
    std::size_t last = 0;
    if (file >> first >> last && connections > last - first + 1) {
        throw std::runtime_error(std::to_string(connections) +
                                 " connections to one server need as many ports, and there are " +
                                 std::to_string(last - first + 1) +
                                 ": ask for fewer, or allow for more with sysctl "
                                 "net.ipv4.ip_local_port_range=\"1024 65535\"");
    }
}
