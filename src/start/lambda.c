/*
 * lambda.c: tells a process's role in a function from the environment block, and says what each
 * role does. Reads the block, never changes it.
 */
#include "start/lambda.h"

#include "base/sys.h"
#include "base/text.h"
#include "start/environment.h"
#include "start/options.h"

/* What each process does of a replay: one row a role, one column an init type. The row of a process
 * outside Lambda has no init type and so one column only. */
static const uint8_t policies[ROLE_COUNT][INIT_COUNT] = {
    [ROLE_OTHER] = {[INIT_NONE] = POLICY_BURST},
    [ROLE_RUNTIME] = {[INIT_ON_DEMAND] = POLICY_BURST,
                      [INIT_PROVISIONED] = POLICY_GENTLE,
                      [INIT_SNAP_START] = POLICY_SNAPSHOT,
                      [INIT_MANAGED] = POLICY_ONCE},
    [ROLE_EXTENSION] = {[INIT_ON_DEMAND] = POLICY_GENTLE,
                        [INIT_PROVISIONED] = POLICY_GENTLE,
                        [INIT_SNAP_START] = POLICY_SNAPSHOT,
                        [INIT_MANAGED] = POLICY_ONCE},
    [ROLE_SHELL] = {[INIT_ON_DEMAND] = POLICY_BURST,
                    [INIT_PROVISIONED] = POLICY_GENTLE,
                    [INIT_SNAP_START] = POLICY_SNAPSHOT,
                    [INIT_MANAGED] = POLICY_ONCE},
    /* Whether a child runs before the snapshot or long after, it cannot know. */
    [ROLE_CHILD] = {[INIT_ON_DEMAND] = POLICY_ONCE,
                    [INIT_PROVISIONED] = POLICY_ONCE,
                    [INIT_SNAP_START] = POLICY_NOTHING,
                    [INIT_MANAGED] = POLICY_ONCE},
};

enum policy lambda_policy(enum role role, enum init_type init_type)
{
    return (enum policy)policies[role][init_type];
}

static bool is_shell(const char *executable)
{
    static const char shells[][8] = {"ash", "bash", "busybox", "dash", "ksh", "mksh", "sh", "zsh"};
    const char *name = text_last_part(executable);
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
        if (text_equal(name, shells[i]))
            return true;
    return false;
}

enum role lambda_role(char *const *envp, const char *executable)
{
    if (!environment_get(envp, "AWS_LAMBDA_RUNTIME_API"))
        return ROLE_OTHER;
    if (!environment_get(envp, "LAMBDA_TASK_ROOT"))
        return ROLE_EXTENSION;
    /* Then it is one of the function's own processes, and not Lambda's. */
    if (environment_parent_has("AWS_LAMBDA_RUNTIME_API="))
        return ROLE_CHILD;
    return is_shell(executable ? executable : environment_own_executable()) ? ROLE_SHELL
                                                                            : ROLE_RUNTIME;
}

enum init_type lambda_init_type(char *const *envp)
{
    if (!environment_get(envp, "AWS_LAMBDA_RUNTIME_API"))
        return INIT_NONE;
    const char *text = environment_get(envp, "AWS_LAMBDA_INITIALIZATION_TYPE");
    for (unsigned type = INIT_ON_DEMAND; text && type < INIT_COUNT; type++)
        if (text_equal(text, init_type_name(type)))
            return (enum init_type)type;
    return INIT_ON_DEMAND;
}

uint64_t lambda_memory_bytes(char *const *envp)
{
    const char *mebibytes = environment_get(envp, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
    uint64_t value = 0;
    for (; mebibytes && *mebibytes >= '0' && *mebibytes <= '9' && value < 1u << 30; mebibytes++)
        value = value * 10 + (uint64_t)(*mebibytes - '0');
    return value << 20;
}

const char *role_name(unsigned role)
{
    static const char names[][10] = {"other", "runtime", "extension", "shell", "child"};
    return role < ROLE_COUNT ? names[role] : "unknown";
}

const char *init_type_name(unsigned init_type)
{
    static const char names[][26] = {"none", "on-demand", "provisioned-concurrency", "snap-start",
                                     "lambda-managed-instances"};
    return init_type < INIT_COUNT ? names[init_type] : "unknown";
}
