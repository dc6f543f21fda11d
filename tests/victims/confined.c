/*
 * confined.c: programs that allow themselves little: filters on system calls, and limits.
 */
#include "victims.h"

#include "../support/look.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void strict(void)
{
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) != 0)
        cannot("no strict mode");
    syscall(SYS_exit, syscall(SYS_write, 1, "strict\n", 7) == 7 ? 4 : 5);
}

static void strict_breaks(void)
{
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) != 0)
        cannot("no strict mode");
    syscall(SYS_getpid);
}

/* Everything a replay may ask for, and that a program may well do without. */
static const unsigned replay_calls[] = {SYS_readahead, SYS_madvise, SYS_preadv2,
                                        436 /* close_range */, SYS_sysinfo};
static const unsigned thread_calls[] = {SYS_clone, 435 /* clone3 */};

static int filter_calls(const unsigned *calls, unsigned count, unsigned action, unsigned flags)
{
    struct sock_filter filter[16];
    unsigned n = 0;
    filter[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (unsigned i = 0; i < count; i++)
        filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i],
                                                   (unsigned char)(count - i), 0);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
    struct sock_fprog program = {(unsigned short)n, filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static int filter_replay_calls(unsigned action, unsigned flags)
{
    return filter_calls(replay_calls, sizeof replay_calls / sizeof *replay_calls, action, flags);
}

static void filter_kills(void)
{
    if (filter_replay_calls(SECCOMP_RET_KILL_PROCESS, 0) != 0)
        cannot("no filter");
}

static void filter_kills_a_thread(void)
{
    if (filter_replay_calls(SECCOMP_RET_KILL_THREAD, 0) != 0)
        cannot("no filter");
}

static void filter_kills_us(void)
{
    filter_kills();
    syscall(SYS_readahead, 0, 0L, 0UL);
}

static void filter_kills_our_thread(void)
{
    filter_kills_a_thread();
    syscall(SYS_readahead, 0, 0L, 0UL);
}

static void filter_refuses_everybody(void)
{
    if (filter_replay_calls(SECCOMP_RET_ERRNO | EPERM, SECCOMP_FILTER_FLAG_TSYNC) != 0)
        cannot("no filter");
    TRY(syscall(SYS_readahead, 0, 0L, 0UL));
}

static void filter_kills_everybody(void)
{
    if (filter_replay_calls(SECCOMP_RET_KILL_PROCESS, SECCOMP_FILTER_FLAG_TSYNC) != 0)
        cannot("no filter");
}

static void filter_kills_each_thread(void)
{
    if (filter_replay_calls(SECCOMP_RET_KILL_THREAD, SECCOMP_FILTER_FLAG_TSYNC) != 0)
        cannot("no filter");
}

static void filter_traps_everybody(void)
{
    if (filter_replay_calls(SECCOMP_RET_TRAP, SECCOMP_FILTER_FLAG_TSYNC) != 0)
        cannot("no filter");
}

/* Filters hold from before exec on: those of containers refuse. */
static void filtered(int failed)
{
    if (failed)
        cannot("no filter");
    become("look");
    printf("exec: errno %d\n", errno);
}

static void filter_is_there_already(void)
{
    filtered(filter_replay_calls(SECCOMP_RET_ERRNO | EPERM, 0));
}

static void filter_knows_no_call(void)
{
    filtered(filter_replay_calls(SECCOMP_RET_ERRNO | ENOSYS, 0));
}

/* Neither thread nor child, of anybody. */
static void filter_refuses_clone(void)
{
    if (filter_calls(thread_calls, 2, SECCOMP_RET_ERRNO | EPERM, 0) != 0)
        cannot("no filter");
    become("returns at once");
}

static void filter_kills_clone(void)
{
    if (filter_calls(thread_calls, 2, SECCOMP_RET_KILL_PROCESS, 0) != 0)
        cannot("no filter");
    printf("no more threads\n");
    fflush(stdout);
    sleep_ms(5);
    _exit(3);
}

static void close_everything(void)
{
    TRY(syscall(436 /* close_range */, 3, ~0u, 0));
    for (int fd = 3; fd < 4096; fd++)
        close(fd);
    TRY(open("/", O_RDONLY | O_DIRECTORY));
    TRY(close(3));
}

static void close_standard(void)
{
    close(0);
    close(2);
    printf("next %d", open("/dev/null", O_RDONLY));
    printf(" and %d\n", open("/dev/null", O_WRONLY));
}

/* Numbers that a program counts on getting, while others open and close. */
static void descriptors_in_a_row(void)
{
    int wrong = 0;
    for (int round = 0; round < 300; round++) {
        int fds[8];
        for (int i = 0; i < 8; i++) {
            fds[i] = open("/dev/null", O_RDONLY);
            wrong += fds[i] != 3 + i;
        }
        for (int i = 0; i < 8; i++)
            close(fds[i]);
    }
    printf("wrong: %d\n", wrong);
}

/* Limits hold from exec on. */
static void limited(int kind, rlim_t amount)
{
    struct rlimit limit = {amount, amount};
    if (syscall(SYS_prlimit64, 0, kind, &limit, NULL) != 0)
        cannot("no limit");
    become("look");
    printf("exec: errno %d\n", errno);
}

static void no_descriptors(void)
{
    limited((int)RLIMIT_NOFILE, 0);
}

static void one_descriptor(void)
{
    limited((int)RLIMIT_NOFILE, 1);
}

static void two_descriptors(void)
{
    limited((int)RLIMIT_NOFILE, 2);
}

static void three_descriptors(void)
{
    limited((int)RLIMIT_NOFILE, 3);
}

static void four_descriptors(void)
{
    limited((int)RLIMIT_NOFILE, 4);
}

static void little_address_space(void)
{
    limited((int)RLIMIT_AS, 8 << 20);
}

static void little_data(void)
{
    limited((int)RLIMIT_DATA, 1 << 20);
}

static void tiny_stack(void)
{
    limited((int)RLIMIT_STACK, 64 << 10);
}

static void no_locked_memory(void)
{
    limited((int)RLIMIT_MEMLOCK, 0);
}

static void no_processes(void)
{
    if (geteuid() == 0 && setuid(65534) != 0)
        cannot("not root");
    limited((int)RLIMIT_NPROC, 0);
}

static void *use_stack(void *result)
{
    char buffer[4096];
    memset(buffer, 1, sizeof buffer);
    *(int *)result = buffer[sizeof buffer - 1];
    return NULL;
}

static void threads_of_16_kib(void)
{
    enum { THREADS = 12 };
    pthread_t threads[THREADS];
    int results[THREADS] = {0}, sum = 0;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    size_t least = (size_t)PTHREAD_STACK_MIN, bytes = 16 << 10;
    pthread_attr_setstacksize(&attributes, bytes > least ? bytes : least);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], &attributes, use_stack, &results[i]) != 0)
            cannot("no thread");
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += results[i];
    }
    printf("sum %d\n", sum);
}

