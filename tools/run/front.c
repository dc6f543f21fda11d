/*
 * front.c: the program behind the name "coldboost". Starts what is ordinary by itself and leaves
 * everything else to coldboost-tool, beside it.
 *
 * coldboost run stands before every start, and loading libc would take longer than all that it
 * does: this is static and without libc. It says nothing. An option it does not know, a command it
 * does not find, a program or a profile with anything unusual about it: the tool gets the same
 * arguments, environment and descriptors, and it alone decides and says what is wrong.
 */
#include "base/resolve.h"
#include "base/search_path.h"
#include "base/sys.h"
#include "base/text.h"
#include "begin/recorded.h"
#include "begin/store_recording.h"
#include "cli/installation.h"
#include "entry.h"
#include "start/become.h"
#include "start/beforehand.h"
#include "start/environment.h"
#include "start/program.h"
#include "start/start.h"

#include <elf.h>

#define OBJECT "libcoldboost.so"
#define TOOL   "coldboost-tool"

/* What the command line says. */
struct wishes {
    const char *profile;
    bool records; /* whatever the store has */
    bool never_records;
};

/* The command behind the options of coldboost run; NULL unless all of them are understood. */
static char **parse(char **argument, struct wishes *wishes)
{
    for (; *argument; argument++) {
        const char *rest;
        if (text_equal(*argument, "--"))
            return argument[1] ? argument + 1 : NULL;
        if ((*argument)[0] != '-' || !(*argument)[1])
            return argument;
        if (text_equal(*argument, "-p") || text_equal(*argument, "--profile"))
            wishes->profile = *++argument;
        else if ((rest = text_after(*argument, "-p")) ||
                 (rest = text_after(*argument, "--profile=")))
            wishes->profile = rest;
        else if (text_equal(*argument, "--record"))
            *wishes = (struct wishes){wishes->profile, .records = true};
        else if (text_equal(*argument, "--no-record"))
            *wishes = (struct wishes){wishes->profile, .never_records = true};
        else
            return NULL;
        if (!*argument)
            return NULL;
    }
    return NULL;
}

/* False where there is something to say: the tool says it, and starts the program all the same. */
static bool begin_replay(struct request *request, char id[HANDOVER_BYTES])
{
    request->label = "run";
    request->ahead = true;
    request_fill(request);
    struct start_result result = start_begin(request);
    if (result.is_begun)
        handover_write(&result.handover, id);
    return result.is_begun || !request->options.verbose;
}

/* Becomes the program. Returns if that is for the tool to do, or to say why not. */
static void run(const char *called, const char *path, char **arguments, char *const *envp)
{
    static struct program program;
    static struct request request;
    static struct store_recording recording;
    static char profile[PROGRAM_PATH_BYTES], object[PROGRAM_PATH_BYTES];
    char found[INSTALLATION_PATH_BYTES], id[HANDOVER_BYTES] = "";
    struct wishes wishes = {NULL, false, false};
    const char *wanted, *ahead;
    char **command = path ? arguments : parse(arguments, &wishes);
    options_read(envp, &request.options);
    if (wishes.never_records)
        request.options.record = OPTIONS_NEVER;
    if (!command || request.options.enabled == SWITCH_OFF)
        return;
    wanted = find_profile_path(wishes.profile, &request.options, envp, request.path);
    ahead = wanted ? wanted : store_folder(envp, request.options.store, true, profile);
    bool looks = ahead && look_beforehand(called, OBJECT, ahead);
    if (!program_search(path ? path : *command, envp, &program))
        return;
    program_probe(&program);
    request.envp = envp;
    if (program.obstacle || !installation_find_object(called, OBJECT, found) ||
        !resolve_path(found, object, sizeof object))
        return;
    if (wanted && !resolve_path(wanted, profile, sizeof profile))
        return;
    request.profile = wanted ? profile : NULL;
    if (!wanted)
        store_recording_look(&request, &program, command);
    if (!looks)
        become_read_ahead(object, OBJECT_BYTES);
    bool now = !wanted && wishes.records && !options_never_record(&request.options);
    if (request.entry.is_full ||
        (request.options.verbose && (now || !request.profile || request.store == STORE_RECORD)))
        return;
    struct become_variables set = {.object = object, .id = id};
    bool recorded =
        !wanted && become_can_name(object) &&
        store_recording_begin(&recording, called, TOOL, &request, &program, command, now);
    if (!recorded && request.entry.is_full) /* by now */
        return;
    if (recorded) {
        set.recorder = recording.recorder;
        set.trace = recording.trace;
    }
    set.profile = request.profile;
    request.executable = program.executable;
    if (request.profile && !begin_replay(&request, id))
        return;
    if (recorded && !request.profile)
        recorded_mark(program.executable, id);
    char *const *extended = become_environment(envp, &set);
    if (extended)
        become_program(program.path, command, extended);
}

