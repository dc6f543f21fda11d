/*
 * symbols.c: symbol tables of ELF files, each read once. A file that cannot be read has no names.
 */
#include "convert/symbols.h"

#include "cli/command.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct function {
    uint64_t address, end;
    char *name;
    bool global;
};

struct symbol_object {
    char *path;
    GElf_Phdr *loads;
    size_t load_count;
    struct function *functions; /* by address */
    size_t function_count, function_room;
};

struct symbols {
    struct symbol_object *objects;
    size_t count;
};

static void add_function(struct symbol_object *object, const GElf_Sym *symbol, const char *name)
{
    int type = GELF_ST_TYPE(symbol->st_info);
    if ((type != STT_FUNC && type != STT_GNU_IFUNC) || !symbol->st_value || !name || !*name)
        return;
    if (object->function_count == object->function_room) {
        object->function_room = object->function_room ? 2 * object->function_room : 256;
        object->functions =
            xrealloc(object->functions, object->function_room * sizeof *object->functions);
    }
    object->functions[object->function_count++] = (struct function){
        .address = symbol->st_value,
        .end = symbol->st_value + symbol->st_size,
        .name = xstrdup(name),
        .global = GELF_ST_BIND(symbol->st_info) == STB_GLOBAL,
    };
}

/* Of several names for one place the public one, then the first by name, comes last. */
static int compare_functions(const void *a, const void *b)
{
    const struct function *x = a, *y = b;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    if (x->global != y->global)
        return x->global ? 1 : -1;
    return -strcmp(x->name, y->name);
}

static void read_functions(Elf *elf, struct symbol_object *object, uint32_t wanted)
{
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
        GElf_Shdr header;
        Elf_Data *data;
        if (!gelf_getshdr(section, &header) || header.sh_type != wanted || !header.sh_entsize ||
            !(data = elf_getdata(section, NULL)))
            continue;
        for (uint64_t i = 0; i < header.sh_size / header.sh_entsize && i <= INT32_MAX; i++) {
            GElf_Sym symbol;
            if (gelf_getsym(data, (int)i, &symbol) && symbol.st_shndx != SHN_UNDEF)
                add_function(object, &symbol, elf_strptr(elf, header.sh_link, symbol.st_name));
        }
    }
}

static void read_loads(Elf *elf, struct symbol_object *object)
{
    size_t count;
    if (elf_getphdrnum(elf, &count) != 0)
        return;
    object->loads = xmalloc(count * sizeof *object->loads);
    for (size_t i = 0; i < count && i <= INT32_MAX; i++) {
        GElf_Phdr *load = &object->loads[object->load_count];
        if (gelf_getphdr(elf, (int)i, load) && load->p_type == PT_LOAD)
            object->load_count++;
    }
}

static void read_object(struct symbol_object *object)
{
    elf_version(EV_CURRENT);
    int fd = open(object->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    Elf *elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ, NULL);
    if (elf && elf_kind(elf) == ELF_K_ELF) {
        read_loads(elf, object);
        read_functions(elf, object, SHT_SYMTAB);
        if (!object->function_count)
            read_functions(elf, object, SHT_DYNSYM);
        if (object->function_count)
            qsort(object->functions, object->function_count, sizeof *object->functions,
                  compare_functions);
    }
    elf_end(elf);
    if (fd >= 0)
        close(fd);
}

static struct symbol_object *find_object(struct symbols *symbols, const char *path)
{
    for (size_t i = 0; i < symbols->count; i++)
        if (strcmp(symbols->objects[i].path, path) == 0)
            return &symbols->objects[i];
    size_t count = symbols->count++;
    symbols->objects = xrealloc(symbols->objects, (count + 1) * sizeof *symbols->objects);
    struct symbol_object *object = &symbols->objects[count];
    *object = (struct symbol_object){.path = xstrdup(path)};
    read_object(object);
    return object;
}

struct symbols *symbols_new(void)
{
    struct symbols *symbols = xmalloc(sizeof *symbols);
    *symbols = (struct symbols){0};
    return symbols;
}

void symbols_free(struct symbols *symbols)
{
    for (size_t i = 0; i < symbols->count; i++) {
        struct symbol_object *object = &symbols->objects[i];
        for (size_t f = 0; f < object->function_count; f++)
            free(object->functions[f].name);
        free(object->functions);
        free(object->loads);
        free(object->path);
    }
    free(symbols->objects);
    free(symbols);
}

const char *symbols_find(struct symbols *symbols, const char *path, uint64_t offset,
                         uint64_t *address)
{
    const struct symbol_object *object = find_object(symbols, path);
    *address = offset;
    bool is_code = false;
    for (size_t i = 0; i < object->load_count && !is_code; i++) {
        const GElf_Phdr *load = &object->loads[i];
        is_code = load->p_flags & PF_X && offset >= load->p_offset &&
                  offset - load->p_offset < load->p_filesz;
        if (is_code)
            *address = offset - load->p_offset + load->p_vaddr;
    }
    if (!is_code)
        return "";
    size_t low = 0, high = object->function_count; /* the last one that begins before */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (object->functions[middle].address <= *address)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low)
        return "";
    const struct function *function = &object->functions[low - 1];
    /* Assembly code may have no size: then it goes on to the next function. */
    bool inside = *address < function->end || function->end == function->address;
    return inside ? function->name : "";
}
