/*
 * image.h: whether a program has to be watched from outside while it is recorded.
 */
#pragma once

#include <stdbool.h>

/*
 * Whether the program at path, or the interpreter of that script, makes its system calls without
 * libc: it is static, needs no library, or is written in Go. False if it would gain privileges,
 * which a watched program does not, and for what is no program of this machine. System calls only:
 * this runs in recorded programs, between vfork and exec.
 */
bool image_makes_own_calls(const char *path);
