// Whether something else was at work on the processors on which a measurement ran.
#pragma once

#include <chrono>
#include <iosfwd>

/// What a stretch of time on one processor went to.
struct ProcessorUse {
    std::chrono::nanoseconds elapsed{0};
    std::chrono::nanoseconds idle{0};
    std::chrono::nanoseconds stolen{0};  ///< the hypervisor gave it to another machine
    std::chrono::nanoseconds own{0};     ///< the measurement itself: server and load

    /// The share that went to nobody of these: other processes, interrupts. From 0 to 1.
    double share_of_others() const;
    double share_stolen() const;
};

/// The idle and the stolen time of a processor since the start of the machine, by a text in the
/// form of /proc/stat. Throws std::runtime_error when there is no such processor in it.
ProcessorUse read_processor_line(std::istream& text, int processor);

/// Measures a stretch of time on one processor.
class ProcessorWatch {
public:
    /// The stretch begins. `own` is what the measurement has used so far.
    ProcessorWatch(int processor, std::chrono::nanoseconds own);

    /// What it was used for up to now, when the measurement has used `own` in all.
    ///
    /// Idle and stolen time come from /proc/stat, which counts in steps of 10 ms: a stretch should
    /// last a second or so.
    ProcessorUse use(std::chrono::nanoseconds own) const;

private:
    int processor_;
    ProcessorUse at_start_;
};
