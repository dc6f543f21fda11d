/*
 * aarch64/interpose.h: an exported function that hands its call on with every argument untouched.
 *
 * CB_INTERPOSE(name, target, resolve) defines `name`. While the pointer `target` is set a call
 * jumps there; otherwise resolve(return address, "name") says where this one call goes. Argument
 * registers survive, vector ones included: the function behind may have any signature.
 */
#pragma once

/* clang-format off */
#define CB_INTERPOSE(name, target, resolve)                                                        \
    __asm__(                                                                                       \
        "    .pushsection .text\n"                                                                 \
        "    .globl      " #name "\n"                                                              \
        "    .type       " #name ", %function\n"                                                   \
        "    .p2align    4\n"                                                                      \
        #name ":\n"                                                                                \
        "    .cfi_startproc\n"                                                                     \
        "    hint        #34\n" /* bti c */                                                        \
        "    adrp        x16, " #target "\n"                                                       \
        "    ldr         x16, [x16, #:lo12:" #target "]\n"                                         \
        "    cbz         x16, 1f\n"                                                                \
        "    br          x16\n"                                                                    \
        "1:  stp         x29, x30, [sp, #-224]!\n"                                                 \
        "    .cfi_def_cfa_offset 224\n"                                                            \
        "    .cfi_offset x29, -224\n"                                                              \
        "    .cfi_offset x30, -216\n"                                                              \
        "    mov         x29, sp\n"                                                                \
        "    stp         x0, x1, [sp, #16]\n"                                                      \
        "    stp         x2, x3, [sp, #32]\n"                                                      \
        "    stp         x4, x5, [sp, #48]\n"                                                      \
        "    stp         x6, x7, [sp, #64]\n"                                                      \
        "    str         x8, [sp, #80]\n"                                                          \
        "    stp         q0, q1, [sp, #96]\n"                                                      \
        "    stp         q2, q3, [sp, #128]\n"                                                     \
        "    stp         q4, q5, [sp, #160]\n"                                                     \
        "    stp         q6, q7, [sp, #192]\n"                                                     \
        "    mov         x0, x30\n"                                                                \
        "    adrp        x1, 2f\n"                                                                 \
        "    add         x1, x1, #:lo12:2f\n"                                                      \
        "    bl          " #resolve "\n"                                                           \
        "    mov         x16, x0\n"                                                                \
        "    ldp         x0, x1, [sp, #16]\n"                                                      \
        "    ldp         x2, x3, [sp, #32]\n"                                                      \
        "    ldp         x4, x5, [sp, #48]\n"                                                      \
        "    ldp         x6, x7, [sp, #64]\n"                                                      \
        "    ldr         x8, [sp, #80]\n"                                                          \
        "    ldp         q0, q1, [sp, #96]\n"                                                      \
        "    ldp         q2, q3, [sp, #128]\n"                                                     \
        "    ldp         q4, q5, [sp, #160]\n"                                                     \
        "    ldp         q6, q7, [sp, #192]\n"                                                     \
        "    ldp         x29, x30, [sp], #224\n"                                                   \
        "    .cfi_def_cfa_offset 0\n"                                                              \
        "    .cfi_restore x29\n"                                                                   \
        "    .cfi_restore x30\n"                                                                   \
        "    br          x16\n"                                                                    \
        "    .cfi_endproc\n"                                                                       \
        "    .size       " #name ", . - " #name "\n"                                               \
        "    .popsection\n"                                                                        \
        "    .pushsection .rodata\n"                                                               \
        "2:  .string     \"" #name "\"\n"                                                          \
        "    .popsection\n")
/* clang-format on */
