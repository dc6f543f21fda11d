/*
 * inspect_elf.c: reads the tables that a loader would use, piece by piece.
 *
 * With pread(), not libelf or a mapping: a file that shrinks must not kill us, and to inspect is
 * not to page in what is inspected. Believes nothing: every offset is compared with the file's
 * size, every count with a limit, and no chain is followed longer than its table could be.
 */
#include "inspect/inspect_elf.h"

#include "cli/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef DT_RELR
#define DT_RELRSZ 35
#define DT_RELR   36
#endif
#ifndef R_AARCH64_TLS_TPREL
#define R_AARCH64_TLS_TPREL 1030
#endif

enum {
    MAX_HEADERS = 512,
    MAX_SECTIONS = 8192,
    MAX_NEEDED = 1024,
    MAX_INITIALISERS = 1 << 16,
    MAX_CHAIN = 1 << 16, /* of a symbol's hash bucket */
    MAX_VERSIONS = 1 << 14,
    MAX_TEXT = 4096,
    MAX_NOTES = 1 << 16,
    MAX_WANTED_TLS = 256,
};
#define MAX_TABLE_BYTES ((uint64_t)64 << 20) /* of relocations */
#define MAX_SPAN_BYTES  ((uint64_t)16 << 30) /* of an object's addresses */
#define PAGE            4096u

struct reader {
    int fd;
    struct elf_facts *facts;
    ElfW(Dyn) * dynamic;
    size_t dynamic_count;
    uint64_t begin;      /* the lowest address */
    uint64_t page_count; /* up to the highest one */
    uint8_t *pages;      /* bit map of those that relocations write to */
};

static bool lies_within(uint64_t offset, uint64_t bytes, uint64_t size)
{
    return offset <= size && bytes <= size - offset;
}

