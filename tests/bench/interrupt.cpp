#include "bench/interrupt.hpp"

#include <signal.h>

#include <initializer_list>

#include "check.hpp"

namespace {

volatile sig_atomic_t is_interrupted = 0;

}  // namespace

void note_interruptions() {
    struct sigaction action {};
    action.sa_handler = [](int) { is_interrupted = 1; };
    action.sa_flags = static_cast<int>(SA_RESETHAND);  // And no SA_RESTART: calls fail with EINTR.
    for (const int number : {SIGINT, SIGTERM}) {
        check(::sigaction(number, &action, nullptr), "sigaction");
    }
}

void throw_if_interrupted() {
    if (is_interrupted != 0) {
        throw Interrupted{};
    }
}
