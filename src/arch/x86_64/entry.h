/*
 * x86_64/entry.h: where the kernel enters a program without a C library.
 */
#ifndef CB_ARCH_ENTRY_H
#define CB_ARCH_ENTRY_H

/* Calls void run(long *stack): the argument count, the arguments, NULL, the environment, NULL. */
#define CB_ENTRY(run)                                                                              \
    _Noreturn void run(long *stack);                                                               \
    __asm__(".text\n"                                                                              \
            ".globl _start\n"                                                                      \
            ".type _start, @function\n"                                                            \
            "_start:\n\t"                                                                          \
            "endbr64\n\t"                                                                          \
            "xor %ebp, %ebp\n\t"                                                                   \
            "mov %rsp, %rdi\n\t"                                                                   \
            "and $-16, %rsp\n\t"                                                                   \
            "call " #run "\n\t"                                                                    \
            "hlt\n"                                                                                \
            ".size _start, . - _start\n");

#endif
