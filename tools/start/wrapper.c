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
#include "cli/installation.h"
#include "entry.h"
#include "start/become.h"
#include "start/environment.h"
#include "start/program.h"
#include "start/start.h"

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

/* The environment that the runtime gets. What fails here fails in silence. */
static char *const *boost(struct program *program, char **argv, char *const *envp)
{
    static char object[INSTALLATION_PATH_BYTES], script[PROGRAM_PATH_BYTES], id[HANDOVER_BYTES];
    static struct request request;
    const char *called = (const char *)environment_auxiliary(envp, AT_EXECFN);
    options_read(envp, &request.options);
    if (request.options.enabled == SWITCH_OFF)
        return envp;
    const char *record = request.options.record;
    if (record && !text_equal(record, "never") &&
        installation_find(called, "coldboost/coldboost-record", object))
        sys_execute(object, argv, envp);
    if (installation_find(called, "lib/libcoldboost.so", object))
        become_read_ahead(object, OBJECT_BYTES);
    else
        object[0] = '\0';
    request.profile = find_profile_path(NULL, &request.options, envp, request.path);
    request.envp = envp;
    bool in_store = !request.profile && store_is_there(request.options.store);
    if (request.profile || in_store)
        program_probe(program);
    if (in_store && !obstacle_is_final(program->obstacle))
        request_look_into_store(&request, program->executable, program_script(program, script),
                                argv + 2, false);
    if (request.profile && !obstacle_is_final(program->obstacle)) {
        request.executable = program->executable;
        request.ahead = true;
        request_fill(&request);
        struct start_result result = start_begin(&request);
        if (result.is_begun)
            handover_write(&result.handover, id);
    }
    char *const *extended =
        become_environment(envp, &(struct become_variables){.object = object, .id = id});
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
    static struct program program;
    bool found = program_search(argv[1], envp, &program);
    long error = program.obstacle == OBSTACLE_NOT_FOUND ? -ENOENT : -EACCES;
    if (found || text_contains(argv[1], "/")) { /* what we may not look at, the kernel may start */
        char *const *boosted = boost(&program, argv, envp);
        error = become_program(program.path, argv + 1, boosted);
        if (boosted != envp) /* our variables may be what was too much */
            error = become_program(program.path, argv + 1, envp);
    }
    complain(error != -ENOENT ? ": cannot be executed\n"
             : found
                 ? ": its interpreter is not there; if it is a script, its first line may end in a "
                   "carriage return\n"
                 : ": not found\n",
             argv[1]);
    sys_exit(error == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE);
}
