/*
 * neighbours.c: see neighbours.h.
 */
#include "convert/neighbours.h"

#include "cli/command.h"
#include "cli/table.h"
#include "replay/working_set.h"

#include <stdlib.h>

/* No more is brought forward with one range: it delays what is needed before it. */
#define MOST_PAGES_BESIDE 8

/* Pieces by file and first page, where neighbours are side by side. */
static int compare_places(const void *a, const void *b)
{
    const struct piece *x = *(struct piece *const *)a, *y = *(struct piece *const *)b;
    int order = ORDER(x->range.file, y->range.file);
    order = order ? order : ORDER(x->range.first_page, y->range.first_page);
    return order ? order : ORDER(x, y);
}

/* Whether the replay would read `b` along with `a`, which stands before it in the file. */
static bool is_beside(const struct piece *a, const struct piece *b)
{
    const struct profile_range *x = &a->range, *y = &b->range;
    return x->file == y->file && x->page_count && y->page_count &&
           y->first_page <= (uint64_t)x->first_page + x->page_count + MERGE_GAP_PAGES;
}

/* A piece that is later than the first, and little enough. */
static bool may_join(const struct piece *piece, const struct piece *first, uint64_t pages)
{
    return piece > first && piece->range.epoch > first->range.epoch &&
           pages + piece->range.page_count <= MOST_PAGES_BESIDE;
}

/* Brings forward what stands on either side of the piece at `place`. */
static void join(struct piece *const *places, size_t count, size_t place)
{
    const struct piece *first = places[place];
    size_t low = place, high = place;
    uint64_t pages = 0;
    for (;;) {
        struct piece *joins = NULL;
        if (high + 1 < count && may_join(places[high + 1], first, pages) &&
            is_beside(places[high], places[high + 1]))
            joins = places[++high];
        else if (low > 0 && may_join(places[low - 1], first, pages) &&
                 is_beside(places[low - 1], places[low]))
            joins = places[--low];
        if (!joins)
            return;
        joins->range.epoch = first->range.epoch;
        joins->file_rank = first->file_rank;
        pages += joins->range.page_count;
    }
}

void neighbours_bring_forward(struct piece *pieces, size_t count)
{
    struct piece **places = xmalloc(count * sizeof *places);
    size_t *place_of = xmalloc(count * sizeof *place_of);
    for (size_t i = 0; i < count; i++)
        places[i] = &pieces[i];
    SORT(places, count, compare_places);
    for (size_t i = 0; i < count; i++)
        place_of[places[i] - pieces] = i;
    for (size_t i = 0; i < count; i++)
        join(places, count, place_of[i]);
    free(places);
    free(place_of);
}
