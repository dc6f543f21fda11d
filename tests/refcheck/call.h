/*
 * call.h: a call that sees whether the callee keeps the registers that it must keep.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef uintptr_t any_function(uintptr_t a, uintptr_t b, uintptr_t c);

/*
 * Calls function(a, b, c) with a pattern in every callee-saved register. *changed becomes 0, or
 * something else if one of them did not come back.
 */
uintptr_t checked_call(any_function *function, uintptr_t a, uintptr_t b, uintptr_t c,
                       uint64_t *changed);

#if defined(__x86_64__)
__asm__(".pushsection .text\n"
        ".globl checked_call\n"
        ".type checked_call, @function\n"
        "checked_call:\n\t"
        "push %rbx\n\tpush %rbp\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n\tpush %r8\n\t"
        "mov %rdi, %rax\n\tmov %rsi, %rdi\n\tmov %rdx, %rsi\n\tmov %rcx, %rdx\n\t"
        "mov $0x11111111, %ebx\n\tmov $0x22222222, %ebp\n\tmov $0x33333333, %r12d\n\t"
        "mov $0x44444444, %r13d\n\tmov $0x55555555, %r14d\n\tmov $0x66666666, %r15d\n\t"
        "call *%rax\n\t"
        "xor $0x11111111, %rbx\n\txor $0x22222222, %rbp\n\txor $0x33333333, %r12\n\t"
        "xor $0x44444444, %r13\n\txor $0x55555555, %r14\n\txor $0x66666666, %r15\n\t"
        "or %rbp, %rbx\n\tor %r12, %rbx\n\tor %r13, %rbx\n\tor %r14, %rbx\n\tor %r15, %rbx\n\t"
        "pop %r8\n\tmov %rbx, (%r8)\n\t"
        "pop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbp\n\tpop %rbx\n\t"
        "ret\n"
        ".size checked_call, . - checked_call\n"
        ".popsection");
#elif defined(__aarch64__)
__asm__(".pushsection .text\n"
        ".globl checked_call\n"
        ".type checked_call, %function\n"
        "checked_call:\n\t"
        "stp x29, x30, [sp, #-176]!\n\tstp x19, x20, [sp, #16]\n\tstp x21, x22, [sp, #32]\n\t"
        "stp x23, x24, [sp, #48]\n\tstp x25, x26, [sp, #64]\n\tstp x27, x28, [sp, #80]\n\t"
        "stp d8, d9, [sp, #96]\n\tstp d10, d11, [sp, #112]\n\tstp d12, d13, [sp, #128]\n\t"
        "stp d14, d15, [sp, #144]\n\tstr x4, [sp, #160]\n\t"
        "mov x9, x0\n\tmov x0, x1\n\tmov x1, x2\n\tmov x2, x3\n\t"
        "mov x19, #19\n\tmov x20, #20\n\tmov x21, #21\n\tmov x22, #22\n\tmov x23, #23\n\t"
        "mov x24, #24\n\tmov x25, #25\n\tmov x26, #26\n\tmov x27, #27\n\tmov x28, #28\n\t"
        "fmov d8, x19\n\tfmov d9, x20\n\tfmov d10, x21\n\tfmov d11, x22\n\tfmov d12, x23\n\t"
        "fmov d13, x24\n\tfmov d14, x25\n\tfmov d15, x26\n\t"
        "blr x9\n\t"
        "mov x9, #0\n\t"
        "mov x10, #19\n\teor x11, x19, x10\n\torr x9, x9, x11\n\t"
        "fmov x11, d8\n\teor x11, x11, x10\n\torr x9, x9, x11\n\t"
        "mov x10, #20\n\teor x11, x20, x10\n\torr x9, x9, x11\n\t"
        "fmov x11, d9\n\teor x11, x11, x10\n\torr x9, x9, x11\n\t"
        "mov x10, #21\n\teor x11, x21, x10\n\torr x9, x9, x11\n\t"
        "fmov x11, d10\n\teor x11, x11, x10\n\torr x9, x9, x11\n\t"
        "mov x10, #22\n\teor x11, x22, x10\n\torr x9, x9, x11\n\t"
        "fmov x11, d11\n\teor x11, x11, x10\n\torr x9, x9, x11\n\t"
        "mov x10, #23\n\teor x11, x23, x10\n\torr x9, x9, x11\n\t"
        "fmov x11, d12\n\teor x11, x11, x10\n\torr x9, x9, x11\n\t"
        "mov x10, #24\n\teor x11, x24, x10\n\torr x9, x9, x11\n\t"
        "fmov x11, d13\n\teor x11, x11, x10\n\torr x9, x9, x11\n\t"
        "mov x10, #25\n\teor x11, x25, x10\n\torr x9, x9, x11\n\t"
        "fmov x11, d14\n\teor x11, x11, x10\n\torr x9, x9, x11\n\t"
        "mov x10, #26\n\teor x11, x26, x10\n\torr x9, x9, x11\n\t"
        "fmov x11, d15\n\teor x11, x11, x10\n\torr x9, x9, x11\n\t"
        "mov x10, #27\n\teor x11, x27, x10\n\torr x9, x9, x11\n\t"
        "mov x10, #28\n\teor x11, x28, x10\n\torr x9, x9, x11\n\t"
        "ldr x4, [sp, #160]\n\tstr x9, [x4]\n\t"
        "ldp x19, x20, [sp, #16]\n\tldp x21, x22, [sp, #32]\n\tldp x23, x24, [sp, #48]\n\t"
        "ldp x25, x26, [sp, #64]\n\tldp x27, x28, [sp, #80]\n\tldp d8, d9, [sp, #96]\n\t"
        "ldp d10, d11, [sp, #112]\n\tldp d12, d13, [sp, #128]\n\tldp d14, d15, [sp, #144]\n\t"
        "ldp x29, x30, [sp], #176\n\tret\n"
        ".size checked_call, . - checked_call\n"
        ".popsection");
#else
uintptr_t checked_call(any_function *function, uintptr_t a, uintptr_t b, uintptr_t c,
                       uint64_t *changed)
{
    *changed = 0;
    return function(a, b, c);
}
#endif
