/*
 * inspect.c: coldboost inspect. Says beforehand what will happen.
 */
#include "command.h"

#include "environment.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: coldboost inspect --lambda\n"
    "\n"
    "Prints what each process of an AWS Lambda function does of a replay, by its role and by\n"
    "$AWS_LAMBDA_INITIALIZATION_TYPE.\n"
    "\n"
    "      --lambda  the table\n"
    "  -h, --help    print this and exit\n"
    "\n"
    "Exit status: 0; 2 for a wrong command line.\n";

static void print_lambda(void)
{
    static const char *const roles[ROLE_COUNT] = {
        [ROLE_RUNTIME] = "the function's first process",
        [ROLE_EXTENSION] = "the Runtime API is set, but not LAMBDA_TASK_ROOT",
        [ROLE_SHELL] = "the function's first process, if it is a shell",
        [ROLE_CHILD] = "started by a process of the function",
    };
    static const char *const policies[] = {
        [POLICY_NOTHING] = "no replay",
        [POLICY_BURST] = "as fast as the storage gives, beside the program",
        [POLICY_GENTLE] = "the same with one thread: no request waits for this start",
        [POLICY_SNAPSHOT] = "before the program goes on, so that nothing of it is in the snapshot",
        [POLICY_ONCE] = "as burst, for the first process of each program in the sandbox alone",
    };
    for (unsigned type = INIT_ON_DEMAND; type < INIT_COUNT; type++) {
        printf("%s\n", init_type_name(type));
        for (unsigned role = ROLE_RUNTIME; role < ROLE_COUNT; role++)
            printf("  %-10s %-25s %s\n", role_name(role),
                   policy_name(lambda_policy((enum role)role, (enum init_type)type)), roles[role]);
    }
    puts("\nPolicies");
    for (unsigned policy = 0; policy < sizeof policies / sizeof *policies; policy++)
        printf("  %-25s %s\n", policy_name((enum policy)policy), policies[policy]);
    puts("\nThe first process of a program in a sandbox leaves the marker /tmp/.coldboost-HASH;\n"
         "every later one is a restart. Nothing is replayed of files that are in memory.");
}

int command_inspect(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"lambda", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    bool lambda = false;
    for (int c; (c = getopt_long(argc, argv, "h", long_options, NULL)) != -1;) {
        if (c == 'h')
            print_help(help);
        if (c != 'l')
            fail_usage_hint("inspect");
        lambda = true;
    }
    if (!lambda || optind != argc)
        fail_usage("inspect", lambda ? "--lambda takes no argument" : "nothing to inspect given");
    print_lambda();
    if (fflush(stdout) != 0)
        fail(EXIT_FAILED, "cannot write: %s", strerror(errno));
    return EXIT_SUCCESS;
}
