/*
 * x86_64/entry.h: where the kernel enters a program without a C library.
 */
#pragma once

/* Calls void run(long *stack): the argument count, the arguments, NULL, the environment, NULL. */
/* clang-format off */
#define CB_ENTRY(run)                                                                              \
    _Noreturn void run(long *stack);                                                               \
    __asm__(                                                                                       \
        "    .text\n"                                                                              \
        "    .globl      _start\n"                                                                 \
        "    .type       _start, @function\n"                                                      \
        "_start:\n"                                                                                \
        "    endbr64\n"                                                                            \
        "    xor         %ebp, %ebp\n"                                                             \
        "    mov         %rsp, %rdi\n"                                                             \
        "    and         $-16, %rsp\n"                                                             \
        "    call        " #run "\n"                                                               \
        "    hlt\n"                                                                                \
        "    .size       _start, . - _start\n");
/* clang-format on */
