/*
 * plot_profile.c: the pages that a profile names, file by file, coloured in the order of their
 * first touch.
 */
#include "plot/plot.h"

#include "cli/command.h"
#include "plot/canvas.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH         1000.0
#define MARGIN        24.0
#define STRIP_LEFT    320.0
#define STRIP_COLUMNS 480u /* one point each */
#define ROW_STEP      15.0
#define ROW_HEIGHT    11.0
#define HEAD          70.0 /* of a section: name, figures, legend */
#define ROWS          40u  /* files of a section that are drawn */
#define SECTIONS      12u

/* Viridis (van der Walt and Smith 2015) at equal steps, from first to last. */
static const uint32_t viridis[] = {0x440154, 0x482878, 0x3e4989, 0x31688e, 0x26828e,
                                   0x1f9e89, 0x35b779, 0x6ece58, 0xb5de2b, 0xfde725};

static uint32_t mix(uint32_t from, uint32_t to, double share)
{
    uint32_t result = 0;
    for (int shift = 0; shift < 24; shift += 8) {
        double a = from >> shift & 0xff, b = to >> shift & 0xff;
        result |= (uint32_t)(a + (b - a) * share + 0.5) << shift;
    }
    return result;
}

static uint32_t colour_at(double order)
{
    enum { LAST = sizeof viridis / sizeof *viridis - 1 };
    double at = order * LAST;
    int below = at >= LAST ? LAST - 1 : (int)at;
    return mix(viridis[below], viridis[below + 1], at - below);
}

/* A file of a section, with its ranges chained in their order. */
struct file_row {
    uint32_t file, first_range, last_range;
    uint64_t pages;
};

#define NONE UINT32_MAX

struct plot_section {
    const struct profile *profile;
    const struct profile_executable *executable;
    struct file_row *rows; /* the one with the most pages first */
    uint32_t row_count;
    uint32_t *next;         /* [range of the section] */
    uint64_t *pages_before; /* [range of the section] */
    uint64_t pages;
};

static const struct profile_range *range_at(const struct plot_section *section, uint32_t index)
{
    return &section->profile->ranges[section->executable->first_range + index];
}

static int by_pages(const void *a, const void *b)
{
    const struct file_row *x = a, *y = b;
    if (x->pages != y->pages)
        return x->pages < y->pages ? 1 : -1;
    return (x->file > y->file) - (x->file < y->file);
}

static struct plot_section arrange(const struct profile *profile,
                                   const struct profile_executable *executable)
{
    struct plot_section section = {.profile = profile, .executable = executable};
    uint32_t files = profile->header->file_count, count = executable->range_count;
    section.rows = xmalloc(files * sizeof *section.rows);
    section.next = xmalloc(count * sizeof *section.next);
    section.pages_before = xmalloc(count * sizeof *section.pages_before);
    for (uint32_t i = 0; i < files; i++)
        section.rows[i] = (struct file_row){i, NONE, NONE, 0};
    for (uint32_t i = 0; i < count; i++) {
        const struct profile_range *range = range_at(&section, i);
        struct file_row *row = &section.rows[range->file];
        section.next[i] = NONE;
        section.pages_before[i] = section.pages;
        section.pages += range->page_count;
        row->pages += range->page_count;
        if (row->first_range == NONE)
            row->first_range = i;
        else
            section.next[row->last_range] = i;
        row->last_range = i;
    }
    qsort(section.rows, files, sizeof *section.rows, by_pages);
    while (section.row_count < files && section.rows[section.row_count].pages)
        section.row_count++;
    return section;
}

static void release(struct plot_section *section)
{
    free(section->rows);
    free(section->next);
    free(section->pages_before);
}

static uint32_t rows_drawn(const struct plot_section *section)
{
    return section->row_count < ROWS ? section->row_count : ROWS;
}

static double section_height(const struct plot_section *section)
{
    uint32_t lines = rows_drawn(section) + (section->row_count > ROWS);
    return HEAD + lines * ROW_STEP + 24;
}

/* ---- drawing -----------------------------------------------------------------------------------
 */

