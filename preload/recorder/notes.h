/*
 * notes.h: what a wrapped call tells of the program: what it read, listed, looked up or mapped.
 * Each does nothing where nothing is recorded.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The program read bytes (> 0) from fd, the first at this offset; record_read_here(): those that
   end at the descriptor's position. bytes <= 0 is nothing. */
void record_read(int fd, int64_t offset, int64_t bytes);
void record_read_here(int fd, int64_t bytes);

/* The program listed the directory. */
void record_listed(int fd);

/* The program has the file behind fd in use from now on: opened for reading, or mapped. */
void record_met(int fd);

/* libc itself looked this path up, and read all of it if it is a file. */
void record_whole_file(const char *path);

/*
 * The program looked a path up, relative to a directory's descriptor or AT_FDCWD. To be called
 * behind the real call; if that `failed`, the kernel is asked whether it was for the pointer, which
 * is then not looked at.
 */
void record_lookup(int directory, const char *path, bool failed);
bool record_may_look_at(int directory, const char *path);

/* What the loader had looked up before this object was loaded. */
void record_loading(void);

/* Before an object is unloaded: its touched pages, and those of what only it needs. */
void record_unloading(void);

/* The touched pages of the mappings between these addresses. */
void record_pages(uintptr_t from, uintptr_t to);
