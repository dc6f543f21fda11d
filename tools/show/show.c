/*
 * show.c: coldboost show. What is in a profile, for people and for machines.
 */
#include "cli/command.h"

#include "cli/json.h"
#include "cli/table.h"
#include "convert/stacks.h"
#include "plot/plot.h"
#include "profile/identity.h"
#include "profile/profile_read.h"
#include "show/file_list.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char help[] =
    "Usage: coldboost show [--json | --list[=FORM]] [--plot FILE.svg] PROFILE\n"
    "\n"
    "Prints what PROFILE holds: a summary, each executable's section, and for each file how much\n"
    "of it a start needs; and which calls first used it, innermost first, if it was recorded with\n"
    "--stacks. PROFILE is verified first. Says how many files have changed since, which are read\n"
    "all the same, and how many are gone or have another size here, which are not.\n"
    "\n"
    "      --json  one JSON document: {\"version\":1,\"executables\":[…],\"files\":[{\"path\":…,\n"
    "              "
    "\"size\":BYTES,\"ranges\":[{\"offset\":BYTES,\"length\":BYTES,\"epoch\":N},…]},…]};\n"
    "              ranges are in the order of their first touch, an epoch is \"epoch_us\" long;\n"
    "              \"state\" is \"same\", \"changed\" or \"stale\" (not read);\n"
    "              with --stacks a file has \"user\":PROGRAM and \"stack\":[{\"function\":…,\n"
    "              \"object\":…,\"address\":N},…]\n"
    "      --list[=FORM]\n"
    "              the files that are read, in the order of first touch; FORM is what a builder\n"
    "              of images takes: squashfs (mksquashfs -sort), estargz (ctr-remote image\n"
    "              convert --estargz-record-in), nydus (nydus-image create --prefetch-policy)\n"
    "      --plot=FILE.svg\n"
    "              also draw each executable's files as strips, their pages coloured in the\n"
    "              order of first touch\n"
    "  -h, --help  print this and exit\n"
    "\n"
    "Exit status: 0; 1 if PROFILE cannot be read or is damaged, or the plot cannot be made; 2 for\n"
    "a wrong command line.\n";

#define NO_RANGE UINT32_MAX

/* Chains the ranges of each file, in the profile's order: first[file], then next[range]. */
static void chain_ranges(const struct profile *profile, uint32_t *first, uint32_t *next)
{
    for (uint32_t i = 0; i < profile->header->file_count; i++)
        first[i] = NO_RANGE;
    for (uint32_t r = profile->header->range_count; r-- > 0;) {
        next[r] = first[profile->ranges[r].file];
        first[profile->ranges[r].file] = r;
    }
}

/* The stack of a file; NULL if there is none. */
static const struct stacks_stack *find_stack(const struct stacks *stacks, uint32_t file)
{
    for (uint32_t i = 0; i < stacks->stack_count; i++)
        if (stacks->all[i].file == file)
            return &stacks->all[i];
    return NULL;
}

static void print_stack_json(struct json *out, const struct stacks *stacks,
                             const struct stacks_stack *stack)
{
    json_text(out, "user", stacks->strings + stack->executable);
    json_open(out, "stack", '[');
    for (uint32_t i = 0; i < stack->frame_count; i++) {
        const struct stacks_frame *frame = &stacks->frames[stack->first_frame + i];
        json_open(out, NULL, '{');
        json_text(out, "function", stacks->strings + frame->function);
        json_text(out, "object", stacks->strings + frame->object);
        json_print(out, "address %ju", (uintmax_t)frame->address);
        json_close(out, "}");
    }
    json_close(out, "]");
}

static void print_section_json(struct json *out, const struct profile *profile,
                               const struct profile_executable *section)
{
    uint64_t bytes = 0;
    for (uint32_t r = 0; r < section->range_count; r++)
        bytes += profile_range_bytes(profile, &profile->ranges[section->first_range + r]);
    json_open(out, NULL, '{');
    json_text(out, "path", profile->strings + section->path);
    json_print(out, "ranges %u bytes %ju", section->range_count, (uintmax_t)bytes);
    json_close(out, "}");
}

