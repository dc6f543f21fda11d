/*
 * aarch64/syscall.h: the kernel without a C library.
 *
 * cb_syscall() never touches errno: it returns what the kernel returned, a value or -errno.
 */
#pragma once

#include <sys/syscall.h>

#define CB_HAVE_RAW_THREAD 1

static inline long cb_syscall6(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}

/*
 * clone(2) with the given flags on the given stack (aligned to 16); the child calls run(argument),
 * which must not return. tid is for the CLONE_*TID flags. Returns the child's id, or -errno.
 */
static inline long cb_clone(unsigned long flags, void *stack_top, int *tid, void (*run)(void *),
                            void *argument)
{
    register long x8 __asm__("x8") = SYS_clone;
    register long x0 __asm__("x0") = (long)flags;
    register long x1 __asm__("x1") = (long)stack_top;
    register long x2 __asm__("x2") = (long)tid;
    register long x3 __asm__("x3") = 0;
    register long x4 __asm__("x4") = (long)tid;
    /* Fixed registers: a branch through x16 is legal to any landing pad (BTI). */
    register long x16 __asm__("x16") = (long)run;
    register long x9 __asm__("x9") = (long)argument;
    __asm__ volatile("svc #0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, #0\n\t"
                     "mov x30, #0\n\t"
                     "mov x0, x9\n\t"
                     "blr x16\n\t"
                     "brk #0\n"
                     "1:"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x16), "r"(x9)
                     : "memory");
    return x0;
}

/*
 * Unmaps the memory that holds the caller's own stack and ends the calling thread with a status,
 * without touching the stack in between.
 */
static inline _Noreturn void cb_unmap_and_exit_thread(void *address, unsigned long bytes,
                                                      int status)
{
    register long x19 __asm__("x19") = status;
    register long x8 __asm__("x8") = SYS_munmap;
    register long x0 __asm__("x0") = (long)address;
    register long x1 __asm__("x1") = (long)bytes;
    __asm__ volatile("svc #0\n\t"
                     "mov x0, %[status]\n\t"
                     "mov x8, %[exit]\n\t"
                     "svc #0\n\t"
                     "brk #0"
                     : "+r"(x8), "+r"(x0)
                     : "r"(x1), [status] "r"(x19), [exit] "i"(SYS_exit)
                     : "memory");
    __builtin_unreachable();
}
