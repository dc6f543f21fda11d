/*
 * blind.h: what can be paged in usefully without a profile.
 */
#pragma once

#include "base/objects.h"

#include <stdbool.h>
#include <stdint.h>

#define BLIND_WINDOW_BYTES (64u << 10) /* around each initialiser */
#define BLIND_BUDGET_BYTES (2u << 20)  /* the default */

struct blind_result {
    uint32_t ranges; /* asked for */
    uint64_t bytes;
};

/*
 * Whether the loaded ELF objects are in memory as a whole: looks at one page of code in each of the
 * first few, the first of which is the executable. False as soon as one is not. Takes the loader's
 * lock meanwhile.
 */
bool blind_is_warm(const char *executable);

/*
 * What is asked for around an address of the object's file-backed part: [*from, *to), run-time
 * addresses. False if the address is elsewhere. Looks at the base and the headers alone.
 */
bool blind_window(const struct object *object, uintptr_t address, uintptr_t *from, uintptr_t *to);

/*
 * Starts reading the parts of the loaded ELF objects that will run for certain, up to budget_bytes
 * (0: the default, see blind.c). Takes the loader's lock for the time of a few system calls.
 */
struct blind_result blind_page_in(uint64_t budget_bytes);
