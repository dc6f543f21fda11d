/*
 * main.c: the command-line tool, a table of sub-commands.
 */
#include "cli/command.h"
#include "cli/manual.h"

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
    {"status", command_status, "list the profiles that 'run' keeps"},
    {"forget", command_forget, "drop profiles that 'run' keeps"},
    {"link", command_link, "let a name or a service start through 'run'"},
    {"unlink", command_unlink, "undo that"},
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
    fputs(
        "\n'coldboost COMMAND --help' lists a command's options; -V prints the version.\n"
        "'coldboost help COMMAND' opens its page of the manual, 'coldboost help lambda' the page\n"
        "about AWS Lambda; others are security, wrapper, profile, telemetry and libcoldboost.\n"
        "\n"
        "Example:\n"
        "  coldboost run -- python3 app.py    the first starts are recorded, later ones boosted\n",
        stream);
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(name, commands[i].name) == 0)
            return &commands[i];
    warn("there is no command '%s'", name);
    fputs("Try 'coldboost --help'.\n", stderr);
    exit(EXIT_USAGE);
}

/* argv[0] becomes the name by which getopt_long() calls the command in its messages. */
static int run_command(const struct command *command, int argc, char **argv)
{
    argv[0] = xasprintf("coldboost %s", command->name);
    return command->run(argc, argv);
}

/* coldboost help [COMMAND|TOPIC] */
static int command_help(int argc, char **argv)
{
    char *arguments[] = {argv[0], (char[]){"--help"}, NULL};
    if (argc > 2)
        fail(EXIT_USAGE, "help explains one command at a time");
    if (argc < 2) {
        print_usage(stdout);
        return EXIT_SUCCESS;
    }
    bool is_topic = manual_has_topic(argv[1]);
    const struct command *command = is_topic ? NULL : find_command(argv[1]);
    manual_open(argv[1]);
    if (is_topic)
        fail(EXIT_FAILED, "cannot open the page: this takes man(1) and an installed coldboost");
    return run_command(command, 2, arguments);
}

static int run(int argc, char **argv)
{
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return command_help(1, argv);
    if (strcmp(name, "help") == 0)
        return command_help(argc - 1, argv + 1);
    if (strcmp(name, "prepare") == 0) /* not for users: tools/begin/tool.h */
        return command_prepare(argc - 1, argv + 1);
    if (strcmp(name, "watch") == 0) /* tools/begin/watcher.c */
        return command_watch(argc - 1, argv + 1);
    if (strcmp(name, "--version") != 0 && strcmp(name, "-V") != 0)
        return run_command(find_command(name), argc - 1, argv + 1);
    puts("coldboost " COLDBOOST_VERSION);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    int status = run(argc, argv);
    finish_output();
    return status;
}
