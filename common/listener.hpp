// The listening socket.
#pragma once

#include "fd.hpp"
#include "options.hpp"

/// Opens a TCP socket that listens where the options say: UNP's tcp_listen() (UNP 11.13), on the
/// first of the host's addresses to which a socket can be bound.
///
/// The caller owns the result, which blocks and is closed on exec. Throws std::runtime_error when
/// the host cannot be resolved and std::system_error, naming the call and the address, when a
/// system call fails.
Fd listen_on(const Options& options);

/// Prints the ready line, `listening on ADDRESS:PORT`, to stdout, with the port that the kernel
/// chose where the options said 0. Once it can be read, clients can connect. Throws
/// std::system_error.
void announce(const Fd& listener);
