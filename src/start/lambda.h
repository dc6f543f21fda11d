/*
 * lambda.h: what part a process has in a Lambda function, and what it does of a replay there.
 */
#pragma once

#include <stdint.h>

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
enum role lambda_role(char *const *envp, const char *executable);
enum init_type lambda_init_type(char *const *envp);
enum policy lambda_policy(enum role role, enum init_type init_type);

/* Names, also for numbers that come from a file: "unknown" for what is none. */
const char *role_name(unsigned role);
const char *init_type_name(unsigned init_type);

/* What Lambda grants the function, in bytes; 0 outside Lambda. */
uint64_t lambda_memory_bytes(char *const *envp);
