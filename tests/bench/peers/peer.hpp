// What every peer owes whoever measures it.
#pragma once

#include <unistd.h>

#include <cstdio>

#include "check.hpp"

/// Prints the ready line as announce() does (listener.hpp), for a library that lets its user have
/// no descriptor of ours.
inline void announce_port(int port) {
    check(::dprintf(STDOUT_FILENO, "listening on 127.0.0.1:%d\n", port),
          "write the ready line to stdout");
}
