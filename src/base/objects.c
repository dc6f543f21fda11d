/*
 * objects.c: walks the loaded ELF objects and their symbol tables without the loader's help.
 *
 * dlsym() would do some of this, but it is in another library on older systems, knows only the
 * caller's own scope, and remembers for dlerror() what it did not find. The loader has mapped what
 * is read here, but it need not have used all of it, and packers leave odd tables behind: nothing
 * is believed that lies outside of a loaded segment.
 */
#include "base/objects.h"

extern int dl_iterate_phdr(int (*callback)(struct dl_phdr_info *, size_t, void *), void *)
    __attribute__((weak));

struct visitor {
    int (*visit)(const struct object *, void *);
    void *context;
};

/* glibc relocates the addresses in DT_ entries in place, musl and the vdso leave them as offsets.
 */
static uintptr_t address_in(const struct object *object, ElfW(Addr) value)
{
    return value >= object->begin && value < object->end ? value : object->base + value;
}

/* How many bytes of a segment with these PF_ flags there are from the address on; 0: none. */
static size_t room_at(const struct object *object, uintptr_t address, ElfW(Word) flags)
{
    for (size_t i = 0; i < object->header_count; i++) {
        const ElfW(Phdr) *header = &object->headers[i];
        uintptr_t offset = address - (object->base + header->p_vaddr);
        if (header->p_type == PT_LOAD && (header->p_flags & flags) == flags &&
            offset < header->p_memsz)
            return header->p_memsz - offset;
    }
    return 0;
}

/* The same in entries of a table; 0 if it is absent, or not aligned as such a table is. */
static size_t entries_at(const struct object *object, const void *table, size_t entry_bytes,
                         size_t alignment)
{
    uintptr_t address = (uintptr_t)table;
    return !table || address % alignment ? 0 : room_at(object, address, PF_R) / entry_bytes;
}

#define ENTRIES_AT(object, table)                                                                  \
    entries_at(object, table, sizeof *(table), _Alignof(__typeof__(*(table))))

static size_t at_most(size_t count, size_t most)
{
    return count < most ? count : most;
}

/* Whether this text of the string table is the other one. */
static bool text_is(const struct object *object, uint64_t offset, const char *text,
                    size_t text_bytes)
{
    for (size_t i = 0; offset + i < object->string_bytes && i < text_bytes; i++) {
        if (object->strings[offset + i] != text[i])
            return false;
        if (!text[i])
            return true;
    }
    return false;
}

static void limit_tables(struct object *object, size_t string_bytes)
{
    object->symbol_count = ENTRIES_AT(object, object->symbols);
    object->version_count = ENTRIES_AT(object, object->versions);
    object->string_bytes = at_most(string_bytes, ENTRIES_AT(object, object->strings));
    object->gnu_hash_words = ENTRIES_AT(object, object->gnu_hash);
    object->sysv_hash_words = ENTRIES_AT(object, object->sysv_hash);
    object->init_count = at_most(object->init_count, ENTRIES_AT(object, object->init_array));
    for (int i = 0; i < 2; i++)
        object->relocation_counts[i] =
            at_most(object->relocation_counts[i], ENTRIES_AT(object, object->relocations[i]));
}

/* What stands at the address that an entry gives; NULL if there is no such entry. */
static const void *table_at(const struct object *object, ElfW(Addr) value)
{
    return value ? (const void *)address_in(object, value) : NULL;
}

