/*
 * canvas.h: what our pictures are made of, on top of cairo. Lengths are in points; y grows
 * downwards.
 */
#ifndef CB_CANVAS_H
#define CB_CANVAS_H

#include <stddef.h>
#include <stdint.h>

struct canvas;

enum canvas_anchor { ANCHOR_LEFT, ANCHOR_MIDDLE, ANCHOR_RIGHT };

#define CANVAS_TEXT   0x202124u
#define CANVAS_FAINT  0x70757au
#define CANVAS_GRID   0xd8dadeu
#define CANVAS_GROUND 0xeef0f2u

/* A white one. The colour is 0xRRGGBB, 11 points the size of letters, until set otherwise. */
struct canvas *canvas_new(double width, double height);

void canvas_colour(struct canvas *canvas, uint32_t rgb);
void canvas_letters(struct canvas *canvas, double points, int bold);
void canvas_rectangle(struct canvas *canvas, double x, double y, double width, double height);

/* One shape for what would have seams as rectangles: steps up from the base line `bottom`. */
struct canvas_step {
    double x, height; /* from x on */
};
void canvas_steps(struct canvas *canvas, const struct canvas_step *steps, size_t count,
                  double end_x, double bottom);

void canvas_line(struct canvas *canvas, double x0, double y0, double x1, double y1, double width);
void canvas_dashed_line(struct canvas *canvas, double x0, double y0, double x1, double y1);

/*
 * Text beside (x, y), which is on its base line, no wider than max_width: a longer one keeps its
 * end, where paths differ. It may hold any bytes. Returns its width.
 */
double canvas_text(struct canvas *canvas, double x, double y, enum canvas_anchor anchor,
                   double max_width, const char *text);

/* The same of a format, without a limit. */
double canvas_print(struct canvas *canvas, double x, double y, enum canvas_anchor anchor,
                    const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The step of an axis to `end` with 4 to 10 lines: 1, 2 or 5 times a power of ten. */
double canvas_interval(double end);

/* Writes it to a file, whole or not at all, and frees it; exits with a message on any error. */
void canvas_finish(struct canvas *canvas, const char *path);

#endif
