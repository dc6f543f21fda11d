/*
 * report.c: coldboost report. Verifies telemetry files and compares the arms of the holdout.
 *
 * What is compared is the life of the program, from our constructor (or from `coldboost run`) to
 * its regular end, and its major faults: both arms have them, and chance alone decides who is in
 * which arm. What only a replay has (its time, its bytes) is described, not compared.
 */
#include "cli/command.h"

#include "cli/json.h"
#include "cli/table.h"
#include "measure/openmetrics.h"
#include "measure/statistics.h"
#include "start/telemetry.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE_BYTES (1u << 30)
#define MAX_MESSAGES   20 /* a file; all are counted */

static const char help[] =
    "Usage: coldboost report [--json | --openmetrics] FILE…\n"
    "\n"
    "Decodes and verifies the records that starts have appended to FILE (COLDBOOST_TELEMETRY),\n"
    "and prints, for each program, what they were and how long they took: 50th, 90th and 99th\n"
    "percentile for each arm of the holdout (COLDBOOST_HOLDOUT), and the difference of the arms "
    "with\n"
    "its 95 % confidence interval (bootstrap, 2000 resamples). Restarts are left out of it.\n"
    "\n"
    "A record that is damaged, truncated or of another version is named on stderr with its "
    "offset;\n"
    "reading goes on at the next intact one.\n"
    "\n"
    "      --json         one JSON document\n"
    "      --openmetrics  histograms for Prometheus: life and replay, by program and arm\n"
    "  -h, --help         print this and exit\n"
    "\n"
    "Exit status: 0 if all records are intact; 1 if one is not, or a FILE cannot be read;\n"
    "2 for a wrong command line.\n";

struct values {
    double *at;
    size_t count;
};

enum measure { LIFE_MS, MAJOR_FAULTS, REPLAY_MS, BYTES_ASKED, BYTES_RESIDENT, MEASURE_COUNT };

static const struct {
    const char *key, *title;
    bool compared;
} measures[MEASURE_COUNT] = {
    [LIFE_MS] = {"life_ms", "life, ms", true},
    [MAJOR_FAULTS] = {"major_faults", "major faults", true},
    [REPLAY_MS] = {"replay_ms", "replay, ms", false},
    [BYTES_ASKED] = {"bytes_asked", "bytes asked", false},
    [BYTES_RESIDENT] = {"bytes_resident", "of them resident", false},
};

enum { ARMS = 2, KINDS = COLDBOOST_START_RESTART + 1, QUANTILES = 3 };
static const enum telemetry_arm arms[ARMS] = {ARM_BOOSTED, ARM_HOLDOUT};
static const double quantiles[QUANTILES] = {0.5, 0.9, 0.99};
static const char *const quantile_names[QUANTILES] = {"p50", "p90", "p99"};

struct arm {
    size_t starts, budget_hits, kinds[KINDS];
    struct values measures[MEASURE_COUNT];
};

struct reported_program {
    char *name;
    struct arm arms[ARMS];
};

struct report_data {
    struct reported_program *programs;
    size_t program_count;
    size_t records, damaged, truncated, unknown_version;
};

static void add_value(struct values *values, double value)
{
    *GROW(values->at, values->count) = value;
}

static void add_record(struct report_data *data, const struct telemetry_record *record)
{
    size_t index;
    struct reported_program *program =
        FIND_OR_ADD(data->programs, data->program_count, record->program, &index);
    struct arm *arm = &program->arms[record->arm == ARM_HOLDOUT];
    bool restart = record->start == COLDBOOST_START_RESTART;
    data->records++;
    if (record->event == EVENT_END) {
        if (!restart) {
            add_value(&arm->measures[LIFE_MS], (double)record->elapsed_ns / 1e6);
            add_value(&arm->measures[MAJOR_FAULTS], record->major_faults);
        }
        return;
    }
    arm->starts++;
    arm->kinds[record->start < KINDS ? record->start : 0]++;
    arm->budget_hits += record->budget_hits != 0;
    if (record->method == METHOD_NONE || record->bytes_asked == 0)
        return;
    add_value(&arm->measures[REPLAY_MS], (double)record->elapsed_ns / 1e6);
    add_value(&arm->measures[BYTES_ASKED], (double)record->bytes_asked);
    if (record->bytes_resident != TELEMETRY_UNKNOWN64)
        add_value(&arm->measures[BYTES_RESIDENT], (double)record->bytes_resident);
}

