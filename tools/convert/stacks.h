/*
 * stacks.h: who first used each file, as `coldboost record --stacks` leaves it behind a profile.
 *
 *   section: tag │ bytes │ crc32 │ content;   content: counts │ stacks │ frames │ strings
 *
 * What stands behind a profile (profile_header.extra_bytes) is a row of such sections; one with an
 * unknown tag is skipped. The replay reads none of this. All numbers are little-endian, and names
 * were found when the profile was recorded: nothing is opened to show them.
 */
#pragma once

#include "convert/trace_reader.h"
#include "replay/profile.h"

struct extra_section {
    uint8_t tag[8];
    uint32_t bytes; /* of the content */
    uint32_t crc32; /* of the content */
};
static_assert(sizeof(struct extra_section) == 16, "on-disk layout");
#define STACKS_TAG "CBSTACKS"

struct stacks_counts {
    uint32_t stacks, frames, string_bytes, reserved;
};
static_assert(sizeof(struct stacks_counts) == 16, "on-disk layout");

struct stacks_stack {
    uint32_t file;       /* of the profile */
    uint32_t executable; /* string: the program that used it */
    uint32_t first_frame;
    uint32_t frame_count;
};
static_assert(sizeof(struct stacks_stack) == 16, "on-disk layout");

/* One call, the innermost first. */
struct stacks_frame {
    uint64_t address;  /* as the object counts them */
    uint32_t object;   /* string: path; "" for code that was made at run time */
    uint32_t function; /* string; "" if its name is not known */
};
static_assert(sizeof(struct stacks_frame) == 16, "on-disk layout");

struct stacks {
    uint32_t stack_count;
    const struct stacks_stack *all;
    const struct stacks_frame *frames;
    const char *strings;
    uint8_t *content; /* all of the above; the caller's to free */
};

/*
 * Makes the section from a trace, with the files of its recording; *size is 0 if there is no stack
 * in it. Looks into the objects for the names of functions. The result is the caller's to free.
 */
uint8_t *stacks_make(const struct trace_header *trace, const struct recording *recording,
                     size_t *size);

/*
 * Finds and validates the section among the `size` bytes behind a profile. Returns 0 (without one,
 * stack_count is 0), or
 *   -EMSGSIZE a section is cut      -EBADMSG its checksum disagrees
 *   -EINVAL   an entry is out of bounds
 */
int stacks_parse(const struct profile *profile, const uint8_t *extra, size_t size,
                 struct stacks *out);