/* Returns if there is none; path is where it should be, or "". */
static void execute_tool(const char *called, char path[INSTALLATION_PATH_BYTES], char **argv,
                         char *const *envp)
{
    installation_find(called, TOOL, path);
    if (!*path)
        return;
    become_read_ahead(path, TOOL_BYTES);
    sys_execute(path, argv, envp); /* what we may not look at, the kernel may start */
}

/* ---- by libcoldboost.so: coldboost again ------------------------------------------------------
 */

/*
 * Becomes the program again that has been preloaded; command[-1] is what to execute. Whatever goes
 * wrong, it is only not recorded. One with a profile, which is to be made again, finds that itself.
 */
static _Noreturn void run_again(const char *called, char **command, char *const *envp)
{
    static struct program program;
    static struct request request;
    static struct store_recording recording;
    const char *path = command[-1];
    char id[HANDOVER_BYTES] = "";
    struct become_variables set = {.id = id};
    options_read(envp, &request.options);
    request.envp = envp;
    if (program_search(path, envp, &program))
        program_probe(&program);
    bool recorded = false;
    if (!program.obstacle) {
        store_recording_look(&request, &program, command);
        recorded =
            store_recording_begin(&recording, called, TOOL, &request, &program, command, false);
    }
    if (recorded) {
        set.object = recording.recorder;
        set.trace = recording.trace;
    }
    recorded_mark(recorded && !request.profile ? program.executable : NULL, id);
    char *const *extended = become_environment(envp, &set);
    long error = extended ? become_program(path, command, extended) : -ENOMEM;
    sys_exit(error == -ENOENT ? 127 : 126);
}

/* ---- by another name: coldboost link ----------------------------------------------------------
 */

/* No link to coldboost: two installations would start each other without end. */
static bool is_another(const char *path)
{
    char resolved[PROGRAM_PATH_BYTES];
    return is_executable_file(path) && resolve_path(path, resolved, sizeof resolved) &&
           !text_equal(text_last_part(resolved), "coldboost");
}

/* Becomes the next program of that name in PATH, through the store. */
static _Noreturn void run_next(const char *called, const char *name, char **argv, char *const *envp)
{
    static char path[PROGRAM_PATH_BYTES], tool[INSTALLATION_PATH_BYTES];
    const char *folders = environment_get(envp, "PATH");
    if (!search_path(folders ? folders : "/usr/local/bin:/usr/bin:/bin", name, is_another, path,
                     sizeof path)) {
        static const char line[] = ": there is no other program of this name in PATH\n";
        sys_write(2, called, text_length(called));
        sys_write(2, line, sizeof line - 1);
        sys_exit(127);
    }
    run(called, path, argv, envp);
    /* The rest is the tool's, which takes the path for the command. */
    size_t count = text_count(argv);
    char **command = sys_map((count + 4) * sizeof *command, MAP_PRIVATE);
    if (command) {
        command[0] = (char *)(uintptr_t) "coldboost";
        command[1] = (char *)(uintptr_t) "run";
        command[2] = (char *)(uintptr_t) "--";
        command[3] = path;
        for (size_t i = 1; i < count; i++)
            command[3 + i] = argv[i];
        execute_tool(called, tool, command, envp);
    }
    sys_execute(path, argv, envp);
    sys_exit(126);
}

/* Not by our name, perhaps with a version behind it, nor through a descriptor, which has none. */
static bool is_link(const char *called)
{
    return !text_after(text_last_part(called), "coldboost") && !text_after(called, "/dev/fd/") &&
           !text_after(called, "/proc/self/fd/");
}

static _Noreturn void become_tool(const char *called, char **argv, char *const *envp)
{
    char path[INSTALLATION_PATH_BYTES], line[INSTALLATION_PATH_BYTES + 128];
    execute_tool(called, path, argv, envp);
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
    if (is_link(called))
        run_next(called, text_last_part(called), argv, envp);
    if (argc > 2 && text_equal(argv[1], "run"))
        run(called, NULL, argv + 2, envp);
    if (argc > 3 && text_equal(argv[1], "again")) /* not for users: preload/boost/again.c */
        run_again(called, argv + 3, envp);
    become_tool(called, argv, envp);
}
