/*
 * inspect_elf.c: reads the tables that a loader would use, piece by piece.
 *
 * libelf (elf/elf_file.h) compares every piece with the file. What it hands out is believed no
 * more than that: every count has a limit, and no chain is followed longer than its table could be.
 */
#include "inspect/inspect_elf.h"

#include "base/text.h"
#include "cli/command.h"
#include "cli/table.h"
#include "elf/elf_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#ifndef DT_RELR
#define DT_RELRSZ 35
#define DT_RELR   36
#endif
#ifndef R_AARCH64_TLS_TPREL
#define R_AARCH64_TLS_TPREL 1030
#endif

enum {
    MAX_SECTIONS = 8192,
    MAX_DYNAMIC = 4096,
    MAX_NEEDED = 1024,
    MAX_INITIALISERS = 1 << 16,
    MAX_CHAIN = 1 << 14,         /* of a symbol's hash bucket, bytes */
    MAX_VERSION_BYTES = 1 << 16, /* of the table */
    MAX_VERSIONS = 1 << 14,
    MAX_INTERPRETER = 4096,
    MAX_TLS = 1024,
};
#define MAX_TABLE_BYTES ((uint64_t)64 << 20)
#define MAX_SPAN_BYTES  ((uint64_t)16 << 30) /* of an object's addresses */
#define PAGE            4096u

struct reader {
    Elf *elf;
    struct elf_facts *facts;
    const ElfW(Dyn) * dynamic;
    size_t dynamic_count;
    const Elf_Data *strings; /* of the dynamic section */
    unsigned tls_lookups;
    uint64_t begin;      /* the lowest address */
    uint64_t page_count; /* up to the highest one */
    uint8_t *pages;      /* bit map of those that relocations write to */
};

static bool lies_within(uint64_t offset, uint64_t bytes, uint64_t size)
{
    return offset <= size && bytes <= size - offset;
}

static const ElfW(Phdr) * segment_of(const struct elf_facts *facts, uint64_t address)
{
    for (size_t i = 0; i < facts->header_count; i++) {
        const ElfW(Phdr) *header = &facts->headers[i];
        if (header->p_type == PT_LOAD && address >= header->p_vaddr &&
            address - header->p_vaddr < header->p_filesz)
            return header;
    }
    return NULL;
}

uint64_t elf_facts_offset(const struct elf_facts *facts, uint64_t address)
{
    const ElfW(Phdr) *segment = segment_of(facts, address);
    return segment ? segment->p_offset + (address - segment->p_vaddr) : UINT64_MAX;
}

static bool has_prefix(const char *path, const char *prefix)
{
    return text_after(text_last_part(path), prefix);
}

const char *elf_facts_libc(const struct elf_facts *facts)
{
    if (facts->interpreter)
        return has_prefix(facts->interpreter, "ld-musl") ? "musl" : "glibc";
    for (size_t i = 0; i < facts->needed_count; i++) {
        if (has_prefix(facts->needed[i], "libc.musl") || strcmp(facts->needed[i], "libc.so") == 0)
            return "musl";
        if (strcmp(facts->needed[i], "libc.so.6") == 0)
            return "glibc";
    }
    return facts->glibc_major ? "glibc" : "none";
}

bool elf_facts_is_loader(const struct elf_facts *facts)
{
    return !facts->interpreter && facts->soname && !facts->is_pie && !facts->needed_count &&
           (has_prefix(facts->soname, "ld-") || has_prefix(facts->soname, "ld64.") ||
            has_prefix(facts->soname, "ld.so") || has_prefix(facts->soname, "libc.musl"));
}

/* As the loader sees it: what stands in the file at an address, as far as the segment goes. */
static Elf_Data *piece_at(const struct reader *reader, uint64_t address, uint64_t least,
                          uint64_t most, Elf_Type type)
{
    const ElfW(Phdr) *segment = segment_of(reader->facts, address);
    uint64_t at = segment ? address - segment->p_vaddr : 0;
    uint64_t left = segment ? segment->p_filesz - at : 0;
    left = left < most ? left : most;
    return left && left >= least ? elf_file_piece(reader->elf, segment->p_offset + at, left, type)
                                 : NULL;
}

/* NULL if it is empty or out of bounds. */
static void *table_at(const struct reader *reader, uint64_t address, uint64_t bytes, Elf_Type type)
{
    Elf_Data *piece =
        bytes <= MAX_TABLE_BYTES ? piece_at(reader, address, bytes, bytes, type) : NULL;
    return piece ? piece->d_buf : NULL;
}

