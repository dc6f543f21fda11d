/*
 * recording.h: which pages of which files each executable needed, in the order of their first
 * touch.
 */
#pragma once

#include "replay/profile.h"

#include <stddef.h>
#include <stdint.h>

struct recorded_file {
    char *path;
    struct profile_file identity; /* all but its path */
};

struct recorded_executable {
    char *path;
    struct profile_range *ranges; /* as a profile has them */
    size_t range_count;
};

struct recording {
    struct recorded_file *files; /* by path */
    size_t file_count;
    struct recorded_executable *executables;
    size_t executable_count;
    uint64_t page_count; /* distinct pages of files, whoever needed them */
};

/* The index of the file at this path, or NOT_RECORDED. */
#define NOT_RECORDED UINT32_MAX
uint32_t recording_find(const struct recording *recording, const char *path);

void recording_free(struct recording *recording);
