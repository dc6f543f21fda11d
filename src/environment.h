/*
 * environment.h: the environment block, and what it says about the process.
 */
#ifndef CB_ENVIRONMENT_H
#define CB_ENVIRONMENT_H

#include "coldboost.h"

enum role {
    ROLE_OTHER,     /* not in Lambda */
    ROLE_RUNTIME,   /* the function's runtime: what a cold start waits for */
    ROLE_EXTENSION, /* beside the runtime; inherits its LD_PRELOAD */
};

enum role environment_role(char *const *envp);
const char *role_name(enum role role);

/* What Lambda grants the function, in bytes; 0 outside Lambda. */
uint64_t environment_memory_bytes(char *const *envp);

/*
 * The profile to use when COLDBOOST_PROFILE names none, in the buffer, or NULL:
 * $LAMBDA_TASK_ROOT/coldboost.cbp, /opt/coldboost/profile.cbp. Never one that anybody may write.
 */
const char *environment_profile(char *const *envp, char *buffer, size_t capacity);

/* The block that coldboost_critical_init() is to prefetch: the constructor's, before libc has one.
 */
void environment_set(char *const *envp);

/* Settled by the constructor, later by the replay, which knows more. */
void environment_set_start(enum coldboost_start start);

#endif