static uint64_t value(const struct reader *reader, int64_t tag)
{
    for (size_t i = 0; i < reader->dynamic_count; i++)
        if (reader->dynamic[i].d_tag == tag)
            return reader->dynamic[i].d_un.d_val;
    return 0;
}

static void free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free((void *)names);
}

/* ---- headers ----------------------------------------------------------------------------------*/

static const char *check_loaded(struct reader *reader)
{
    const struct elf_facts *facts = reader->facts;
    uint64_t begin = UINT64_MAX, end = 0;
    for (size_t i = 0; i < facts->header_count; i++) {
        const ElfW(Phdr) *header = &facts->headers[i];
        if (header->p_type != PT_LOAD)
            continue;
        if (!lies_within(header->p_offset, header->p_filesz, facts->size))
            return "is truncated: a segment goes on beyond its end; copy or install it again";
        if (header->p_filesz > header->p_memsz || header->p_vaddr > UINT64_MAX / 4 ||
            header->p_memsz > UINT64_MAX / 4)
            return "is damaged: a segment's sizes contradict each other; install it again";
        if (header->p_vaddr < end)
            return "is damaged: its segments overlap; install it again";
        begin = header->p_vaddr < begin ? header->p_vaddr : begin;
        end = header->p_vaddr + header->p_memsz;
    }
    if (end && end - begin <= MAX_SPAN_BYTES) {
        reader->begin = begin & ~(uint64_t)(PAGE - 1);
        reader->page_count = (end - reader->begin + PAGE - 1) / PAGE;
    }
    return NULL;
}

static const char *check_ident(const struct elf_facts *facts, const unsigned char *ident)
{
    if (facts->size < EI_NIDENT || memcmp(ident, ELFMAG, SELFMAG) != 0)
        return "is not an ELF file";
    if (ident[EI_CLASS] == ELFCLASS32)
        return "is a 32-bit program, and libcoldboost.so is 64-bit; use a 64-bit build of it";
    if (ident[EI_CLASS] != ELFCLASS64)
        return "is of another class than libcoldboost.so";
    if (ident[EI_DATA] != (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB))
        return "is of the other byte order; inspect it on its own machine";
    return NULL;
}

static const char *read_headers(struct reader *reader, int fd)
{
    static const char cut[] = "is a truncated ELF file; copy or install it again";
    struct elf_facts *facts = reader->facts;
    unsigned char ident[EI_NIDENT];
    reader->elf = elf_file_open(fd, ident);
    const char *error = check_ident(facts, ident);
    if (error)
        return error;
    const ElfW(Ehdr) *header = elf64_getehdr(reader->elf);
    if (!header)
        return facts->size < sizeof *header
                   ? cut
                   : "is damaged: no loader would take its header; install it again";
    facts->machine = header->e_machine;
    facts->type = header->e_type;
    if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
        return "is neither an executable nor a shared library";
    if (header->e_phentsize != sizeof *facts->headers || header->e_phnum == 0 ||
        header->e_phnum > ELF_MAX_HEADERS)
        return "is damaged: no loader would take its program headers; install it again";
    const ElfW(Phdr) *headers = elf64_getphdr(reader->elf);
    if (!headers)
        return cut;
    facts->header_count = header->e_phnum;
    facts->headers = xmalloc(facts->header_count * sizeof *headers);
    memcpy(facts->headers, headers, facts->header_count * sizeof *headers);
    return check_loaded(reader);
}

/* Only debuggers and we need them: a damaged table is as good as none. */
static void read_sections(struct reader *reader)
{
    struct elf_facts *facts = reader->facts;
    const ElfW(Ehdr) *header = elf64_getehdr(reader->elf);
    const ElfW(Shdr) *section = elf64_getshdr(elf_getscn(reader->elf, header->e_shstrndx));
    if (!section || header->e_shnum > MAX_SECTIONS || header->e_shentsize != sizeof *section)
        return;
    const Elf_Data *names =
        elf_file_piece(reader->elf, section->sh_offset, section->sh_size, ELF_T_BYTE);
    facts->sections = xmalloc(header->e_shnum * sizeof *facts->sections);
    for (size_t i = 1; i < header->e_shnum; i++) {
        section = elf64_getshdr(elf_getscn(reader->elf, i));
        if (section->sh_type != SHT_NOBITS &&
            !lies_within(section->sh_offset, section->sh_size, facts->size))
            continue;
        const char *name = elf_file_text(names, section->sh_name);
        struct elf_section *out = &facts->sections[facts->section_count++];
        *out = (struct elf_section){.type = section->sh_type,
                                    .flags = section->sh_flags,
                                    .offset = section->sh_offset,
                                    .bytes = section->sh_size};
        snprintf(out->name, sizeof out->name, "%s", name ? name : "?");
    }
}