/* All but its ranges and stack. */
static void print_file_json(struct json *out, const char *path, const struct profile_file *file)
{
    static const char *const kinds[] = {"file", "directory", "path"};
    static const char *const states[] = {
        [FILE_SAME] = "same", [FILE_CHANGED] = "changed", [FILE_STALE] = "stale"};
    json_text(out, "path", path);
    if (file->kind == PROFILE_FILE_REGULAR)
        json_text(out, "state", states[identity_now(path, file)]);
    json_text(out, "kind", kinds[file->kind]);
    json_print(out, "size %ju mtime_ns %jd", (uintmax_t)file->size, (intmax_t)file->mtime_ns);
    json_text(out, "build_id", hex_text(file->build_id, file->build_id_bytes).text);
}

static void print_json(const struct profile *profile, const struct stacks *stacks)
{
    const struct profile_header *header = profile->header;
    uint32_t *first = xmalloc(header->file_count * sizeof *first);
    uint32_t *next = xmalloc(header->range_count * sizeof *next);
    chain_ranges(profile, first, next);
    struct json out = {.stream = stdout};
    json_open(&out, NULL, '{');
    json_print(&out, "version %u recorded_s %ju epoch_us %u", header->version,
               (uintmax_t)header->recorded_s, header->epoch_us);
    json_open(&out, "executables", '[');
    for (uint32_t i = 0; i < header->executable_count; i++)
        print_section_json(&out, profile, &profile->executables[i]);
    json_close(&out, "]");
    json_open(&out, "files", '[');
    for (uint32_t i = 0; i < header->file_count; i++) {
        const struct profile_file *file = &profile->files[i];
        json_break_line(&out);
        json_open(&out, NULL, '{');
        print_file_json(&out, profile->strings + file->path, file);
        json_open(&out, "ranges", '[');
        for (uint32_t r = first[i]; r != NO_RANGE; r = next[r]) {
            const struct profile_range *range = &profile->ranges[r];
            if (file->kind != PROFILE_FILE_REGULAR || range->page_count) /* not its look-up */
                json_object(&out, NULL, "offset %ju length %ju epoch %u",
                            (uintmax_t)range->first_page * PROFILE_PAGE_BYTES,
                            (uintmax_t)profile_range_bytes(profile, range), range->epoch);
        }
        json_close(&out, "]");
        const struct stacks_stack *stack = find_stack(stacks, i);
        if (stack)
            print_stack_json(&out, stacks, stack);
        json_close(&out, "}");
    }
    json_close(&out, "]}\n");
    free(first);
    free(next);
}

struct file_total {
    uint32_t file, touches, ranges, first_epoch;
    uint64_t bytes;
};

static int by_bytes(const void *a, const void *b)
{
    const struct file_total *x = a, *y = b;
    return x->bytes != y->bytes ? ORDER(y->bytes, x->bytes) : ORDER(x->file, y->file);
}

static void print_section(const struct profile *profile, const struct profile_executable *section)
{
    uint32_t file_count = profile->header->file_count;
    struct file_total *totals = xmalloc(file_count * sizeof *totals);
    for (uint32_t i = 0; i < file_count; i++)
        totals[i] = (struct file_total){.file = i};
    uint64_t bytes = 0;
    uint32_t files = 0, lookups = 0, last_epoch = 0;
    for (uint32_t r = 0; r < section->range_count; r++) {
        const struct profile_range *range = &profile->ranges[section->first_range + r];
        struct file_total *total = &totals[range->file];
        if (total->touches++ == 0)
            total->first_epoch = range->epoch;
        if (range->page_count == 0)
            lookups++;
        else if (total->ranges++ == 0)
            files++;
        total->bytes += profile_range_bytes(profile, range);
        bytes += profile_range_bytes(profile, range);
        last_epoch = range->epoch > last_epoch ? range->epoch : last_epoch;
    }
    putchar('\n');
    print_line("%s", profile->strings + section->path);
    printf("  %u ranges of %u files, %.1f MiB, %u look-ups, first touched within %.0f ms\n\n",
           section->range_count - lookups, files, (double)bytes / 1048576, lookups,
           (double)(last_epoch + 1) * profile->header->epoch_us / 1000);
    printf("  %10s %6s %7s %8s  %s\n", "needed KiB", "share", "ranges", "from ms", "file");
    qsort(totals, file_count, sizeof *totals, by_bytes);
    for (uint32_t i = 0; i < file_count; i++) {
        const struct file_total *total = &totals[i];
        const struct profile_file *file = &profile->files[total->file];
        if (total->touches == 0)
            continue;
        double at_ms = (double)total->first_epoch * profile->header->epoch_us / 1000;
        const char *path = profile->strings + file->path;
        if (file->kind != PROFILE_FILE_REGULAR)
            print_line("  %10s %6s %7s %8.0f  %s%s", "-", "-", "-", at_ms, path,
                       file->kind == PROFILE_FILE_DIRECTORY ? "/" : "");
        else
            print_line("  %10.0f %5.0f%% %7u %8.0f  %s", (double)total->bytes / 1024,
                       100.0 * (double)total->bytes / (double)file->size, total->ranges, at_ms,
                       path);
    }
    free(totals);
}

