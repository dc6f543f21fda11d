/*
 * objects.h: the ELF objects loaded into this process, as their own headers describe them.
 */
#pragma once

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Addresses are run-time addresses; absent tables are NULL. Each table's count says how far it may
 * be read, within the segment that it is in, and not how far it is good.
 */
struct object {
    uintptr_t base;       /* added to the addresses in the file */
    uintptr_t begin, end; /* of everything it has mapped */
    const ElfW(Phdr) * headers;
    size_t header_count;
    const ElfW(Dyn) * dynamic;
    size_t dynamic_count; /* up to DT_NULL */
    const ElfW(Sym) * symbols;
    size_t symbol_count;
    const ElfW(Half) * versions; /* one a symbol */
    size_t version_count;
    const char *strings;
    size_t string_bytes;
    const uint32_t *gnu_hash;
    size_t gnu_hash_words;
    const ElfW(Word) * sysv_hash;
    size_t sysv_hash_words;
    const ElfW(Rela) * relocations[2]; /* of functions; of data, without the relative ones */
    size_t relocation_counts[2];
    const ElfW(Addr) * init_array;
    size_t init_count;
    const char *soname; /* or NULL; it ends at a zero or after soname_bytes */
    size_t soname_bytes;
    const char *path; /* as the loader names it; "" for the executable */
};

/*
 * Calls visit() for every loaded object in load order, until it returns non-zero; returns that, or
 * 0. Without dl_iterate_phdr() (a weak reference) there are none. Takes the loader's lock: visit()
 * must not load or unload objects. As signal-safe as dl_iterate_phdr().
 */
int objects_visit(int (*visit)(const struct object *object, void *context), void *context);

/*
 * The run-time address of the function that `object` exports as `name`, in the version that a new
 * program is linked with, or NULL. Resolves an indirect function to what its resolver chooses for a
 * machine without optional features.
 */
void *object_function(const struct object *object, const char *name);

/* Whether `object` was linked against the library (without a soname: it was not). */
bool object_needs(const struct object *object, const struct object *library);

/*
 * Whether the executable takes the function `name` from a library. Looks at the relocations, which
 * name each such function once, and so not at those of a machine whose entries have no addends.
 */
bool objects_program_calls(const char *name);

/* How many objects are loaded now: the first so many of objects_visit(). 0: unknown. */
size_t objects_count(void);

/* A number that changes whenever an object is loaded or unloaded. 0: unknown. */
uint64_t objects_generation(void);
