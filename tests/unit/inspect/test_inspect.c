/*
 * What coldboost inspect reads of files that anybody may have written.
 */
#include "inspect/inspect.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- ld.so.cache ------------------------------------------------------------------------------*/

struct entry {
    int32_t flags;
    uint32_t name, path, os_version;
    uint64_t processor;
};

struct cache {
    char bytes[512];
    size_t size;
};

/* Four entries for two names, as ldconfig writes them; `before` bytes of an old table first. */
static struct cache make_cache(size_t before)
{
    static const char texts[] = "libone.so.1\0/for/avx/libone.so.1\0/lib/libone.so.1\0"
                                "/usr/lib/libone.so.1\0libtwo.so.2\0/lib/libtwo.so.2";
    struct cache cache = {.size = before};
    if (before) {
        uint32_t count = (uint32_t)(before - 16) / 12;
        memcpy(cache.bytes, "ld.so-1.7.0", 11);
        memcpy(cache.bytes + 12, &count, sizeof count);
    }
    char *begin = cache.bytes + before;
    const uint32_t text = 48 + 4 * sizeof(struct entry);
    const struct entry entries[4] = {
        {0x0303, text, text + 12, 0, UINT64_C(1) << 62},
        {0x0003, text, text + 33, 0, 0}, /* 32-bit */
        {0x0303, text, text + 50, 0, 0},
        {0x0303, text + 71, text + 83, 0, 0},
    };
    uint32_t count = 4;
    memcpy(begin, "glibc-ld.so.cache1.1", 20);
    memcpy(begin + 20, &count, sizeof count);
    memcpy(begin + 48, entries, sizeof entries);
    memcpy(begin + text, texts, sizeof texts);
    cache.size += text + sizeof texts;
    return cache;
}

static const char *find(const struct cache *cache, const char *name, size_t n)
{
    return library_cache_find(cache->bytes, cache->size, name, EM_X86_64, n);
}

Test(library_cache, finds_what_fits_this_machine_and_any_processor)
{
    for (size_t before = 0; before <= 40; before += 40) { /* 16 and two old entries */
        struct cache cache = make_cache(before);
        const char *one = find(&cache, "libone.so.1", 0), *two = find(&cache, "libtwo.so.2", 0);
        cr_assert(one && two, "%zu bytes of an old table", before);
        cr_expect_str_eq(one, "/usr/lib/libone.so.1");
        cr_expect_str_eq(two, "/lib/libtwo.so.2");
        cr_expect_null(find(&cache, "libone.so.1", 1));
        cr_expect_null(find(&cache, "libone.so", 0));
        cr_expect_null(library_cache_find(cache.bytes, cache.size, "libtwo.so.2", EM_AARCH64, 0));
    }
}

/* In a block of its own, so that the sanitizers and valgrind see a read too far. */
static void look_up_in_copy(const char *bytes, size_t size)
{
    char *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    for (size_t n = 0; n < 3; n++) {
        const char *path = library_cache_find(copy, size, "libone.so.1", EM_X86_64, n);
        if (path)
            cr_assert(path >= copy && path + strlen(path) < copy + size);
    }
    free(copy);
}

Test(library_cache, survives_damage)
{
    for (size_t before = 0; before <= 40; before += 40) {
        struct cache cache = make_cache(before);
        for (size_t size = 0; size < cache.size; size++)
            look_up_in_copy(cache.bytes, size);
        for (size_t at = 0; at < cache.size; at++)
            for (unsigned bit = 0; bit < 8; bit++) {
                cache.bytes[at] = (char)(cache.bytes[at] ^ 1 << bit);
                look_up_in_copy(cache.bytes, cache.size);
                cache.bytes[at] = (char)(cache.bytes[at] ^ 1 << bit);
            }
    }
}

/* ---- ELF --------------------------------------------------------------------------------------*/

Test(elf_facts, agree_with_our_own_headers)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct elf_facts facts;
    const char *error = elf_facts_read(fd, &facts);
    cr_assert_null(error, "%s", error);
    cr_expect_eq(facts.type, ET_DYN);
    cr_expect(facts.is_dynamic);
    cr_expect_eq(facts.glibc_major, 2);
    cr_expect_not_null(facts.interpreter);
    cr_expect_geq(facts.needed_count, 2);
    cr_expect_geq(facts.initialiser_count, 1);
    for (size_t i = 0; i < facts.initialiser_count; i++)
        cr_expect_neq(elf_facts_offset(&facts, facts.initialisers[i]), UINT64_MAX);
    cr_expect_not(facts.has_crc32);
    elf_facts_release(&facts);
    close(fd);
}