/* ---- the dynamic section ----------------------------------------------------------------------*/

static const char *read_dynamic(struct reader *reader, const ElfW(Phdr) * segment)
{
    struct elf_facts *facts = reader->facts;
    uint64_t bytes = segment->p_filesz;
    const Elf_Data *dynamic = bytes && bytes <= MAX_DYNAMIC * sizeof *reader->dynamic
                                  ? elf_file_piece(reader->elf, segment->p_offset, bytes, ELF_T_DYN)
                                  : NULL;
    if (!dynamic)
        return "is damaged: its dynamic section is out of bounds; install it again";
    reader->dynamic = dynamic->d_buf;
    while (reader->dynamic_count < bytes / sizeof *reader->dynamic &&
           reader->dynamic[reader->dynamic_count].d_tag != DT_NULL)
        reader->dynamic_count++;
    facts->is_dynamic = true;
    uint64_t flags = value(reader, DT_FLAGS_1), size = value(reader, DT_STRSZ);
    facts->is_pie = (flags & DF_1_PIE) != 0;
    facts->no_default_folders = (flags & DF_1_NODEFLIB) != 0;
    reader->strings = piece_at(reader, value(reader, DT_STRTAB), 0,
                               size < MAX_TABLE_BYTES ? size : MAX_TABLE_BYTES, ELF_T_BYTE);
    for (size_t i = 0; i < reader->dynamic_count; i++) {
        int64_t tag = reader->dynamic[i].d_tag;
        char **text = tag == DT_SONAME    ? &facts->soname
                      : tag == DT_RPATH   ? &facts->rpath
                      : tag == DT_RUNPATH ? &facts->runpath
                                          : NULL;
        if (!text && tag != DT_NEEDED)
            continue;
        if (tag == DT_NEEDED && facts->needed_count == MAX_NEEDED - 1)
            return "needs more libraries than any loader would take; install it again";
        const char *name = elf_file_text(reader->strings, reader->dynamic[i].d_un.d_val);
        if (!name)
            return "is damaged: a name is outside its string table; install it again";
        if (tag == DT_NEEDED) {
            *GROW(facts->needed, facts->needed_count) = xstrdup(name);
        } else {
            free(*text); /* named twice */
            *text = xstrdup(name);
        }
    }
    return NULL;
}

static void take_version(struct elf_facts *facts, const char *name)
{
    unsigned major, minor;
    if (name && sscanf(name, "GLIBC_%3u.%3u", &major, &minor) == 2 &&
        (major > facts->glibc_major ||
         (major == facts->glibc_major && minor > facts->glibc_minor))) {
        facts->glibc_major = major;
        facts->glibc_minor = minor;
    }
}

/* Two chains of distances. The step is what ends those that lead back. */
static void read_versions(struct reader *reader)
{
    uint64_t files = value(reader, DT_VERNEEDNUM);
    Elf_Data *table =
        piece_at(reader, value(reader, DT_VERNEED), 0, files ? MAX_VERSION_BYTES : 0, ELF_T_VNEED);
    GElf_Verneed need;
    GElf_Vernaux version;
    uint32_t at = 0, step = 0;
    while (files-- && step++ < MAX_VERSIONS && gelf_getverneed(table, (int)at, &need)) {
        uint32_t entry = at + need.vn_aux;
        for (unsigned i = 0; i < need.vn_cnt && step++ < MAX_VERSIONS; i++) {
            if (!gelf_getvernaux(table, (int)entry, &version))
                return;
            take_version(reader->facts, elf_file_text(reader->strings, version.vna_name));
            entry += version.vna_next;
        }
        at += need.vn_next;
    }
}

/* Up to the last symbol in the hash table: of the System V ABI, or of GNU, which has no count. */
static uint64_t count_symbols(const struct reader *reader)
{
    uint64_t gnu = value(reader, DT_GNU_HASH);
    uint64_t table = gnu ? gnu : value(reader, DT_HASH);
    const uint32_t *head = table_at(reader, table, 4 * sizeof *head, ELF_T_WORD);
    if (!head || !gnu)
        return head ? head[1] : 0;
    uint64_t at = table + 4 * sizeof *head + (uint64_t)head[2] * sizeof(ElfW(Addr));
    const uint32_t *buckets = table_at(reader, at, head[0] * sizeof *head, ELF_T_WORD);
    uint32_t last = 0;
    for (uint32_t i = 0; buckets && i < head[0]; i++)
        last = buckets[i] > last ? buckets[i] : last;
    if (last < head[1])
        return 0;
    at += ((uint64_t)head[0] + last - head[1]) * sizeof *head;
    const Elf_Data *chain = piece_at(reader, at, sizeof *head, MAX_CHAIN, ELF_T_WORD);
    const uint32_t *link = chain ? chain->d_buf : NULL;
    uint32_t more = 0;
    while (link && more < chain->d_size / sizeof *link && !(link[more] & 1))
        more++;
    return (uint64_t)last + more + 1;
}