static void draw_strip(struct canvas *canvas, const struct plot_section *section,
                       const struct file_row *row, double y)
{
    uint64_t size = section->profile->files[row->file].size;
    uint64_t file_pages = (size + PROFILE_PAGE_BYTES - 1) / PROFILE_PAGE_BYTES;
    double pages_a_column = (double)file_pages / STRIP_COLUMNS;
    double order[STRIP_COLUMNS] = {0}, needed[STRIP_COLUMNS] = {0};
    for (uint32_t i = row->first_range; i != NONE; i = section->next[i]) {
        const struct profile_range *range = range_at(section, i);
        double first = range->first_page / pages_a_column;
        double end = (double)((uint64_t)range->first_page + range->page_count) / pages_a_column;
        for (uint32_t c = (uint32_t)first; c < STRIP_COLUMNS && c < end; c++) {
            double from = first > c ? first : c, to = end < c + 1 ? end : c + 1;
            if (needed[c] == 0)
                order[c] = (double)section->pages_before[i] / (double)section->pages;
            needed[c] += to - from;
        }
    }
    canvas_colour(canvas, CANVAS_GROUND);
    canvas_rectangle(canvas, STRIP_LEFT, y, STRIP_COLUMNS, ROW_HEIGHT);
    for (uint32_t c = 0, end; c < STRIP_COLUMNS; c = end) {
        for (end = c + 1; end < STRIP_COLUMNS && needed[end] == needed[c] &&
                          (needed[c] == 0 || order[end] == order[c]);)
            end++;
        if (needed[c] == 0)
            continue;
        /* Of a large file a column has many pages: the paler, the fewer of them are needed. */
        double share = needed[c] < 1 ? needed[c] : 1;
        canvas_colour(canvas, mix(CANVAS_GROUND, colour_at(order[c]), 0.3 + 0.7 * share));
        double overlap = end < STRIP_COLUMNS && needed[end] > 0 ? 0.5 : 0; /* no seam */
        canvas_rectangle(canvas, STRIP_LEFT + c, y, end - c + overlap, ROW_HEIGHT);
    }
}

static void format_bytes(char text[24], uint64_t bytes)
{
    if (bytes < 1 << 10)
        snprintf(text, 24, "%ju B", (uintmax_t)bytes);
    else if (bytes < 1 << 20)
        snprintf(text, 24, "%.0f KiB", (double)bytes / 1024);
    else
        snprintf(text, 24, "%.1f MiB", (double)bytes / (1 << 20));
}

static void draw_row(struct canvas *canvas, const struct plot_section *section,
                     const struct file_row *row, double y)
{
    const struct profile_file *file = &section->profile->files[row->file];
    uint64_t bytes = row->pages * PROFILE_PAGE_BYTES;
    if (bytes > file->size) /* the last page is cut */
        bytes = file->size;
    char needed[24], size[24];
    format_bytes(needed, bytes);
    format_bytes(size, file->size);
    draw_strip(canvas, section, row, y);
    canvas_colour(canvas, CANVAS_TEXT);
    canvas_text(canvas, STRIP_LEFT - 10, y + 9, ANCHOR_RIGHT, STRIP_LEFT - 10 - MARGIN,
                section->profile->strings + file->path);
    canvas_print(canvas, STRIP_LEFT + STRIP_COLUMNS + 130, y + 9, ANCHOR_RIGHT, "%s of %s", needed,
                 size);
    canvas_print(canvas, WIDTH - MARGIN, y + 9, ANCHOR_RIGHT, "%.0f %%",
                 100 * (double)bytes / (double)file->size);
}

