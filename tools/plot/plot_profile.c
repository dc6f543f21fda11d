/*
 * plot_profile.c: the pages that a profile names, file by file, coloured in the order of their
 * first touch.
 */
#include "plot/plot.h"

#include "cli/command.h"
#include "cli/output.h"
#include "cli/table.h"
#include "plot/canvas.h"

#include <stdlib.h>

#define STRIP_LEFT    320.0
#define STRIP_COLUMNS 480u /* one point each */
#define ROW_STEP      15.0
#define ROW_HEIGHT    11.0
#define HEAD          70.0 /* of a section: name, figures, legend */
#define ROWS          40u  /* files of a section that are drawn */
#define SECTIONS      12u

void plot_check(const char *path)
{
    if (output_is_standard(path))
        fail(EXIT_USAGE, "--plot %s: the report goes to standard output; name a file", path);
    output_check(path);
}

static uint32_t mix(uint32_t from, uint32_t to, double share)
{
    uint32_t result = 0;
    for (int shift = 0; shift < 24; shift += 8) {
        double a = from >> shift & 0xff, b = to >> shift & 0xff;
        result |= (uint32_t)(a + (b - a) * share + 0.5) << shift;
    }
    return result;
}

/* Viridis (van der Walt and Smith 2015) at equal steps, from first to last. */
static uint32_t colour_at(double order)
{
    static const uint32_t viridis[] = {0x440154, 0x482878, 0x3e4989, 0x31688e, 0x26828e,
                                       0x1f9e89, 0x35b779, 0x6ece58, 0xb5de2b, 0xfde725};
    enum { LAST = sizeof viridis / sizeof *viridis - 1 };
    double at = order * LAST;
    int below = at >= LAST ? LAST - 1 : (int)at;
    return mix(viridis[below], viridis[below + 1], at - below);
}

struct file_row {
    uint32_t file;
    uint64_t pages;
};

struct plot_section {
    const struct profile *profile;
    const struct profile_executable *executable;
    const struct profile_range *ranges, *end;
    struct file_row *rows; /* the one with the most pages first */
    uint32_t row_count;
    uint64_t pages;
};

static int by_pages(const void *a, const void *b)
{
    const struct file_row *x = a, *y = b;
    return x->pages != y->pages ? ORDER(y->pages, x->pages) : ORDER(x->file, y->file);
}

static struct plot_section arrange(const struct profile *profile,
                                   const struct profile_executable *executable)
{
    struct plot_section section = {.profile = profile, .executable = executable};
    uint32_t files = profile->header->file_count;
    section.ranges = profile->ranges + executable->first_range;
    section.end = section.ranges + executable->range_count;
    section.rows = xmalloc(files * sizeof *section.rows);
    for (uint32_t i = 0; i < files; i++)
        section.rows[i] = (struct file_row){i, 0};
    for (const struct profile_range *range = section.ranges; range < section.end; range++) {
        section.pages += range->page_count;
        section.rows[range->file].pages += range->page_count;
    }
    qsort(section.rows, files, sizeof *section.rows, by_pages);
    while (section.row_count < files && section.rows[section.row_count].pages)
        section.row_count++;
    return section;
}

static double section_height(const struct plot_section *section)
{
    uint32_t lines = section->row_count <= ROWS ? section->row_count : ROWS + 1;
    return HEAD + lines * ROW_STEP + 24;
}

/* ---- drawing -------------------------------------------------------------------------------- */

static void draw_strip(struct canvas *canvas, const struct plot_section *section,
                       const struct file_row *row, double y)
{
    uint64_t size = section->profile->files[row->file].size, before = 0;
    uint64_t file_pages = (size + PROFILE_PAGE_BYTES - 1) / PROFILE_PAGE_BYTES;
    double pages_a_column = (double)file_pages / STRIP_COLUMNS;
    double order[STRIP_COLUMNS] = {0}, needed[STRIP_COLUMNS] = {0};
    for (const struct profile_range *range = section->ranges; range < section->end; range++) {
        before += range->page_count;
        if (range->file != row->file)
            continue;
        double first = range->first_page / pages_a_column;
        double end = (double)((uint64_t)range->first_page + range->page_count) / pages_a_column;
        for (uint32_t c = (uint32_t)first; c < STRIP_COLUMNS && c < end; c++) {
            double from = first > c ? first : c, to = end < c + 1 ? end : c + 1;
            if (needed[c] == 0)
                order[c] = (double)(before - range->page_count) / (double)section->pages;
            needed[c] += to - from;
        }
    }
    canvas_rectangle(canvas, CANVAS_GROUND, STRIP_LEFT, y, STRIP_COLUMNS, ROW_HEIGHT);
    for (uint32_t c = 0, end; c < STRIP_COLUMNS; c = end) {
        for (end = c + 1; end < STRIP_COLUMNS && needed[end] == needed[c] &&
                          (needed[c] == 0 || order[end] == order[c]);)
            end++;
        if (needed[c] == 0)
            continue;
        /* Of a large file a column has many pages: the paler, the fewer of them are needed. */
        double share = needed[c] < 1 ? needed[c] : 1;
        double overlap = end < STRIP_COLUMNS && needed[end] > 0 ? 0.5 : 0; /* no seam */
        canvas_rectangle(canvas, mix(CANVAS_GROUND, colour_at(order[c]), 0.3 + 0.7 * share),
                         STRIP_LEFT + c, y, end - c + overlap, ROW_HEIGHT);
    }
}

