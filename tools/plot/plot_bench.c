/*
 * plot_bench.c: the starts as bars with their intervals, and which file was paged in when.
 */
#include "plot/plot.h"

#include "cli/command.h"
#include "plot/canvas.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH  1000.0
#define MARGIN 24.0

/* The bars, below a verdict of up to six lines */
#define BARS_TOP   201.0
#define BARS_LEFT  134.0
#define BARS_RIGHT 600.0
#define BAR_STEP   25.0
#define BAR_HEIGHT 15.0

/* The timelines: a row a file, a panel a start. */
#define ROWS        40u
#define ROW_STEP    14.0
#define ROW_HEIGHT  12.0
#define PANEL_LEFT  270.0
#define PANEL_GAP   26.0
#define PANEL_WIDTH ((WIDTH - MARGIN - PANEL_LEFT - PANEL_GAP) / 2)

/* ---- title -------------------------------------------------------------------------------------
 */

static void draw_title(struct canvas *canvas, const struct bench_result *result)
{
    char command[100] = "";
    size_t length = 0;
    for (char **argument = result->command; *argument && length < sizeof command - 4; argument++) {
        int n = snprintf(command + length, sizeof command - 4 - length, "%s%s",
                         argument == result->command ? "" : " ", *argument);
        length += (size_t)n;
    }
    if (length >= sizeof command - 4) {
        length = sizeof command - 5;
        while (length > 0 && (command[length - 1] & 0xc0) == 0x80)
            length--; /* not in the middle of a character */
        while (length > 0 && (command[length - 1] & 0x80))
            length--;
        memcpy(command + length, "\xe2\x80\xa6", 4);
    }
    canvas_letters(canvas, 15, 1);
    canvas_text(canvas, MARGIN, 34, ANCHOR_LEFT, WIDTH - 2 * MARGIN, command);
    canvas_letters(canvas, 11, 0);
    canvas_colour(canvas, CANVAS_FAINT);
    canvas_print(canvas, MARGIN, 52, ANCHOR_LEFT, "%zu round%s, interleaved; cold: %s",
                 result->rounds, result->rounds == 1 ? "" : "s",
                 result->dropped_everything ? "page cache, directory entries and inodes dropped"
                                            : "the profile\xe2\x80\x99s files evicted (not root)");
    canvas_colour(canvas, CANVAS_TEXT);
    canvas_letters(canvas, 12, 0);
    char *verdict = xstrdup(result->verdict), *line = verdict;
    for (double y = 76; line; y += 17) {
        char *end = strstr(line, "; ");
        if (end)
            *end = '\0';
        canvas_text(canvas, MARGIN, y, ANCHOR_LEFT, WIDTH - 2 * MARGIN, line);
        line = end ? end + 2 : NULL;
    }
    free(verdict);
}

/* ---- the starts --------------------------------------------------------------------------------
 */

static double largest_time(const struct bench_result *result)
{
    double largest = 0;
    for (int step = 0; step < STEP_COUNT; step++)
        if (result->time[step].high > largest) /* not if it is NAN */
            largest = result->time[step].high;
    return largest * 1.04;
}

static void draw_grid(struct canvas *canvas, double left, double right, double top, double bottom,
                      double end_ms)
{
    double step = canvas_interval(end_ms);
    if ((right - left) / (end_ms / step) < 45)
        step *= 2;
    for (int i = 0; i * step <= end_ms; i++) {
        double x = left + (right - left) * i * step / end_ms;
        canvas_colour(canvas, CANVAS_GRID);
        canvas_line(canvas, x, top, x, bottom, 0.7);
        canvas_colour(canvas, CANVAS_FAINT);
        canvas_print(canvas, x, bottom + 14, ANCHOR_MIDDLE, "%g%s", i * step, i ? "" : " ms");
    }
}

