/*
 * environment.h: the environment block, what stands behind it, and the kind of start that this is.
 */
#pragma once

#include "coldboost.h"

/*
 * An entry of the auxiliary vector, which stands behind the block that the kernel made: for no
 * other. 0 if there is none of the type.
 */
unsigned long environment_auxiliary(char *const *envp, unsigned long type);

/*
 * Whether the process that started this one was given the variable, "NAME=". Its block is read as
 * it was at its exec; false if it cannot be.
 */
bool environment_parent_has(const char *variable);

/*
 * The program's arguments, which stand in front of the block that the kernel made: for no other.
 * NULL if there is none, not even its name.
 */
char *const *environment_arguments(char *const *envp);

/*
 * The path of this program, as /proc/self/exe names it; "" if there is no /proc. It takes 15 µs,
 * once.
 */
const char *environment_own_executable(void);

/* The path that exec was given: often the same, and at hand. "/proc/self/exe" for a relative one.
 */
const char *environment_called_executable(char *const *envp);

/* The block that coldboost_critical_init() is to prefetch: the constructor's, before libc has one.
 */
void environment_set(char *const *envp);

/* Settled by the constructor, later by the replay, which knows more. */
void environment_set_start(enum coldboost_start start);
