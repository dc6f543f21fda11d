/*
 * record.c: `coldboost record` runs a command under libcoldboost-record.so, or watched from outside
 * (watch/outside.c), and writes the profile of what it needed.
 */
#include "cli/command.h"
#include "cli/output.h"
#include "cli/table.h"
#include "record/readahead.h"
#include "record/session.h"
#include "record/walker.h"
#include "start/obstacle.h"
#include "trace/image.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROFILE "coldboost.cbp"

static const char help[] =
    "Usage: coldboost record [OPTION]... [--] COMMAND [ARGUMENT]...\n"
    "\n"
    "Runs COMMAND and writes a profile of the pages of files that it needs, in the\n"
    "order of their first use: what it maps and touches, what it reads, and the same\n"
    "for what it loads with dlopen and for its children. 'coldboost run', or a start\n"
    "with libcoldboost.so preloaded, then reads these pages ahead.\n"
    "\n"
    "  -o, --output PROFILE  where to write it, - for standard output;\n"
    "                        default: " PROFILE "\n"
    "      --log             write it to standard error instead, as lines of text for\n"
    "                        'coldboost merge --from-log': where nothing but a log\n"
    "                        leaves the machine\n"
    "      --until exit      record until COMMAND ends; the default\n"
    "      --until SECONDS   record that long; the profile is then written at once and\n"
    "                        COMMAND goes on. For servers. Fractions are allowed.\n"
    "      --until ready     record until COMMAND asks the Lambda runtime interface for\n"
    "                        its first invocation, which is when its start is over\n"
    "      --until listen    record until COMMAND, or what it starts, listens on a socket;\n"
    "                        it then goes on. For servers.\n"
    "      --until port=N    record until a connection to this TCP port of 127.0.0.1 or\n"
    "                        ::1 succeeds; it then goes on\n"
    "      --map FROM=TO     name files below FROM as if they were below TO: record in\n"
    "                        a build tree what will be in /var/task. Can be repeated;\n"
    "                        the first that fits counts.\n"
    "      --stacks          also note which calls led to the first use of each file, for\n"
    "                        'coldboost show'. Finding the callers touches pages of its\n"
    "                        own: record again without it what a start is to replay.\n"
    "  -h, --help            print this and exit\n"
    "\n"
    "COMMAND keeps its standard input, output and error. SIGINT, SIGTERM and SIGHUP go\n"
    "on to it, and the profile is written when it ends, however it ends. Files that\n"
    "were written, renamed or deleted meanwhile are left out, and so are those that\n"
    "are not on a disk (tmpfs, proc).\n"
    "\n"
    "As root, outside of containers, the page cache is dropped first and readahead is\n"
    "off on all devices until the recording ends: COMMAND starts slowly, and the\n"
    "profile is exact. Otherwise a page fault also maps pages nearby which are in\n"
    "memory already, and the profile names more than COMMAND needs.\n"
    "\n"
    "Programs that cannot be preloaded (static ones, Go) are watched from outside with\n"
    "ptrace, and so is all that they start; nothing needs to be chosen for this. With\n"
    "--until SECONDS or ready they stop at every system call until they are let go,\n"
    "otherwise only at reads and the like. Set-user-ID programs have no privileges\n"
    "while they are watched, and cannot be recorded themselves.\n"
    "\n"
    "Exit status: that of COMMAND; 128+N if signal N ended it; 1 if no profile could\n"
    "be written; 2 for a wrong command line; 126 if COMMAND cannot be executed or\n"
    "cannot be recorded (a set-user-ID program); 127 if it was not found.\n"
    "\n"
    "Example: coldboost record -o app.cbp -- python3 -c 'import ssl, json'\n";

static void parse_until(struct record_options *options, const char *words)
{
    if (!until_parse(words, &options->until) || options->until.kind == UNTIL_LINE)
        fail_usage("record",
                   "--until %s: exit, ready, listen, port=NUMBER or a number of seconds is needed",
                   words);
}

static void parse_map(struct record_options *options, const char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals || text[0] != '/' || equals[1] != '/')
        fail_usage("record", "--map %s: it takes FROM=TO, both absolute paths", text);
    size_t length = (size_t)(equals - text);
    while (length > 1 && text[length - 1] == '/')
        length--;
    char *to = xstrdup(equals + 1);
    for (size_t n = strlen(to); n > 1 && to[n - 1] == '/';)
        to[--n] = '\0';
    *GROW(options->maps, options->map_count) =
        (struct path_map){.from = text, .to = to, .from_length = length};
}

static void parse_options(int argc, char **argv, struct record_options *options)
{
    enum { UNTIL = 256, MAP, STACKS, LOG };
    static const struct option long_options[] = {
        {"output", required_argument, NULL, 'o'},
        {"until", required_argument, NULL, UNTIL},
        {"map", required_argument, NULL, MAP},
        {"stacks", no_argument, NULL, STACKS},
        {"log", no_argument, NULL, LOG},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    *options = (struct record_options){.output = PROFILE};
    for (int c; (c = next_option(argc, argv, "+o:h", long_options, help)) != -1;) {
        if (c == 'o')
            options->output = optarg;
        else if (c == UNTIL)
            parse_until(options, optarg);
        else if (c == MAP)
            parse_map(options, optarg);
        else if (c == STACKS)
            options->stacks = true;
        else if (c == LOG)
            options->output = NULL;
    }
    options->command = argv + optind;
    if (!*options->command)
        fail_usage("record", "no command given");
}

static void block_signals(struct session *session)
{
    static const int numbers[] = {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
    sigemptyset(&session->signals);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(&session->signals, numbers[i]);
    sigprocmask(SIG_BLOCK, &session->signals, &session->mask);
    session->on_child = signal(SIGCHLD, SIG_DFL); /* ignored, we would never hear of its end */
}

int command_record(int argc, char **argv)
{
    struct session session = {0};
    parse_options(argc, argv, &session.options);
    find_program(session.options.command[0], &session.program);
    bool is_misplaced = session.program.obstacle == OBSTACLE_PLACE;
    session.from_outside = image_makes_own_calls(session.program.executable) || is_misplaced;
    char *obstacle = obstacle_text(&session.program), *remedy = obstacle_remedy(&session.program);
    if (obstacle && !session.from_outside)
        fail(EXIT_CANNOT_EXECUTE, "%s, and it cannot be watched from outside either%s%s", obstacle,
             remedy ? "; " : "", remedy ? remedy : "");
    if (session.options.output)
        output_check(session.options.output);
    if (is_misplaced)
        warn("%s; until then programs are watched from outside", obstacle);
    free(obstacle);
    free(remedy);
    session.object = find_component(RECORD_OBJECT);
    if (session.options.stacks)
        session.walker = find_walker();

    block_signals(&session);
    session_create_trace(&session);
    session.since = session_next_tick();
    if (session.walker)
        snprintf(session.trace->stacks, TRACE_PATH, "%s", session.walker[0]);
    session.trace->until_ready = session.options.until.kind == UNTIL_READY;
    session.trace->until_listen = session.options.until.kind == UNTIL_LISTEN;
    session.trace->until_exit = session.options.until.kind == UNTIL_EXIT;
    session.trace->readahead_is_off = readahead_off();
    session_start_program(&session);
    int status = session_watch_program(&session);
    /* A log that the program has opened anew has grown behind the place where we would write. */
    lseek(STDERR_FILENO, 0, SEEK_END);
    session_write_profile(&session);

    free(session.object);
    for (char **path = session.walker; path && *path; path++)
        free(*path);
    free(session.walker);
    free(session.options.maps);
    int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return session.failed && code == 0 ? EXIT_FAILED : code;
}
