/*
 * openmetrics.c: see openmetrics.h.
 */
#include "measure/openmetrics.h"

#include "cli/command.h"

#include <stdio.h>
#include <stdlib.h>

void openmetrics_family(const char *name, const char *type, const char *unit, const char *help)
{
    printf("# TYPE %s %s\n", name, type);
    if (*unit)
        printf("# UNIT %s %s\n", name, unit);
    printf("# HELP %s %s\n", name, help);
}

/* As it would be on a terminal, so that it is UTF-8 and no two become one. */
static void print_label(char before, const char *name, const char *value)
{
    char *text = escape(value);
    printf("%c%s=\"", before, name);
    for (const char *at = text; *at; at++)
        printf("%s%c", *at == '"' || *at == '\\' ? "\\" : "", *at);
    putchar('"');
    free(text);
}

void openmetrics_sample(const char *name, const char *suffix, const char *const *labels,
                        double value)
{
    printf("%s%s", name, suffix);
    for (size_t i = 0; labels[i]; i += 2)
        print_label(i ? ',' : '{', labels[i], labels[i + 1]);
    printf("} %.15g\n", value);
}

void openmetrics_histogram(const char *name, const char *program, const char *arm,
                           const double *sorted_ms, size_t count)
{
    /* Seconds, as the format writes numbers: a whole one has a point. */
    static const char *const bounds[] = {"0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1",
                                         "0.25",  "0.5",    "1.0",   "2.5",  "5.0",   "10.0"};
    size_t below = 0;
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        while (below < count && sorted_ms[below] <= 1000 * atof(bounds[i]))
            below++;
        openmetrics_sample(name, "_bucket", LABELS("program", program, "arm", arm, "le", bounds[i]),
                           (double)below);
    }
    double sum_ms = 0;
    for (size_t i = 0; i < count; i++)
        sum_ms += sorted_ms[i];
    const char *const *labels = LABELS("program", program, "arm", arm);
    openmetrics_sample(name, "_bucket", LABELS("program", program, "arm", arm, "le", "+Inf"),
                       (double)count);
    openmetrics_sample(name, "_sum", labels, sum_ms / 1000);
    openmetrics_sample(name, "_count", labels, (double)count);
}

void openmetrics_end(void)
{
    puts("# EOF");
}