static bool read_at(const struct reader *reader, uint64_t offset, void *out, size_t bytes)
{
    return lies_within(offset, bytes, reader->facts->size) &&
           pread(reader->fd, out, bytes, (off_t)offset) == (ssize_t)bytes;
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
    const char *name = strrchr(path, '/');
    return strncmp(name ? name + 1 : path, prefix, strlen(prefix)) == 0;
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

/* As the loader sees it: what stands in the file at an address. */
static bool read_address(const struct reader *reader, uint64_t address, void *out, size_t bytes)
{
    const ElfW(Phdr) *segment = segment_of(reader->facts, address);
    return segment && bytes <= segment->p_filesz - (address - segment->p_vaddr) &&
           read_at(reader, segment->p_offset + (address - segment->p_vaddr), out, bytes);
}

/* A table in memory, to be freed; NULL if it is out of bounds. */
static void *read_table(const struct reader *reader, uint64_t address, uint64_t bytes)
{
    if (bytes == 0 || bytes > MAX_TABLE_BYTES || bytes > reader->facts->size)
        return NULL;
    void *table = xmalloc(bytes);
    if (read_address(reader, address, table, bytes))
        return table;
    free(table);
    return NULL;
}

static char *read_text(const struct reader *reader, uint64_t offset, uint64_t limit)
{
    char text[MAX_TEXT];
    uint64_t size = reader->facts->size;
    if (offset >= size)
        return NULL;
    size_t bytes = limit < sizeof text ? (size_t)limit : sizeof text;
    if (bytes > size - offset)
        bytes = (size_t)(size - offset);
    if (!read_at(reader, offset, text, bytes) || !memchr(text, '\0', bytes))
        return NULL;
    return xstrdup(text);
}

static uint64_t dynamic_value(const struct reader *reader, int64_t tag)
{
    for (size_t i = 0; i < reader->dynamic_count; i++)
        if (reader->dynamic[i].d_tag == tag)
            return reader->dynamic[i].d_un.d_val;
    return 0;
}

/* From the dynamic string table. */
static char *read_string(const struct reader *reader, uint64_t at)
{
    uint64_t bytes = dynamic_value(reader, DT_STRSZ);
    uint64_t offset = elf_facts_offset(reader->facts, dynamic_value(reader, DT_STRTAB));
    if (at >= bytes || offset == UINT64_MAX)
        return NULL;
    return read_text(reader, offset + at, bytes - at);
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

static const char *read_headers(struct reader *reader, ElfW(Ehdr) * header)
{
    struct elf_facts *facts = reader->facts;
    static const char cut[] = "is a truncated ELF file; copy or install it again";
    unsigned char magic[EI_NIDENT];
    if (!read_at(reader, 0, magic, sizeof magic) || memcmp(magic, ELFMAG, SELFMAG) != 0)
        return "is not an ELF file";
    const uint16_t one = 1;
    bool little = *(const uint8_t *)&one == 1;
    if (magic[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32))
        return magic[EI_CLASS] == ELFCLASS32
                   ? "is a 32-bit program, and libcoldboost.so is 64-bit; use a 64-bit build of it"
                   : "is of another class than libcoldboost.so";
    if (magic[EI_DATA] != (little ? ELFDATA2LSB : ELFDATA2MSB))
        return "is of the other byte order; inspect it on its own machine";
    if (!read_at(reader, 0, header, sizeof *header))
        return cut;
    facts->machine = header->e_machine;
    facts->type = header->e_type;
    if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
        return "is neither an executable nor a shared library";
    if (header->e_phentsize != sizeof *facts->headers || header->e_phnum == 0 ||
        header->e_phnum > MAX_HEADERS)
        return "is damaged: no loader would take its program headers; install it again";
    facts->headers = xmalloc(header->e_phnum * sizeof *facts->headers);
    if (!read_at(reader, header->e_phoff, facts->headers, header->e_phnum * sizeof *facts->headers))
        return cut;
    facts->header_count = header->e_phnum;
    return check_loaded(reader);
}

/* Only debuggers and we need them: a damaged table is as good as none. */
static void read_sections(struct reader *reader, const ElfW(Ehdr) * header)
{
    struct elf_facts *facts = reader->facts;
    size_t count = header->e_shnum;
    if (count == 0 || count > MAX_SECTIONS || header->e_shentsize != sizeof(ElfW(Shdr)) ||
        header->e_shstrndx >= count)
        return;
    ElfW(Shdr) *headers = xmalloc(count * sizeof *headers);
    if (read_at(reader, header->e_shoff, headers, count * sizeof *headers)) {
        const ElfW(Shdr) *strings = &headers[header->e_shstrndx];
        facts->sections = xmalloc(count * sizeof *facts->sections);
        for (size_t i = 1; i < count; i++) {
            bool has_bytes = headers[i].sh_type != SHT_NOBITS;
            if (has_bytes && !lies_within(headers[i].sh_offset, headers[i].sh_size, facts->size))
                continue;
            struct elf_section *section = &facts->sections[facts->section_count++];
            *section = (struct elf_section){.type = headers[i].sh_type,
                                            .flags = headers[i].sh_flags,
                                            .offset = headers[i].sh_offset,
                                            .bytes = headers[i].sh_size};
            uint64_t at = headers[i].sh_name;
            char *name = at < strings->sh_size && strings->sh_offset < facts->size
                             ? read_text(reader, strings->sh_offset + at, strings->sh_size - at)
                             : NULL;
            snprintf(section->name, sizeof section->name, "%s", name ? name : "?");
            free(name);
        }
    }
    free(headers);
}

static void read_notes(struct reader *reader, const ElfW(Phdr) * segment)
{
    struct elf_facts *facts = reader->facts;
    uint64_t at = segment->p_offset, left = segment->p_filesz;
    uint64_t align = segment->p_align == 8 ? 8 : 4;
    if (left > MAX_NOTES || !lies_within(at, left, facts->size))
        return;
    ElfW(Nhdr) note;
    while (left >= sizeof note && read_at(reader, at, &note, sizeof note)) {
        uint64_t name = (note.n_namesz + align - 1) & ~(align - 1);
        uint64_t bytes = sizeof note + name + ((note.n_descsz + align - 1) & ~(align - 1));
        char owner[4];
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof owner &&
            read_at(reader, at + sizeof note, owner, sizeof owner) &&
            memcmp(owner, "GNU", sizeof owner) == 0) {
            size_t n = note.n_descsz < ELF_BUILD_ID_BYTES ? note.n_descsz : ELF_BUILD_ID_BYTES;
            if (read_at(reader, at + sizeof note + name, facts->build_id, n))
                facts->build_id_bytes = n;
            return;
        }
        if (bytes > left)
            return;
        at += bytes;
        left -= bytes;
    }
}

/* ---- the dynamic section ----------------------------------------------------------------------*/

static const char *read_table_of_dynamic(struct reader *reader, const ElfW(Phdr) * segment)
{
    static const char damaged[] =
        "is damaged: its dynamic section is out of bounds; install it again";
    uint64_t bytes = segment->p_filesz;
    if (bytes == 0 || bytes > MAX_TEXT * sizeof *reader->dynamic || bytes > reader->facts->size)
        return damaged;
    reader->dynamic = xmalloc(bytes);
    if (!read_at(reader, segment->p_offset, reader->dynamic, bytes))
        return damaged;
    size_t count = bytes / sizeof *reader->dynamic;
    while (reader->dynamic_count < count && reader->dynamic[reader->dynamic_count].d_tag != DT_NULL)
        reader->dynamic_count++;
    return NULL;
}

static const char *read_dynamic(struct reader *reader, const ElfW(Phdr) * segment)
{
    struct elf_facts *facts = reader->facts;
    const char *error = read_table_of_dynamic(reader, segment);
    if (error)
        return error;
    facts->is_dynamic = true;
    uint64_t flags = dynamic_value(reader, DT_FLAGS_1);
    facts->is_pie = (flags & DF_1_PIE) != 0;
    facts->no_default_folders = (flags & DF_1_NODEFLIB) != 0;
    facts->needed = xmalloc(MAX_NEEDED * sizeof *facts->needed);
    for (size_t i = 0; i < reader->dynamic_count; i++) {
        int64_t tag = reader->dynamic[i].d_tag;
        char **text = tag == DT_SONAME    ? &facts->soname
                      : tag == DT_RPATH   ? &facts->rpath
                      : tag == DT_RUNPATH ? &facts->runpath
                      : tag == DT_NEEDED  ? &facts->needed[facts->needed_count]
                                          : NULL;
        if (!text)
            continue;
        if (tag == DT_NEEDED && facts->needed_count == MAX_NEEDED - 1)
            return "needs more libraries than any loader would take; install it again";
        if (tag != DT_NEEDED)
            free(*text); /* named twice */
        *text = read_string(reader, reader->dynamic[i].d_un.d_val);
        if (!*text)
            return "is damaged: a name is outside its string table; install it again";
        facts->needed_count += tag == DT_NEEDED;
    }
    return NULL;
}

static void take_version(struct elf_facts *facts, const char *name)
{
    unsigned major, minor;
    if (sscanf(name, "GLIBC_%3u.%3u", &major, &minor) == 2 &&
        (major > facts->glibc_major ||
         (major == facts->glibc_major && minor > facts->glibc_minor))) {
        facts->glibc_major = major;
        facts->glibc_minor = minor;
    }
}

static void read_versions(struct reader *reader)
{
    uint64_t at = dynamic_value(reader, DT_VERNEED);
    uint64_t files = dynamic_value(reader, DT_VERNEEDNUM);
    unsigned steps = 0;
    for (uint64_t file = 0; file < files && steps++ < MAX_VERSIONS; file++) {
        ElfW(Verneed) need;
        if (!read_address(reader, at, &need, sizeof need))
            return;
        uint64_t entry = at + need.vn_aux;
        for (unsigned i = 0; i < need.vn_cnt && steps++ < MAX_VERSIONS; i++) {
            ElfW(Vernaux) version;
            if (!read_address(reader, entry, &version, sizeof version))
                return;
            char *name = read_string(reader, version.vna_name);
            if (name)
                take_version(reader->facts, name);
            free(name);
            if (version.vna_next == 0)
                break;
            entry += version.vna_next;
        }
        if (need.vn_next == 0)
            return;
        at += need.vn_next;
    }
}

/* ---- exported functions: the hash tables of the System V ABI and of its GNU successor
 * ----------*/

/* The types that count, as bits. */
enum { FUNCTIONS = 1 << STT_FUNC | 1 << STT_GNU_IFUNC, THREAD_LOCAL = 1 << STT_TLS };

static bool is_export(const struct reader *reader, uint32_t index, const char *name, unsigned types)
{
    ElfW(Sym) symbol;
    if (!read_address(reader, dynamic_value(reader, DT_SYMTAB) + (uint64_t)index * sizeof symbol,
                      &symbol, sizeof symbol))
        return false;
    unsigned type = symbol.st_info & 0xf, binding = symbol.st_info >> 4;
    if (symbol.st_shndx == SHN_UNDEF || binding == STB_LOCAL || !(types >> type & 1))
        return false;
    char *found = read_string(reader, symbol.st_name);
    bool equal = found && strcmp(found, name) == 0;
    free(found);
    return equal;
}

static bool exports_by_gnu_hash(const struct reader *reader, uint64_t table, const char *name,
                                unsigned types)
{
    uint32_t hash = 5381, head[4], index;
    for (const char *c = name; *c; c++)
        hash = hash * 33 + (uint8_t)*c;
    if (!read_address(reader, table, head, sizeof head) || head[0] == 0)
        return false;
    uint64_t buckets = table + sizeof head + (uint64_t)head[2] * sizeof(ElfW(Addr));
    uint64_t chains = buckets + (uint64_t)head[0] * sizeof index;
    if (!read_address(reader, buckets + hash % head[0] * sizeof index, &index, sizeof index) ||
        index < head[1])
        return false;
    uint32_t chained;
    for (unsigned steps = 0; steps < MAX_CHAIN; steps++, index++) {
        if (!read_address(reader, chains + (uint64_t)(index - head[1]) * sizeof chained, &chained,
                          sizeof chained))
            return false;
        if ((chained | 1) == (hash | 1) && is_export(reader, index, name, types))
            return true;
        if (chained & 1)
            return false;
    }
    return false;
}

static bool exports_by_sysv_hash(const struct reader *reader, uint64_t table, const char *name,
                                 unsigned types)
{
    uint32_t hash = 0, head[2], index;
    for (const char *c = name; *c; c++) {
        hash = (hash << 4) + (uint8_t)*c;
        hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
    }
    if (!read_address(reader, table, head, sizeof head) || head[0] == 0)
        return false;
    uint64_t at = table + sizeof head + hash % head[0] * sizeof index;
    for (unsigned steps = 0; steps < MAX_CHAIN; steps++) {
        if (!read_address(reader, at, &index, sizeof index) || index == 0)
            return false;
        if (is_export(reader, index, name, types))
            return true;
        at = table + sizeof head + ((uint64_t)head[0] + index) * sizeof index;
    }
    return false;
}

static bool exports(const struct reader *reader, const char *name, unsigned types)
{
    uint64_t gnu = dynamic_value(reader, DT_GNU_HASH);
    return gnu ? exports_by_gnu_hash(reader, gnu, name, types)
               : exports_by_sysv_hash(reader, dynamic_value(reader, DT_HASH), name, types);
}

/* ---- thread-local data at a fixed place -------------------------------------------------------*/

static void want_tls(struct elf_facts *facts, char *name)
{
    for (size_t i = 0; i < facts->wanted_tls_count && name; i++)
        if (strcmp(facts->wanted_tls[i], name) == 0) {
            free(name);
            return;
        }
    if (!name || facts->wanted_tls_count == MAX_WANTED_TLS) {
        free(name);
        return;
    }
    facts->wanted_tls = (char **)xrealloc((void *)facts->wanted_tls,
                                          (facts->wanted_tls_count + 1) * sizeof(char *));
    facts->wanted_tls[facts->wanted_tls_count++] = name;
}

/* A relocation to the distance from the thread pointer, of the symbol in the table's place. */
static void note_static_tls(const struct reader *reader, uint64_t index)
{
    ElfW(Sym) symbol = {.st_shndx = SHN_UNDEF};
    if (index == 0 ||
        !read_address(reader, dynamic_value(reader, DT_SYMTAB) + index * sizeof symbol, &symbol,
                      sizeof symbol) ||
        symbol.st_shndx != SHN_UNDEF)
        reader->facts->wants_static_tls = true;
    else
        want_tls(reader->facts, read_string(reader, symbol.st_name));
}

/* ---- relocations and initialisers -------------------------------------------------------------*/

static void mark_page(struct reader *reader, uint64_t address)
{
    uint64_t page = (address - reader->begin) / PAGE;
    if (address < reader->begin || page >= reader->page_count)
        return;
    uint8_t bit = (uint8_t)(1u << page % 8);
    reader->facts->relocated_pages += !(reader->pages[page / 8] & bit);
    reader->pages[page / 8] |= bit;
}

/* Where the linker left zeros, the address stands in the relocation. */
static void set_initialiser(struct reader *reader, uint64_t address, uint64_t value)
{
    uint64_t begin = dynamic_value(reader, DT_INIT_ARRAY);
    uint64_t index = (address - begin) / sizeof(ElfW(Addr));
    if (address >= begin && index < reader->facts->initialiser_count)
        reader->facts->initialisers[index] = value;
}

static const char *count_relocations(struct reader *reader, uint64_t address, uint64_t bytes,
                                     bool of_functions)
{
    if (bytes == 0)
        return NULL;
    ElfW(Rela) *table = read_table(reader, address, bytes);
    if (!table)
        return "is damaged: its relocations are out of bounds; install it again";
    struct elf_facts *facts = reader->facts;
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
        if (type == type_relative) {
            facts->relative++;
            set_initialiser(reader, table[i].r_offset, (uint64_t)table[i].r_addend);
        } else if (type == type_indirect) {
            facts->indirect++;
        } else if (of_functions) {
            facts->functions++;
        } else {
            facts->symbolic++;
        }
    }
    free(table);
    return NULL;
}

