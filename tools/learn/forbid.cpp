// forbid FIRST LAST COMMAND...: runs a command for which the system calls with these numbers fail
// with EPERM, as they do in a container with a filter. For the tests of what is said there.

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
    if (argc < 4) {
        std::fprintf(stderr, "usage: forbid FIRST LAST COMMAND...\n");
        return 2;
    }
    const auto first = static_cast<unsigned>(std::atoi(argv[1]));
    const auto last = static_cast<unsigned>(std::atoi(argv[2]));
    std::array<sock_filter, 5> program{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first, 0, 2),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, last, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    const sock_fprog filter{program.size(), program.data()};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == -1) {
        std::perror("forbid");
        return 77;
    }
    ::execvp(argv[3], argv + 3);
    std::perror(argv[3]);
    return 127;
}
