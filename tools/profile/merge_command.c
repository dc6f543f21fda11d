/*
 * merge_command.c: coldboost merge, and what coldboost layer shares of it: profiles from files and
 * from logs, and messages.
 */
#include "profile/merge.h"

#include "base/text.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/table.h"
#include "profile/frames.h"
#include "profile/profile_read.h"
#include "profile/store_files.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_LOG_BYTES (1u << 30)

/* ---- profiles ------------------------------------------------------------------------------- */

void merge_add_file(struct merge_sources *sources, const char *path)
{
    struct merge_source *source = GROW(sources->all, sources->count);
    size_t size;
    source->name = xstrdup(path);
    source->bytes = read_profile(path, &source->profile, &size);
}

uint8_t *merge_all(struct merge_sources *sources, unsigned min_share, const char *output,
                   size_t *size, struct merge_totals *totals)
{
    uint8_t *bytes;
    int error = merge_profiles(sources->all, sources->count, min_share, &bytes, size, totals);
    if (error)
        fail(EXIT_FAILED, "%s: %s", output,
             error == -EFBIG
                 ? "the result is too large; merge fewer profiles, or with a higher --min-share"
                 : strerror(-error));
    for (size_t s = 0; s < sources->count; s++) {
        struct merge_source *source = &sources->all[s];
        if (source->stale_files)
            warn("%s: %u of its files %s another version in a newer profile (%s%s); their pages "
                 "are left out",
                 source->name, source->stale_files, source->stale_files == 1 ? "has" : "have",
                 source->stale_path, source->stale_files == 1 ? "" : ", ...");
    }
    merge_sources_free(sources);
    return bytes;
}

/* ---- the command ---------------------------------------------------------------------------- */

static const char help[] =
    "Usage: coldboost merge -o OUT [--min-share=PERCENT] [--from-log LOG]... [--store FOLDER]...\n"
    "                       [PROFILE]...\n"
    "\n"
    "Unites the profiles of several runs into one. Each executable's pages and look-ups are\n"
    "ordered by the median of their ranks in the profiles that name them: a run that was\n"
    "disturbed does not count for more than the others.\n"
    "\n"
    "  -o, --output OUT         where to write it; may be one of the PROFILEs,\n"
    "                           or - for standard output\n"
    "      --min-share PERCENT  drop what fewer than this share of the profiles with\n"
    "                           this executable name; default: 0, keep all\n"
    "      --from-log LOG       also take the profiles that 'coldboost record --log' has\n"
    "                           written into this log; - is standard input\n"
    "      --store FOLDER       also take all profiles that 'coldboost run' keeps in this folder\n"
    "  -h, --help               print this and exit\n"
    "\n"
    "A file that has changed between the recordings (size, and build-id or modification\n"
    "time) is taken as the profile that was recorded last has it. The result is the same\n"
    "in whatever order the profiles are given. Call stacks are not carried over.\n"
    "\n"
    "A LOG may have other lines in between, something before and behind a frame, and its\n"
    "lines in any order. What is damaged, missing or doubled is named; a profile that is not\n"
    "whole is left out.\n"
    "\n"
    "Exit status: 0; 1 if a PROFILE cannot be read or is damaged, or a LOG or FOLDER has none:\n"
    "OUT is then as it was; 1 also if OUT was written without what a LOG has lost; 2 for a\n"
    "wrong command line.\n"
    "\n"
    "Examples:\n"
    "  coldboost merge -o app.cbp --min-share=50 run1.cbp run2.cbp run3.cbp\n"
    "  aws logs tail /aws/lambda/FUNCTION | coldboost merge -o app.cbp --from-log -\n";

static unsigned parse_share(const char *text)
{
    uint64_t share;
    if (!text_is_number(text, 0, 100, &share))
        fail_usage("merge", "--min-share %s: a whole number from 0 to 100 is needed", text);
    return (unsigned)share;
}

static void report(const char *output, size_t count, const struct merge_totals *totals)
{
    FILE *out = output_is_standard(output) ? stderr : stdout;
    print_escaped(out, output_name(output));
    fprintf(out, ": %zu profile%s, %u executable%s, %u files, %ju pages (%.1f MiB), %ju dropped\n",
            count, count == 1 ? "" : "s", totals->executables, totals->executables == 1 ? "" : "s",
            totals->files, (uintmax_t)totals->pages,
            (double)totals->pages * PROFILE_PAGE_BYTES / (1 << 20), (uintmax_t)totals->dropped);
}

/* Returns how much of the log is lost. */
static size_t add_log(struct merge_sources *sources, const char *path)
{
    size_t size, count, faults = 0;
    uint8_t *text = read_stream(path, MAX_LOG_BYTES, &size);
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    struct framed_profile *found = frames_read(name, text, size, &count, &faults);
    for (size_t i = 0; i < count; i++) {
        struct merge_source *source = GROW(sources->all, sources->count);
        source->name = found[i].name;
        source->bytes = found[i].bytes;
        check_profile(source->name, source->bytes, found[i].size, &source->profile);
    }
    if (!count)
        fail(EXIT_FAILED, "%s: there is no whole profile in it", name);
    free(found);
    free(text);
    return faults;
}

static void add_store(struct merge_sources *sources, const char *path)
{
    size_t count;
    struct stored_profile *stored = store_files_load(path, &count);
    for (size_t i = 0; i < count; i++) {
        *GROW(sources->all, sources->count) = (struct merge_source){
            .name = stored[i].path, .bytes = stored[i].bytes, .profile = stored[i].profile};
        free(stored[i].name);
    }
    free(stored);
}

int command_merge(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"output", required_argument, NULL, 'o'},   {"min-share", required_argument, NULL, 's'},
        {"from-log", required_argument, NULL, 'l'}, {"store", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
    };
    const char *output = NULL;
    unsigned min_share = 0;
    char **logs = xmalloc((size_t)argc * sizeof *logs);
    char **stores = xmalloc((size_t)argc * sizeof *stores);
    size_t log_count = 0, store_count = 0, faults = 0;
    for (int c; (c = next_option(argc, argv, "o:h", long_options, help)) != -1;) {
        if (c == 'o')
            output = optarg;
        else if (c == 's')
            min_share = parse_share(optarg);
        else if (c == 'f')
            stores[store_count++] = optarg;
        else
            logs[log_count++] = optarg;
    }
    if (!output)
        fail_usage("merge", "no output given; add -o OUT");
    if (optind == argc && !log_count && !store_count)
        fail_usage("merge", "no profile given");
    output_check(output);

    struct merge_sources sources = {NULL, 0};
    for (size_t i = 0; i < log_count; i++)
        faults += add_log(&sources, logs[i]);
    for (size_t i = 0; i < store_count; i++)
        add_store(&sources, stores[i]);
    for (; optind < argc; optind++)
        merge_add_file(&sources, argv[optind]);
    free(logs);
    free(stores);

    struct merge_totals totals;
    size_t count = sources.count, size;
    uint8_t *bytes = merge_all(&sources, min_share, output, &size, &totals);
    bool written = output_write(output, bytes, size);
    if (written)
        report(output, count, &totals);
    free(bytes);
    return faults || !written ? EXIT_FAILED : EXIT_SUCCESS;
}