static void print_stacks(const struct profile *profile, const struct stacks *stacks)
{
    if (stacks->stack_count)
        printf("\nfirst used by\n");
    for (uint32_t i = 0; i < stacks->stack_count; i++) {
        const struct stacks_stack *stack = &stacks->all[i];
        putchar('\n');
        print_line("  %s", profile->strings + profile->files[stack->file].path);
        for (uint32_t f = 0; f < stack->frame_count; f++) {
            const struct stacks_frame *frame = &stacks->frames[stack->first_frame + f];
            const char *function = stacks->strings + frame->function,
                       *object = stacks->strings + frame->object;
            if (*object)
                print_line("    %-40s %s+%#jx", *function ? function : "?", object,
                           (uintmax_t)frame->address);
            else
                print_line("    %-40s made at run time", "?");
        }
        print_line("    in %s", stacks->strings + stack->executable);
    }
}

static void print_text(const char *path, const struct profile *profile, const struct stacks *stacks)
{
    const struct profile_header *header = profile->header;
    time_t recorded = (time_t)header->recorded_s;
    struct tm local;
    char when[40] = "at an unknown time";
    if (localtime_r(&recorded, &local))
        strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &local);
    print_line("%s: profile version %u, recorded %s", path, header->version, when);
    printf("%u executable%s, %u files, %u ranges\n", header->executable_count,
           header->executable_count == 1 ? "" : "s", header->file_count, header->range_count);
    struct identity_counts counts = identity_count(profile, NULL);
    char *changes = identity_text(&counts);
    if (changes)
        puts(changes);
    free(changes);
    for (uint32_t i = 0; i < header->executable_count; i++)
        print_section(profile, &profile->executables[i]);
    print_stacks(profile, stacks);
}

int command_show(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"json", no_argument, NULL, 'j'},
        {"list", optional_argument, NULL, 'l'},
        {"plot", required_argument, NULL, 'P'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    bool json = false;
    const struct file_list_form *list = NULL;
    const char *plot = NULL;
    for (int c; (c = next_option(argc, argv, "h", long_options, help)) != -1;) {
        if (c == 'j')
            json = true;
        else if (c == 'P')
            plot = optarg;
        else if (!(list = file_list_find(optarg)))
            fail_usage("show", "--list: no form is called '%s'", optarg);
    }
    if (json && list)
        fail_usage("show", "--json and --list are two outputs");
    if (argc - optind != 1)
        fail_usage("show", argc == optind ? "no profile given" : "one profile at a time");

    const char *path = argv[optind];
    size_t size;
    struct profile profile;
    uint8_t *bytes = read_profile(path, &profile, &size);
    struct stacks stacks;
    size_t behind = (size_t)profile.header->size;
    int error = size - behind < profile.header->extra_bytes
                    ? -EMSGSIZE
                    : stacks_parse(&profile, bytes + behind, size - behind, &stacks);
    if (error)
        fail(EXIT_FAILED, "%s: %s; record it again", path,
             error == -EMSGSIZE ? "what stands behind the profile is truncated"
                                : "its call stacks are damaged");
    if (plot) {
        plot_check(plot);
        plot_profile(plot, path, &profile);
    }
    if (list)
        file_list_print(&profile, list);
    else if (json)
        print_json(&profile, &stacks);
    else
        print_text(path, &profile, &stacks);
    free(stacks.content);
    free(bytes);
    return EXIT_SUCCESS;
}