static void draw_bar(struct canvas *canvas, const struct bench_result *result, enum bench_step step,
                     double y, double points_a_ms)
{
    struct estimate ms = result->time[step];
    double middle = y + BAR_HEIGHT / 2;
    canvas_colour(canvas, bench_kind(step)->colour);
    canvas_rectangle(canvas, BARS_LEFT, y, ms.value * points_a_ms, BAR_HEIGHT);
    canvas_colour(canvas, CANVAS_TEXT);
    for (size_t i = 0; i < result->rounds; i++) {
        double x = BARS_LEFT + result->ms[step][i] * points_a_ms;
        if (x <= BARS_RIGHT)
            canvas_line(canvas, x, y + BAR_HEIGHT - 3, x, y + BAR_HEIGHT, 0.6);
    }
    double low = BARS_LEFT + ms.low * points_a_ms, high = BARS_LEFT + ms.high * points_a_ms;
    canvas_line(canvas, low, middle, high, middle, 1.4);
    canvas_line(canvas, low, middle - 3.5, low, middle + 3.5, 1.4);
    canvas_line(canvas, high, middle - 3.5, high, middle + 3.5, 1.4);
}

/* Right edges of the columns of figures beside the bars. */
enum { MEDIAN_AT = 662, INTERVAL_AT = 776, CHANGE_AT = 846, EFFICIENCY_AT = 976 };

static void draw_figures(struct canvas *canvas, const struct bench_result *result,
                         enum bench_step step, double y)
{
    struct estimate ms = result->time[step];
    canvas_print(canvas, MEDIAN_AT, y, ANCHOR_RIGHT, "%.1f", ms.value);
    canvas_print(canvas, INTERVAL_AT, y, ANCHOR_RIGHT, "%.1f to %.1f", ms.low, ms.high);
    if (step != COLD && step < VARIANT_COUNT)
        canvas_print(canvas, CHANGE_AT, y, ANCHOR_RIGHT, "%+.1f %%",
                     100 * (result->ratio[step].value - 1));
    if (step < VARIANT_COUNT && isfinite(result->efficiency[step].value))
        canvas_print(canvas, EFFICIENCY_AT, y, ANCHOR_RIGHT, "%.2f  (%.2f to %.2f)",
                     result->efficiency[step].value, result->efficiency[step].low,
                     result->efficiency[step].high);
}

/* Returns where it ends. */
static double draw_starts(struct canvas *canvas, const struct bench_result *result)
{
    double end_ms = largest_time(result), points_a_ms = (BARS_RIGHT - BARS_LEFT) / end_ms;
    int rows = 0;
    for (int step = 0; step < STEP_COUNT; step++)
        rows += isfinite(result->time[step].value);
    double bottom = BARS_TOP + rows * BAR_STEP;
    canvas_letters(canvas, 10, 0);
    draw_grid(canvas, BARS_LEFT, BARS_RIGHT, BARS_TOP - 6, bottom, end_ms);
    canvas_print(canvas, BARS_LEFT, BARS_TOP - 12, ANCHOR_LEFT,
                 "from spawn to exit: median, 95 %% interval, ticks for the rounds");
    canvas_print(canvas, MEDIAN_AT, BARS_TOP - 12, ANCHOR_RIGHT, "median, ms");
    canvas_print(canvas, INTERVAL_AT, BARS_TOP - 12, ANCHOR_RIGHT, "95 %% interval");
    canvas_print(canvas, CHANGE_AT, BARS_TOP - 12, ANCHOR_RIGHT, "vs cold");
    canvas_print(canvas, EFFICIENCY_AT, BARS_TOP - 12, ANCHOR_RIGHT, "efficiency");
    canvas_letters(canvas, 11, 0);
    double y = BARS_TOP;
    for (enum bench_step step = 0; step < STEP_COUNT; step++) {
        if (!isfinite(result->time[step].value))
            continue;
        draw_bar(canvas, result, step, y, points_a_ms);
        canvas_colour(canvas, CANVAS_TEXT);
        canvas_text(canvas, BARS_LEFT - 10, y + 12, ANCHOR_RIGHT, BARS_LEFT - MARGIN,
                    step == CONSTRUCTOR ? "until constructor" : bench_kind(step)->name);
        draw_figures(canvas, result, step, y + 12);
        y += BAR_STEP;
    }
    return bottom + 24;
}

