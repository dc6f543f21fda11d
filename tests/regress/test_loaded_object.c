/*
 * The tables of a loaded object were followed wherever they led. Packers leave odd ones behind, and
 * in an object loaded with RTLD_LOCAL the loader itself may never look: a call of crc32() could die
 * in our search for other definitions of that name. Found by tests/fuzz/fuzz_objects.c.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* In the place of the loader's: there is one object, and it is ours. */
#define dl_iterate_phdr iterate
#include "base/objects.c"

enum { BYTES = 4096, STRINGS = 1024, SYMBOLS = 1536, HASH = 2048, RELOCATIONS = 3072 };

static struct dl_phdr_info loaded;
static ElfW(Phdr) headers[2];
static uint8_t *memory; /* with nothing readable behind it */

int iterate(int (*callback)(struct dl_phdr_info *, size_t, void *), void *context)
{
    return callback(&loaded, sizeof loaded, context);
}

static void set_entry(size_t index, ElfW(Sxword) tag, ElfW(Xword) value)
{
    ElfW(Dyn) entry = {.d_tag = tag, .d_un.d_val = value};
    memcpy(memory + index * sizeof entry, &entry, sizeof entry);
}

static void set_up(void)
{
    memory = mmap(NULL, 2 * BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(memory, MAP_FAILED);
    cr_assert_eq(mprotect(memory + BYTES, BYTES, PROT_NONE), 0);
    headers[0] = (ElfW(Phdr)){.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_memsz = BYTES};
    headers[1] = (ElfW(Phdr)){.p_type = PT_DYNAMIC};
    loaded = (struct dl_phdr_info){
        .dlpi_addr = (uintptr_t)memory, .dlpi_phdr = headers, .dlpi_phnum = 2};
    set_entry(0, DT_STRTAB, STRINGS);
    set_entry(1, DT_STRSZ, 64);
    set_entry(2, DT_SYMTAB, SYMBOLS);
    set_entry(3, DT_GNU_HASH, HASH);
    set_entry(4, DT_RELA, RELOCATIONS);
    set_entry(5, DT_RELASZ, sizeof(ElfW(Rela)));
    set_entry(6, DT_PLTREL, DT_RELA);
    set_entry(7, DT_NEEDED, 7);
    set_entry(8, DT_SONAME, 7);
    strcpy((char *)memory + STRINGS + 1, "crc32");
    strcpy((char *)memory + STRINGS + 7, "libz.so.1");
    ElfW(Sym) symbol = {.st_name = 1, .st_info = STT_FUNC | STB_GLOBAL << 4, .st_shndx = 1};
    symbol.st_value = 256;
    memcpy(memory + SYMBOLS + sizeof symbol, &symbol, sizeof symbol);
    const uint32_t hash[] = {1, 1, 1, 0, 0, 0, 1, 0x0f3ea922 | 1};
    memcpy(memory + HASH, hash, sizeof hash);
    const ElfW(Rela) relocation = {.r_info = (ElfW(Xword))1 << 32};
    memcpy(memory + RELOCATIONS, &relocation, sizeof relocation);
}

static void tear_down(void)
{
    munmap(memory, 2 * BYTES);
}

TestSuite(loaded_object, .init = set_up, .fini = tear_down);

static int find(const struct object *object, void *context)
{
    *(void **)context = object_function(object, "crc32");
    return object_needs(object, object);
}

static void *found(void)
{
    void *function = NULL;
    objects_visit(find, &function);
    return function;
}

Test(loaded_object, is_found_where_it_is_whole)
{
    cr_expect_eq(found(), memory + 256);
    cr_expect(objects_program_calls("crc32"));
}

Test(loaded_object, may_have_tables_that_lead_out_of_it)
{
    static const struct {
        size_t entry;
        ElfW(Sxword) tag;
    } tables[] = {{0, DT_STRTAB}, {2, DT_SYMTAB}, {3, DT_GNU_HASH}, {4, DT_RELA}};
    static const ElfW(Xword) places[] = {BYTES - 1, BYTES - 4,      BYTES - 8,     BYTES,
                                         2 * BYTES, UINT64_MAX / 2, UINT64_MAX - 7};
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
            set_up();
            set_entry(tables[t].entry, tables[t].tag, places[p]);
            cr_expect(tables[t].tag == DT_RELA || !found(), "%zu %zu", t, p);
            cr_expect(tables[t].tag == DT_GNU_HASH || !objects_program_calls("crc32"));
            tear_down();
        }
    set_up();
}

Test(loaded_object, may_have_a_hash_table_of_nonsense)
{
    const size_t words = 8;
    for (size_t i = 0; i < words; i++) {
        uint32_t huge = UINT32_MAX - 1;
        set_up();
        memcpy(memory + HASH + i * sizeof huge, &huge, sizeof huge);
        found();
        memset(memory + HASH + sizeof(uint32_t) * words, 0xfe, BYTES - HASH - 4 * words);
        found(); /* a chain without end */
        tear_down();
    }
    set_up();
}

Test(loaded_object, may_have_names_without_end)
{
    set_entry(0, DT_STRTAB, BYTES - 5);
    memcpy(memory + BYTES - 5, "\0crc3", 5);
    cr_expect_null(found());
    cr_expect_not(objects_program_calls("crc32"));
    set_entry(7, DT_NEEDED, 4);
    set_entry(8, DT_SONAME, 4);
    cr_expect_null(found());
}

Test(loaded_object, may_have_no_end_of_its_dynamic_section)
{
    for (size_t i = 0; i < BYTES / sizeof(ElfW(Dyn)); i++)
        set_entry(i, DT_DEBUG, 1);
    cr_expect_null(found());
    cr_expect_not(objects_program_calls("crc32"));
}