/* The offset of the next record of any version behind `at`, or size. */
static size_t next_record(const uint8_t *bytes, size_t size, size_t at)
{
    static const char magic[] = TELEMETRY_MAGIC; /* with its zero */
    struct telemetry_record record;
    while (at < size) {
        const uint8_t *found = memmem(bytes + at, size - at, magic, sizeof magic);
        if (!found)
            return size;
        at = (size_t)(found - bytes);
        int result = telemetry_parse(found, size - at, &record);
        if (result > 0 || result == -ENOTSUP)
            return at;
        at++;
    }
    return size;
}

static const char *explain(int error)
{
    switch (error) {
    case -ENOEXEC:
        return "no record begins here";
    case -EMSGSIZE:
        return "a truncated record";
    default:
        return "a damaged record: its checksum disagrees";
    }
}

static void read_records(struct report_data *data, const char *path)
{
    size_t size, messages = 0;
    uint8_t *bytes = read_file(path, MAX_FILE_BYTES, &size);
    for (size_t at = 0; at < size;) {
        struct telemetry_record record;
        int result = telemetry_parse(bytes + at, size - at, &record);
        if (result > 0) {
            add_record(data, &record);
            at += (size_t)result;
            continue;
        }
        size_t next = result == -ENOTSUP ? at + record.size : next_record(bytes, size, at + 1);
        /* What ends too soon in the middle of the file is known by the next one's beginning. */
        if (result == -EBADMSG && next - at < sizeof record)
            result = -EMSGSIZE;
        if (messages++ < MAX_MESSAGES) {
            if (result == -ENOTSUP)
                warn("%s: at offset %zu: a record of version %u; this coldboost reads version %u, "
                     "use the one that wrote it",
                     path, at, record.version, TELEMETRY_VERSION);
            else
                warn("%s: at offset %zu: %s; %zu bytes are left out", path, at, explain(result),
                     next - at);
        }
        data->unknown_version += result == -ENOTSUP;
        data->truncated += result == -EMSGSIZE;
        data->damaged += result == -EBADMSG || result == -ENOEXEC;
        at = next;
    }
    if (messages > MAX_MESSAGES)
        warn("%s: and %zu more", path, messages - MAX_MESSAGES);
    free(bytes);
}

/* Boosted minus holdout, for each quantile; false if there is nothing to compare. */
static bool compare(const struct reported_program *program, size_t measure, struct estimate *out)
{
    const struct values *boosted = &program->arms[0].measures[measure],
                        *holdout = &program->arms[1].measures[measure];
    if (!measures[measure].compared || boosted->count < 2 || holdout->count < 2)
        return false;
    estimate_differences(boosted->at, boosted->count, holdout->at, holdout->count, quantiles,
                         QUANTILES, out);
    return true;
}

static void print_arm(const struct reported_program *program, size_t a)
{
    const struct arm *arm = &program->arms[a];
    printf("  %s: %zu starts", telemetry_arm_name(arms[a]), arm->starts);
    for (size_t kind = 0; kind < KINDS; kind++)
        if (arm->kinds[kind])
            printf(", %zu %s", arm->kinds[kind], telemetry_start_name((unsigned)kind));
    if (arm->budget_hits)
        printf(", %zu over budget", arm->budget_hits);
    putchar('\n');
    for (size_t m = 0; m < MEASURE_COUNT; m++) {
        const struct values *values = &arm->measures[m];
        if (values->count == 0)
            continue;
        printf("    %-17s %8zu", measures[m].title, values->count);
        for (size_t q = 0; q < QUANTILES; q++)
            printf(" %12.*f", m == LIFE_MS || m == REPLAY_MS ? 2 : 0,
                   sorted_quantile(values->at, values->count, quantiles[q]));
        putchar('\n');
    }
}

