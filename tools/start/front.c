/*
 * front.c: the program behind the name "coldboost". Starts what is ordinary by itself and leaves
 * everything else to coldboost-tool, beside it.
 *
 * coldboost run stands before every start, and loading libc would take longer than all that it
 * does: this is static and without libc. It says nothing. An option it does not know, a command it
 * does not find, a program or a profile with anything unusual about it: the tool gets the same
 * arguments, environment and descriptors, and it alone decides and says what is wrong.
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

/* The command behind the options of coldboost run; NULL unless all of them are understood. */
static char **parse(char **argument, const char **profile)
{
    for (; *argument; argument++) {
        const char *rest;
        if (text_equal(*argument, "--"))
            return argument[1] ? argument + 1 : NULL;
        if ((*argument)[0] != '-' || !(*argument)[1])
            return argument;
        if (text_equal(*argument, "-p") || text_equal(*argument, "--profile"))
            *profile = *++argument;
        else if ((rest = text_after(*argument, "-p")) ||
                 (rest = text_after(*argument, "--profile=")))
            *profile = rest;
        else
            return NULL;
        if (!*profile)
            return NULL;
    }
    return NULL;
}

/* Becomes the program. Returns if that is for the tool to do, or to say why not. */
static void run(const char *called, char **arguments, char *const *envp)
{
    static struct program program;
    static struct request request;
    static char profile[PROGRAM_PATH_BYTES], object[PROGRAM_PATH_BYTES], script[PROGRAM_PATH_BYTES];
    char found[INSTALLATION_PATH_BYTES];
    const char *named = NULL, *wanted;
    char **command = parse(arguments, &named);
    options_read(envp, &request.options);
    if (!command || request.options.enabled == SWITCH_OFF)
        return;
    if (!program_search(*command, envp, &program))
        return;
    program_probe(&program);
    request.envp = envp;
    if (program.obstacle || !installation_find_object(called, "libcoldboost.so", found) ||
        !program_resolve(found, object))
        return;
    wanted = find_profile_path(named, &request.options, envp, request.path);
    if (wanted && !program_resolve(wanted, profile))
        return;
    request.profile = wanted ? profile : NULL;
    if (!wanted && program_resolve(program.path, script))
        request_look_into_store(&request, program.executable,
                                text_equal(script, program.executable) ? NULL : script, command + 1,
                                true);
    if (!request.profile)
        return;
    request.executable = program.executable;
    request.label = "run";
    request.ahead = true;
    request_fill(&request);
    char id[HANDOVER_BYTES] = "";
    become_read_object(object);
    struct start_result result = start_begin(&request);
    if (result.is_begun)
        handover_write(&result.handover, id);
    else if (request.options.verbose)
        return; /* the tool says why; the program starts all the same */
    char *const *extended = become_environment(envp, request.profile, object, id);
    if (extended)
        become_program(program.path, command, extended);
}

static _Noreturn void become_tool(const char *called, char **argv, char *const *envp)
{
    char path[INSTALLATION_PATH_BYTES], line[INSTALLATION_PATH_BYTES + 128];
    installation_find(called, "coldboost-tool", path);
    if (*path) /* what we may not look at, the kernel may start */
        sys_execute(path, argv, envp);
    size_t length = text_append(line, sizeof line, 0, "coldboost: ");
    length = text_append(line, sizeof line, length, *path ? path : "coldboost-tool");
    length = text_append(line, sizeof line, length,
                         ": cannot be executed; build or install coldboost again\n");
    sys_write(2, line, length);
    sys_exit(1);
}

CB_ENTRY(front_main)

__attribute__((used)) _Noreturn void front_main(long *stack)
{
    long argc = stack[0];
    char **argv = (char **)(stack + 1), **envp = argv + argc + 1;
    const char *called = (const char *)environment_auxiliary(envp, AT_EXECFN);
    if (argc > 2 && text_equal(argv[1], "run"))
        run(called, argv + 2, envp);
    become_tool(called, argv, envp);
}
