/*
 * wrapper.c: coldboost-wrapper COMMAND [ARGUMENT]…, for AWS_LAMBDA_EXEC_WRAPPER.
 *
 * Begins the replay, puts lib/libcoldboost.so from beside itself in front of LD_PRELOAD, and
 * becomes the runtime. It stands between the sandbox and every cold start, so:
 *   - it is static and without libc: a few pages, a few dozen system calls, no loader;
 *   - whatever is missing or broken, the runtime starts as it would have without us;
 *   - the runtime finds its descriptors, children, signals and environment as they were, but for
 *     LD_PRELOAD and COLDBOOST_STARTED.
 * With COLDBOOST_RECORD it becomes the recorder instead, where the layer has one.
 */
#include "base/sys.h"
#include "base/text.h"
#include "entry.h"
#include "start/ahead.h"
#include "start/early.h"
#include "start/environment.h"
#include "start/options.h"

#include <elf.h>

#define EXIT_CANNOT_EXECUTE 126
#define EXIT_NOT_FOUND      127

static void complain(const char *what, const char *about)
{
    char line[512];
    size_t length = text_append(line, sizeof line, 0, "coldboost-wrapper: ");
    length = text_append(line, sizeof line, length, about);
    length = text_append(line, sizeof line, length, what);
    sys_write(2, line, length);
}

/* The file that lies below this program's folder; "" if there is none. */
static void find_part(const char *name, char *const *envp, char path[AHEAD_PATH_BYTES])
{
    struct sys_status status;
    const char *called = (const char *)environment_auxiliary(envp, AT_EXECFN);
    long length = ahead_own_folder(called, path);
    text_append(path, AHEAD_PATH_BYTES, length > 0 ? (size_t)length : 0, name);
    if (length < 0 || sys_stat(AT_FDCWD, path, &status) != 0)
        path[0] = '\0';
}

/* The environment that the runtime gets. What fails here fails in silence. */
static char *const *boost(const char *path, char **argv, char *const *envp)
{
    static char executable[AHEAD_PATH_BYTES], object[AHEAD_PATH_BYTES];
    static char profile_buffer[AHEAD_PATH_BYTES], id[HANDOVER_BYTES];
    struct options options;
    options_read(envp, &options);
    if (options.enabled == SWITCH_OFF)
        return envp;
    if (options.record) {
        find_part("/coldboost/coldboost-record", envp, object);
        sys_execute(object, argv, envp);
    }
    find_part("/lib/libcoldboost.so", envp, object);
    ahead_read_object(object);
    const char *profile = options.profile
                              ? options.profile
                              : environment_profile(envp, profile_buffer, sizeof profile_buffer);
    if (profile && ahead_find_executable(path, executable))
        early_start(profile, executable, NULL, NULL, &options, envp, id);
    char *const *extended = ahead_extend(envp, "", object, id);
    return extended ? extended : envp;
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
    static char buffer[AHEAD_PATH_BYTES];
    const char *path = ahead_find_command(argv[1], envp, buffer);
    long error = -ENOENT;
    if (path) {
        char *const *boosted = boost(path, argv, envp);
        error = ahead_execute(path, argv + 1, boosted);
        if (boosted != envp) /* our variables may be what was too much */
            error = ahead_execute(path, argv + 1, envp);
    }
    complain(error != -ENOENT ? ": cannot be executed\n"
             : path && sys_may_execute(path)
                 ? ": its interpreter is not there; if it is a script, its first line may end in a "
                   "carriage return\n"
                 : ": not found\n",
             argv[1]);
    sys_exit(error == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE);
}
