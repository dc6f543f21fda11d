/*
 * canvas.c: cairo, and an SVG in memory.
 */
#include "plot/canvas.h"

#include "cli/command.h"
#include "cli/output.h"

#include <cairo-svg.h>
#include <cairo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct canvas {
    cairo_surface_t *surface;
    cairo_t *cairo;
    uint8_t *svg;
    size_t svg_bytes, svg_room;
};

static cairo_status_t take_bytes(void *closure, const unsigned char *bytes, unsigned int count)
{
    struct canvas *canvas = closure;
    if (canvas->svg_room - canvas->svg_bytes < count) {
        canvas->svg_room = 2 * canvas->svg_room + count;
        canvas->svg = xrealloc(canvas->svg, canvas->svg_room);
    }
    memcpy(canvas->svg + canvas->svg_bytes, bytes, count);
    canvas->svg_bytes += count;
    return CAIRO_STATUS_SUCCESS;
}

struct canvas *canvas_new(double width, double height)
{
    struct canvas *canvas = xmalloc(sizeof *canvas);
    *canvas = (struct canvas){.svg = NULL};
    canvas->surface = cairo_svg_surface_create_for_stream(take_bytes, canvas, width, height);
    canvas->cairo = cairo_create(canvas->surface);
    canvas_colour(canvas, 0xffffff);
    cairo_paint(canvas->cairo);
    canvas_colour(canvas, CANVAS_TEXT);
    canvas_letters(canvas, 11, 0);
    return canvas;
}

void canvas_colour(struct canvas *canvas, uint32_t rgb)
{
    cairo_set_source_rgb(canvas->cairo, (rgb >> 16 & 0xff) / 255.0, (rgb >> 8 & 0xff) / 255.0,
                         (rgb & 0xff) / 255.0);
}

void canvas_letters(struct canvas *canvas, double points, int bold)
{
    cairo_select_font_face(canvas->cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(canvas->cairo, points);
}

void canvas_rectangle(struct canvas *canvas, double x, double y, double width, double height)
{
    cairo_rectangle(canvas->cairo, x, y, width, height);
    cairo_fill(canvas->cairo);
}

void canvas_steps(struct canvas *canvas, const struct canvas_step *steps, size_t count,
                  double end_x, double bottom)
{
    if (count == 0)
        return;
    cairo_move_to(canvas->cairo, steps[0].x, bottom);
    for (size_t i = 0; i < count; i++) {
        cairo_line_to(canvas->cairo, steps[i].x, bottom - steps[i].height);
        cairo_line_to(canvas->cairo, i + 1 < count ? steps[i + 1].x : end_x,
                      bottom - steps[i].height);
    }
    cairo_line_to(canvas->cairo, end_x, bottom);
    cairo_fill(canvas->cairo);
}

void canvas_line(struct canvas *canvas, double x0, double y0, double x1, double y1, double width)
{
    cairo_set_line_width(canvas->cairo, width);
    cairo_move_to(canvas->cairo, x0, y0);
    cairo_line_to(canvas->cairo, x1, y1);
    cairo_stroke(canvas->cairo);
}

void canvas_dashed_line(struct canvas *canvas, double x0, double y0, double x1, double y1)
{
    static const double dashes[] = {4, 3};
    cairo_set_dash(canvas->cairo, dashes, 2, 0);
    canvas_line(canvas, x0, y0, x1, y1, 1);
    cairo_set_dash(canvas->cairo, NULL, 0, 0);
}

static double text_width(struct canvas *canvas, const char *text)
{
    cairo_text_extents_t extents;
    cairo_text_extents(canvas->cairo, text, &extents);
    return extents.x_advance;
}

#define MAX_CHARACTERS 300 /* more do not fit anywhere, and measuring them takes its time */

double canvas_text(struct canvas *canvas, double x, double y, enum canvas_anchor anchor,
                   double max_width, const char *text)
{
    static const char ellipsis[] = "\xe2\x80\xa6";
    size_t length = strlen(text);
    char *whole = escape(length > MAX_CHARACTERS ? text + length - MAX_CHARACTERS : text);
    char *shown = xstrdup(whole), *rest = whole;
    while (*rest && text_width(canvas, shown) > max_width) {
        do
            rest++;
        while ((*rest & 0xc0) == 0x80);
        free(shown);
        shown = xasprintf("%s%s", ellipsis, rest);
    }
    double width = text_width(canvas, shown);
    cairo_move_to(canvas->cairo, x - width * (double)anchor / 2, y);
    cairo_show_text(canvas->cairo, shown);
    free(shown);
    free(whole);
    return width;
}

double canvas_print(struct canvas *canvas, double x, double y, enum canvas_anchor anchor,
                    const char *format, ...)
{
    char text[MAX_CHARACTERS];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return canvas_text(canvas, x, y, anchor, 1e9, text);
}

double canvas_interval(double end)
{
    double step = 1e-6;
    for (int i = 0; end / step > 10; i++)
        step *= i % 3 == 1 ? 2.5 : 2;
    return step;
}

void canvas_finish(struct canvas *canvas, const char *path)
{
    cairo_status_t status = cairo_status(canvas->cairo);
    cairo_destroy(canvas->cairo);
    cairo_surface_finish(canvas->surface);
    if (status == CAIRO_STATUS_SUCCESS)
        status = cairo_surface_status(canvas->surface);
    cairo_surface_destroy(canvas->surface);
    if (status != CAIRO_STATUS_SUCCESS)
        fail(EXIT_FAILED, "%s: cannot draw: %s", path, cairo_status_to_string(status));
    if (!output_write(path, canvas->svg, canvas->svg_bytes))
        exit(EXIT_FAILED);
    free(canvas->svg);
    free(canvas);
}
