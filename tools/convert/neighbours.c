/*
 * neighbours.c: see neighbours.h.
 */
#include "convert/neighbours.h"

#include "cli/command.h"
#include "replay/working_set.h"

#include <stdlib.h>

/* No more is brought forward with one range: it delays what is needed before it. */
#define MOST_PAGES_BESIDE 8

/* What stands there, in an array by file and first page: neighbours are side by side. */
struct place {
    struct piece *piece;
};

static int compare_places(const void *a, const void *b)
{
    const struct piece *x = ((const struct place *)a)->piece, *y = ((const struct place *)b)->piece;
    if (x->range.file != y->range.file)
        return x->range.file < y->range.file ? -1 : 1;
    if (x->range.first_page != y->range.first_page)
        return x->range.first_page < y->range.first_page ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* Whether the replay would read `b` along with `a`, which stands before it in the file. */
static bool is_beside(const struct place *a, const struct place *b)
{
    const struct profile_range *x = &a->piece->range, *y = &b->piece->range;
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
static void join(const struct place *places, size_t count, size_t place)
{
    const struct piece *first = places[place].piece;
    size_t low = place, high = place;
    uint64_t pages = 0;
    for (;;) {
        struct piece *joins = NULL;
        if (high + 1 < count && may_join(places[high + 1].piece, first, pages) &&
            is_beside(&places[high], &places[high + 1]))
            joins = places[++high].piece;
        else if (low > 0 && may_join(places[low - 1].piece, first, pages) &&
                 is_beside(&places[low - 1], &places[low]))
            joins = places[--low].piece;
        if (!joins)
            return;
        joins->range.epoch = first->range.epoch;
        joins->file_rank = first->file_rank;
        pages += joins->range.page_count;
    }
}

void neighbours_bring_forward(struct piece *pieces, size_t count)
{
    if (!count)
        return;
    struct place *places = xmalloc(count * sizeof *places);
    size_t *place_of = xmalloc(count * sizeof *place_of);
    for (size_t i = 0; i < count; i++)
        places[i].piece = &pieces[i];
    qsort(places, count, sizeof *places, compare_places);
    for (size_t i = 0; i < count; i++)
        place_of[places[i].piece - pieces] = i;
    for (size_t i = 0; i < count; i++)
        join(places, count, place_of[i]);
    free(places);
    free(place_of);
}
