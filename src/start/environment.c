/*
 * environment.c: the environment block, prefetched before the program reads it.
 *
 * The kernel has just written the block, so it is in memory; what can be missing is cache lines.
 * Reads the block, never changes it.
 */
#include "start/environment.h"

#include "base/sys.h"
#include "base/text.h"
#include "start/options.h"

#include <elf.h>
#include <link.h>
#include <stddef.h>

/* Kept short of the first-level cache, where the program's own first data must fit too. */
#define MAX_BLOCK_BYTES (16u << 10)
#define PATH_BYTES      4096

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
            if (environment_get(envp, "AWS_LAMBDA_RUNTIME_API"))
                for (size_t i = 0; i < sizeof read_at_start / sizeof *read_at_start; i++) {
                    const char *value = environment_get(envp, read_at_start[i]);
                    if (value)
                        prefetch_critical_memory(value, text_length(value));
                }
        }
        enum coldboost_start unset = 0;
        __atomic_compare_exchange_n(&start_kind, &unset, COLDBOOST_START_COLD, false,
                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    }
    return __atomic_load_n(&start_kind, __ATOMIC_RELAXED);
}

unsigned long environment_auxiliary(char *const *envp, unsigned long type)
{
    while (*envp)
        envp++;
    for (const ElfW(auxv_t) *entry = (const void *)(envp + 1); entry->a_type != AT_NULL; entry++)
        if (entry->a_type == type)
            return entry->a_un.a_val;
    return 0;
}

char *const *environment_arguments(char *const *envp)
{
    enum { MOST_ARGUMENTS = 1 << 20 };
    char *const *end = envp - 1; /* the NULL behind them; their number stands in front of them */
    for (intptr_t count = 1; count < MOST_ARGUMENTS; count++)
        if ((intptr_t)end[-count - 1] == count)
            return end - count;
    return NULL;
}

const char *environment_own_executable(void)
{
    static char executable[PATH_BYTES];
    if (!*executable) {
        long length = sys_readlink("/proc/self/exe", executable, sizeof executable - 1);
        executable[length > 0 ? length : 0] = '\0';
    }
    return executable;
}

const char *environment_called_executable(char *const *envp)
{
    const char *path = (const char *)environment_auxiliary(envp, AT_EXECFN);
    return path && *path == '/' ? path : "/proc/self/exe";
}

bool environment_parent_has(const char *variable)
{
    char path[40];
    size_t length = text_append(path, sizeof path, 0, "/proc/");
    length = text_append_number(path, sizeof path, length, (uint64_t)sys_getppid());
    text_append(path, sizeof path, length, "/environ");
    int fd = sys_open(path, O_RDONLY);
    if (fd < 0)
        return false;
    char buffer[2048] = {0};
    uint64_t offset = 0;
    size_t matched = 0; /* characters of this entry that agree; or no_match */
    const size_t length_of_all = text_length(variable), no_match = length_of_all + 1;
    bool found = false;
    for (long n; !found && (n = sys_pread(fd, buffer, sizeof buffer, offset)) > 0;) {
        for (long i = 0; i < n && !found; i++) {
            if (!buffer[i])
                matched = 0;
            else if (matched != no_match)
                matched = buffer[i] == variable[matched] ? matched + 1 : no_match;
            found = matched == length_of_all;
        }
        offset += (uint64_t)n;
    }
    sys_close(fd);
    return found;
}
