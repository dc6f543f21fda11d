/*
 * symbols.c: symbol tables of ELF files, each read once. A file that cannot be read has no names.
 */
#include "convert/symbols.h"

#include "cli/command.h"
#include "cli/table.h"
#include "elf/elf_file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of two names: millions of them may be as long as a file allows. */
enum { COMPARED_BYTES = 256 };

struct function {
    uint64_t address, end;
    const char *name; /* the object's */
    bool global;
};

struct symbol_object {
    char *path;
    Elf *elf;                   /* or NULL */
    struct function *functions; /* by address */
    size_t function_count;
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
    *GROW(object->functions, object->function_count) = (struct function){
        .address = symbol->st_value,
        .end = symbol->st_value + symbol->st_size,
        .name = name,
        .global = GELF_ST_BIND(symbol->st_info) == STB_GLOBAL,
    };
}

/* Of several names for one place the public one, then the first by name, comes last. */
static int compare_functions(const void *a, const void *b)
{
    const struct function *x = a, *y = b;
    int order = ORDER(x->address, y->address);
    order = order ? order : ORDER(x->global, y->global);
    return order ? order : -strncmp(x->name, y->name, COMPARED_BYTES);
}

/* A file has one table of each type. */
static void read_functions(struct symbol_object *object, uint32_t wanted)
{
    Elf *elf = object->elf;
    Elf_Scn *section = NULL;
    GElf_Shdr header, strings;
    GElf_Sym symbol;
    do
        section = elf_nextscn(elf, section);
    while (gelf_getshdr(section, &header) && header.sh_type != wanted);
    if (!section || !gelf_getshdr(elf_getscn(elf, header.sh_link), &strings))
        return;
    Elf_Data *table = elf_file_piece(elf, header.sh_offset, header.sh_size, ELF_T_SYM);
    Elf_Data *names = elf_file_piece(elf, strings.sh_offset, strings.sh_size, ELF_T_BYTE);
    for (int i = 0; gelf_getsym(table, i, &symbol); i++)
        if (symbol.st_shndx != SHN_UNDEF)
            add_function(object, &symbol, elf_file_text(names, symbol.st_name));
}

static void read_object(struct symbol_object *object)
{
    unsigned char ident[EI_NIDENT];
    int fd = open_recorded(object->path);
    if (fd < 0)
        return;
    object->elf = elf_file_open(fd, ident);
    read_functions(object, SHT_SYMTAB);
    if (!object->function_count)
        read_functions(object, SHT_DYNSYM);
    SORT(object->functions, object->function_count, compare_functions);
    GElf_Phdr header;
    gelf_getphdr(object->elf, 0, &header); /* reads them all */
    elf_cntl(object->elf, ELF_C_FDDONE);
    close(fd);
}

static const struct symbol_object *find_object(struct symbols *symbols, const char *path)
{
    size_t index, before = symbols->count;
    struct symbol_object *object = FIND_OR_ADD(symbols->objects, symbols->count, path, &index);
    if (index == before)
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
        free(object->functions);
        elf_end(object->elf);
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
    GElf_Phdr load;
    for (int i = 0; !is_code && gelf_getphdr(object->elf, i, &load); i++) {
        is_code = load.p_type == PT_LOAD && load.p_flags & PF_X && offset >= load.p_offset &&
                  offset - load.p_offset < load.p_filesz;
        if (is_code)
            *address = offset - load.p_offset + load.p_vaddr;
    }
    if (!is_code)
        return "";
    size_t low = 0, high = object->function_count; /* the last one that begins before */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        bool begins_before = object->functions[middle].address <= *address;
        low = begins_before ? middle + 1 : low;
        high = begins_before ? high : middle;
    }
    const struct function *function = low ? &object->functions[low - 1] : NULL;
    /* Assembly code may have no size: then it goes on to the next function. */
    return function && (*address < function->end || function->end == function->address)
               ? function->name
               : "";
}
