/*
 * coldboost.c: the command-line tool, a table of sub-commands.
 */
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A program of its own, beside this one. */
static int command_layer(int argc, char **argv)
{
    (void)argc;
    char *program = look_for_component("coldboost-layer");
    if (program)
        execv(program, argv);
    fail(EXIT_FAILED, "%s: %s; build coldboost with libarchive",
         program ? program : "coldboost-layer", strerror(program ? errno : ENOENT));
}

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"run", command_run, "start a command boosted"},
    {"record", command_record, "record what a command reads into a profile"},
    {"show", command_show, "print what is in a profile"},
    {"merge", command_merge, "unite profiles of several runs into one"},
    {"bench", command_bench, "measure a command cold, boosted and warm"},
    {"layer", command_layer, "make an AWS Lambda layer"},
    {"report", command_report, "decode telemetry and compare boosted starts with unboosted ones"},
    {"inspect", command_inspect, "say beforehand what will happen"},
};
static const size_t command_count = sizeof commands / sizeof commands[0];

static void print_usage(FILE *stream)
{
    fputs("Usage: coldboost COMMAND [OPTION]… [--] [ARGUMENT]…\n\n"
          "Makes dynamically linked programs start faster when their files are not in memory.\n\n"
          "Commands:\n",
          stream);
    for (size_t i = 0; i < command_count; i++)
        fprintf(stream, "  %-8s %s\n", commands[i].name, commands[i].summary);
    fputs("\n'coldboost COMMAND --help' explains a command and its options.\n"
          "\n"
          "Example:\n"
          "  coldboost record -o app.cbp -- python3 app.py\n"
          "  coldboost run -p app.cbp -- python3 app.py\n",
          stream);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_usage(stdout);
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILED;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("coldboost " COLDBOOST_VERSION);
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILED;
    }
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    warn("there is no command '%s'", argv[1]);
    fputs("Try 'coldboost --help'.\n", stderr);
    return EXIT_USAGE;
}
