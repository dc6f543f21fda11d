/*
 * wrapper.c: coldboost-wrapper COMMAND [ARGUMENT]…, for AWS_LAMBDA_EXEC_WRAPPER.
 *
 * Begins the replay, puts lib/libcoldboost.so from beside itself in front of LD_PRELOAD, and
 * becomes the runtime. It stands between the sandbox and every cold start, so:
 *   - it is static and without libc: a few pages, a few dozen system calls, no loader;
 *   - whatever is missing or broken, the runtime starts as it would have without us;
 *   - the runtime finds its descriptors, children, signals and environment as they were, but for
 *     LD_PRELOAD and COLDBOOST_STARTED.
 */
#include "ahead.h"
#include "entry.h"
#include "environment.h"
#include "options.h"
#include "sys.h"
#include "text.h"

#define EXIT_CANNOT_EXECUTE 126
#define EXIT_NOT_FOUND      127

static size_t text_bytes(const char *text)
{
    size_t n = 0;
    while (text[n])
        n++;
    return n + 1;
}

static void complain(const char *what, const char *about)
{
    char line[512];
    size_t length = text_append(line, sizeof line, 0, "coldboost-wrapper: ");
    length = text_append(line, sizeof line, length, about);
    length = text_append(line, sizeof line, length, what);
    sys_write(2, line, length);
}

/* Where execvp() would find the command, or the command itself. */
static const char *search_path(const char *command, char *const *envp)
{
    static char candidate[AHEAD_PATH_BYTES];
    const char *at = environment_get(envp, "PATH");
    for (const char *c = command; *c; c++)
        if (*c == '/')
            return command;
    while (at && *at) {
        size_t length = 0;
        for (; *at && *at != ':'; at++)
            if (length + 1 < sizeof candidate)
                candidate[length++] = *at;
        at += *at == ':';
        length = text_append(candidate, sizeof candidate, length, length ? "/" : "./");
        text_append(candidate, sizeof candidate, length, command);
        if (sys_may_execute(candidate))
            return candidate;
    }
    return command;
}

/* "LD_PRELOAD=" with the object that lies beside this program; false if there is none. */
static bool find_object(char setting[AHEAD_PATH_BYTES])
{
    static const char name[] = "/lib/libcoldboost.so";
    size_t start = text_append(setting, AHEAD_PATH_BYTES, 0, "LD_PRELOAD=");
    long length =
        sys_readlink("/proc/self/exe", setting + start, AHEAD_PATH_BYTES - start - sizeof name);
    if (length <= 0)
        return false;
    size_t end = start + (size_t)length;
    while (setting[end] != '/')
        end--;
    text_append(setting, AHEAD_PATH_BYTES, end, name);
    struct sys_status status;
    return sys_stat(AT_FDCWD, setting + start, &status) == 0;
}

/* Replaces or adds NAME=… in an environment that has room for one more. */
static void set(const char **envp, char *setting)
{
    char *equals = setting;
    while (*equals != '=')
        equals++;
    *equals = '\0';
    while (*envp) {
        const char *value = text_after(*envp, setting);
        if (value && *value == '=')
            break;
        envp++;
    }
    *equals = '=';
    if (!*envp)
        envp[1] = NULL;
    *envp = setting;
}

/* A copy of the environment with our variables; the environment itself if there is no memory. */
static char *const *extend(char *const *envp, const char *preload, const char *id)
{
    static char started[sizeof "COLDBOOST_STARTED=" + AHEAD_ID_BYTES];
    const char *others = environment_get(envp, "LD_PRELOAD");
    size_t count = 0, preload_bytes = text_bytes(preload) + (others ? text_bytes(others) : 0);
    while (envp[count])
        count++;
    long memory = sys_map((count + 3) * sizeof *envp + preload_bytes);
    if (memory < 0 && memory > -4096)
        return envp;
    char **extended = (char **)memory;
    for (size_t i = 0; i < count; i++)
        extended[i] = envp[i];
    if (*preload) {
        char *setting = (char *)(extended + count + 3);
        size_t length = text_append(setting, preload_bytes, 0, preload);
        if (others && *others) {
            length = text_append(setting, preload_bytes, length, ":");
            text_append(setting, preload_bytes, length, others);
        }
        set((const char **)memory, setting);
    }
    if (*id) {
        text_append(started, sizeof started,
                    text_append(started, sizeof started, 0, "COLDBOOST_STARTED="), id);
        set((const char **)memory, started);
    }
    return extended;
}

/* The environment that the runtime gets. What fails here fails in silence. */
static char *const *boost(const char *path, char *const *envp)
{
    static char executable[AHEAD_PATH_BYTES], preload[AHEAD_PATH_BYTES];
    static char profile_buffer[AHEAD_PATH_BYTES], id[AHEAD_ID_BYTES];
    struct options options;
    options_read(envp, &options);
    if (options.enabled == SWITCH_OFF)
        return envp;
    const char *profile = options.profile
                              ? options.profile
                              : environment_profile(envp, profile_buffer, sizeof profile_buffer);
    if (profile && ahead_find_executable(path, executable))
        ahead_start(profile, executable, NULL, &options, envp, id);
    if (!find_object(preload))
        preload[0] = '\0';
    return extend(envp, preload, id);
}

/* As shells and execvp() have it: what the kernel does not know is a shell script. */
static long execute(const char *path, char **argv, char *const *envp)
{
    long error = sys_execute(path, argv, envp);
    if (error == -ENOEXEC) {
        /* argv[-1] is the wrapper's own name: there is room for one argument more. */
        argv[-1] = (char *)(uintptr_t) "/bin/sh";
        argv[0] = (char *)(uintptr_t)path;
        error = sys_execute("/bin/sh", argv - 1, envp);
    }
    return error;
}

CB_ENTRY(wrapper_main)

__attribute__((used)) _Noreturn void wrapper_main(long *stack)
{
    long argc = stack[0];
    char **argv = (char **)(stack + 1), **envp = argv + argc + 1;
    if (argc < 2) {
        complain("no command; set AWS_LAMBDA_EXEC_WRAPPER to this program's path\n", "");
        sys_exit(EXIT_NOT_FOUND);
    }
    const char *path = search_path(argv[1], envp);
    char *const *boosted = boost(path, envp);
    long error = execute(path, argv + 1, boosted);
    if (boosted != envp) /* our variables may be what was too much */
        error = execute(path, argv + 1, envp);
    complain(error == -ENOENT ? ": not found\n" : ": cannot be executed\n", argv[1]);
    sys_exit(error == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE);
}
