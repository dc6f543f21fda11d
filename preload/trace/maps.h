/*
 * maps.h: the file mappings of a process, from the text of /proc/PID/maps.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct mapping {
    uintptr_t start, end;
    uint64_t offset;
    uint64_t device, inode; /* as stat(2) has them, but on overlayfs */
    bool executable;
    const char *path;
    uint32_t path_length;
};

/*
 * Parses a line, which a zero ends; false unless it maps a file. The path points into the line, and
 * is decoded there: the kernel writes a newline in it as \012, and nothing else so.
 */
bool maps_parse(char *line, uint32_t length, struct mapping *out);

/*
 * Reads the open file, calls visit() for each mapping of a file, and returns 0, or -errno if it
 * cannot be read. System calls only; the buffer has room for MAPS_BYTES, a line.
 */
#define MAPS_BYTES (32u << 10)
int maps_visit(int fd, char *buffer, void (*visit)(const struct mapping *mapping, void *context),
               void *context);