static void read_dynamic(struct object *object)
{
    ElfW(Addr) found[DT_NUM] = {0}; /* by tag; the last entry counts */
    ElfW(Addr) gnu_hash = 0, versions = 0, relative = 0;
    size_t most = ENTRIES_AT(object, object->dynamic);
    for (; object->dynamic_count < most; object->dynamic_count++) {
        const ElfW(Dyn) *entry = &object->dynamic[object->dynamic_count];
        if (entry->d_tag == DT_NULL)
            break;
        if (entry->d_tag > 0 && entry->d_tag < DT_NUM)
            found[entry->d_tag] = entry->d_un.d_ptr;
        else if (entry->d_tag == DT_GNU_HASH)
            gnu_hash = entry->d_un.d_ptr;
        else if (entry->d_tag == DT_VERSYM)
            versions = entry->d_un.d_ptr;
        else if (entry->d_tag == DT_RELACOUNT)
            relative = entry->d_un.d_val;
    }
    object->symbols = table_at(object, found[DT_SYMTAB]);
    object->versions = table_at(object, versions);
    object->strings = table_at(object, found[DT_STRTAB]);
    object->gnu_hash = table_at(object, gnu_hash);
    object->sysv_hash = table_at(object, found[DT_HASH]);
    object->init_array = table_at(object, found[DT_INIT_ARRAY]);
    object->init_count = found[DT_INIT_ARRAYSZ] / sizeof(ElfW(Addr));
    object->relocations[0] = table_at(object, found[DT_JMPREL]);
    object->relocations[1] = table_at(object, found[DT_RELA]);
    if (!found[DT_PLTREL] || found[DT_PLTREL] == DT_RELA) {
        object->relocation_counts[0] = found[DT_PLTRELSZ] / sizeof(ElfW(Rela));
        object->relocation_counts[1] = found[DT_RELASZ] / sizeof(ElfW(Rela));
    }
    limit_tables(object, found[DT_STRSZ]);
    if (relative && relative <= object->relocation_counts[1]) {
        object->relocations[1] += relative;
        object->relocation_counts[1] -= relative;
    }
    if (found[DT_SONAME] && found[DT_SONAME] < object->string_bytes) {
        object->soname = object->strings + found[DT_SONAME];
        object->soname_bytes = object->string_bytes - found[DT_SONAME];
    }
}

static int describe(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    const struct visitor *visitor = context;
    struct object object = {
        .base = info->dlpi_addr,
        .begin = UINTPTR_MAX,
        .headers = info->dlpi_phdr,
        .header_count = info->dlpi_phnum,
        .path = info->dlpi_name ? info->dlpi_name : "",
    };
    for (size_t i = 0; i < object.header_count; i++) {
        const ElfW(Phdr) *header = &object.headers[i];
        uintptr_t at = object.base + header->p_vaddr;
        if (header->p_type == PT_DYNAMIC)
            object.dynamic = (const void *)at;
        if (header->p_type != PT_LOAD)
            continue;
        if (at < object.begin)
            object.begin = at;
        if (at + header->p_memsz > object.end)
            object.end = at + header->p_memsz;
    }
    read_dynamic(&object);
    return visitor->visit(&object, visitor->context);
}

int objects_visit(int (*visit)(const struct object *object, void *context), void *context)
{
    struct visitor visitor = {visit, context};
    return dl_iterate_phdr ? dl_iterate_phdr(describe, &visitor) : 0;
}

static bool is_exported_function(const struct object *object, size_t index, const char *name)
{
    if (index >= object->symbol_count)
        return false;
    const ElfW(Sym) *symbol = &object->symbols[index];
    unsigned type = symbol->st_info & 0xf, binding = symbol->st_info >> 4;
    return symbol->st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_GNU_IFUNC) &&
           (binding == STB_GLOBAL || binding == STB_WEAK || binding == STB_GNU_UNIQUE) &&
           text_is(object, symbol->st_name, name, SIZE_MAX);
}

/* Whether the search is over: a version that only older programs are linked with (VERSYM_HIDDEN) is
 * taken for want of another. */
static bool take_version(const struct object *object, size_t index, const char *name,
                         const ElfW(Sym) * *found)
{
    enum { HIDDEN = 0x8000 };
    if (!is_exported_function(object, index, name))
        return false;
    *found = &object->symbols[index];
    return index >= object->version_count || !(object->versions[index] & HIDDEN);
}

