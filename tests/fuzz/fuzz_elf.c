/*
 * fuzz_elf.c: an ELF file from anybody, as coldboost inspect reads and prints it.
 */
#include "fuzz.h"

#include "inspect/inspect.h"

#include <sys/stat.h>
#include <unistd.h>

static struct input elf_file;

static ssize_t pretended_pread(int fd, void *buffer, size_t bytes, off_t offset)
{
    MUST(fd == 3 && offset >= 0);
    size_t left = (size_t)offset < elf_file.left ? elf_file.left - (size_t)offset : 0;
    size_t n = left < bytes ? left : bytes;
    if (n)
        memcpy(buffer, elf_file.at + offset, n);
    return (ssize_t)n;
}

static int pretended_fstat(int fd, struct stat *status)
{
    MUST(fd == 3);
    *status = (struct stat){.st_mode = S_IFREG, .st_size = (off_t)elf_file.left};
    return 0;
}

#define pread pretended_pread
#define fstat pretended_fstat
#include "inspect/inspect_elf.c"

/* What is accepted must be in bounds: the printing and the plans believe it. */
static void check_bounds(const struct elf_facts *facts)
{
    for (size_t i = 0; i < facts->header_count; i++) {
        const ElfW(Phdr) *header = &facts->headers[i];
        if (header->p_type == PT_LOAD)
            MUST(header->p_offset <= facts->size &&
                 header->p_filesz <= facts->size - header->p_offset);
    }
    for (size_t i = 0; i < facts->section_count; i++)
        if (facts->sections[i].type != SHT_NOBITS)
            MUST(facts->sections[i].offset <= facts->size &&
                 facts->sections[i].bytes <= facts->size - facts->sections[i].offset);
    MUST(facts->build_id_bytes <= sizeof facts->build_id);
}

static void print(const struct elf_facts *facts, const char *error)
{
    char path[] = "/usr/bin/any", *error_text = error ? strdup(error) : NULL;
    struct inspected_object object = {
        .path = path,
        .name = path,
        .found_by = "",
        .error = error_text,
        .elf = *facts,
        .page_count = (facts->size + PROFILE_PAGE_BYTES - 1) / PROFILE_PAGE_BYTES,
        .residency_known = facts->size % 2,
    };
    struct inspected_object *objects[] = {&object};
    struct inspection inspection = {
        .subject = path,
        .program = path,
        .kind = "executable",
        .libc = "none",
        .glibc_major = facts->glibc_major,
        .glibc_minor = facts->glibc_minor,
        .objects = objects,
        .object_count = 1,
    };
    object.pages = calloc(object.page_count + 1, 1);
    MUST(object.pages);
    plan_blind(&inspection);
    MUST(object.blind.bytes <= (UINT64_C(64) << 20));
    silence_stdout();
    print_inspection(&inspection, facts->size % 3 == 0);
    print_inspection_json(&inspection);
    free(object.pages);
    free(error_text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    elf_file = (struct input){data, size};
    struct elf_facts facts;
    const char *error = elf_facts_read(3, &facts);
    if (!error)
        check_bounds(&facts);
    print(&facts, error);
    elf_facts_release(&facts);
    return 0;
}
