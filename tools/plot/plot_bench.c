/*
 * plot_bench.c: the starts as bars with their intervals, and which file was paged in when.
 */
#include "plot/plot.h"

#include "cli/command.h"
#include "cli/table.h"
#include "plot/canvas.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
#define PANEL_WIDTH ((CANVAS_WIDTH - CANVAS_MARGIN - PANEL_LEFT - PANEL_GAP) / 2)

static struct canvas *draw_head(const struct bench_result *result, double height)
{
    char *command = xstrdup(result->command[0]), *note;
    for (char **argument = result->command + 1; *argument; argument++) {
        char *longer = xasprintf("%s %s", command, *argument);
        free(command);
        command = longer;
    }
    note = xasprintf(
        "%zu round%s, interleaved; cold: %s", result->rounds, result->rounds == 1 ? "" : "s",
        result->dropped_everything ? "page cache, directory entries and inodes dropped"
                                   : "the profile\xe2\x80\x99s files evicted (not root)");
    struct canvas *canvas = canvas_new(height, command, note);
    char *verdict = xstrdup(result->verdict), *line = verdict;
    for (double y = 76; line; y += 17) {
        char *end = strstr(line, "; ");
        if (end)
            *end = '\0';
        canvas_text(canvas, STYLE_BODY, CANVAS_MARGIN, y, ANCHOR_LEFT,
                    CANVAS_WIDTH - 2 * CANVAS_MARGIN, line);
        line = end ? end + 2 : NULL;
    }
    free(verdict);
    free(note);
    free(command);
    return canvas;
}

/* A scale with 4 to 10 lines: their distance is 1, 2 or 5 times a power of ten. */
static void draw_grid(struct canvas *canvas, double left, double right, double top, double bottom,
                      double end_ms)
{
    double step = 1e-6;
    for (int i = 0; end_ms / step > 10; i++)
        step *= i % 3 == 1 ? 2.5 : 2;
    if ((right - left) / (end_ms / step) < 45)
        step *= 2;
    for (int i = 0; i * step <= end_ms; i++) {
        double x = left + (right - left) * i * step / end_ms;
        canvas_line(canvas, CANVAS_GRID, 0.7, x, top, x, bottom);
        canvas_print(canvas, STYLE_SCALE, x, bottom + 14, ANCHOR_MIDDLE, "%g%s", i * step,
                     i ? "" : " ms");
    }
}

/* ---- the starts ----------------------------------------------------------------------------- */

static void draw_bar(struct canvas *canvas, const struct bench_result *result, enum bench_step step,
                     double y, double points_a_ms)
{
    struct estimate ms = result->time[step];
    double low = BARS_LEFT + ms.low * points_a_ms, high = BARS_LEFT + ms.high * points_a_ms;
    double middle = y + BAR_HEIGHT / 2, bottom = y + BAR_HEIGHT;
    canvas_rectangle(canvas, bench_kind(step)->colour, BARS_LEFT, y, ms.value * points_a_ms,
                     BAR_HEIGHT);
    for (size_t i = 0; i < result->rounds; i++) {
        double x = BARS_LEFT + result->ms[step][i] * points_a_ms;
        if (x <= BARS_RIGHT)
            canvas_line(canvas, CANVAS_TEXT, 0.6, x, bottom - 3, x, bottom);
    }
    canvas_line(canvas, CANVAS_TEXT, 1.4, low, middle, high, middle);
    canvas_line(canvas, CANVAS_TEXT, 1.4, low, middle - 3.5, low, middle + 3.5);
    canvas_line(canvas, CANVAS_TEXT, 1.4, high, middle - 3.5, high, middle + 3.5);
}

/* Right edges of the columns of figures beside the bars. */
enum { MEDIAN_AT = 662, INTERVAL_AT = 776, CHANGE_AT = 846, EFFICIENCY_AT = 976 };