/* Relative ones, packed: an address, then bit maps of the 63 words behind the last one. */
static const char *count_packed(struct reader *reader)
{
    uint64_t bytes = dynamic_value(reader, DT_RELRSZ);
    if (bytes == 0)
        return NULL;
    uint64_t *table = read_table(reader, dynamic_value(reader, DT_RELR), bytes);
    if (!table)
        return "is damaged: its packed relocations are out of bounds; install it again";
    uint64_t at = 0;
    for (uint64_t i = 0; i < bytes / sizeof *table; i++) {
        if (!(table[i] & 1)) {
            reader->facts->relative++;
            mark_page(reader, table[i]);
            at = table[i] + sizeof *table;
            continue;
        }
        for (unsigned bit = 1; bit < 64; bit++)
            if (table[i] >> bit & 1) {
                reader->facts->relative++;
                mark_page(reader, at + (bit - 1) * sizeof *table);
            }
        at += 63 * sizeof *table;
    }
    free(table);
    return NULL;
}

static const char *read_work(struct reader *reader)
{
    struct elf_facts *facts = reader->facts;
    uint64_t bytes = dynamic_value(reader, DT_INIT_ARRAYSZ);
    if (bytes > MAX_INITIALISERS * sizeof *facts->initialisers)
        return "is damaged: it has more initialisers than any program; install it again";
    facts->initialisers = read_table(reader, dynamic_value(reader, DT_INIT_ARRAY), bytes);
    if (bytes && !facts->initialisers)
        return "is damaged: its initialisers are out of bounds; install it again";
    facts->initialiser_count = bytes / sizeof *facts->initialisers;
    reader->pages = xmalloc(reader->page_count / 8 + 1);
    memset(reader->pages, 0, reader->page_count / 8 + 1);
    uint64_t functions = dynamic_value(reader, DT_JMPREL);
    uint64_t function_bytes = dynamic_value(reader, DT_PLTRELSZ);
    const char *error = count_relocations(reader, dynamic_value(reader, DT_RELA),
                                          dynamic_value(reader, DT_RELASZ), false);
    if (!error)
        error = count_relocations(reader, functions, function_bytes, true);
    return error ? error : count_packed(reader);
}