/* The colours, and when the start had got so far. */
static void draw_legend(struct canvas *canvas, const struct plot_section *section, double y)
{
    enum { STEPS = 120, TICKS = 4 };
    double step = (double)STRIP_COLUMNS / STEPS;
    for (int i = 0; i < STEPS; i++) {
        canvas_colour(canvas, colour_at((i + 0.5) / STEPS));
        canvas_rectangle(canvas, STRIP_LEFT + i * step, y, STRIP_COLUMNS - i * step, 8);
    }
    canvas_colour(canvas, CANVAS_FAINT);
    canvas_text(canvas, STRIP_LEFT - 10, y + 8, ANCHOR_RIGHT, STRIP_LEFT, "order of first touch");
    for (int tick = 0; tick <= TICKS; tick++) {
        uint32_t range = 0, count = section->executable->range_count;
        while (range + 1 < count &&
               section->pages_before[range + 1] * TICKS <= section->pages * (uint64_t)tick)
            range++;
        double x = STRIP_LEFT + (double)STRIP_COLUMNS * tick / TICKS;
        double ms =
            (double)range_at(section, range)->epoch * section->profile->header->epoch_us / 1000;
        canvas_line(canvas, x, y, x, y + 11, 0.8);
        canvas_print(canvas, x, y + 21, ANCHOR_MIDDLE, "%.0f%s", ms, tick ? "" : " ms");
    }
}

static void draw_section(struct canvas *canvas, const struct plot_section *section, double y)
{
    const struct profile *profile = section->profile;
    char bytes[24];
    format_bytes(bytes, section->pages * PROFILE_PAGE_BYTES);
    canvas_colour(canvas, CANVAS_TEXT);
    canvas_letters(canvas, 13, 1);
    canvas_text(canvas, MARGIN, y + 14, ANCHOR_LEFT, 700,
                profile->strings + section->executable->path);
    canvas_letters(canvas, 11, 0);
    canvas_print(canvas, WIDTH - MARGIN, y + 14, ANCHOR_RIGHT, "%s of %u file%s", bytes,
                 section->row_count, section->row_count == 1 ? "" : "s");
    if (section->pages == 0)
        return;
    canvas_letters(canvas, 10, 0);
    draw_legend(canvas, section, y + 30);
    y += HEAD;
    uint32_t drawn = rows_drawn(section);
    uint64_t rest = 0;
    for (uint32_t i = 0; i < section->row_count; i++) {
        if (i < drawn)
            draw_row(canvas, section, &section->rows[i], y + i * ROW_STEP);
        else
            rest += section->rows[i].pages * PROFILE_PAGE_BYTES;
    }
    if (rest) {
        format_bytes(bytes, rest);
        canvas_colour(canvas, CANVAS_FAINT);
        canvas_print(canvas, STRIP_LEFT, y + drawn * ROW_STEP + 10, ANCHOR_LEFT,
                     "and %s of %u more file%s", bytes, section->row_count - drawn,
                     section->row_count - drawn == 1 ? "" : "s");
    }
}

void plot_profile(const char *path, const char *title, const struct profile *profile)
{
    uint32_t count = profile->header->executable_count;
    uint32_t shown = count < SECTIONS ? count : SECTIONS;
    struct plot_section sections[SECTIONS];
    double height = 76;
    for (uint32_t i = 0; i < shown; i++) {
        sections[i] = arrange(profile, &profile->executables[i]);
        height += section_height(&sections[i]);
    }
    struct canvas *canvas = canvas_new(WIDTH, height + (count > shown ? 24 : 0));
    canvas_letters(canvas, 15, 1);
    canvas_text(canvas, MARGIN, 34, ANCHOR_LEFT, WIDTH - 2 * MARGIN, title);
    canvas_letters(canvas, 11, 0);
    canvas_colour(canvas, CANVAS_FAINT);
    canvas_print(canvas, MARGIN, 52, ANCHOR_LEFT,
                 "A strip is a file from its first to its last byte. Grey: not needed; paler: some "
                 "of the pages here are.");
    double y = 76;
    for (uint32_t i = 0; i < shown; i++) {
        draw_section(canvas, &sections[i], y);
        y += section_height(&sections[i]);
        release(&sections[i]);
    }
    if (count > shown) {
        canvas_colour(canvas, CANVAS_FAINT);
        canvas_print(canvas, MARGIN, y, ANCHOR_LEFT, "and %u more executables", count - shown);
    }
    canvas_finish(canvas, path);
}