static void draw_figures(struct canvas *canvas, const struct bench_result *result,
                         enum bench_step step, double y)
{
    struct estimate ms = result->time[step];
    canvas_text(canvas, STYLE_BODY, BARS_LEFT - 10, y, ANCHOR_RIGHT, BARS_LEFT - CANVAS_MARGIN,
                step == CONSTRUCTOR ? "until constructor" : bench_kind(step)->name);
    canvas_print(canvas, STYLE_BODY, MEDIAN_AT, y, ANCHOR_RIGHT, "%.1f", ms.value);
    canvas_print(canvas, STYLE_BODY, INTERVAL_AT, y, ANCHOR_RIGHT, "%.1f to %.1f", ms.low, ms.high);
    if (step != COLD && step < VARIANT_COUNT)
        canvas_print(canvas, STYLE_BODY, CHANGE_AT, y, ANCHOR_RIGHT, "%+.1f %%",
                     100 * (result->ratio[step].value - 1));
    if (step < VARIANT_COUNT && isfinite(result->efficiency[step].value))
        canvas_print(canvas, STYLE_BODY, EFFICIENCY_AT, y, ANCHOR_RIGHT, "%.2f  (%.2f to %.2f)",
                     result->efficiency[step].value, result->efficiency[step].low,
                     result->efficiency[step].high);
}

/* Returns where it ends. */
static double draw_starts(struct canvas *canvas, const struct bench_result *result)
{
    static const struct {
        double x;
        enum canvas_anchor anchor;
        const char *text;
    } heads[] = {
        {BARS_LEFT, ANCHOR_LEFT, "from spawn: median, 95 % interval, ticks for the rounds"},
        {MEDIAN_AT, ANCHOR_RIGHT, "median, ms"},
        {INTERVAL_AT, ANCHOR_RIGHT, "95 % interval"},
        {CHANGE_AT, ANCHOR_RIGHT, "vs cold"},
        {EFFICIENCY_AT, ANCHOR_RIGHT, "efficiency"},
    };
    double bottom = BARS_TOP, end_ms = 0, y = BARS_TOP;
    for (int step = 0; step < STEP_COUNT; step++) {
        bottom += isfinite(result->time[step].value) ? BAR_STEP : 0;
        if (result->time[step].high > end_ms) /* not if it is NAN */
            end_ms = result->time[step].high;
    }
    end_ms *= 1.04;
    draw_grid(canvas, BARS_LEFT, BARS_RIGHT, BARS_TOP - 6, bottom, end_ms);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        canvas_print(canvas, STYLE_SCALE, heads[i].x, BARS_TOP - 12, heads[i].anchor, "%s",
                     heads[i].text);
    for (enum bench_step step = 0; step < STEP_COUNT; step++) {
        if (!isfinite(result->time[step].value))
            continue;
        draw_bar(canvas, result, step, y, (BARS_RIGHT - BARS_LEFT) / end_ms);
        draw_figures(canvas, result, step, y + 12);
        y += BAR_STEP;
    }
    return bottom + 24;
}

/* ---- the timelines -------------------------------------------------------------------------- */

struct row {
    uint32_t file, pages;
    size_t first_arrival; /* in the cold start; SIZE_MAX: none */
};

static int by_size(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return x->pages != y->pages ? ORDER(y->pages, x->pages) : ORDER(x->file, y->file);
}

static int by_arrival(const void *a, const void *b)
{
    return ORDER(((const struct row *)a)->first_arrival, ((const struct row *)b)->first_arrival);
}

/* Files with watched pages, the largest first, and of these the first ROWS in order of arrival. */
static struct row *choose_rows(const struct profile *profile, const struct timeline *cold,
                               uint32_t *count)
{
    uint32_t files = profile->header->file_count;
    struct row *rows = xmalloc(files * sizeof *rows);
    for (uint32_t i = 0; i < files; i++)
        rows[i] = (struct row){i, cold->file_pages[i], SIZE_MAX};
    for (size_t i = cold->arrival_count; i-- > 0;)
        rows[cold->arrivals[i].file].first_arrival = i;
    qsort(rows, files, sizeof *rows, by_size);
    for (*count = 0; *count < files && rows[*count].pages;)
        ++*count;
    qsort(rows, *count < ROWS ? *count : ROWS, sizeof *rows, by_arrival);
    return rows;
}

/* How much of the rows [first, end) is in memory, as an area over time. */
static void draw_area(struct canvas *canvas, uint32_t colour, const struct timeline *timeline,
                      const struct row *rows, uint32_t first, uint32_t end, double x, double bottom,
                      double points_a_ms)
{
    struct canvas_step *steps = xmalloc(timeline->arrival_count * sizeof *steps);
    size_t count = 0;
    uint64_t have = 0, pages = 0;
    double end_x = x + timeline->end_ms * points_a_ms;
    for (uint32_t row = first; row < end; row++)
        pages += rows[row].pages;
    for (size_t i = 0; i < timeline->arrival_count; i++) {
        const struct arrival *arrival = &timeline->arrivals[i];
        double at_x = x + arrival->at_ms * points_a_ms;
        if (at_x > end_x - 1) /* seen late, but seen */
            at_x = end_x - 1;
        uint32_t row = first;
        while (row < end && rows[row].file != arrival->file)
            row++;
        if (row == end)
            continue;
        have += arrival->pages;
        if (count == 0 || steps[count - 1].x < at_x)
            count++;
        steps[count - 1] = (struct canvas_step){at_x, ROW_HEIGHT * (double)have / (double)pages};
    }
    canvas_steps(canvas, colour, steps, count, end_x, bottom);
    free(steps);
}

