/*
 * inspect_plan.c: which pages of an object are in memory, and which the plans would page in.
 */
#include "cli/command.h"
#include "inspect/inspect.h"
#include "profile/profile_read.h"
#include "replay/blind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE_BYTES ((uint64_t)4 << 30)
#define CHUNK_BYTES    ((uint64_t)1 << 30)

/*
 * mincore(), not preadv2(RWF_NOWAIT): that may start to read what it is asked about, and every page
 * is asked about here. It tells the truth of files alone that we own or may write (Linux 5.2).
 */
static bool kernel_tells(int fd, const struct stat *status)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return status->st_uid == geteuid() || eaccess(link, W_OK) == 0;
}

void find_residency(int fd, struct inspected_object *object)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size <= 0 ||
        (uint64_t)status.st_size > MAX_FILE_BYTES)
        return;
    uint64_t size = (uint64_t)status.st_size;
    object->page_count = (size + PROFILE_PAGE_BYTES - 1) / PROFILE_PAGE_BYTES;
    object->pages = xmalloc(object->page_count);
    memset(object->pages, 0, object->page_count);
    if (sysconf(_SC_PAGESIZE) != PROFILE_PAGE_BYTES || !kernel_tells(fd, &status))
        return;
    object->residency_known = true;
    for (uint64_t at = 0; at < size && object->residency_known; at += CHUNK_BYTES) {
        uint64_t bytes = size - at < CHUNK_BYTES ? size - at : CHUNK_BYTES;
        void *mapping = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, (off_t)at);
        if (mapping == MAP_FAILED ||
            mincore(mapping, bytes, object->pages + at / PROFILE_PAGE_BYTES) != 0)
            object->residency_known = false;
        if (mapping != MAP_FAILED)
            munmap(mapping, bytes);
    }
    for (size_t i = 0; i < object->page_count; i++)
        object->pages[i] = object->residency_known ? object->pages[i] & PAGE_RESIDENT : 0;
}

static void mark(struct inspected_object *object, uint64_t offset, uint64_t bytes, uint8_t flag)
{
    uint64_t end = (offset + bytes + PROFILE_PAGE_BYTES - 1) / PROFILE_PAGE_BYTES;
    for (uint64_t page = offset / PROFILE_PAGE_BYTES; page < end && page < object->page_count;
         page++)
        object->pages[page] |= flag;
}

struct page_share share_of_pages(const struct inspected_object *object, uint64_t offset,
                                 uint64_t bytes, uint8_t flag)
{
    struct page_share share = {0, 0};
    if (bytes == 0)
        return share;
    uint64_t end = (offset + bytes + PROFILE_PAGE_BYTES - 1) / PROFILE_PAGE_BYTES;
    for (uint64_t page = offset / PROFILE_PAGE_BYTES; page < end && page < object->page_count;
         page++) {
        share.pages++;
        share.flagged += (object->pages[page] & flag) != 0;
    }
    return share;
}

/* As blind.c does it in the process: in load order, until the budget is used up. */
void plan_blind(struct inspection *inspection)
{
    uint64_t total = 0;
    for (size_t i = 0; i < inspection->object_count && total < BLIND_BUDGET_BYTES; i++) {
        struct inspected_object *object = inspection->objects[i];
        const struct object loaded = {.base = object->base,
                                      .headers = object->elf.headers,
                                      .header_count = object->elf.header_count};
        uintptr_t done = UINTPTR_MAX; /* no window: a file's first one begins at 0 */
        for (size_t n = 0; n < object->elf.initialiser_count; n++) {
            uintptr_t from, to, address = object->base + object->elf.initialisers[n];
            uintptr_t window = address & ~(uintptr_t)(BLIND_WINDOW_BYTES - 1);
            if (window == done)
                continue;
            if (!blind_window(&loaded, address, &from, &to)) {
                done = UINTPTR_MAX;
                continue;
            }
            done = window;
            if (total + (to - from) > BLIND_BUDGET_BYTES)
                continue;
            total += to - from;
            object->blind.bytes += to - from;
            object->blind.ranges++;
            mark(object, elf_facts_offset(&object->elf, address) - (address - from), to - from,
                 PAGE_BLIND);
        }
    }
}

static struct inspected_object *object_at(const struct inspection *inspection, const char *path)
{
    for (size_t i = 0; i < inspection->object_count; i++) {
        const char *real = inspection->objects[i]->real;
        if (real && strcmp(real, path) == 0)
            return inspection->objects[i];
    }
    return NULL;
}

void plan_profile(struct inspection *inspection, const struct profile *profile)
{
    inspection->has_profile = true;
    char *real = realpath(inspection->program, NULL);
    const struct profile_executable *section = real ? profile_find(profile, real) : NULL;
    free(real);
    inspection->profile_names_program = section != NULL;
    if (!section)
        return;
    inspection->recorded = identity_count(profile, section);
    /* Many ranges of few files: each file is looked for once. */
    uint32_t files = profile->header->file_count;
    struct inspected_object **objects = xmalloc(files * sizeof(struct inspected_object *));
    for (uint32_t i = 0; i < files; i++) {
        objects[i] = profile->files[i].kind == PROFILE_FILE_REGULAR
                         ? object_at(inspection, profile->strings + profile->files[i].path)
                         : NULL;
        if (objects[i] && !objects[i]->error)
            objects[i]->profile_is_stale =
                !profile_file_fits(&profile->files[i], objects[i]->elf.size);
    }
    for (uint32_t i = 0; i < section->range_count; i++) {
        const struct profile_range *range = &profile->ranges[section->first_range + i];
        struct inspected_object *object = objects[range->file];
        uint64_t offset = (uint64_t)range->first_page * PROFILE_PAGE_BYTES;
        uint64_t bytes = profile_range_bytes(profile, range);
        if (bytes == 0 || (object && object->profile_is_stale))
            continue;
        struct object_plan *plan = object ? &object->profiled : &inspection->elsewhere;
        plan->bytes += bytes;
        plan->ranges++;
        if (object)
            mark(object, offset, bytes, PAGE_PROFILED);
    }
    free((void *)objects);
}