static void draw_row(struct canvas *canvas, const struct plot_section *section,
                     const struct file_row *row, double y)
{
    const struct profile_file *file = &section->profile->files[row->file];
    uint64_t bytes = row->pages * PROFILE_PAGE_BYTES;
    if (bytes > file->size) /* the last page is cut */
        bytes = file->size;
    draw_strip(canvas, section, row, y);
    canvas_text(canvas, STYLE_SMALL, STRIP_LEFT - 10, y + 9, ANCHOR_RIGHT,
                STRIP_LEFT - 10 - CANVAS_MARGIN, section->profile->strings + file->path);
    canvas_print(canvas, STYLE_SMALL, STRIP_LEFT + STRIP_COLUMNS + 130, y + 9, ANCHOR_RIGHT,
                 "%s of %s", size_text(bytes).text, size_text(file->size).text);
    canvas_print(canvas, STYLE_SMALL, CANVAS_WIDTH - CANVAS_MARGIN, y + 9, ANCHOR_RIGHT, "%.0f %%",
                 100 * (double)bytes / (double)file->size);
}

/* The colours, and when the start had got so far. */
static void draw_legend(struct canvas *canvas, const struct plot_section *section, double y)
{
    enum { STEPS = 120, TICKS = 4 };
    double step = (double)STRIP_COLUMNS / STEPS;
    for (int i = 0; i < STEPS; i++)
        canvas_rectangle(canvas, colour_at((i + 0.5) / STEPS), STRIP_LEFT + i * step, y,
                         STRIP_COLUMNS - i * step, 8);
    canvas_text(canvas, STYLE_SCALE, STRIP_LEFT - 10, y + 8, ANCHOR_RIGHT, STRIP_LEFT,
                "order of first touch");
    const struct profile_range *range = section->ranges;
    uint64_t through = range->page_count; /* pages up to the end of the range */
    for (int tick = 0; tick <= TICKS; tick++) {
        for (; range + 1 < section->end && through * TICKS <= section->pages * (uint64_t)tick;)
            through += (++range)->page_count;
        double x = STRIP_LEFT + (double)STRIP_COLUMNS * tick / TICKS;
        double ms = (double)range->epoch * section->profile->header->epoch_us / 1000;
        canvas_line(canvas, CANVAS_FAINT, 0.8, x, y, x, y + 11);
        canvas_print(canvas, STYLE_SCALE, x, y + 21, ANCHOR_MIDDLE, "%.0f%s", ms,
                     tick ? "" : " ms");
    }
}

static void draw_section(struct canvas *canvas, const struct plot_section *section, double y)
{
    const struct profile *profile = section->profile;
    canvas_text(canvas, STYLE_HEADING, CANVAS_MARGIN, y + 14, ANCHOR_LEFT, 700,
                profile->strings + section->executable->path);
    canvas_print(canvas, STYLE_BODY, CANVAS_WIDTH - CANVAS_MARGIN, y + 14, ANCHOR_RIGHT,
                 "%s of %u file%s", size_text(section->pages * PROFILE_PAGE_BYTES).text,
                 section->row_count, section->row_count == 1 ? "" : "s");
    if (section->pages == 0)
        return;
    draw_legend(canvas, section, y + 30);
    uint64_t rest = 0;
    y += HEAD;
    for (uint32_t i = 0; i < section->row_count; i++) {
        if (i < ROWS)
            draw_row(canvas, section, &section->rows[i], y + i * ROW_STEP);
        else
            rest += section->rows[i].pages * PROFILE_PAGE_BYTES;
    }
    if (rest)
        canvas_print(canvas, STYLE_SCALE, STRIP_LEFT, y + ROWS * ROW_STEP + 10, ANCHOR_LEFT,
                     "and %s of %u more file%s", size_text(rest).text, section->row_count - ROWS,
                     section->row_count - ROWS == 1 ? "" : "s");
}

void plot_profile(const char *path, const char *title, const struct profile *profile)
{
    uint32_t count = profile->header->executable_count;
    uint32_t shown = count < SECTIONS ? count : SECTIONS;
    struct plot_section sections[SECTIONS];
    double height = 76, y = height;
    for (uint32_t i = 0; i < shown; i++) {
        sections[i] = arrange(profile, &profile->executables[i]);
        height += section_height(&sections[i]);
    }
    struct canvas *canvas =
        canvas_new(height + (count > shown ? 24 : 0), title,
                   "A strip is a file from its first to its last byte. Grey: not needed; paler: "
                   "some of the pages here are.");
    for (uint32_t i = 0; i < shown; i++) {
        draw_section(canvas, &sections[i], y);
        y += section_height(&sections[i]);
        free(sections[i].rows);
    }
    if (count > shown)
        canvas_print(canvas, STYLE_NOTE, CANVAS_MARGIN, y, ANCHOR_LEFT, "and %u more executables",
                     count - shown);
    canvas_finish(canvas, path);
}
