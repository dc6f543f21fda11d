#include "start/lambda.h"

#include <criterion/criterion.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char runtime_api[] = "AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001";
static char task_root[] = "LAMBDA_TASK_ROOT=/var/task";
static char memory[] = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512";

Test(lambda, tells_the_role)
{
    char *const runtime[] = {task_root, runtime_api, NULL};
    char *const extension[] = {runtime_api, NULL};
    char *const neither[] = {task_root, NULL};
    cr_assert_eq(lambda_role(runtime, "/usr/bin/node"), ROLE_RUNTIME);
    cr_assert_eq(lambda_role(runtime, NULL), ROLE_RUNTIME);
    cr_assert_eq(lambda_role(extension, "/bin/bash"), ROLE_EXTENSION);
    cr_assert_eq(lambda_role(neither, "/bin/bash"), ROLE_OTHER);
    static const char *const shells[] = {"/bin/sh", "/usr/bin/bash", "/bin/busybox", "dash"};
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
        cr_assert_eq(lambda_role(runtime, shells[i]), ROLE_SHELL, "%s", shells[i]);
    static const char *const others[] = {"/bin/bash/node", "/usr/bin/fish", "/bin/", "",
                                         "/bin/shh"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        cr_assert_eq(lambda_role(runtime, others[i]), ROLE_RUNTIME, "%s", others[i]);
}

/* Starts this program again with the variables of a function; its own child then tells its role. */
static int role_under_parent(char *const *parents_block)
{
    char self[4096] = "", option[] = "--role-of-child";
    char *const arguments[] = {self, option, NULL};
    int status;
    pid_t parent;
    cr_assert(readlink("/proc/self/exe", self, sizeof self - 1) > 0); /* not valgrind, under it */
    cr_assert_eq(posix_spawn(&parent, self, NULL, NULL, arguments, parents_block), 0);
    cr_assert_eq(waitpid(parent, &status, 0), parent);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

__attribute__((constructor)) static void be_a_parent(int argc, char **argv)
{
    if (argc != 2 || strcmp(argv[1], "--role-of-child") != 0)
        return;
    int status;
    pid_t child = fork();
    if (child == 0) {
        char *const block[] = {task_root, runtime_api, NULL};
        _exit((int)lambda_role(block, "/bin/bash"));
    }
    _exit(waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 99);
}

Test(lambda, tells_a_child_of_the_function_from_its_first_process)
{
    static char filler[4080], prefix[] = "XAWS_LAMBDA_RUNTIME_API=1",
                              other[] = "AWS_LAMBDA_RUNTIME=1";
    memset(filler, 'x', sizeof filler - 1);
    char *const function[] = {prefix, filler, runtime_api, task_root, NULL};
    char *const platform[] = {prefix, filler, other, task_root, NULL};
    char *const nothing[] = {NULL};
    cr_assert_eq(role_under_parent(function), ROLE_CHILD);
    cr_assert_eq(role_under_parent(platform), ROLE_SHELL);
    cr_assert_eq(role_under_parent(nothing), ROLE_SHELL);
    /* The name may stand across any border of what is read at a time. */
    for (size_t cut = 0; cut < 40; cut++) {
        filler[sizeof filler - 1 - cut] = '\0';
        cr_assert_eq(role_under_parent(function), ROLE_CHILD, "%zu", cut);
    }
}

Test(lambda, tells_the_init_type)
{
    static const struct {
        char variable[64];
        enum init_type type;
    } cases[] = {
        {"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand", INIT_ON_DEMAND},
        {"AWS_LAMBDA_INITIALIZATION_TYPE=provisioned-concurrency", INIT_PROVISIONED},
        {"AWS_LAMBDA_INITIALIZATION_TYPE=snap-start", INIT_SNAP_START},
        {"AWS_LAMBDA_INITIALIZATION_TYPE=lambda-managed-instances", INIT_MANAGED},
        {"AWS_LAMBDA_INITIALIZATION_TYPE=", INIT_ON_DEMAND},
        {"AWS_LAMBDA_INITIALIZATION_TYPE=none", INIT_ON_DEMAND},
        {"AWS_LAMBDA_INITIALIZATION_TYPE=snap-starts", INIT_ON_DEMAND},
        {"X=1", INIT_ON_DEMAND},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char variable[64];
        memcpy(variable, cases[i].variable, sizeof variable);
        char *const inside[] = {runtime_api, variable, NULL};
        char *const outside[] = {variable, NULL};
        cr_assert_eq(lambda_init_type(inside), cases[i].type, "%s", variable);
        cr_assert_eq(lambda_init_type(outside), INIT_NONE, "%s", variable);
    }
}

Test(lambda, has_a_policy_for_every_role_and_init_type)
{
    static const enum policy expected[ROLE_COUNT][INIT_COUNT] = {
        {POLICY_BURST},
        {0, POLICY_BURST, POLICY_GENTLE, POLICY_SNAPSHOT, POLICY_ONCE},
        {0, POLICY_GENTLE, POLICY_GENTLE, POLICY_SNAPSHOT, POLICY_ONCE},
        {0, POLICY_BURST, POLICY_GENTLE, POLICY_SNAPSHOT, POLICY_ONCE},
        {0, POLICY_ONCE, POLICY_ONCE, POLICY_NOTHING, POLICY_ONCE},
    };
    for (unsigned role = 0; role < ROLE_COUNT; role++)
        for (unsigned type = 0; type < INIT_COUNT; type++)
            cr_assert_eq(lambda_policy((enum role)role, (enum init_type)type), expected[role][type],
                         "%s, %s", role_name(role), init_type_name(type));
}

Test(lambda, names_what_it_knows)
{
    cr_assert_str_eq(role_name(ROLE_RUNTIME), "runtime");
    cr_assert_str_eq(role_name(ROLE_CHILD), "child");
    cr_assert_str_eq(role_name(ROLE_COUNT), "unknown");
    cr_assert_str_eq(role_name(UINT32_MAX), "unknown");
    cr_assert_str_eq(init_type_name(INIT_MANAGED), "lambda-managed-instances");
    cr_assert_str_eq(init_type_name(INIT_COUNT), "unknown");
}

Test(lambda, tells_what_memory_is_granted)
{
    char *const granted[] = {runtime_api, memory, NULL};
    char *const not_said[] = {runtime_api, NULL};
    cr_assert_eq(lambda_memory_bytes(granted), UINT64_C(512) << 20);
    cr_assert_eq(lambda_memory_bytes(not_said), 0);
}