static void read_exports(struct reader *reader)
{
    struct elf_facts *facts = reader->facts;
    uint64_t count = count_symbols(reader);
    const ElfW(Sym) *symbols =
        table_at(reader, value(reader, DT_SYMTAB), count * sizeof *symbols, ELF_T_SYM);
    for (uint64_t i = 0; symbols && i < count; i++) {
        const ElfW(Sym) *symbol = &symbols[i];
        unsigned type = symbol->st_info & 0xf, binding = symbol->st_info >> 4;
        bool is_function = type == STT_FUNC || type == STT_GNU_IFUNC;
        const char *name = symbol->st_shndx != SHN_UNDEF && binding != STB_LOCAL
                               ? elf_file_text(reader->strings, symbol->st_name)
                               : NULL;
        facts->has_crc32 |= name && is_function && strcmp(name, "crc32") == 0;
        facts->is_zlib |= name && is_function && strcmp(name, "zlibVersion") == 0;
        if (name && type == STT_TLS && facts->defined_tls_count < MAX_TLS)
            *GROW(facts->defined_tls, facts->defined_tls_count) = xstrdup(name);
    }
}

/* ---- relocations and initialisers -------------------------------------------------------------*/

/* A relocation to the distance from the thread pointer, of the symbol in the table's place. */
static void note_static_tls(struct reader *reader, uint64_t index)
{
    struct elf_facts *facts = reader->facts;
    if (index && reader->tls_lookups++ >= MAX_TLS)
        return;
    uint64_t at = value(reader, DT_SYMTAB) + index * sizeof(ElfW(Sym));
    const ElfW(Sym) *symbol = index ? table_at(reader, at, sizeof *symbol, ELF_T_SYM) : NULL;
    const char *name = symbol ? elf_file_text(reader->strings, symbol->st_name) : NULL;
    if (!symbol || symbol->st_shndx != SHN_UNDEF)
        facts->wants_static_tls = true;
    else if (name)
        *GROW(facts->wanted_tls, facts->wanted_tls_count) = xstrdup(name);
}

static void mark_page(struct reader *reader, uint64_t address)
{
    uint64_t page = (address - reader->begin) / PAGE;
    if (address >= reader->begin && page < reader->page_count)
        reader->facts->relocated_pages += set_bit(reader->pages, page);
}

/* Where the linker left zeros, the address stands in the relocation. */
static void set_initialiser(struct reader *reader, uint64_t address, uint64_t target)
{
    uint64_t begin = value(reader, DT_INIT_ARRAY);
    uint64_t index = (address - begin) / sizeof(ElfW(Addr));
    if (address >= begin && index < reader->facts->initialiser_count)
        reader->facts->initialisers[index] = target;
}

static const char *count_relocations(struct reader *reader, uint64_t address, uint64_t bytes,
                                     bool of_functions)
{
    struct elf_facts *facts = reader->facts;
    const ElfW(Rela) *table = table_at(reader, address, bytes, ELF_T_RELA);
    if (bytes && !table)
        return "is damaged: its relocations are out of bounds; install it again";
    bool arm = facts->machine == EM_AARCH64;
    uint32_t type_relative = arm ? R_AARCH64_RELATIVE : R_X86_64_RELATIVE;
    uint32_t type_indirect = arm ? R_AARCH64_IRELATIVE : R_X86_64_IRELATIVE;
    uint32_t type_static_tls = arm ? R_AARCH64_TLS_TPREL : R_X86_64_TPOFF64;
    uint32_t type_described_tls = arm ? R_AARCH64_TLSDESC : R_X86_64_TLSDESC;
    for (uint64_t i = 0; i < bytes / sizeof *table; i++) {
        uint32_t type = (uint32_t)table[i].r_info; /* ELF64_R_TYPE */
        mark_page(reader, table[i].r_offset);
        if (type == type_static_tls)
            note_static_tls(reader, table[i].r_info >> 32); /* ELF64_R_SYM */
        facts->prefers_static_tls |= type == type_described_tls;
        if (type == type_relative)
            set_initialiser(reader, table[i].r_offset, (uint64_t)table[i].r_addend);
        uint64_t *count = type == type_relative   ? &facts->relative
                          : type == type_indirect ? &facts->indirect
                          : of_functions          ? &facts->functions
                                                  : &facts->symbolic;
        ++*count;
    }
    return NULL;
}

