/*
 * run.c: coldboost run. Begins the replay before exec, so that it also covers what the loader reads
 * ahead of every constructor, then becomes the program.
 *
 * What is ordinary never comes here: front.c starts it in the same way, but without libc. This has
 * the rest, and all messages. Every microsecond is still part of the program's start: no library
 * but libc, no child to wait for beyond those that hand the replay or a watcher to init, and one
 * where a store needs more than a look.
 */
#include "begin/recorded.h"
#include "begin/store_recording.h"
#include "cli/command.h"
#include "start/become.h"
#include "start/launch.h"
#include "start/obstacle.h"
#include "start/start.h"
#include "store/keep.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static const char help[] =
    "Usage: coldboost run [OPTION]… [--] COMMAND [ARGUMENT]…\n"
    "\n"
    "Starts COMMAND with libcoldboost.so preloaded, and begins to read its recorded working\n"
    "set before it is even loaded. The process becomes COMMAND: same process id, exit status,\n"
    "signals, descriptors and terminal. Whatever cannot be done for it (it is static, set-uid or\n"
    "32-bit, or the profile cannot be read), it starts all the same, and nothing is said unless\n"
    "COLDBOOST_VERBOSE=1.\n"
    "\n"
    "Without a profile it keeps its own: a start that it has not seen is recorded while it runs,\n"
    "at most until the program listens on a socket or 10 seconds have passed. The second start\n"
    "settles it, later ones are boosted, and when files change a start is recorded again.\n"
    "\n"
    "  -p, --profile=PROFILE  a file made by 'coldboost record'; otherwise $COLDBOOST_PROFILE,\n"
    "                         $LAMBDA_TASK_ROOT/coldboost.cbp, /opt/coldboost/profile.cbp, or\n"
    "                         what the store has for this start\n"
    "      --record           record this start, whatever the store has\n"
    "      --no-record        record nothing\n"
    "  -h, --help             print this and exit\n"
    "\n"
    "Exit status: that of COMMAND; 127 if it is not found, 126 if it cannot be executed,\n"
    "2 for a wrong command line.\n"
    "\n"
    "Environment (for COMMAND and its children too):\n";

static const struct {
    const char *name; /* behind "COLDBOOST" */
    const char *standard, *help;
} variables[] = {
#define OPTION(name, kind, max, field, standard, help, ...) {name, standard, help},
#include "start/options_table.h"
#undef OPTION
};

/* Prints the text in lines that begin and end at these columns; the first begins where it is. */
static void print_wrapped(const char *text, int first_column, int last_column)
{
    int column = first_column;
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (column > first_column && column + 1 + length > last_column) {
            printf("\n%*s", first_column, "");
            column = first_column;
        }
        column += printf("%s%.*s", column > first_column ? " " : "", length, text);
        text += length;
        text += strspn(text, " ");
    }
    putchar('\n');
}

static int print_run_help(void)
{
    fputs(help, stdout);
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        printf("  COLDBOOST%-10s ", variables[i].name);
        print_wrapped(variables[i].help, 22, 90);
        printf("%22sDefault: ", "");
        print_wrapped(variables[i].standard, 31, 90);
    }
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILED;
}

/* Why the profile could not be used, and what helps, for a result of start_begin(). */
static const char *explain(int error)
{
    switch (error) {
    case ENOEXEC:
    case ENOTSUP:
    case EMSGSIZE:
    case EBADMSG:
        return "not a profile of this version; record it again";
    case ENOENT:
        return "no such file; 'coldboost record' makes a profile";
    case EINVAL:
        return "not a regular file";
    default:
        return strerror(error);
    }
}

static struct request request;

static void begin_replay(const struct program *program, char id[HANDOVER_BYTES])
{
    bool is_verbose = request.options.verbose;
    request.executable = program->executable;
    request.label = "run";
    request.ahead = true;
    request_fill(&request);
    struct start_result result = start_begin(&request);
    if (result.is_begun)
        handover_write(&result.handover, id);
    else if (result.outcome == START_NOT_NAMED && is_verbose)
        warn("%s knows nothing of %s; record it again with this command", request.profile,
             program->executable);
    else if (is_verbose)
        warn("%s: %s", request.profile, explain(-result.error));
}

/* Looks for the store's profile. Returns whether this start is recorded; now: be it due or not. */
static bool consult_store(struct store_recording *recording, const struct program *program,
                          char **command, bool now)
{
    const char *called = (const char *)getauxval(AT_EXECFN); /* NOLINT(*-int-to-ptr) */
    store_recording_look(&request, program, command);
    bool recorded = !program->obstacle && store_recording_begin(recording, called, "/proc/self/exe",
                                                                &request, program, command, now);
    if (request.entry.is_full) {
        keep_count(&request.entry);
        store_recording_look(&request, program, command);
    }
    return recorded;
}

/* Returns the program's environment. */
static char *const *boost(const struct program *program, const char *named, char **command,
                          const struct options *options, bool now)
{
    static struct store_recording recording;
    static char id[HANDOVER_BYTES];
    char *object = look_for_component("libcoldboost.so");
    struct become_variables set = {.object = program->obstacle ? NULL : object, .id = id};
    const char *wanted;
    request.envp = environ;
    request.options = *options;
    request.profile = look_for_profile(named, &wanted);
    if (!wanted && object && consult_store(&recording, program, command, now)) {
        set.recorder = recording.recorder;
        set.trace = recording.trace;
    }
    set.profile = request.profile;
    if (!request.profile && wanted && options->verbose)
        warn("%s: %s", wanted, explain(errno));
    if (program->obstacle && options->verbose)
        warn("%s; it runs without libcoldboost.so", obstacle_text(program));
    else if (!object && options->verbose)
        warn("libcoldboost.so is not installed beside this program; the command runs without it");
    if (!object || program->obstacle)
        options_complain(options);
    if (request.profile)
        begin_replay(program, id);
    else if (set.trace)
        recorded_mark(program->executable, id);
    char *const *extended = become_environment(environ, &set);
    return extended ? extended : environ;
}

int command_run(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"profile", required_argument, NULL, 'p'},
        {"record", no_argument, NULL, 'r'},
        {"no-record", no_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *named = NULL;
    bool now = false, never = false;
    for (int c; (c = getopt_long(argc, argv, "+p:h", long_options, NULL)) != -1;) {
        if (c == 'h')
            return print_run_help();
        if (c == 'p')
            named = optarg;
        else if (c == 'r' || c == 'n') {
            now = c == 'r';
            never = c == 'n';
        } else
            fail_usage_hint("run");
    }
    if (optind == argc)
        fail_usage("run", "no command given");

    struct options options;
    options_read(environ, &options);
    if (never)
        options.record = OPTIONS_NEVER;
    struct program program;
    find_program(argv[optind], &program);
    char *const *envp = environ;
    if (options.enabled != SWITCH_OFF)
        envp =
            boost(&program, named, argv + optind, &options, now && !options_never_record(&options));
    int error = (int)-become_program(program.path, argv + optind, envp);
    fail(error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE, "%s: %s", program.path,
         strerror(error));
}
