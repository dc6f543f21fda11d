/*
 * symbols.h: the function at a place of an ELF file.
 */
#pragma once

#include <stdint.h>

struct symbols;

struct symbols *symbols_new(void);
void symbols_free(struct symbols *symbols);

/*
 * Returns the name of the function at this offset of the file, from .symtab or else .dynsym, or ""
 * if it has none there. *address is where it is in the file's own addresses, as nm and gdb count;
 * the offset itself if the file is not an ELF object. The name lives as long as symbols.
 */
const char *symbols_find(struct symbols *symbols, const char *path, uint64_t offset,
                         uint64_t *address);
