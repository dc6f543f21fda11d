/*
 * aarch64/entry.h: where the kernel enters a program without a C library.
 */
#pragma once

/* Calls void run(long *stack): the argument count, the arguments, NULL, the environment, NULL. */
/* clang-format off */
#define CB_ENTRY(run)                                                                              \
    _Noreturn void run(long *stack);                                                               \
    __asm__(                                                                                       \
        "    .text\n"                                                                              \
        "    .globl      _start\n"                                                                 \
        "    .type       _start, %function\n"                                                      \
        "_start:\n"                                                                                \
        "    hint        #34\n" /* bti c */                                                        \
        "    mov         x29, #0\n"                                                                \
        "    mov         x30, #0\n"                                                                \
        "    mov         x0, sp\n"                                                                 \
        "    bl          " #run "\n"                                                               \
        "    brk         #0\n"                                                                     \
        "    .size       _start, . - _start\n");
/* clang-format on */
