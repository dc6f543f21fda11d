/*
 * environment.c: the environment block: prefetched before the program reads it, and asked what part
 * the process has in a Lambda function.
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
    const char *name = executable;
    for (const char *at = executable; *at; at++)
        if (*at == '/')
            name = at + 1;
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
        if (text_equal(name, shells[i]))
            return true;
    return false;
}

/* Whether the process that started us was given the same variable: then it is one of the function's
 * own, and not Lambda's. Its block is read as it was at its exec; if it cannot be, we are first. */
static bool parent_is_in_lambda(void)
{
    char path[32];
    size_t length = text_append(path, sizeof path, 0, "/proc/");
    long parent = sys_getppid();
    length = text_append_number(path, sizeof path, length, (uint64_t)parent);
    text_append(path, sizeof path, length, "/environ");
    int fd = sys_open(path, O_RDONLY);
    if (fd < 0)
        return false;
    static const char wanted[] = "AWS_LAMBDA_RUNTIME_API=";
    char buffer[2048] = {0};
    uint64_t offset = 0;
    size_t matched = 0; /* characters of this variable that agree; or no_match */
    const size_t no_match = sizeof wanted;
    bool found = false;
    for (long n; !found && (n = sys_pread(fd, buffer, sizeof buffer, offset)) > 0;) {
        for (long i = 0; i < n && !found; i++) {
            if (!buffer[i])
                matched = 0;
            else if (matched != no_match)
                matched = buffer[i] == wanted[matched] ? matched + 1 : no_match;
            found = matched == sizeof wanted - 1;
        }
        offset += (uint64_t)n;
    }
    sys_close(fd);
    return found;
}

enum role environment_role(char *const *envp, const char *executable)
{
    if (!environment_get(envp, "AWS_LAMBDA_RUNTIME_API"))
        return ROLE_OTHER;
    if (!environment_get(envp, "LAMBDA_TASK_ROOT"))
        return ROLE_EXTENSION;
    if (parent_is_in_lambda())
        return ROLE_CHILD;
    return is_shell(executable ? executable : environment_own_executable()) ? ROLE_SHELL
                                                                            : ROLE_RUNTIME;
}

enum init_type environment_init_type(char *const *envp)
{
    if (!environment_get(envp, "AWS_LAMBDA_RUNTIME_API"))
        return INIT_NONE;
    const char *text = environment_get(envp, "AWS_LAMBDA_INITIALIZATION_TYPE");
    for (unsigned type = INIT_ON_DEMAND; text && type < INIT_COUNT; type++)
        if (text_equal(text, init_type_name(type)))
            return (enum init_type)type;
    return INIT_ON_DEMAND;
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

const char *coldboost_version(void)
{
    return COLDBOOST_VERSION;
}
