/*
 * canvas.h: what our pictures are made of, as SVG. Lengths are in points; y grows downwards; a
 * colour is 0xRRGGBB.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct canvas;

enum canvas_anchor { ANCHOR_LEFT, ANCHOR_MIDDLE, ANCHOR_RIGHT };
enum canvas_style {
    STYLE_TITLE,
    STYLE_HEADING,
    STYLE_STRONG,
    STYLE_BODY,
    STYLE_NOTE,
    STYLE_SMALL,
    STYLE_SCALE
};

#define CANVAS_WIDTH  1000.0
#define CANVAS_MARGIN 24.0

#define CANVAS_TEXT   0x202124u
#define CANVAS_FAINT  0x70757au
#define CANVAS_GRID   0xd8dadeu
#define CANVAS_GROUND 0xeef0f2u

/* A white one, CANVAS_WIDTH wide, with a title and what it says below. */
struct canvas *canvas_new(double height, const char *title, const char *note);

void canvas_rectangle(struct canvas *canvas, uint32_t colour, double x, double y, double width,
                      double height);

/* One shape for what would have seams as rectangles: steps up from the base line `bottom`. */
struct canvas_step {
    double x, height; /* from x on */
};
void canvas_steps(struct canvas *canvas, uint32_t colour, const struct canvas_step *steps,
                  size_t count, double end_x, double bottom);

void canvas_line(struct canvas *canvas, uint32_t colour, double width, double x0, double y0,
                 double x1, double y1);

/*
 * Text beside (x, y), which is on its base line, of about max_width at most: a longer one keeps its
 * end, where paths differ. It may hold any bytes.
 */
void canvas_text(struct canvas *canvas, enum canvas_style style, double x, double y,
                 enum canvas_anchor anchor, double max_width, const char *text);

/* The same of a format, without a limit. */
void canvas_print(struct canvas *canvas, enum canvas_style style, double x, double y,
                  enum canvas_anchor anchor, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* Writes it to a file, whole or not at all, and frees it; exits with a message on any error. */
void canvas_finish(struct canvas *canvas, const char *path);
