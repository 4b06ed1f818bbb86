// On how many processors this program may run.
#pragma once

/// The number of processors that this process may use, at least 1: fewer than the machine has under
/// `taskset -c 0`, or in a container with a set of its own (sched_getaffinity(2)). A container's
/// quota of time is no part of it: that limits for how long they may run, not on how many.
int count_allowed_processors();
