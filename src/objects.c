/*
 * objects.c: walks the loaded ELF objects and their symbol tables without the loader's help.
 *
 * dlsym() would do some of this, but it is in another library on older systems and knows only the
 * caller's own scope. Everything read here is memory the loader has mapped and used already.
 */
#include "objects.h"

#include "text.h"

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

static void read_dynamic(struct object *object)
{
    size_t relative = 0, bytes[2] = {0, 0};
    bool has_addends = true;
    for (const ElfW(Dyn) *entry = object->dynamic; entry && entry->d_tag != DT_NULL; entry++) {
        uintptr_t address = address_in(object, entry->d_un.d_ptr);
        switch (entry->d_tag) {
        case DT_SYMTAB:
            object->symbols = (const void *)address;
            break;
        case DT_STRTAB:
            object->strings = (const void *)address;
            break;
        case DT_GNU_HASH:
            object->gnu_hash = (const void *)address;
            break;
        case DT_HASH:
            object->sysv_hash = (const void *)address;
            break;
        case DT_INIT_ARRAY:
            object->init_array = (const void *)address;
            break;
        case DT_INIT_ARRAYSZ:
            object->init_count = entry->d_un.d_val / sizeof(ElfW(Addr));
            break;
        case DT_JMPREL:
            object->relocations[0] = (const void *)address;
            break;
        case DT_PLTRELSZ:
            bytes[0] = entry->d_un.d_val;
            break;
        case DT_PLTREL:
            has_addends = entry->d_un.d_val == DT_RELA;
            break;
        case DT_RELA:
            object->relocations[1] = (const void *)address;
            break;
        case DT_RELASZ:
            bytes[1] = entry->d_un.d_val;
            break;
        case DT_RELACOUNT:
            relative = entry->d_un.d_val;
            break;
        default:
            break;
        }
    }
    for (int i = 0; i < 2 && has_addends; i++)
        object->relocation_counts[i] = bytes[i] / sizeof(ElfW(Rela));
    if (relative && relative <= object->relocation_counts[1]) {
        object->relocations[1] += relative;
        object->relocation_counts[1] -= relative;
    }
    for (const ElfW(Dyn) *entry = object->dynamic; entry && entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == DT_SONAME && object->strings)
            object->soname = object->strings + entry->d_un.d_val;
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

static bool is_exported_function(const struct object *object, const ElfW(Sym) * symbol,
                                 const char *name)
{
    unsigned type = symbol->st_info & 0xf, binding = symbol->st_info >> 4;
    return symbol->st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_GNU_IFUNC) &&
           (binding == STB_GLOBAL || binding == STB_WEAK || binding == STB_GNU_UNIQUE) &&
           text_equal(object->strings + symbol->st_name, name);
}

/* The hash tables are those of the System V ABI and of its GNU successor. */
static const ElfW(Sym) * find_by_gnu_hash(const struct object *object, const char *name)
{
    uint32_t hash = 5381;
    for (const char *c = name; *c; c++)
        hash = hash * 33 + (uint8_t)*c;
    const uint32_t *table = object->gnu_hash;
    uint32_t bucket_count = table[0], first_symbol = table[1], filter_words = table[2];
    if (bucket_count == 0)
        return NULL;
    const uint32_t *buckets = table + 4 + filter_words * (sizeof(ElfW(Addr)) / sizeof *table);
    const uint32_t *chains = buckets + bucket_count;
    uint32_t index = buckets[hash % bucket_count];
    if (index < first_symbol)
        return NULL;
    for (;; index++) {
        uint32_t chained = chains[index - first_symbol];
        if ((chained | 1) == (hash | 1) &&
            is_exported_function(object, &object->symbols[index], name))
            return &object->symbols[index];
        if (chained & 1)
            return NULL;
    }
}

static const ElfW(Sym) * find_by_sysv_hash(const struct object *object, const char *name)
{
    const ElfW(Word) *table = object->sysv_hash;
    ElfW(Word) symbol_count = table[1];
    for (ElfW(Word) i = 0; i < symbol_count; i++)
        if (is_exported_function(object, &object->symbols[i], name))
            return &object->symbols[i];
    return NULL;
}

void *object_function(const struct object *object, const char *name)
{
    if (!object->symbols || !object->strings)
        return NULL;
    const ElfW(Sym) *symbol = object->gnu_hash    ? find_by_gnu_hash(object, name)
                              : object->sysv_hash ? find_by_sysv_hash(object, name)
                                                  : NULL;
    if (!symbol)
        return NULL;
    uintptr_t address = object->base + symbol->st_value;
    if ((symbol->st_info & 0xf) == STT_GNU_IFUNC)
        address = ((uintptr_t(*)(uint64_t))address)(0);
    return (void *)address;
}

bool object_needs(const struct object *object, const char *soname)
{
    if (!soname || !object->strings)
        return false;
    for (const ElfW(Dyn) *entry = object->dynamic; entry && entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == DT_NEEDED && text_equal(object->strings + entry->d_un.d_val, soname))
            return true;
    return false;
}

static int calls_function(const struct object *object, void *name)
{
    for (int i = 0; i < 2 && object->symbols && object->strings; i++)
        for (size_t j = 0; object->relocations[i] && j < object->relocation_counts[i]; j++) {
#if __SIZEOF_POINTER__ == 8
            size_t index = ELF64_R_SYM(object->relocations[i][j].r_info);
#else
            size_t index = ELF32_R_SYM(object->relocations[i][j].r_info);
#endif
            if (index && text_equal(object->strings + object->symbols[index].st_name, name))
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