static void print_comparison(const struct reported_program *program)
{
    for (size_t m = 0; m < MEASURE_COUNT; m++) {
        const struct values *holdout = &program->arms[1].measures[m];
        struct estimate differences[QUANTILES];
        if (!compare(program, m, differences))
            continue;
        printf("  boosted minus holdout, %s\n", measures[m].title);
        for (size_t q = 0; q < QUANTILES; q++) {
            const struct estimate *d = &differences[q];
            double base = sorted_quantile(holdout->at, holdout->count, quantiles[q]);
            printf("    %s %+12.2f", quantile_names[q], d->value);
            if (base > 0)
                printf(" (%+.1f %%)", 100 * d->value / base);
            printf(", 95 %% interval %+.2f to %+.2f%s\n", d->low, d->high,
                   d->low <= 0 && d->high >= 0 ? ": may be chance" : "");
        }
    }
}

static void print_text(const struct report_data *data)
{
    printf("%zu intact records, %zu damaged, %zu truncated, %zu of another version\n",
           data->records, data->damaged, data->truncated, data->unknown_version);
    for (size_t i = 0; i < data->program_count; i++) {
        const struct reported_program *program = &data->programs[i];
        putchar('\n');
        print_line("%s", program->name);
        printf("    %-17s %8s %12s %12s %12s\n", "", "n", "p50", "p90", "p99");
        for (size_t a = 0; a < ARMS; a++)
            if (program->arms[a].starts || program->arms[a].measures[LIFE_MS].count)
                print_arm(program, a);
        print_comparison(program);
    }
}

static void print_json_arm(struct json *out, const char *name, const struct arm *arm)
{
    json_open(out, name, '{');
    json_print(out, "starts %zu budget_hits %zu", arm->starts, arm->budget_hits);
    json_open(out, "kinds", '{');
    for (unsigned kind = 0; kind < KINDS; kind++)
        json_print(out, "%s %zu", telemetry_start_name(kind), arm->kinds[kind]);
    json_close(out, "}");
    json_open(out, "measures", '{');
    for (size_t m = 0; m < MEASURE_COUNT; m++) {
        const struct values *values = &arm->measures[m];
        if (values->count)
            json_object(out, measures[m].key, "n %zu p50 %.3f p90 %.3f p99 %.3f", values->count,
                        sorted_quantile(values->at, values->count, quantiles[0]),
                        sorted_quantile(values->at, values->count, quantiles[1]),
                        sorted_quantile(values->at, values->count, quantiles[2]));
    }
    json_close(out, "}}");
}

static void print_json_comparison(struct json *out, const struct reported_program *program)
{
    json_open(out, "boosted_minus_holdout", '{');
    for (size_t m = 0; m < MEASURE_COUNT; m++) {
        struct estimate differences[QUANTILES];
        if (!compare(program, m, differences))
            continue;
        json_open(out, measures[m].key, '{');
        for (size_t q = 0; q < QUANTILES; q++)
            json_object(out, quantile_names[q], "estimate %.3f low %.3f high %.3f",
                        differences[q].value, differences[q].low, differences[q].high);
        json_close(out, "}");
    }
    json_close(out, "}");
}