/* ---- the timelines -----------------------------------------------------------------------------
 */

struct row {
    uint32_t file, pages;
    size_t first_arrival; /* in the cold start; SIZE_MAX: none */
};

static int by_pages(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->pages != y->pages)
        return x->pages < y->pages ? 1 : -1;
    return (x->file > y->file) - (x->file < y->file);
}

static int by_arrival(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return (x->first_arrival > y->first_arrival) - (x->first_arrival < y->first_arrival);
}

/* Files with watched pages, the largest first, and of these the first ROWS in order of arrival. */
static struct row *choose_rows(const struct profile *profile, const struct timeline *cold,
                               uint32_t *count)
{
    uint32_t files = profile->header->file_count;
    struct row *rows = xmalloc(files * sizeof *rows);
    size_t *first = xmalloc(files * sizeof *first);
    for (uint32_t i = 0; i < files; i++)
        first[i] = SIZE_MAX;
    for (size_t i = cold->arrival_count; i-- > 0;)
        first[cold->arrivals[i].file] = i;
    *count = 0;
    for (uint32_t i = 0; i < files; i++)
        if (cold->file_pages[i])
            rows[(*count)++] = (struct row){i, cold->file_pages[i], first[i]};
    qsort(rows, *count, sizeof *rows, by_pages);
    qsort(rows, *count < ROWS ? *count : ROWS, sizeof *rows, by_arrival);
    free(first);
    return rows;
}

/* How much of the rows [first, end) is in memory, as an area over time. */
static void draw_area(struct canvas *canvas, const struct timeline *timeline,
                      const uint32_t *row_of, uint32_t first, uint32_t end, uint64_t pages,
                      double x, double bottom, double points_a_ms)
{
    struct canvas_step *steps = xmalloc(timeline->arrival_count * sizeof *steps);
    size_t count = 0;
    uint64_t have = 0;
    double end_x = x + timeline->end_ms * points_a_ms;
    for (size_t i = 0; i < timeline->arrival_count; i++) {
        const struct arrival *arrival = &timeline->arrivals[i];
        uint32_t row = row_of[arrival->file];
        double at_x = fmin(x + arrival->at_ms * points_a_ms, end_x - 1); /* seen late, but seen */
        if (row < first || row >= end)
            continue;
        have += arrival->pages;
        if (count == 0 || steps[count - 1].x < at_x)
            count++;
        steps[count - 1] = (struct canvas_step){at_x, ROW_HEIGHT * (double)have / (double)pages};
    }
    canvas_steps(canvas, steps, count, end_x, bottom);
    free(steps);
}

static void draw_panel(struct canvas *canvas, const struct timeline *timeline,
                       const struct row *rows, uint32_t count, uint32_t shown,
                       const uint32_t *row_of, double x, double y, double end_ms)
{
    double points_a_ms = PANEL_WIDTH / end_ms;
    uint64_t others = 0;
    for (uint32_t i = shown; i < count; i++)
        others += rows[i].pages;
    for (uint32_t i = 0; i < shown; i++)
        draw_area(canvas, timeline, row_of, i, i + 1, rows[i].pages, x,
                  y + i * ROW_STEP + ROW_HEIGHT, points_a_ms);
    if (others)
        draw_area(canvas, timeline, row_of, shown, count, others, x,
                  y + shown * ROW_STEP + ROW_HEIGHT, points_a_ms);
}

