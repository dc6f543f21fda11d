/*
 * inspect.h: what coldboost inspect finds out, before it is printed.
 */
#pragma once

#include "inspect/inspect_elf.h"
#include "profile/identity.h"
#include "replay/profile.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* Flags of a page of a file. */
enum { PAGE_RESIDENT = 1, PAGE_BLIND = 2, PAGE_PROFILED = 4 };

/* A loaded ELF file. All text is owned unless it is const. */
struct inspected_object {
    char *path;
    char *real;                            /* without symbolic links, or NULL */
    char *name;                            /* that it was asked for by */
    const struct inspected_object *parent; /* who asked for it, or NULL */
    const char *found_by;
    char *error; /* why nothing below is known, or NULL */
    struct elf_facts elf;
    uintptr_t base; /* in the process; 0 for a file */
    uint8_t *pages; /* flags; NULL without any */
    size_t page_count;
    bool residency_known;
    struct object_plan {
        uint64_t bytes;
        uint32_t ranges;
    } blind, profiled;
    bool profile_is_stale; /* the file has another size than the recorded one */
};

struct inspection {
    const char *subject;
    pid_t pid;           /* 0: a file */
    char **interpreters; /* of a script, the last one is the program */
    size_t interpreter_count;
    char *program; /* the ELF file that runs */
    const char *kind, *libc;
    char *loader_soname; /* a library of this name is the loader, which is there already; or NULL */
    unsigned glibc_major, glibc_minor; /* the highest version that any object needs; 0.0: none */
    bool set_uid, set_gid, is_preloaded;
    uint64_t capabilities; /* of the file, permitted */
    char *obstacle;        /* why it cannot be preloaded, or NULL */
    const char *remedy;
    char *audit_obstacle; /* why it cannot be started with LD_AUDIT, or NULL */
    struct static_tls {
        uint64_t needed, room, most; /* bytes: of all libraries, with an auditor, of the largest */
        uint64_t optional;           /* what glibc.rtld.optional_static_tls is */
        bool can_be_tuned;           /* by that */
        const char *misaligned;      /* a library with too large an alignment, or NULL */
    } static_tls;
    char **preloads; /* others, by LD_PRELOAD and /etc/ld.so.preload */
    size_t preload_count;
    struct inspected_object **objects; /* in load order */
    size_t object_count;
    bool has_profile, profile_names_program;
    struct object_plan elsewhere; /* what the profile pages in of other files */
    struct identity_counts recorded;
};

/*
 * Fills out all but the plans. They exit with a message if there is nothing to inspect. What is
 * found lives until the tool ends. A name without a folder is looked for in PATH.
 */
void inspect_file(const char *name, struct inspection *out);
void inspect_process(pid_t pid, struct inspection *out);

/* Opens and reads an object into the inspection; its error says why if that fails. */
struct inspected_object *inspect_object(struct inspection *inspection, const char *open_path,
                                        const char *path, const char *name,
                                        const struct inspected_object *parent,
                                        const char *found_by);

/* The libraries that the first object loads, and theirs, as its loader would find them. */
void inspect_libraries(struct inspection *inspection);

/* Whether it would start with an auditor; when its libraries are known. */
void inspect_audit(struct inspection *inspection);

/* What the program's ELF file and its probe say: kind, libc, privileges, obstacle. */
struct program;
void inspect_program(struct inspection *inspection, const char *open_path, struct program *program);

/* Adds the names in a list as LD_PRELOAD has it, and those in /etc/ld.so.preload. */
void add_preloads(struct inspection *inspection, const char *list);
void add_system_preloads(struct inspection *inspection);

/* Residency is to be looked at before anything of the file is read. */
void find_residency(int fd, struct inspected_object *object);
void plan_blind(struct inspection *inspection);
void plan_profile(struct inspection *inspection, const struct profile *profile);

/* How many of the file's bytes [offset, offset + bytes) lie in pages with the flag, in pages. */
struct page_share {
    uint64_t pages, flagged;
};
struct page_share share_of_pages(const struct inspected_object *object, uint64_t offset,
                                 uint64_t bytes, uint8_t flag);

void print_inspection(const struct inspection *inspection, bool utf8);
void print_inspection_json(const struct inspection *inspection);

/*
 * The n-th path that /etc/ld.so.cache has for a library, or NULL. Takes bytes and trusts nothing.
 * Those for certain processors only are left out.
 */
const char *library_cache_find(const char *bytes, size_t size, const char *name, uint16_t machine,
                               size_t n);
