/*
 * x86_64/syscall.h: the kernel without a C library.
 *
 * cb_syscall() never touches errno: it returns what the kernel returned, a value or -errno.
 */
#pragma once

#include <sys/syscall.h>

#define CB_HAVE_RAW_THREAD 1

static inline long cb_syscall6(long number, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/*
 * clone(2) with the given flags on the given stack (aligned to 16); the child calls run(argument),
 * which must not return. tid is for the CLONE_*TID flags. Returns the child's id, or -errno.
 */
static inline long cb_clone(unsigned long flags, void *stack_top, int *tid, void (*run)(void *),
                            void *argument)
{
    long result;
    register long r10 __asm__("r10") = (long)tid;
    register long r8 __asm__("r8") = 0;
    register void (*r12)(void *) __asm__("r12") = run;
    register void *r13 __asm__("r13") = argument;
    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "mov %%r13, %%rdi\n\t"
                     "call *%%r12\n\t"
                     "hlt\n"
                     "1:"
                     : "=a"(result)
                     : "a"((long)SYS_clone), "D"(flags), "S"(stack_top), "d"(tid), "r"(r10),
                       "r"(r8), "r"(r12), "r"(r13)
                     : "rcx", "r11", "memory");
    return result;
}

/*
 * Unmaps the memory that holds the caller's own stack and ends the calling thread with a status,
 * without touching the stack in between.
 */
static inline _Noreturn void cb_unmap_and_exit_thread(void *address, unsigned long bytes,
                                                      int status)
{
    register int r12 __asm__("r12") = status;
    __asm__ volatile("syscall\n\t"
                     "mov %[status], %%edi\n\t"
                     "mov %[exit], %%eax\n\t"
                     "syscall\n\t"
                     "hlt"
                     :
                     : "a"((long)SYS_munmap), "D"(address),
                       "S"(bytes), [status] "r"(r12), [exit] "i"(SYS_exit)
                     : "rcx", "r11", "memory");
    __builtin_unreachable();
}
