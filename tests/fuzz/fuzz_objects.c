/*
 * fuzz_objects.c: a loaded object whose tables are anybody's, walked in memory.
 *
 * Input: the offsets of the dynamic section and of a second segment in it (two bytes each); its
 * memory.
 */
#include "fuzz.h"

#include <link.h>

static struct dl_phdr_info loaded;

#define dl_iterate_phdr pretended_iterate
#include "base/objects.c"

int pretended_iterate(int (*callback)(struct dl_phdr_info *, size_t, void *), void *context)
{
    return callback(&loaded, sizeof loaded, context);
}

static int look(const struct object *object, void *context)
{
    (void)context;
    static const char *const names[] = {"crc32", "crc32_z", "zlibVersion", "", "a"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct object older = *object;
        MUST(!object_function(object, names[i])); /* nothing is code */
        older.gnu_hash = NULL;
        MUST(!object_function(&older, names[i]));
    }
    object_needs(object, object);
    uint64_t sum = 0;
    for (size_t i = 0; i < object->init_count; i++)
        sum += object->init_array[i]; /* as the blind plan reads them */
    return sum == 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    size_t dynamic = (size_t)take_number(&input, 2), second = (size_t)take_number(&input, 2);
    size_t bytes = input.left, first = second < bytes ? second : bytes;
    uint8_t *memory = take_copy(&input, bytes);
    /* Execution is left out: an indirect function would be called. */
    ElfW(Phdr) headers[] = {
        {.p_type = PT_LOAD, .p_flags = PF_R, .p_memsz = first},
        {.p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_vaddr = first, .p_memsz = bytes - first},
        {.p_type = PT_DYNAMIC, .p_vaddr = dynamic},
    };
    loaded = (struct dl_phdr_info){
        .dlpi_addr = (uintptr_t)memory,
        .dlpi_phdr = headers,
        .dlpi_phnum = sizeof headers / sizeof *headers,
    };
    objects_visit(look, NULL);
    objects_program_calls("unshare");
    free(memory);
    return 0;
}
