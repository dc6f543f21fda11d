/*
 * environment.c: the environment block, prefetched before the program reads it.
 *
 * The kernel has just written the block, so it is in memory; what can be missing is cache lines.
 * Reads the block, never changes it.
 */
#include "environment.h"

#include "options.h"
#include "sys.h"
#include "text.h"

#include <stddef.h>

/* Kept short of the first-level cache, where the program's own first data must fit too. */
#define MAX_BLOCK_BYTES (16u << 10)

/* What the runtimes and SDKs of a Lambda function read in their first milliseconds. */
static const char *const read_at_start[] = {
    "_HANDLER",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "PATH",
    "TZ",
};

extern char **environ __attribute__((weak));

static char *const *block;
static enum coldboost_start start_kind;

void environment_set(char *const *envp)
{
    __atomic_store_n(&block, envp, __ATOMIC_RELEASE);
}

void environment_set_start(enum coldboost_start start)
{
    __atomic_store_n(&start_kind, start, __ATOMIC_RELAXED);
}

static size_t length(const char *text)
{
    size_t n = 0;
    while (text[n])
        n++;
    return n;
}

static void prefetch_block(char *const *envp)
{
    size_t count = 0, bytes = 0;
    for (; envp[count] && bytes < MAX_BLOCK_BYTES; count++)
        bytes += sizeof *envp;
    prefetch_critical_memory(envp, count * sizeof *envp);

    /* The kernel lays the strings out in order, one behind the other; after a setenv() they may be
     * anywhere, and then the distance is no size and only the values below are fetched. */
    if (count && envp[count - 1] >= envp[0] &&
        (size_t)(envp[count - 1] - envp[0]) < MAX_BLOCK_BYTES - bytes)
        prefetch_critical_memory(envp[0], (size_t)(envp[count - 1] - envp[0]) + 1);
}

enum coldboost_start coldboost_critical_init(void)
{
    static bool done;
    if (!__atomic_exchange_n(&done, true, __ATOMIC_RELAXED)) {
        char *const *envp = __atomic_load_n(&block, __ATOMIC_ACQUIRE);
        if (!envp && &environ)
            envp = environ;
        if (envp) {
            prefetch_block(envp);
            /* A function's settings, wherever setenv() has moved them. Outside Lambda the block is
             * all there is to say. */
            if (environment_role(envp) != ROLE_OTHER)
                for (size_t i = 0; i < sizeof read_at_start / sizeof *read_at_start; i++) {
                    const char *value = environment_get(envp, read_at_start[i]);
                    if (value)
                        prefetch_critical_memory(value, length(value));
                }
        }
        enum coldboost_start unset = 0;
        __atomic_compare_exchange_n(&start_kind, &unset, COLDBOOST_START_COLD, false,
                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    }
    return __atomic_load_n(&start_kind, __ATOMIC_RELAXED);
}

enum role environment_role(char *const *envp)
{
    if (!environment_get(envp, "AWS_LAMBDA_RUNTIME_API"))
        return ROLE_OTHER;
    return environment_get(envp, "LAMBDA_TASK_ROOT") ? ROLE_RUNTIME : ROLE_EXTENSION;
}

uint64_t environment_memory_bytes(char *const *envp)
{
    const char *mebibytes = environment_get(envp, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
    uint64_t value = 0;
    for (; mebibytes && *mebibytes >= '0' && *mebibytes <= '9' && value < 1u << 30; mebibytes++)
        value = value * 10 + (uint64_t)(*mebibytes - '0');
    return value << 20;
}

static bool is_profile(const char *path)
{
    struct sys_status status;
    return sys_stat(AT_FDCWD, path, &status) == 0 && !(status.mode & S_IWOTH);
}

const char *environment_profile(char *const *envp, char *buffer, size_t capacity)
{
    const char *task_root = environment_get(envp, "LAMBDA_TASK_ROOT");
    if (task_root && *task_root == '/') {
        size_t at = text_append(buffer, capacity, 0, task_root);
        text_append(buffer, capacity, at, "/coldboost.cbp");
        if (is_profile(buffer))
            return buffer;
    }
    text_append(buffer, capacity, 0, "/opt/coldboost/profile.cbp");
    return is_profile(buffer) ? buffer : NULL;
}

const char *role_name(enum role role)
{
    static const char names[][10] = {"other", "runtime", "extension"};
    return names[role];
}

const char *coldboost_version(void)
{
    return COLDBOOST_VERSION;
}
