#include "processors.hpp"

#include <sched.h>

#include <algorithm>
#include <thread>

int count_allowed_processors() {
    cpu_set_t allowed;
    if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
        return CPU_COUNT(&allowed);
    }
    // More processors than a cpu_set_t holds.
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}
