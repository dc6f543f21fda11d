/*
 * watched.c: hands a thread over to the tool that will watch it. Runs in recorded programs between
 * vfork and exec: system calls only, no memory of its own.
 */
#include "trace/watched.h"

#include "base/sys.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

enum { WAIT_MS = 1000 };

/* trace->asks: the thread, and above it the answer. */
#define ANSWER_SHIFT 32
#define TAKEN        (UINT64_C(1) << 30) /* somebody is about to answer */
#define WATCHED      (UINT64_C(1) << 31)

/* One thread asks at a time. Who has been heard is more patient: the answer is on its way. */
static uint64_t ask(struct trace_header *trace, uint32_t thread)
{
    const uint64_t taken = thread | TAKEN << ANSWER_SHIFT;
    bool asked = false;
    for (int i = 0; i < WAIT_MS * (asked && trace->asks == taken ? 50 : 5); i++) {
        uint64_t nobody = 0, now = trace->asks;
        if (!asked)
            asked = atomic_compare_exchange_strong(&trace->asks, &nobody, thread);
        else if (now != thread && now != taken) {
            if ((uint32_t)now != thread)
                return ESRCH; /* the tool took us for gone */
            atomic_compare_exchange_strong(&trace->asks, &now, 0);
            return now >> ANSWER_SHIFT;
        }
        sys_sleep_ns(200000);
    }
    if (asked)
        trace->asks = 0;
    return ETIMEDOUT;
}

/*
 * A call that a filter hands to a tracer fails with ENOSYS once there is no tracer. Hence only
 * where the tool stays to the end.
 */
static void pass_over_other_calls(void)
{
#define STOP_AT(name, how, fd, offset)                                                             \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1),                                         \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
    static const struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WATCHED_ARCHITECTURE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        WATCHED_CALLS(STOP_AT) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
#undef STOP_AT
    struct sock_fprog program = {sizeof steps / sizeof *steps,
                                 (struct sock_filter *)(uintptr_t)steps};
    const unsigned flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW; /* do not slow the program down */
    int result = sys_filter_calls(&program, flags);
    /* Without root it takes the promise to gain no privileges; nobody does who is being traced. */
    if (result == -EACCES && sys_prctl(PR_SET_NO_NEW_PRIVS, 1) == 0)
        sys_filter_calls(&program, flags);
}

int watched_begin(struct trace_header *trace)
{
    uint32_t thread = (uint32_t)sys_gettid();
    sys_prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY); /* the watcher is no ancestor: Yama */
    uint64_t answer = ask(trace, thread);
    sys_prctl(PR_SET_PTRACER, 0);
    if (answer != WATCHED)
        return -(int)answer;
    if (trace->until_exit)
        pass_over_other_calls();
    return 0;
}

uint32_t watched_asks(struct trace_header *trace)
{
    uint64_t asks = trace->asks;
    if (!asks || asks >> ANSWER_SHIFT)
        return 0;
    return atomic_compare_exchange_strong(&trace->asks, &asks, asks | TAKEN << ANSWER_SHIFT)
               ? (uint32_t)asks
               : 0;
}

void watched_forget(struct trace_header *trace, bool (*is_gone)(uint32_t thread))
{
    uint64_t asks = trace->asks;
    if ((uint32_t)asks && is_gone((uint32_t)asks))
        atomic_compare_exchange_strong(&trace->asks, &asks, 0);
}

void watched_answer(struct trace_header *trace, uint32_t thread, int error)
{
    uint64_t asked = thread | TAKEN << ANSWER_SHIFT;
    uint64_t answer = error ? (uint64_t)error : WATCHED;
    atomic_compare_exchange_strong(&trace->asks, &asked, thread | answer << ANSWER_SHIFT);
}
