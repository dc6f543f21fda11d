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
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int install_listener(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_readahead, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                        &program);
}

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

static void send_descriptor(int socket, int fd)
{
    char byte = 0;
    struct iovec data = {&byte, 1};
    union control control;
    memset(&control, 0, sizeof control);
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        control.header = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    }
    sendmsg(socket, &message, 0);
}

static int receive_descriptor(int socket)
{
    char byte;
    int fd = -1;
    struct iovec data = {&byte, 1};
    union control control;
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&message))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return fd;
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
        int listener = install_listener();
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
        waitpid(child, NULL, 0);
        return 77;
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
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
