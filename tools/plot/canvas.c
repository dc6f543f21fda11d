/*
 * canvas.c: writes SVG 1.1 into memory. The letters are the viewer's, so that nobody knows how wide
 * a text will be: it is measured by a sans-serif's usual width.
 */
#include "plot/canvas.h"

#include "cli/command.h"
#include "cli/output.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LETTER_WIDTH 0.56 /* of its height, on average */

struct canvas {
    FILE *svg;
    char *text;
    size_t size;
};

struct canvas *canvas_new(double height, const char *title, const char *note)
{
    struct canvas *canvas = xmalloc(sizeof *canvas);
    canvas->svg = open_memstream(&canvas->text, &canvas->size);
    if (!canvas->svg)
        fail(EXIT_FAILED, "out of memory");
    fprintf(canvas->svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" "
            "font-family=\"sans-serif\">\n",
            CANVAS_WIDTH, height);
    canvas_rectangle(canvas, 0xffffff, 0, 0, CANVAS_WIDTH, height);
    canvas_text(canvas, STYLE_TITLE, CANVAS_MARGIN, 34, ANCHOR_LEFT,
                CANVAS_WIDTH - 2 * CANVAS_MARGIN, title);
    canvas_print(canvas, STYLE_NOTE, CANVAS_MARGIN, 52, ANCHOR_LEFT, "%s", note);
    return canvas;
}

void canvas_rectangle(struct canvas *canvas, uint32_t colour, double x, double y, double width,
                      double height)
{
    fprintf(canvas->svg, "<rect fill=\"#%06x\" x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\"/>\n",
            colour, x, y, width, height);
}

void canvas_steps(struct canvas *canvas, uint32_t colour, const struct canvas_step *steps,
                  size_t count, double end_x, double bottom)
{
    if (count == 0)
        return;
    fprintf(canvas->svg, "<path fill=\"#%06x\" d=\"M %g %g", colour, steps[0].x, bottom);
    for (size_t i = 0; i < count; i++)
        fprintf(canvas->svg, " L %g %g L %g %g", steps[i].x, bottom - steps[i].height,
                i + 1 < count ? steps[i + 1].x : end_x, bottom - steps[i].height);
    fprintf(canvas->svg, " L %g %g Z\"/>\n", end_x, bottom);
}

void canvas_line(struct canvas *canvas, uint32_t colour, double width, double x0, double y0,
                 double x1, double y1)
{
    fprintf(canvas->svg,
            "<line stroke=\"#%06x\" stroke-width=\"%g\" x1=\"%g\" y1=\"%g\" x2=\"%g\" "
            "y2=\"%g\"/>\n",
            colour, width, x0, y0, x1, y1);
}

/* The end of a text that has so many characters, with a sign that it is one. */
static const char *print_end(struct canvas *canvas, const char *text, double most)
{
    size_t characters = 0;
    for (const char *at = text; *at; at++)
        characters += (*at & 0xc0) != 0x80;
    if ((double)characters <= most)
        return text;
    fputs("\xe2\x80\xa6", canvas->svg);
    for (; *text && (double)characters > most - 1; characters--)
        do
            text++;
        while ((*text & 0xc0) == 0x80);
    return text;
}

void canvas_text(struct canvas *canvas, enum canvas_style style, double x, double y,
                 enum canvas_anchor anchor, double max_width, const char *text)
{
    static const struct {
        double points;
        const char *weight;
        uint32_t colour;
    } styles[] = {
        [STYLE_TITLE] = {15, "bold", CANVAS_TEXT},    [STYLE_HEADING] = {13, "bold", CANVAS_TEXT},
        [STYLE_STRONG] = {11, "bold", CANVAS_TEXT},   [STYLE_BODY] = {11, "normal", CANVAS_TEXT},
        [STYLE_NOTE] = {11, "normal", CANVAS_FAINT},  [STYLE_SMALL] = {10, "normal", CANVAS_TEXT},
        [STYLE_SCALE] = {10, "normal", CANVAS_FAINT},
    };
    static const char *const anchors[] = {"start", "middle", "end"};
    char *escaped = escape(text);
    fprintf(canvas->svg,
            "<text fill=\"#%06x\" font-size=\"%g\" font-weight=\"%s\" text-anchor=\"%s\" "
            "x=\"%g\" y=\"%g\">",
            styles[style].colour, styles[style].points, styles[style].weight, anchors[anchor], x,
            y);
    const char *shown =
        print_end(canvas, escaped, max_width / (styles[style].points * LETTER_WIDTH));
    for (; *shown; shown++) {
        if (*shown == '<' || *shown == '>' || *shown == '&')
            fprintf(canvas->svg, "&#%d;", *shown);
        else
            fputc(*shown, canvas->svg);
    }
    fputs("</text>\n", canvas->svg);
    free(escaped);
}

void canvas_print(struct canvas *canvas, enum canvas_style style, double x, double y,
                  enum canvas_anchor anchor, const char *format, ...)
{
    char text[300];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    canvas_text(canvas, style, x, y, anchor, 1e9, text);
}

void canvas_finish(struct canvas *canvas, const char *path)
{
    fputs("</svg>\n", canvas->svg);
    if (fclose(canvas->svg) != 0)
        fail(EXIT_FAILED, "out of memory");
    if (!output_write(path, canvas->text, canvas->size))
        exit(EXIT_FAILED);
    free(canvas->text);
    free(canvas);
}
