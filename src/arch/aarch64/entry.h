/*
 * aarch64/entry.h: where the kernel enters a program without a C library.
 */
#ifndef CB_ARCH_ENTRY_H
#define CB_ARCH_ENTRY_H

/* Calls void run(long *stack): the argument count, the arguments, NULL, the environment, NULL. */
#define CB_ENTRY(run)                                                                              \
    _Noreturn void run(long *stack);                                                               \
    __asm__(".text\n"                                                                              \
            ".globl _start\n"                                                                      \
            ".type _start, %function\n"                                                            \
            "_start:\n\t"                                                                          \
            "hint #34\n\t" /* bti c */                                                             \
            "mov x29, #0\n\t"                                                                      \
            "mov x30, #0\n\t"                                                                      \
            "mov x0, sp\n\t"                                                                       \
            "bl " #run "\n\t"                                                                      \
            "brk #0\n"                                                                             \
            ".size _start, . - _start\n");

#endif