static void print_json(const struct report_data *data)
{
    struct json out = {.stream = stdout};
    json_open(&out, NULL, '{');
    json_print(&out, "version 1 records %zu damaged %zu truncated %zu unknown_version %zu",
               data->records, data->damaged, data->truncated, data->unknown_version);
    json_open(&out, "programs", '[');
    for (size_t i = 0; i < data->program_count; i++) {
        const struct reported_program *program = &data->programs[i];
        json_break_line(&out);
        json_open(&out, NULL, '{');
        json_text(&out, "program", program->name);
        for (size_t a = 0; a < ARMS; a++)
            print_json_arm(&out, telemetry_arm_name(arms[a]), &program->arms[a]);
        print_json_comparison(&out, program);
        json_close(&out, "}");
    }
    json_close(&out, "]}\n");
}

static void print_histograms(const struct report_data *data, enum measure measure, const char *name,
                             const char *help_text)
{
    openmetrics_family(name, "histogram", "seconds", help_text);
    for (size_t i = 0; i < data->program_count; i++)
        for (size_t a = 0; a < ARMS; a++) {
            const struct reported_program *program = &data->programs[i];
            const struct values *values = &program->arms[a].measures[measure];
            if (values->count)
                openmetrics_histogram(name, program->name, telemetry_arm_name(arms[a]), values->at,
                                      values->count);
        }
}

static void print_openmetrics(const struct report_data *data)
{
    print_histograms(data, LIFE_MS, "coldboost_life_seconds",
                     "From the start of a program to its regular end, restarts left out.");
    print_histograms(data, REPLAY_MS, "coldboost_replay_seconds", "Time that replays took.");
    openmetrics_family("coldboost_starts", "gauge", "", "Starts by what was in memory already.");
    for (size_t i = 0; i < data->program_count; i++)
        for (size_t a = 0; a < ARMS; a++)
            for (unsigned kind = 0; kind < KINDS; kind++)
                openmetrics_sample("coldboost_starts", "",
                                   LABELS("program", data->programs[i].name, "arm",
                                          telemetry_arm_name(arms[a]), "kind",
                                          telemetry_start_name(kind)),
                                   (double)data->programs[i].arms[a].kinds[kind]);
    openmetrics_family("coldboost_records", "gauge", "", "Records that the report was made from.");
    const struct {
        const char *state;
        size_t count;
    } records[] = {{"intact", data->records},
                   {"damaged", data->damaged},
                   {"truncated", data->truncated},
                   {"unknown_version", data->unknown_version}};
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++)
        openmetrics_sample("coldboost_records", "", LABELS("state", records[i].state),
                           (double)records[i].count);
    openmetrics_end();
}

static int by_starts(const void *a, const void *b)
{
    const struct reported_program *x = a, *y = b;
    size_t of_x = x->arms[0].starts + x->arms[1].starts;
    size_t of_y = y->arms[0].starts + y->arms[1].starts;
    return of_x == of_y ? strcmp(x->name, y->name) : (of_x < of_y) - (of_x > of_y);
}

int command_report(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"json", no_argument, NULL, 'j'},
        {"openmetrics", no_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    void (*print)(const struct report_data *) = print_text;
    for (int c; (c = next_option(argc, argv, "h", long_options, help)) != -1;)
        print = c == 'j' ? print_json : print_openmetrics;
    if (optind == argc)
        fail_usage("report", "no file given");

    struct report_data data = {.records = 0};
    for (; optind < argc; optind++)
        read_records(&data, argv[optind]);
    for (size_t i = 0; i < data.program_count; i++)
        for (size_t a = 0; a < ARMS; a++)
            for (size_t m = 0; m < MEASURE_COUNT; m++) {
                struct values *values = &data.programs[i].arms[a].measures[m];
                SORT(values->at, values->count, by_value);
            }
    SORT(data.programs, data.program_count, by_starts);
    print(&data);
    for (size_t i = 0; i < data.program_count; i++) {
        for (size_t a = 0; a < ARMS; a++)
            for (size_t m = 0; m < MEASURE_COUNT; m++)
                free(data.programs[i].arms[a].measures[m].at);
        free(data.programs[i].name);
    }
    free(data.programs);
    return data.damaged || data.truncated || data.unknown_version ? EXIT_FAILED : EXIT_SUCCESS;
}