static void draw_timelines(struct canvas *canvas, double top, const struct profile *profile,
                           const struct timeline *timelines, const struct row *rows, uint32_t count)
{
    static const enum bench_step starts[] = {COLD, RUN};
    uint32_t shown = count < ROWS ? count : ROWS;
    double end_ms = fmax(timelines[0].end_ms, timelines[1].end_ms) * 1.02;
    double y = top + 34, bottom = y + (shown + (count > shown)) * ROW_STEP;
    uint32_t *row_of = xmalloc(profile->header->file_count * sizeof *row_of);
    for (uint32_t i = 0; i < count; i++)
        row_of[rows[i].file] = i;
    for (int panel = 0; panel < 2; panel++) {
        double x = PANEL_LEFT + panel * (PANEL_WIDTH + PANEL_GAP);
        const struct timeline *timeline = &timelines[panel];
        double end_x = x + PANEL_WIDTH * timeline->end_ms / end_ms;
        canvas_colour(canvas, CANVAS_GROUND);
        for (uint32_t i = 0; i < shown + (count > shown); i++)
            canvas_rectangle(canvas, x, y + i * ROW_STEP, end_x - x, ROW_HEIGHT);
        canvas_letters(canvas, 10, 0);
        draw_grid(canvas, x, x + PANEL_WIDTH, y, bottom + 2, end_ms);
        canvas_colour(canvas, bench_kind(starts[panel])->colour);
        draw_panel(canvas, timeline, rows, count, shown, row_of, x, y, end_ms);
        canvas_colour(canvas, CANVAS_TEXT);
        canvas_line(canvas, end_x, y - 4, end_x, bottom + 2, 1.4);
        canvas_letters(canvas, 11, 1);
        canvas_text(canvas, x, y - 8, ANCHOR_LEFT, PANEL_WIDTH, bench_kind(starts[panel])->name);
        canvas_letters(canvas, 10, 0);
        canvas_print(canvas, end_x, y - 8, ANCHOR_RIGHT, "ends at %.0f ms", timeline->end_ms);
    }
    canvas_letters(canvas, 10, 0);
    for (uint32_t i = 0; i < shown; i++)
        canvas_text(canvas, PANEL_LEFT - 10, y + i * ROW_STEP + 10, ANCHOR_RIGHT,
                    PANEL_LEFT - 10 - MARGIN, profile->strings + profile->files[rows[i].file].path);
    if (count > shown)
        canvas_print(canvas, PANEL_LEFT - 10, y + shown * ROW_STEP + 10, ANCHOR_RIGHT,
                     "%u smaller file%s", count - shown, count - shown == 1 ? "" : "s");
    free(row_of);
}

void plot_bench(const char *path, const struct bench_result *result, const struct profile *profile,
                const struct timeline *timelines)
{
    bool available = timelines && timelines[0].available && timelines[1].available;
    uint32_t count = 0;
    struct row *rows = available ? choose_rows(profile, &timelines[0], &count) : NULL;
    uint32_t drawn = count > ROWS ? ROWS + 1 : count;
    double height = BARS_TOP + STEP_COUNT * BAR_STEP + 24 + 44 + 34 + drawn * ROW_STEP + 34;
    struct canvas *canvas = canvas_new(WIDTH, height);
    draw_title(canvas, result);
    double y = draw_starts(canvas, result) + 34;
    canvas_colour(canvas, CANVAS_TEXT);
    canvas_letters(canvas, 13, 1);
    canvas_print(canvas, MARGIN, y, ANCHOR_LEFT, "Which file was paged in when");
    canvas_letters(canvas, 11, 0);
    canvas_colour(canvas, CANVAS_FAINT);
    canvas_text(canvas, MARGIN, y + 17, ANCHOR_LEFT, WIDTH - 2 * MARGIN,
                available
                    ? "One start of each kind, watched; a full row: all pages that the profile "
                      "names of the file are in memory"
                : timelines ? "Not available: the kernel does not say which pages of these files "
                              "are in memory (mincore); as root it does"
                            : "Not available: without a profile there is nothing to watch");
    if (available)
        draw_timelines(canvas, y + 22, profile, timelines, rows, count);
    canvas_finish(canvas, path);
    free(rows);
}
