/*
 * file_list.c: see file_list.h.
 *
 * Who builds an image can put first what a start needs first. All such programs take whole files:
 * which pages of them are needed stays in the profile.
 */
#include "show/file_list.h"

#include "base/text.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/table.h"

#include <stdlib.h>
#include <string.h>

static void print_name(const char *path, int rank)
{
    (void)rank;
    print_line("%s", path);
}

/* mksquashfs -sort: a path from the source folder on, and a priority up to 32767; others have 0. */
static void print_squashfs(const char *path, int rank)
{
    for (const char *at = path + 1; *at; at++)
        printf("%s%c", strchr(" \\#", *at) ? "\\" : "", *at);
    printf(" %d\n", rank < 32767 ? 32767 - rank : 1);
}

/* What ctr-remote calls a record file: JSON objects, whose paths have no slash in front. */
static void print_estargz(const char *path, int rank)
{
    (void)rank;
    struct json out = {.stream = stdout};
    json_open(&out, NULL, '{');
    json_text(&out, "path", path + 1);
    json_close(&out, "}\n");
}

/* nydus-image and nydusify read absolute paths from their standard input. */
static void print_nydus(const char *path, int rank)
{
    (void)rank;
    puts(path);
}

static const struct file_list_form {
    const char *name;
    void (*print)(const char *path, int rank);
} forms[] = {
    {NULL, print_name},
    {"squashfs", print_squashfs},
    {"estargz", print_estargz},
    {"nydus", print_nydus},
};

const struct file_list_form *file_list_find(const char *name)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (name && forms[i].name ? strcmp(name, forms[i].name) == 0 : name == forms[i].name)
            return &forms[i];
    return NULL;
}

struct first_read {
    uint32_t file, epoch, range;
};

static int by_file(const void *a, const void *b)
{
    const struct first_read *x = a, *y = b;
    return ORDER(x->file, y->file);
}

static int by_time(const void *a, const void *b)
{
    const struct first_read *x = a, *y = b;
    return x->epoch != y->epoch ? ORDER(x->epoch, y->epoch) : ORDER(x->range, y->range);
}

static int by_file_and_time(const void *a, const void *b)
{
    int order = by_file(a, b);
    return order ? order : by_time(a, b);
}

/* Whether a list of lines can name it to a program that wants UTF-8 and cuts blanks off. */
static bool is_line(const char *path)
{
    while (*path) {
        size_t length = text_utf8_length(path);
        if (length == 0 || (unsigned char)*path < ' ' || *path == 0x7f)
            return false;
        path += length;
    }
    return path[-1] != ' ';
}

void file_list_print(const struct profile *profile, const struct file_list_form *form)
{
    struct first_read *touches = NULL;
    size_t count = 0, left_out = 0;
    for (uint32_t r = 0; r < profile->header->range_count; r++) {
        const struct profile_range *range = &profile->ranges[r];
        if (range->page_count)
            *GROW(touches, count) = (struct first_read){range->file, range->epoch, r};
    }
    if (!touches)
        return;
    SORT(touches, count, by_file_and_time);
    count = table_unite(touches, count, sizeof *touches, by_file);
    SORT(touches, count, by_time);
    for (size_t i = 0; i < count; i++) {
        const char *path = profile->strings + profile->files[touches[i].file].path;
        if (form->name && !is_line(path))
            left_out++;
        else
            form->print(path, (int)i);
    }
    if (left_out)
        warn("%zu files are left out: a line of text cannot name them", left_out);
    free(touches);
}
