/*
 * x86_64/interpose.h: an exported function that hands its call on with every argument untouched.
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
        "    .type       " #name ", @function\n"                                                   \
        "    .p2align    4\n"                                                                      \
        #name ":\n"                                                                                \
        "    .cfi_startproc\n"                                                                     \
        "    endbr64\n"                                                                            \
        "    movq        " #target "(%rip), %r11\n"                                                \
        "    testq       %r11, %r11\n"                                                             \
        "    jz          1f\n"                                                                     \
        "    jmp         *%r11\n"                                                                  \
        "1:  pushq       %rax\n"                                                                   \
        "    pushq       %r10\n"                                                                   \
        "    pushq       %r9\n"                                                                    \
        "    pushq       %r8\n"                                                                    \
        "    pushq       %rcx\n"                                                                   \
        "    pushq       %rdx\n"                                                                   \
        "    pushq       %rsi\n"                                                                   \
        "    pushq       %rdi\n"                                                                   \
        "    subq        $136, %rsp\n"                                                             \
        "    .cfi_adjust_cfa_offset 200\n"                                                         \
        "    movaps      %xmm0, (%rsp)\n"                                                          \
        "    movaps      %xmm1, 16(%rsp)\n"                                                        \
        "    movaps      %xmm2, 32(%rsp)\n"                                                        \
        "    movaps      %xmm3, 48(%rsp)\n"                                                        \
        "    movaps      %xmm4, 64(%rsp)\n"                                                        \
        "    movaps      %xmm5, 80(%rsp)\n"                                                        \
        "    movaps      %xmm6, 96(%rsp)\n"                                                        \
        "    movaps      %xmm7, 112(%rsp)\n"                                                       \
        "    movq        200(%rsp), %rdi\n"                                                        \
        "    leaq        2f(%rip), %rsi\n"                                                         \
        "    call        " #resolve "\n"                                                           \
        "    movq        %rax, %r11\n"                                                             \
        "    movaps      (%rsp), %xmm0\n"                                                          \
        "    movaps      16(%rsp), %xmm1\n"                                                        \
        "    movaps      32(%rsp), %xmm2\n"                                                        \
        "    movaps      48(%rsp), %xmm3\n"                                                        \
        "    movaps      64(%rsp), %xmm4\n"                                                        \
        "    movaps      80(%rsp), %xmm5\n"                                                        \
        "    movaps      96(%rsp), %xmm6\n"                                                        \
        "    movaps      112(%rsp), %xmm7\n"                                                       \
        "    addq        $136, %rsp\n"                                                             \
        "    popq        %rdi\n"                                                                   \
        "    popq        %rsi\n"                                                                   \
        "    popq        %rdx\n"                                                                   \
        "    popq        %rcx\n"                                                                   \
        "    popq        %r8\n"                                                                    \
        "    popq        %r9\n"                                                                    \
        "    popq        %r10\n"                                                                   \
        "    popq        %rax\n"                                                                   \
        "    .cfi_adjust_cfa_offset -200\n"                                                        \
        "    jmp         *%r11\n"                                                                  \
        "    .cfi_endproc\n"                                                                       \
        "    .size       " #name ", . - " #name "\n"                                               \
        "    .popsection\n"                                                                        \
        "    .pushsection .rodata.str1.1,\"aMS\",@progbits,1\n"                                    \
        "2:  .string     \"" #name "\"\n"                                                          \
        "    .popsection\n")
/* clang-format on */
