/*
 * inspect.c: coldboost inspect. Says beforehand what will happen.
 */
#include "cli/command.h"

#include "base/text.h"
#include "inspect/inspect.h"
#include "profile/profile_read.h"

#include <errno.h>
#include <getopt.h>
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: coldboost inspect [-p PROFILE] [--json] FILE|PID\n"
    "       coldboost inspect --audit FILE\n"
    "\n"
    "Says what an executable, a script or a running process is, whether libcoldboost.so can be\n"
    "preloaded into it, and of each object that it loads how heavy its start is, what of it is in\n"
    "memory, and what would be paged in. A file is read, never run: it may be hostile. A name\n"
    "without a folder is looked for in PATH, as a command is, then in this folder.\n"
    "\n"
    "  -p, --profile=PROFILE\n"
    "                also what a replay of PROFILE would page in\n"
    "      --audit   only whether FILE starts with LD_AUDIT: exits with 0, or with 1 and the "
    "reason\n"
    "      --json    one JSON document; \"resident_pages\" is null where the kernel does not tell\n"
    "  -h, --help    print this and exit\n"
    "\n"
    "Libraries are looked for as the loader does, with this environment's LD_LIBRARY_PATH, but "
    "not\n"
    "in folders for certain processors. A number is a process; ./123 is a file.\n"
    "\n"
    "Exit status: 0; 1 if it cannot be inspected or is damaged, or with --audit if it would not\n"
    "start; 2 for a wrong command line.\n";

static pid_t parse_pid(const char *text)
{
    uint64_t number;
    return text_is_number(text, 1, INT_MAX, &number) ? (pid_t)number : 0;
}

static void inspect(const char *subject, const char *profile_path, bool json)
{
    struct inspection inspection;
    struct profile profile;
    uint8_t *bytes = NULL;
    if (profile_path) {
        size_t size;
        bytes = read_profile(profile_path, &profile, &size);
    }
    pid_t pid = parse_pid(subject);
    if (pid)
        inspect_process(pid, &inspection);
    else
        inspect_file(subject, &inspection);
    plan_blind(&inspection);
    if (profile_path)
        plan_profile(&inspection, &profile);
    setlocale(LC_CTYPE, "");
    if (json)
        print_inspection_json(&inspection);
    else
        print_inspection(&inspection, strcmp(nl_langinfo(CODESET), "UTF-8") == 0);
    free(bytes);
}

/* For scripts: the exit status is the answer. */
static void check_audit(const char *subject)
{
    struct inspection inspection;
    if (parse_pid(subject))
        fail_usage("inspect", "--audit looks at a file; for one of that name, put ./ before it");
    inspect_file(subject, &inspection);
    if (inspection.audit_obstacle)
        fail(EXIT_FAILED, "%s: LD_AUDIT: %s", inspection.program, inspection.audit_obstacle);
    print_escaped(stdout, inspection.program);
    printf(": LD_AUDIT works; of %ju bytes for thread-local data at fixed places %ju are taken\n",
           (uintmax_t)inspection.static_tls.room, (uintmax_t)inspection.static_tls.needed);
}

int command_inspect(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"audit", no_argument, NULL, 'a'},
        {"json", no_argument, NULL, 'j'},
        {"profile", required_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    bool json = false, audit = false;
    const char *profile = NULL;
    for (int c; (c = next_option(argc, argv, "hp:", long_options, help)) != -1;) {
        if (c == 'a')
            audit = true;
        else if (c == 'j')
            json = true;
        else
            profile = optarg;
    }
    if (audit && (json || profile))
        fail_usage("inspect", "--audit takes nothing but a file");
    if (argc - optind != 1)
        fail_usage("inspect", argc == optind ? "nothing to inspect given" : "one at a time");
    if (audit)
        check_audit(argv[optind]);
    else
        inspect(argv[optind], profile, json);
    return EXIT_SUCCESS;
}
