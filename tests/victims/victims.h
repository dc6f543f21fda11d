/*
 * victims.h: small programs that a guest could disturb. Each is a row in its theme's table; main.c
 * runs one of them and then looks at what is left.
 */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

struct victim {
    const char *name;
    void (*act)(void);
    unsigned flags;
};

/* Acts in a constructor. */
#define BEFORE_MAIN 1u
/* It ends by itself or can do nothing more: nothing is looked at afterwards. */
#define ENDS 2u

extern const struct victim process_victims[], identity_victims[], confined_victims[],
    ending_victims[], memory_victims[];

/* The path of this program, and what it is called with to return 10. */
extern char self[4096];
#define CODE "code"

/* Becomes this program again, under the same emulator, to run the named victim. Returns -1. */
int become(const char *name);

/* Starts this program as a child that returns 10. */
pid_t spawn_code(void);

/* Ends the program with the status that says why it cannot do this here. */
_Noreturn void cannot(const char *why);

/* One line on whether a call succeeded. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        errno = 0;                                                                                 \
        long tried = (long)(call);                                                                 \
        if (tried < 0)                                                                             \
            printf("%s: %s\n", #call, strerror(errno));                                            \
        else                                                                                       \
            printf("%s: fine\n", #call);                                                           \
    } while (0)
