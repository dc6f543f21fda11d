/*
 * first_touch.c: sorts what all processes saw by time, and keeps of each page the first touch by
 * each executable; for the first executable, which is what is started, that by any of them: a
 * script is worth little without its interpreters and children.
 */
#include "convert/first_touch.h"

#include "cli/command.h"
#include "cli/table.h"
#include "convert/neighbours.h"

#include <stdlib.h>
#include <string.h>

enum { LAST_EPOCH = UINT32_MAX - 1, NO_EPOCH };

struct pieces {
    struct piece *all;
    size_t count;
};

/* What is known of a file while the touches of one executable go by. */
struct file_state {
    uint8_t *seen, *seen_by_any; /* a bit a page; of this executable, and of all until now */
    bool looked_up;
    uint32_t epoch;
    uint32_t rank; /* of the touch of its first new page in that epoch */
};

/* ---- touches -------------------------------------------------------------------------------- */

static int compare_touches(const void *a, const void *b)
{
    const struct touch *x = a, *y = b;
    int order = ORDER(x->executable, y->executable);
    order = order ? order : ORDER(y->is_loading, x->is_loading);
    order = order || x->is_loading ? order : ORDER(x->time_ns, y->time_ns);
    return order ? order : ORDER(x->rank, y->rank);
}

/* What the loader did was seen when it was done, and is as old as the first page that was touched.
 */
static void settle(struct touch *touches, size_t count)
{
    for (size_t i = count; i-- > 0;) {
        struct touch *touch = &touches[i];
        touch->rank = (uint32_t)i;
        if (touch->is_loading && i + 1 < count && touch[1].executable == touch->executable)
            touch->time_ns = touch[1].time_ns;
    }
}

/* ---- pieces --------------------------------------------------------------------------------- */

/* Touched only where used: the file may be sparse. */
static uint8_t *make_bits(const struct profile_file *identity)
{
    uint64_t pages = identity->size / PROFILE_PAGE_BYTES + 1;
    uint8_t *bits = calloc(pages / 8 + 1, 1);
    if (!bits)
        fail(EXIT_FAILED, "out of memory (%ju pages)", (uintmax_t)pages);
    return bits;
}

static void add_piece(struct pieces *pieces, struct file_state *state, const struct touch *touch,
                      uint32_t first_page, uint32_t page_count, uint32_t epoch)
{
    if (state->epoch != epoch) {
        state->epoch = epoch;
        state->rank = touch->rank;
    }
    *GROW(pieces->all, pieces->count) = (struct piece){
        .range = {touch->file, first_page, page_count, epoch},
        .file_rank = state->rank,
    };
}

/* Adds the runs of those of the touch's pages that are new; returns how many nobody had seen. */
static uint64_t add_touch(struct pieces *pieces, struct file_state *state,
                          const struct profile_file *identity, const struct touch *touch,
                          uint32_t epoch)
{
    uint64_t new_to_all = 0;
    state->seen = state->seen ? state->seen : make_bits(identity);
    state->seen_by_any = state->seen_by_any ? state->seen_by_any : make_bits(identity);
    /* What is read has been looked up, if only by the loader or the kernel. */
    if (!state->looked_up)
        add_piece(pieces, state, touch, 0, 0, epoch);
    state->looked_up = true;
    for (uint32_t i = 0, run = 0; i <= touch->page_count; i++) {
        uint32_t page = touch->first_page + i;
        if (i < touch->page_count && set_bit(state->seen, page)) {
            new_to_all += set_bit(state->seen_by_any, page);
            run++;
        } else if (run) {
            add_piece(pieces, state, touch, page - run, run, epoch);
            run = 0;
        }
    }
    return new_to_all;
}

static int compare_pieces(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    int order = ORDER(x->range.epoch, y->range.epoch);
    order = order ? order : ORDER(x->file_rank, y->file_rank);
    order = order ? order : ORDER(x->range.file, y->range.file);
    order = order ? order : ORDER(x->range.first_page, y->range.first_page);
    return order ? order : ORDER(x->range.page_count, y->range.page_count);
}

/* Sorts them, and makes one piece of those that go on where the one before ends. */
static void coalesce(struct pieces *pieces)
{
    size_t kept = 0;
    SORT(pieces->all, pieces->count, compare_pieces);
    for (size_t i = 0; i < pieces->count; i++) {
        const struct profile_range *range = &pieces->all[i].range;
        struct profile_range *last = kept ? &pieces->all[kept - 1].range : NULL;
        if (last && last->page_count && last->file == range->file && last->epoch == range->epoch &&
            last->first_page + last->page_count == range->first_page)
            last->page_count += range->page_count;
        else
            pieces->all[kept++] = pieces->all[i];
    }
    pieces->count = kept;
}

static void hand_out(struct pieces *pieces, struct recorded_executable *out)
{
    coalesce(pieces);
    neighbours_bring_forward(pieces->all, pieces->count);
    coalesce(pieces);
    out->range_count = pieces->count;
    out->ranges = xmalloc(pieces->count * sizeof *out->ranges);
    for (size_t i = 0; i < pieces->count; i++)
        out->ranges[i] = pieces->all[i].range;
    free(pieces->all);
}

/* For the next executable. */
static void forget(struct file_state *state)
{
    free(state->seen);
    *state = (struct file_state){.seen_by_any = state->seen_by_any, .epoch = NO_EPOCH};
}

/* All touches as the first executable's, by time. The caller frees them. */
static struct touch *copy_for_first(const struct touch *touches, size_t count)
{
    struct touch *all = xmalloc((count + 1) * sizeof *all);
    for (size_t i = 0; i < count; i++) {
        all[i] = touches[i];
        all[i].executable = 0;
        all[i].is_loading = false;
    }
    SORT(all, count, compare_touches);
    for (size_t i = 0; i < count; i++)
        all[i].rank = (uint32_t)i;
    return all;
}

/* Hands out the pieces of an executable, whose touches are the first ones; returns their number. */
static size_t add_executable(const struct touch *touches, size_t count, uint32_t epoch_us,
                             struct file_state *states, struct recording *out)
{
    struct pieces pieces = {NULL, 0};
    uint32_t executable = touches->executable;
    size_t i = 0;
    for (size_t f = 0; f < out->file_count; f++)
        forget(&states[f]);
    for (; i < count && touches[i].executable == executable; i++) {
        uint64_t epoch = touches[i].time_ns / 1000 / epoch_us;
        uint32_t file = touches[i].file;
        out->page_count +=
            add_touch(&pieces, &states[file], &out->files[file].identity, &touches[i],
                      epoch < LAST_EPOCH ? (uint32_t)epoch : LAST_EPOCH);
    }
    hand_out(&pieces, &out->executables[executable]);
    return i;
}

void first_touch_order(struct touch *touches, size_t count, uint32_t epoch_us,
                       struct recording *out)
{
    struct file_state *states = xmalloc((out->file_count + 1) * sizeof *states);
    memset(states, 0, out->file_count * sizeof *states);
    SORT(touches, count, compare_touches);
    settle(touches, count);
    struct touch *all = copy_for_first(touches, count);
    if (count)
        add_executable(all, count, epoch_us, states, out);
    free(all);
    for (size_t i = 0; i < count;)
        if (!touches[i].executable)
            i++;
        else
            i += add_executable(touches + i, count - i, epoch_us, states, out);
    for (size_t f = 0; f < out->file_count; f++) {
        free(states[f].seen);
        free(states[f].seen_by_any);
    }
    free(states);
}