/* Relative ones, packed: an address, then bit maps of the 63 words behind the last one. */
static const char *count_packed(struct reader *reader)
{
    uint64_t bytes = value(reader, DT_RELRSZ), at = 0;
    const uint64_t *table = table_at(reader, value(reader, DT_RELR), bytes, ELF_T_XWORD);
    if (bytes && !table)
        return "is damaged: its packed relocations are out of bounds; install it again";
    for (uint64_t i = 0; i < bytes / sizeof *table; i++) {
        bool is_map = table[i] & 1;
        at = is_map ? at : table[i];
        uint64_t places = is_map ? table[i] >> 1 : 1;
        for (uint64_t place = at; places; places >>= 1, place += sizeof *table)
            if (places & 1) {
                reader->facts->relative++;
                mark_page(reader, place);
            }
        at += (is_map ? 63 : 1) * sizeof *table;
    }
    return NULL;
}

static const char *read_work(struct reader *reader)
{
    struct elf_facts *facts = reader->facts;
    uint64_t bytes = value(reader, DT_INIT_ARRAYSZ);
    if (bytes > MAX_INITIALISERS * sizeof *facts->initialisers)
        return "is damaged: it has more initialisers than any program; install it again";
    const void *table = table_at(reader, value(reader, DT_INIT_ARRAY), bytes, ELF_T_ADDR);
    if (bytes && !table)
        return "is damaged: its initialisers are out of bounds; install it again";
    if (bytes) {
        facts->initialisers = xmalloc(bytes);
        memcpy(facts->initialisers, table, bytes);
    }
    facts->initialiser_count = bytes / sizeof *facts->initialisers;
    reader->pages = xmalloc(reader->page_count / 8 + 1);
    memset(reader->pages, 0, reader->page_count / 8 + 1);
    const char *error =
        count_relocations(reader, value(reader, DT_RELA), value(reader, DT_RELASZ), false);
    if (!error)
        error =
            count_relocations(reader, value(reader, DT_JMPREL), value(reader, DT_PLTRELSZ), true);
    return error ? error : count_packed(reader);
}

static const char *read_all(struct reader *reader, int fd)
{
    struct elf_facts *facts = reader->facts;
    const char *error = read_headers(reader, fd);
    if (error)
        return error;
    uint64_t offset;
    facts->build_id_bytes =
        elf_file_build_id(reader->elf, facts->build_id, sizeof facts->build_id, &offset);
    const ElfW(Phdr) *dynamic = NULL;
    for (size_t i = 0; i < facts->header_count; i++) {
        const ElfW(Phdr) *segment = &facts->headers[i];
        if (segment->p_type == PT_DYNAMIC)
            dynamic = segment;
        if (segment->p_type != PT_INTERP || facts->interpreter)
            continue;
        uint64_t bytes = segment->p_filesz < MAX_INTERPRETER ? segment->p_filesz : MAX_INTERPRETER;
        const char *name =
            elf_file_text(elf_file_piece(reader->elf, segment->p_offset, bytes, ELF_T_BYTE), 0);
        if (!name)
            return "is damaged: the name of its loader is out of bounds; install it again";
        facts->interpreter = xstrdup(name);
    }
    read_sections(reader);
    if (!dynamic)
        return NULL;
    error = read_dynamic(reader, dynamic);
    if (error)
        return error;
    read_versions(reader);
    read_exports(reader);
    return read_work(reader);
}

const char *elf_facts_read(int fd, struct elf_facts *out)
{
    *out = (struct elf_facts){0};
    struct reader reader = {.facts = out};
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return "is not a regular file";
    out->size = (uint64_t)status.st_size;
    const char *error = read_all(&reader, fd);
    elf_end(reader.elf);
    free(reader.pages);
    return error;
}

void elf_facts_release(struct elf_facts *facts)
{
    free_names(facts->defined_tls, facts->defined_tls_count);
    free_names(facts->wanted_tls, facts->wanted_tls_count);
    free_names(facts->needed, facts->needed_count);
    free(facts->headers);
    free(facts->interpreter);
    free(facts->soname);
    free(facts->rpath);
    free(facts->runpath);
    free(facts->sections);
    free(facts->initialisers);
}
