/*
 * inspect_elf.h: what an ELF file says about its start: bytes of a file in, bounded facts out.
 */
#pragma once

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_BUILD_ID_BYTES 64

struct elf_section {
    char name[48]; /* a longer one is cut */
    uint32_t type; /* SHT_ */
    uint64_t flags, offset, bytes;
};

/* All text and tables are owned; absent text is NULL. */
struct elf_facts {
    uint64_t size; /* of the file */
    uint16_t machine, type;
    ElfW(Phdr) * headers; /* the loaded ones lie within the file, and their addresses add up */
    size_t header_count;
    char *interpreter;
    bool is_dynamic, is_pie, no_default_folders;
    char *soname, *rpath, *runpath;
    char **needed;
    size_t needed_count;
    unsigned glibc_major, glibc_minor; /* the highest version it names; 0.0: none */
    uint8_t build_id[ELF_BUILD_ID_BYTES];
    size_t build_id_bytes;
    struct elf_section *sections;
    size_t section_count;
    uint64_t *initialisers; /* addresses in the file, without those of ELF files without a loader */
    size_t initialiser_count;
    /* Relocations: those that add the base, look a symbol up, bind a function, call a resolver. */
    uint64_t relative, symbolic, functions, indirect;
    uint64_t relocated_pages; /* that they write to */
    bool has_crc32, is_zlib;  /* exports crc32; and zlibVersion */
    /* Thread-local data that is reached at a fixed place: its own; its own, if there is room; that
     * of whoever defines the wanted names. And the names it defines for others. */
    bool wants_static_tls, prefers_static_tls;
    char **wanted_tls, **defined_tls;
    size_t wanted_tls_count, defined_tls_count;
};

/*
 * Reads what it needs of an ELF file of this machine's class and byte order, and no more: never the
 * whole file, never more than 64 MiB of a table, whatever its headers say. Returns NULL, or
 * why it cannot: a sentence's end that follows the file's name, "is no …". The facts are to be
 * released in both cases.
 */
const char *elf_facts_read(int fd, struct elf_facts *out);
void elf_facts_release(struct elf_facts *facts);

/* "glibc", "musl" or "none": whose loader or library it asks for. */
const char *elf_facts_libc(const struct elf_facts *facts);

/* Whether it is a loader, which may be called with a program as its argument. */
bool elf_facts_is_loader(const struct elf_facts *facts);

/* The offset in the file of an address in it, or UINT64_MAX. */
uint64_t elf_facts_offset(const struct elf_facts *facts, uint64_t address);
