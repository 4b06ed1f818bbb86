// The command line, which is the same in every chapter.
#pragma once

#include <cstdint>
#include <string>

/// What the command line asks for.
struct Options {
    std::string host = "127.0.0.1";  ///< an IPv4 or IPv6 address, or a name
    std::uint16_t port = 9877;       ///< UNP's SERV_PORT; 0 lets the kernel choose a free one
    int backlog = 4096;              ///< clients that may wait in the accept queue
};

/// Reads the command line.
///
/// Does not return when there is nothing to serve: `--help` prints the usage and exits with 0; an
/// option that is unknown or has a bad value prints what is wrong and the usage to stderr and exits
/// with 2.
Options parse_options(int argc, char** argv);
