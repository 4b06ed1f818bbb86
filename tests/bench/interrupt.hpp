// Ctrl-C ends a measurement, and what has been measured by then is printed.
#pragma once

/// The user has pressed Ctrl-C, or somebody has sent SIGTERM.
struct Interrupted {};

/// From here on SIGINT and SIGTERM are noted instead of ending the process: blocking calls fail
/// with EINTR. A second one ends it, and with it the servers, which do not outlive it.
void note_interruptions();

/// Throws Interrupted once a signal has been noted.
void throw_if_interrupted();
