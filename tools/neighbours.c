/*
 * neighbours.c: see neighbours.h.
 */
#include "neighbours.h"

#include "command.h"
#include "working_set.h"

#include <stdlib.h>

/* No more is brought forward with one range: it delays what is needed before it. */
#define MOST_PAGES_BESIDE 8

/* By file and place, which is where neighbours are; of the same place, by time. */
static int compare_places(const void *a, const void *b)
{
    const struct piece *const *x = a, *const *y = b;
    const struct profile_range *p = &(*x)->range, *q = &(*y)->range;
    if (p->file != q->file)
        return p->file < q->file ? -1 : 1;
    if (p->first_page != q->first_page)
        return p->first_page < q->first_page ? -1 : 1;
    return *x < *y ? -1 : *x > *y;
}

/* Whether the replay would read `b` along with `a`, which stands before it in the file. */
static bool is_beside(const struct profile_range *a, const struct profile_range *b)
{
    return a->file == b->file && a->page_count && b->page_count &&
           b->first_page <= (uint64_t)a->first_page + a->page_count + MERGE_GAP_PAGES;
}

/* A piece that is later than the first, and little enough. */
static bool may_join(const struct piece *piece, const struct piece *first, uint64_t pages)
{
    return piece > first && piece->range.epoch > first->range.epoch &&
           pages + piece->range.page_count <= MOST_PAGES_BESIDE;
}

/* Brings forward what stands on either side of the piece at `place`. */
static void join(struct piece **places, size_t count, size_t place)
{
    struct piece *first = places[place];
    size_t low = place, high = place;
    uint64_t pages = 0;
    for (;;) {
        struct piece *joins = NULL;
        if (high + 1 < count && may_join(places[high + 1], first, pages) &&
            is_beside(&places[high]->range, &places[high + 1]->range))
            joins = places[++high];
        else if (low > 0 && may_join(places[low - 1], first, pages) &&
                 is_beside(&places[low - 1]->range, &places[low]->range))
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
    if (!count)
        return;
    struct piece **places = xmalloc(count * sizeof *places);
    size_t *place_of = xmalloc(count * sizeof *place_of);
    for (size_t i = 0; i < count; i++)
        places[i] = &pieces[i];
    qsort(places, count, sizeof *places, compare_places);
    for (size_t i = 0; i < count; i++)
        place_of[places[i] - pieces] = i;
    for (size_t i = 0; i < count; i++)
        join(places, count, place_of[i]);
    free(places);
    free(place_of);
}
