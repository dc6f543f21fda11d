/*
 * refuse.c: makes system calls of one shared object fail in the program that has loaded it. A
 * seccomp filter hands every call whose instruction lies in [BEGIN, END) to this process, which
 * answers; all other calls of the program are its own business.
 *
 * Usage: refuse BEGIN END NUMBER:ERRNO:WHICH,… COMMAND…
 *
 * WHICH is `all`, `first` or `later`: those occurrences of call NUMBER fail. `list` prints the
 * number of each call that is made to stderr. Addresses are hexadecimal and the same in every run,
 * as randomisation is off. REFUSE_NAME in the environment is NAME in the program's, only there.
 * Exits as the program does (128 + signal); 77: this kernel has no such filter.
 */
#include "../support/listener.h"

#include <linux/seccomp.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CALLS = 512 };

static uint64_t begin, end;

/* What becomes of each call, by its number. */
static struct {
    int error;
    char which; /* 'a', 'f' or 'l'; 0: it is made */
    bool seen;
} calls[CALLS];

/* The object lies within 4 GiB: the upper halves of both ends are the same. */
static int listen_to_object(void)
{
    const unsigned low = offsetof(struct seccomp_data, instruction_pointer), high = low + 4;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, high),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(begin >> 32), 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, low),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)begin, 0, 2),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)end, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    return install_listener(filter, sizeof filter / sizeof *filter);
}

static bool read_refusals(char *text)
{
    int number, error;
    char which[6];
    for (char *word; (word = strtok_r(text, ",", &text));) {
        if (strcmp(word, "list") == 0)
            continue;
        if (sscanf(word, "%d:%d:%5s", &number, &error, which) != 3 || number < 0 || number >= CALLS)
            return false;
        calls[number].error = error;
        calls[number].which = which[0];
    }
    return true;
}

static bool is_refused(int number)
{
    bool is_first = !calls[number].seen;
    calls[number].seen = true;
    return calls[number].which == 'a' || calls[number].which == (is_first ? 'f' : 'l');
}

/* Answers until nobody is left who could call. */
static void answer(int listener, bool list)
{
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    while (poll(&ready, 1, -1) > 0 && (ready.revents & POLLIN)) {
        struct seccomp_notif request;
        memset(&request, 0, sizeof request);
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0)
            continue; /* the caller is gone */
        struct seccomp_notif_resp response = {.id = request.id,
                                              .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
        int call = request.data.nr;
        if (call >= 0 && call < CALLS) {
            if (list && !calls[call].seen)
                fprintf(stderr, "call %d\n", call);
            if (is_refused(call)) {
                response.flags = 0;
                response.error = -calls[call].error;
            }
        }
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
    }
}

int main(int argc, char **argv)
{
    int sockets[2];
    bool list = argc > 3 && strncmp(argv[3], "list", 4) == 0;
    char **command = argv + 4;
    if (argc < 5 || !read_refusals(argv[3]) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
        return 99;
    begin = strtoull(argv[1], NULL, 16);
    end = strtoull(argv[2], NULL, 16);
    pid_t child = fork();
    if (child == 0) {
        personality(ADDR_NO_RANDOMIZE);
        for (char **variable = environ; *variable; variable++)
            if (strncmp(*variable, "REFUSE_", 7) == 0)
                *variable += 7;
        int listener = begin == end ? -1 : listen_to_object();
        send_descriptor(sockets[1], listener);
        if (listener >= 0)
            close(listener);
        execv(command[0], command);
        _exit(98);
    }
    close(sockets[1]);
    int listener = receive_descriptor(sockets[0]);
    close(sockets[0]);
    if (listener < 0 && begin != end) {
        status_of(child);
        return NO_LISTENER;
    }
    if (listener >= 0)
        answer(listener, list);
    return status_of(child);
}
