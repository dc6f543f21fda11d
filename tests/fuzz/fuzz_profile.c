/*
 * fuzz_profile.c: a profile from anybody: parsed, searched, and read by a replay for which every
 * file is there, some of them changed.
 */
#include "fuzz.h"

#include "base/sys.h"
#include "coldboost.h"
#include "replay/budget.h"
#include "replay/profile.h"
#include "replay/residency.h"

static struct profile profile;
static uint64_t now_ns;

static const struct profile_file *file_at(const char *path)
{
    for (uint32_t i = 0; i < profile.header->file_count; i++)
        if (strcmp(profile.strings + profile.files[i].path, path) == 0)
            return &profile.files[i];
    abort(); /* a replay opens nothing but what the profile names */
}

static int pretended_open_type(const char *path, mode_t type, struct sys_status *status)
{
    const struct profile_file *file = file_at(path);
    uint32_t luck = hash_text(path);
    MUST(type == S_IFREG || type == S_IFDIR);
    if (luck % 16 == 0)
        return -ENOENT;
    memset(status, 0, sizeof *status);
    status->size = file->size + luck % 2;
    return 3;
}

static long pretended_pread(int fd, void *buffer, size_t bytes, uint64_t offset)
{
    MUST(fd == 3);
    memset(buffer, 0, bytes);
    return offset % 3 ? (long)bytes : (long)(bytes / 2);
}

static long pretended_readahead(int fd, uint64_t offset, size_t bytes)
{
    MUST(fd == 3 && bytes > 0);
    return offset % 5 ? 0 : -EINVAL;
}

static long pretended_getdents(int fd, void *buffer, size_t bytes)
{
    return pretended_pread(fd, buffer, bytes, 1) * (long)(now_ns++ % 2);
}

static uint64_t pretended_clock(void)
{
    return now_ns += 1000000;
}

static bool pretended_residency(int fd, uint64_t offset)
{
    return fd == 3 && offset % 7 == 0;
}

#define sys_open_type                 pretended_open_type
#define sys_pread                     pretended_pread
#define sys_readahead                 pretended_readahead
#define sys_monotonic_ns              pretended_clock
#define file_page_is_resident         pretended_residency
#define sys_close(fd)                 MUST((fd) == 3)
#define sys_getdents                  pretended_getdents
#define sys_look_up(path)             file_at(path)
#define sys_advise(fd, bytes, advice) MUST((fd) == 3)
#include "replay/working_set.c"

/* Sorting changes no range and loses none. */
static uint64_t sum_of_ranges(const struct profile_executable *section)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < section->range_count; i++) {
        const struct profile_range *range = &profile.ranges[section->first_range + i];
        uint64_t mixed = range->file * 0x9e3779b97f4a7c15u ^ range->first_page;
        mixed = mixed * 0xff51afd7ed558ccdu ^ range->page_count;
        sum += mixed * 0xc4ceb9fe1a85ec53u ^ range->epoch;
    }
    return sum;
}

static void replay(const struct profile_executable *section)
{
    struct working_set_counters counters = {0};
    struct working_set set = {
        .profile = profile,
        .section = section,
        .counters = &counters,
        .budget_bytes = 64u << 20,
        .deadline_ns = now_ns + 2000u * 1000000u,
    };
    working_set_is_resident(&set);
    uint64_t before = sum_of_ranges(section);
    uint32_t *ranks = calloc(profile.header->file_count + 1, sizeof *ranks);
    MUST(ranks);
    working_set_sort(&set, ranks, (struct profile_range *)(uintptr_t)profile.ranges);
    free(ranks);
    MUST(sum_of_ranges(section) == before);
    for (bool more = true; more;) {
        bool touched = working_set_touch_chunk(&set);
        more = working_set_read_run(&set) || touched;
    }
    MUST(counters.ranges == section->range_count || working_set_budget_hits(&set));
    MUST(counters.ranges <= section->range_count && set.next_range <= section->range_count);
}

/* The beginning alone, as a process looks at it first. */
static void peek(const uint8_t *data, size_t size, const char *path, bool named)
{
    struct input input = {data, size};
    uint8_t *bytes = take_copy(&input, size);
    if (profile_check_header(bytes, size) == 0)
        MUST(profile_peek(bytes, size, path) || !named);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint8_t *bytes = take_copy(&input, size);
    struct profile_header *header = (void *)bytes;
    profile_parse(bytes, size, &profile);
    peek(data, size, "/usr/bin/python3", false);
    /* No mutation would come past the checksum. */
    size_t covered = offsetof(struct profile_header, crc32) + sizeof header->crc32;
    if (size >= sizeof *header && header->size >= covered && header->size <= size)
        header->crc32 = hardware_crc32(bytes + covered, header->size - covered);
    if (profile_parse(bytes, size, &profile) == 0) {
        now_ns = 0;
        for (uint32_t i = 0; i < profile.header->executable_count; i++) {
            const char *path = profile.strings + profile.executables[i].path;
            bool named = profile.executables[i].path_hash == profile_hash(path);
            MUST(!named || profile_find(&profile, path));
            peek(bytes, size, path, named);
            peek(bytes, sizeof *header + (size - sizeof *header) / 2, path, named);
            replay(&profile.executables[i]);
        }
    }
    free(bytes);
    return 0;
}