const struct victim confined_victims[] = {
    {"seccomp strict", strict, ENDS},
    {"seccomp strict is broken", strict_breaks, ENDS},
    {"seccomp kills", filter_kills, 0},
    {"seccomp kills before main", filter_kills, BEFORE_MAIN},
    {"seccomp kills a thread", filter_kills_a_thread, 0},
    {"seccomp kills itself", filter_kills_us, ENDS},
    {"seccomp kills its thread", filter_kills_our_thread, ENDS},
    {"seccomp refuses all threads", filter_refuses_everybody, 0},
    {"seccomp kills all threads", filter_kills_everybody, 0},
    {"seccomp kills each thread", filter_kills_each_thread, 0},
    {"seccomp traps all threads", filter_traps_everybody, 0},
    {"seccomp refuses from the start", filter_is_there_already, ENDS},
    {"seccomp is older than the calls", filter_knows_no_call, ENDS},
    {"seccomp refuses clone from the start", filter_refuses_clone, ENDS},
    {"seccomp kills clone", filter_kills_clone, ENDS},
    {"close everything", close_everything, 0},
    {"close stdin and stderr", close_standard, 0},
    {"descriptors in a row", descriptors_in_a_row, 0},
    {"0 descriptors", no_descriptors, ENDS},
    {"1 descriptor", one_descriptor, ENDS},
    {"2 descriptors", two_descriptors, ENDS},
    {"3 descriptors", three_descriptors, ENDS},
    {"4 descriptors", four_descriptors, ENDS},
    {"8 MiB of address space", little_address_space, ENDS},
    {"1 MiB of data", little_data, ENDS},
    {"64 KiB of stack", tiny_stack, ENDS},
    {"no locked memory", no_locked_memory, ENDS},
    {"no process allowed", no_processes, ENDS},
    {"threads with 16 KiB", threads_of_16_kib, 0},
    {NULL, NULL, 0},
};
