/*
 * openmetrics.c: see openmetrics.h.
 */
#include "measure/openmetrics.h"

#include "cli/command.h"

#include <stdarg.h>
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

void openmetrics_sample(const char *name, const char *suffix, double value, ...)
{
    va_list labels;
    va_start(labels, value);
    printf("%s%s", name, suffix);
    char before = '{';
    for (const char *label; (label = va_arg(labels, const char *)); before = ',')
        print_label(before, label, va_arg(labels, const char *));
    printf("%s %.15g\n", before == ',' ? "}" : "", value);
    va_end(labels);
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
        openmetrics_sample(name, "_bucket", (double)below, "program", program, "arm", arm, "le",
                           bounds[i], NULL);
    }
    double sum_ms = 0;
    for (size_t i = 0; i < count; i++)
        sum_ms += sorted_ms[i];
    openmetrics_sample(name, "_bucket", (double)count, "program", program, "arm", arm, "le", "+Inf",
                       NULL);
    openmetrics_sample(name, "_sum", sum_ms / 1000, "program", program, "arm", arm, NULL);
    openmetrics_sample(name, "_count", (double)count, "program", program, "arm", arm, NULL);
}

void openmetrics_end(void)
{
    puts("# EOF");
}
