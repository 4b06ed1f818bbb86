// The system calls that the tracer knows by name.
#pragma once

#include <sys/syscall.h>

#include <string_view>

struct Call {
    long number;
    std::string_view name;
};

// An architecture lacks some of them: arm64 has neither fork nor poll.
constexpr Call calls[] = {
#define CALL(name) \
    { SYS_##name, #name }
    CALL(socket),
    CALL(bind),
    CALL(listen),
    CALL(accept),
    CALL(accept4),
    CALL(connect),
    CALL(shutdown),
    CALL(getsockname),
    CALL(getpeername),
    CALL(setsockopt),
    CALL(getsockopt),
    CALL(socketpair),
    CALL(sendto),
    CALL(recvfrom),
    CALL(sendmsg),
    CALL(recvmsg),
    CALL(sendmmsg),
    CALL(recvmmsg),
    CALL(read),
    CALL(write),
    CALL(readv),
    CALL(writev),
    CALL(pwritev2),
    CALL(close),
    CALL(close_range),
    CALL(splice),
    CALL(sendfile),
    CALL(clone),
    CALL(clone3),
    CALL(execve),
    CALL(execveat),
    CALL(wait4),
    CALL(waitid),
    CALL(exit),
    CALL(exit_group),
    CALL(kill),
    CALL(tgkill),
    CALL(pidfd_open),
    CALL(pidfd_send_signal),
    CALL(rt_sigaction),
    CALL(rt_sigprocmask),
    CALL(rt_sigreturn),
    CALL(rt_sigsuspend),
    CALL(rt_sigtimedwait),
    CALL(signalfd4),
    CALL(pselect6),
    CALL(ppoll),
    CALL(epoll_create1),
    CALL(epoll_ctl),
    CALL(epoll_pwait),
    CALL(epoll_pwait2),
    CALL(io_uring_setup),
    CALL(io_uring_enter),
    CALL(io_uring_register),
    CALL(fcntl),
    CALL(pipe2),
    CALL(dup),
    CALL(dup3),
    CALL(eventfd2),
    CALL(timerfd_create),
    CALL(timerfd_settime),
    CALL(nanosleep),
    CALL(clock_nanosleep),
    CALL(sched_setaffinity),
    CALL(restart_syscall),
    CALL(openat),
#ifdef SYS_fork
    CALL(fork),
    CALL(vfork),
    CALL(signalfd),
    CALL(pause),
    CALL(select),
    CALL(poll),
    CALL(epoll_create),
    CALL(epoll_wait),
    CALL(pipe),
    CALL(dup2),
    CALL(eventfd),
    CALL(open),
#endif
#undef CALL
};

/// The name of a call; an empty text where it is not one of the above.
constexpr std::string_view name_call(long number) {
    for (const Call& call : calls) {
        if (call.number == number) {
            return call.name;
        }
    }
    return {};
}
