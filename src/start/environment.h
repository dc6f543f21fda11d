/*
 * environment.h: the environment block, and what it says about the process.
 */
#ifndef CB_ENVIRONMENT_H
#define CB_ENVIRONMENT_H

#include "coldboost.h"

/* Telemetry records hold these numbers: new ones go to the end. */
enum role {
    ROLE_OTHER,     /* not in Lambda */
    ROLE_RUNTIME,   /* the function's runtime: what a cold start waits for */
    ROLE_EXTENSION, /* beside the runtime; inherits its LD_PRELOAD */
    ROLE_SHELL,     /* the function's first process is a shell: a bootstrap script */
    ROLE_CHILD,     /* started by one of the function's processes; often short-lived */
    ROLE_COUNT,
};

/* AWS_LAMBDA_INITIALIZATION_TYPE; one that is missing or unknown counts as on-demand. */
enum init_type {
    INIT_NONE, /* not in Lambda */
    INIT_ON_DEMAND,
    INIT_PROVISIONED,
    INIT_SNAP_START,
    INIT_MANAGED,
    INIT_COUNT,
};

enum policy {
    POLICY_NOTHING,
    POLICY_BURST,    /* as fast as the storage gives */
    POLICY_GENTLE,   /* one replay thread: nobody waits for this start, others may */
    POLICY_SNAPSHOT, /* before the program goes on: nothing of it must get into the snapshot */
    POLICY_ONCE,     /* as BURST, for the first process of each program in the sandbox alone */
};

/*
 * The role of the process that runs, or is going to run, the executable; NULL: this process's own.
 * Outside Lambda it looks at nothing but the block.
 */
enum role environment_role(char *const *envp, const char *executable);
enum init_type environment_init_type(char *const *envp);
enum policy lambda_policy(enum role role, enum init_type init_type);

/* Names, also for numbers that come from a file: "unknown" for what is none. */
const char *role_name(unsigned role);
const char *init_type_name(unsigned init_type);

/*
 * An entry of the auxiliary vector, which stands behind the block that the kernel made: for no
 * other. 0 if there is none of the type.
 */
unsigned long environment_auxiliary(char *const *envp, unsigned long type);

/*
 * The path of this program, as /proc/self/exe names it; "" if there is no /proc. It takes 15 µs,
 * once.
 */
const char *environment_own_executable(void);

/* The path that exec was given: often the same, and at hand. "/proc/self/exe" for a relative one.
 */
const char *environment_called_executable(char *const *envp);

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