/* The hash tables are those of the System V ABI and of its GNU successor. */
static const ElfW(Sym) * find_by_gnu_hash(const struct object *object, const char *name)
{
    uint32_t hash = 5381;
    for (const char *c = name; *c; c++)
        hash = hash * 33 + (uint8_t)*c;
    const uint32_t *table = object->gnu_hash;
    const uint64_t words = object->gnu_hash_words;
    if (words < 4 || table[0] == 0)
        return NULL;
    uint32_t bucket_count = table[0], first_symbol = table[1], filter_words = table[2];
    uint64_t buckets = 4 + (uint64_t)filter_words * (sizeof(ElfW(Addr)) / sizeof *table);
    uint64_t chains = buckets + bucket_count;
    if (chains > words)
        return NULL;
    uint32_t index = table[buckets + hash % bucket_count];
    const ElfW(Sym) *found = NULL;
    if (index < first_symbol)
        return NULL;
    for (uint64_t at = chains + index - first_symbol; at < words; at++, index++) {
        bool same = (table[at] | 1) == (hash | 1);
        if ((same && take_version(object, index, name, &found)) || table[at] & 1)
            break;
    }
    return found;
}

static const ElfW(Sym) * find_by_sysv_hash(const struct object *object, const char *name)
{
    size_t count = object->sysv_hash_words < 2 ? 0 : object->sysv_hash[1];
    count = at_most(count, object->symbol_count);
    const ElfW(Sym) *found = NULL;
    for (size_t i = 0; i < count && !take_version(object, i, name, &found); i++) {
    }
    return found;
}

void *object_function(const struct object *object, const char *name)
{
    const ElfW(Sym) *symbol = object->gnu_hash    ? find_by_gnu_hash(object, name)
                              : object->sysv_hash ? find_by_sysv_hash(object, name)
                                                  : NULL;
    if (!symbol)
        return NULL;
    uintptr_t address = object->base + symbol->st_value;
    if (!room_at(object, address, PF_X))
        return NULL;
    if ((symbol->st_info & 0xf) == STT_GNU_IFUNC)
        address = ((uintptr_t(*)(uint64_t))address)(0);
    return (void *)address;
}

bool object_needs(const struct object *object, const struct object *library)
{
    for (size_t i = 0; i < object->dynamic_count; i++) {
        const ElfW(Dyn) *entry = &object->dynamic[i];
        if (entry->d_tag == DT_NEEDED &&
            text_is(object, entry->d_un.d_val, library->soname, library->soname_bytes))
            return true;
    }
    return false;
}

static int calls_function(const struct object *object, void *name)
{
    for (int i = 0; i < 2; i++)
        for (size_t j = 0; j < object->relocation_counts[i]; j++) {
            size_t index = ELF64_R_SYM(object->relocations[i][j].r_info);
            if (index && index < object->symbol_count &&
                text_is(object, object->symbols[index].st_name, name, SIZE_MAX))
                return 1;
        }
    return -1; /* the executable is the first: no other is looked at */
}

bool objects_program_calls(const char *name)
{
    return objects_visit(calls_function, (void *)(uintptr_t)name) == 1;
}

struct counters {
    unsigned long long added, removed;
};

static int read_counters(struct dl_phdr_info *info, size_t size, void *context)
{
    struct counters *counters = context;
    if (size >= offsetof(struct dl_phdr_info, dlpi_subs) + sizeof info->dlpi_subs)
        *counters = (struct counters){info->dlpi_adds, info->dlpi_subs};
    return 1;
}

static struct counters counters(void)
{
    struct counters counters = {0, 0};
    if (dl_iterate_phdr)
        dl_iterate_phdr(read_counters, &counters);
    return counters;
}

size_t objects_count(void)
{
    struct counters now = counters();
    return (size_t)(now.added - now.removed);
}

uint64_t objects_generation(void)
{
    struct counters now = counters();
    return (now.added << 32) + now.removed;
}