static void draw_timelines(struct canvas *canvas, double y, const struct profile *profile,
                           const struct timeline *timelines, const struct row *rows, uint32_t count)
{
    static const enum bench_step starts[] = {COLD, RUN};
    uint32_t shown = count < ROWS ? count : ROWS, lines = shown + (count > shown);
    bool is_first_longer = timelines[0].end_ms > timelines[1].end_ms;
    double end_ms = timelines[is_first_longer ? 0 : 1].end_ms * 1.02;
    double bottom = y + lines * ROW_STEP;
    for (int panel = 0; panel < 2; panel++) {
        const struct timeline *timeline = &timelines[panel];
        const struct bench_kind *kind = bench_kind(starts[panel]);
        double x = PANEL_LEFT + panel * (PANEL_WIDTH + PANEL_GAP);
        double end_x = x + PANEL_WIDTH * timeline->end_ms / end_ms;
        for (uint32_t i = 0; i < lines; i++)
            canvas_rectangle(canvas, CANVAS_GROUND, x, y + i * ROW_STEP, end_x - x, ROW_HEIGHT);
        draw_grid(canvas, x, x + PANEL_WIDTH, y, bottom + 2, end_ms);
        for (uint32_t i = 0; i < lines; i++)
            draw_area(canvas, kind->colour, timeline, rows, i, i < shown ? i + 1 : count, x,
                      y + i * ROW_STEP + ROW_HEIGHT, PANEL_WIDTH / end_ms);
        canvas_line(canvas, CANVAS_TEXT, 1.4, end_x, y - 4, end_x, bottom + 2);
        canvas_text(canvas, STYLE_STRONG, x, y - 8, ANCHOR_LEFT, PANEL_WIDTH, kind->name);
        canvas_print(canvas, STYLE_SMALL, end_x, y - 8, ANCHOR_RIGHT, "ends at %.0f ms",
                     timeline->end_ms);
    }
    for (uint32_t i = 0; i < shown; i++)
        canvas_text(canvas, STYLE_SMALL, PANEL_LEFT - 10, y + i * ROW_STEP + 10, ANCHOR_RIGHT,
                    PANEL_LEFT - 10 - CANVAS_MARGIN,
                    profile->strings + profile->files[rows[i].file].path);
    if (count > shown)
        canvas_print(canvas, STYLE_SMALL, PANEL_LEFT - 10, y + shown * ROW_STEP + 10, ANCHOR_RIGHT,
                     "%u smaller file%s", count - shown, count - shown == 1 ? "" : "s");
}

void plot_bench(const char *path, const struct bench_result *result, const struct profile *profile,
                const struct timeline *timelines)
{
    bool available = timelines && timelines[0].available && timelines[1].available;
    uint32_t count = 0;
    struct row *rows = available ? choose_rows(profile, &timelines[0], &count) : NULL;
    uint32_t drawn = count > ROWS ? ROWS + 1 : count;
    double height = BARS_TOP + STEP_COUNT * BAR_STEP + 24 + 44 + 34 + drawn * ROW_STEP + 34;
    struct canvas *canvas = draw_head(result, height);
    double y = draw_starts(canvas, result) + 34;
    canvas_print(canvas, STYLE_HEADING, CANVAS_MARGIN, y, ANCHOR_LEFT,
                 "Which file was paged in when");
    canvas_text(
        canvas, STYLE_NOTE, CANVAS_MARGIN, y + 17, ANCHOR_LEFT, CANVAS_WIDTH - 2 * CANVAS_MARGIN,
        available   ? "One start of each kind, watched; a full row: all pages that the profile "
                      "names of the file are in memory"
        : timelines ? "Not available: the kernel does not say which pages of these files "
                      "are in memory (mincore); as root it does"
                    : "Not available: without a profile there is nothing to watch");
    if (available)
        draw_timelines(canvas, y + 56, profile, timelines, rows, count);
    canvas_finish(canvas, path);
    free(rows);
}