/* Our own executable in memory, where a test may change it. */
static int copy_of_ourselves(size_t *size)
{
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int to = memfd_create("elf", MFD_CLOEXEC);
    char bytes[1 << 16];
    ssize_t n;
    for (*size = 0; (n = read(from, bytes, sizeof bytes)) > 0; *size += (size_t)n)
        cr_assert_eq(write(to, bytes, (size_t)n), n);
    close(from);
    return to;
}

static unsigned accepted, refused;

/* What is accepted must be in bounds: the printing and the plans believe it. */
static void read_damaged(int fd, const char *what, size_t where)
{
    struct elf_facts facts;
    const char *error = elf_facts_read(fd, &facts);
    error ? refused++ : accepted++;
    for (size_t i = 0; i < facts.header_count && !error; i++) {
        const ElfW(Phdr) *header = &facts.headers[i];
        if (header->p_type == PT_LOAD)
            cr_assert(header->p_offset <= facts.size &&
                          header->p_filesz <= facts.size - header->p_offset,
                      "%s %zu: segment %zu", what, where, i);
    }
    for (size_t i = 0; i < facts.section_count; i++)
        if (facts.sections[i].type != SHT_NOBITS)
            cr_assert(facts.sections[i].offset <= facts.size &&
                          facts.sections[i].bytes <= facts.size - facts.sections[i].offset,
                      "%s %zu: section %zu", what, where, i);
    elf_facts_release(&facts);
}

static void flip_all(int fd, size_t begin, size_t end, const char *what)
{
    static const uint8_t masks[] = {0x01, 0x20, 0xff};
    for (size_t at = begin; at < end; at++) {
        uint8_t byte;
        if (pread(fd, &byte, 1, (off_t)at) != 1)
            return;
        for (size_t i = 0; i < sizeof masks; i++) {
            uint8_t changed = byte ^ masks[i];
            cr_assert_eq(pwrite(fd, &changed, 1, (off_t)at), 1);
            read_damaged(fd, what, at);
        }
        cr_assert_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
    }
}

Test(elf_facts, survive_damage)
{
    size_t size;
    int fd = copy_of_ourselves(&size);
    struct elf_facts facts;
    cr_assert_null(elf_facts_read(fd, &facts));
    flip_all(fd, 0, sizeof(ElfW(Ehdr)) + facts.header_count * sizeof *facts.headers, "headers");
    for (size_t i = 0; i < facts.header_count; i++)
        if (facts.headers[i].p_type == PT_DYNAMIC)
            flip_all(fd, facts.headers[i].p_offset,
                     facts.headers[i].p_offset + facts.headers[i].p_filesz, "dynamic section");
    for (size_t i = 0; i < facts.section_count; i++) {
        const struct elf_section *section = &facts.sections[i];
        if (section->type == SHT_GNU_HASH || section->type == SHT_GNU_verneed)
            flip_all(fd, section->offset,
                     section->offset + (section->bytes < 64 ? section->bytes : 64), section->name);
    }
    flip_all(fd, size - 64 * 8, size, "section headers");
    cr_expect_gt(accepted, 100);
    cr_expect_gt(refused, 300, "%u refused, %u accepted", refused, accepted);
    elf_facts_release(&facts);
    close(fd);
}

Test(elf_facts, refuse_what_is_cut_short)
{
    size_t size;
    int fd = copy_of_ourselves(&size);
    struct elf_facts facts;
    cr_assert_null(elf_facts_read(fd, &facts));
    size_t loaded = 0;
    for (size_t i = 0; i < facts.header_count; i++)
        if (facts.headers[i].p_type == PT_LOAD)
            loaded = facts.headers[i].p_offset + facts.headers[i].p_filesz;
    elf_facts_release(&facts);
    size_t step = loaded / 300;
    for (size_t cut = loaded - 1; cut > step; cut -= step) {
        cr_assert_eq(ftruncate(fd, (off_t)cut), 0);
        const char *error = elf_facts_read(fd, &facts);
        cr_assert_not_null(error, "cut at %zu of %zu", cut, size);
        elf_facts_release(&facts);
    }
    for (size_t cut = 0; cut < 1024; cut += 7) {
        cr_assert_eq(ftruncate(fd, (off_t)cut), 0);
        cr_assert_not_null(elf_facts_read(fd, &facts));
        elf_facts_release(&facts);
    }
    close(fd);
}