const char *elf_facts_read(int fd, struct elf_facts *out)
{
    *out = (struct elf_facts){0};
    struct reader reader = {.fd = fd, .facts = out};
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return "is not a regular file";
    out->size = (uint64_t)status.st_size;
    ElfW(Ehdr) header;
    const char *error = read_headers(&reader, &header);
    const ElfW(Phdr) *dynamic = NULL;
    for (size_t i = 0; i < out->header_count && !error; i++) {
        const ElfW(Phdr) *segment = &out->headers[i];
        if (segment->p_type == PT_DYNAMIC)
            dynamic = segment;
        else if (segment->p_type == PT_NOTE && out->build_id_bytes == 0)
            read_notes(&reader, segment);
        else if (segment->p_type == PT_INTERP && !out->interpreter &&
                 !(out->interpreter = read_text(&reader, segment->p_offset, segment->p_filesz)))
            error = "is damaged: the name of its loader is out of bounds; install it again";
    }
    if (!error) {
        read_sections(&reader, &header);
        if (dynamic)
            error = read_dynamic(&reader, dynamic);
    }
    if (!error && dynamic) {
        read_versions(&reader);
        error = read_work(&reader);
        out->has_crc32 = exports(&reader, "crc32", FUNCTIONS);
        out->is_zlib = exports(&reader, "zlibVersion", FUNCTIONS);
    }
    free(reader.dynamic);
    free(reader.pages);
    return error;
}

bool elf_facts_defines_tls(int fd, struct elf_facts *facts, const char *name)
{
    struct reader reader = {.fd = fd, .facts = facts};
    bool defines = false;
    for (size_t i = 0; i < facts->header_count; i++)
        if (facts->headers[i].p_type == PT_DYNAMIC && !reader.dynamic &&
            !read_table_of_dynamic(&reader, &facts->headers[i]))
            defines = exports(&reader, name, THREAD_LOCAL);
    free(reader.dynamic);
    return defines;
}

void elf_facts_release(struct elf_facts *facts)
{
    for (size_t i = 0; i < facts->wanted_tls_count; i++)
        free(facts->wanted_tls[i]);
    free((void *)facts->wanted_tls);
    for (size_t i = 0; i < facts->needed_count; i++)
        free(facts->needed[i]);
    free(facts->needed);
    free(facts->headers);
    free(facts->interpreter);
    free(facts->soname);
    free(facts->rpath);
    free(facts->runpath);
    free(facts->sections);
    free(facts->initialisers);
}
