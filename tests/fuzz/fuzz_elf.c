/*
 * fuzz_elf.c: an ELF file from anybody, as coldboost inspect reads and prints it, and as the
 * symbols and the build-id of a recorded file are read. The file is one in memory: libelf wants a
 * descriptor.
 */
#include "fuzz.h"

#include "cli/command.h"
#include "elf/elf_file.h"
#include "inspect/inspect.h"
#include "profile/identity.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static int elf_fd = -1;

static int pretended_open(const char *path)
{
    (void)path;
    return fcntl(elf_fd, F_DUPFD_CLOEXEC, 0);
}

#define open_recorded pretended_open
#include "convert/symbols.c"
#undef open_recorded

static void fill_file(const uint8_t *data, size_t size)
{
    if (elf_fd < 0)
        elf_fd = memfd_create("elf", MFD_CLOEXEC);
    MUST(ftruncate(elf_fd, (off_t)size) == 0);
    MUST(pwrite(elf_fd, data, size, 0) == (ssize_t)size);
}

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

static void find_build_id(const struct elf_facts *facts)
{
    unsigned char ident[EI_NIDENT], build_id[64], there[64];
    uint64_t offset;
    Elf *elf = elf_file_open(elf_fd, ident);
    size_t n = elf_file_build_id(elf, build_id, sizeof build_id, &offset);
    MUST(n == 0 ||
         (pread(elf_fd, there, n, (off_t)offset) == (ssize_t)n && memcmp(there, build_id, n) == 0));
    MUST(facts->build_id_bytes == 0 || facts->build_id_bytes == n);
    elf_end(elf);
}

static void find_symbols(size_t size)
{
    struct symbols *symbols = symbols_new();
    for (size_t offset = 0; offset < size; offset += size / 16 + 1) {
        uint64_t address;
        const char *name = symbols_find(symbols, "any", offset, &address);
        MUST(strlen(name) < size);
    }
    symbols_free(symbols);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fill_file(data, size);
    struct elf_facts facts;
    const char *error = elf_facts_read(elf_fd, &facts);
    if (!error)
        check_bounds(&facts);
    find_build_id(&facts);
    find_symbols(size);
    print(&facts, error);
    elf_facts_release(&facts);
    return 0;
}
