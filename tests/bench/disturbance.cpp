#include "bench/disturbance.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <istream>
#include <limits>
#include <stdexcept>
#include <string>

namespace {

using std::chrono::nanoseconds;

nanoseconds ticks(long long count) {
    return nanoseconds{std::chrono::seconds{count}} / ::sysconf(_SC_CLK_TCK);
}

/// What has been up to now.
ProcessorUse read_use(int processor, nanoseconds own) {
    std::ifstream file("/proc/stat");
    ProcessorUse use = read_processor_line(file, processor);
    use.elapsed = std::chrono::steady_clock::now().time_since_epoch();
    use.own = own;
    return use;
}

double share(nanoseconds part, nanoseconds whole) {
    return whole.count() <= 0
               ? 0
               : std::clamp(static_cast<double>(part.count()) / static_cast<double>(whole.count()),
                            0.0, 1.0);
}

}  // namespace

double ProcessorUse::share_of_others() const {
    return share(elapsed - idle - stolen - own, elapsed);
}

double ProcessorUse::share_stolen() const {
    return share(stolen, elapsed);
}

ProcessorUse read_processor_line(std::istream& text, int processor) {
    const std::string wanted = "cpu" + std::to_string(processor);
    for (std::string name; text >> name;) {
        if (name == wanted) {
            long long user = 0, nice = 0, system = 0, idle = 0, waiting = 0, interrupts = 0;
            long long soft_interrupts = 0, stolen = 0;
            text >> user >> nice >> system >> idle >> waiting >> interrupts >> soft_interrupts >>
                stolen;
            // "iowait" is idle time, too: nobody has used the processor. A server that sleeps in
            // io_uring_enter() makes it count as this.
            return {.idle = ticks(idle + waiting), .stolen = ticks(stolen)};
        }
        text.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    }
    throw std::runtime_error("/proc/stat has no line " + wanted);
}

ProcessorWatch::ProcessorWatch(int processor, nanoseconds own)
    : processor_(processor), at_start_(read_use(processor, own)) {}

ProcessorUse ProcessorWatch::use(nanoseconds own) const {
    const ProcessorUse now = read_use(processor_, own);
    return {.elapsed = now.elapsed - at_start_.elapsed,
            .idle = now.idle - at_start_.idle,
            .stolen = now.stolen - at_start_.stolen,
            .own = now.own - at_start_.own};
}
