/*
 * first_touch.h: from what the programs of a recording touched to the ranges of each executable.
 */
#pragma once

#include "convert/recording.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct touch {
    uint64_t time_ns;
    uint32_t executable, file;
    uint32_t first_page, page_count; /* page_count 0: a look-up, or a listing */
    uint32_t rank;                   /* in the order of the trace; then in that of all touches */
    bool is_loading;                 /* the loader's, ahead of all others of the image */
};

/*
 * Sorts the touches by time and gives each executable of the recording its ranges: of each page the
 * first touch by it; and the first executable, which is what was started, the first touch by any of
 * them. Counts the recording's pages.
 */
void first_touch_order(struct touch *touches, size_t count, uint32_t epoch_us,
                       struct recording *out);
