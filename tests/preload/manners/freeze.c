/*
 * freeze.c: runs a program whose replay stands still. Every readahead() of the program and its
 * descendants is held by a seccomp listener and never answered, so that what is seen of the program
 * is seen while its replay is running, without any timing.
 *
 * Usage: freeze COMMAND…
 *
 * Waits for the first readahead, gives the program one byte of stdin to go on, passes its output
 * on until the program has closed it, and only then closes its stdin. Exits as the program does
 * (128 + signal), all with the replay still frozen. 77: this kernel has no such listener.
 */
#include "../../support/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int listen_to_readahead(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_readahead, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    return install_listener(filter, sizeof filter / sizeof *filter);
}

int main(int argc, char **argv)
{
    int sockets[2], in[2], out[2];
    const char *preload = getenv("FREEZE_LD_PRELOAD");
    if (argc < 2 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0 ||
        pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        return 99;
    pid_t child = fork();
    if (child == 0) {
        int listener = listen_to_readahead();
        send_descriptor(sockets[1], listener);
        dup2(in[0], 0);
        dup2(out[1], 1);
        if (listener >= 0)
            close(listener);
        if (preload)
            setenv("LD_PRELOAD", preload, 1);
        unsetenv("FREEZE_LD_PRELOAD");
        execv(argv[1], argv + 1);
        _exit(98);
    }
    close(in[0]);
    close(out[1]);
    int listener = receive_descriptor(sockets[0]);
    if (listener < 0) {
        close(in[1]);
        status_of(child);
        return NO_LISTENER;
    }
    struct seccomp_notif request;
    do
        memset(&request, 0, sizeof request);
    while (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0 && errno == EINTR);
    if (write(in[1], "g", 1) != 1)
        return 99;
    char buffer[4096];
    for (ssize_t n; (n = read(out[0], buffer, sizeof buffer)) > 0;)
        if (write(1, buffer, (size_t)n) != n)
            return 99;
    close(in[1]);
    return status_of(child);
}
