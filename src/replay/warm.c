/*
 * warm.c: opens what the loader has mapped under the names that it has used a moment ago, and only
 * what is left then by name, which takes a look at the mounts. On a cold disk to open is to wait,
 * but not for what has just been opened: so there must be something of that kind in memory first.
 * (Major faults would tell too; but to be asked for its usage makes the kernel end the time slice.)
 *
 * A mapped file is recognised by its size and time of change: libraries are loaded under other
 * names than the profile's, which are free of symbolic links. If only the size agrees, /proc tells
 * its name without such links.
 */
#include "replay/warm.h"

#include "base/objects.h"
#include "base/sys.h"
#include "base/text.h"
#include "replay/mounts.h"

#define SAMPLES 16
/* So many ranges, or each sample by itself, are read at once. */
#define MOST_RANGES 64
#define PATH_BYTES  256

/* Every start has read it before it comes here, or will at once: it says nothing. */
#define LOADER_CACHE "/etc/ld.so.cache"

/* A file that has not been looked at yet, and pages of it: of a short program, which would feel
 * more of them, the last one. What a start touches late is the least likely to be in memory by
 * accident. */
struct wanted {
    uint32_t index, page_count, pages[SAMPLES];
    struct profile_file file;
};

struct library_search {
    int profile;
    struct profile_header header;
    const char *executable;
    struct mounts *mounts; /* or NULL: not read yet */
    struct wanted wanted[SAMPLES];
    unsigned count, objects_seen, resident;
    bool is_long;
};

/* Where the tables stand: profile_peek() has found that they fit. */
static uint64_t place_of_files(const struct profile_header *header)
{
    return sizeof *header + (uint64_t)header->executable_count * sizeof(struct profile_executable);
}

static uint64_t place_of_ranges(const struct profile_header *header)
{
    return place_of_files(header) + (uint64_t)header->file_count * sizeof(struct profile_file);
}

static uint64_t place_of_strings(const struct profile_header *header)
{
    return place_of_ranges(header) + (uint64_t)header->range_count * sizeof(struct profile_range);
}

static bool read_at(const struct library_search *search, uint64_t offset, void *to, size_t bytes)
{
    return sys_pread(search->profile, to, bytes, offset) == (long)bytes;
}

static void want(struct library_search *search, const struct profile_range *range)
{
    for (unsigned i = 0; i < search->count; i++)
        if (search->wanted[i].index == range->file) {
            struct wanted *known = &search->wanted[i];
            if (search->is_long)
                known->pages[known->page_count++] = range->first_page;
            return;
        }
    struct wanted *wanted = &search->wanted[search->count];
    uint64_t offset = place_of_files(&search->header) + (uint64_t)range->file * sizeof wanted->file;
    if (range->file >= search->header.file_count ||
        !read_at(search, offset, &wanted->file, sizeof wanted->file))
        return;
    wanted->index = range->file;
    wanted->pages[0] = range->first_page;
    wanted->page_count = 1;
    search->count++;
}

static void list_wanted(struct library_search *search, const struct profile_executable *section)
{
    struct profile_range ranges[MOST_RANGES] = {{.page_count = 0}};
    uint32_t count = section->range_count, first = 0, end = 0; /* those that have been read */
    uint32_t samples = count < SAMPLES ? count : SAMPLES;
    search->is_long = count > MOST_RANGES;
    uint64_t place =
        place_of_ranges(&search->header) + (uint64_t)section->first_range * sizeof *ranges;
    for (uint32_t i = samples; i-- > 0;) {
        uint32_t at = (uint32_t)((uint64_t)i * count / samples);
        if (at < first || at >= end) {
            first = search->is_long ? at : 0;
            end = search->is_long ? at + 1 : count;
            if (!read_at(search, place + (uint64_t)first * sizeof *ranges, ranges,
                         (end - first) * sizeof *ranges))
                return;
        }
        if (ranges[at - first].page_count)
            want(search, &ranges[at - first]);
    }
}

static bool is_resident(int fd, const struct wanted *wanted)
{
    for (uint32_t i = 0; i < wanted->page_count; i++)
        if (!file_page_is_resident(fd, (uint64_t)wanted->pages[i] * PROFILE_PAGE_BYTES))
            return false;
    return true;
}

/* "" if it is a long one. */
static void read_path(const struct library_search *search, const struct profile_file *file,
                      char path[PATH_BYTES])
{
    uint64_t offset = place_of_strings(&search->header) + file->path;
    long n = sys_pread(search->profile, path, PATH_BYTES, offset);
    for (long i = 0; i < n; i++)
        if (!path[i])
            return;
    path[0] = '\0';
}

static bool has_recorded_path(const struct library_search *search, int fd,
                              const struct profile_file *file)
{
    static char recorded[PATH_BYTES], path[PATH_BYTES]; /* stacks may be tiny */
    char link[TEXT_DESCRIPTOR_LINK];
    long length = sys_readlink(text_descriptor_link(link, fd), path, sizeof path - 1);
    if (length <= 0)
        return false;
    path[length] = '\0';
    read_path(search, file, recorded);
    return text_equal(path, recorded);
}

/* The place of an open file in the list, whatever its name; search->count if it is not on it. */
static unsigned find_wanted(const struct library_search *search, int fd)
{
    struct sys_status status = {.size = 0};
    if (sys_stat(fd, "", &status) != 0)
        return search->count;
    unsigned i = 0;
    for (; i < search->count; i++) {
        const struct profile_file *file = &search->wanted[i].file;
        if (profile_file_fits(file, status.size) &&
            (file->mtime_ns == sys_mtime_ns(&status) || has_recorded_path(search, fd, file)))
            break;
    }
    return i;
}

/* Of the open file in place `i`, which is then off the list. */
static enum residency judge(struct library_search *search, int fd, unsigned i)
{
    bool resident = is_resident(fd, &search->wanted[i]);
    search->wanted[i] = search->wanted[--search->count];
    search->resident += resident;
    return resident ? RESIDENT : NOT_RESIDENT;
}

/* What the loader has opened a moment ago. */
static enum residency look_at(struct library_search *search, const char *path)
{
    int fd = sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return RESIDENCY_UNKNOWN;
    unsigned i = find_wanted(search, fd);
    enum residency residency = i < search->count ? judge(search, fd, i) : RESIDENCY_UNKNOWN;
    sys_close(fd);
    return residency;
}

/* Stops at what is not in memory, and when by name would have been quicker. */
static int look_at_object(const struct object *object, void *context)
{
    struct library_search *search = context;
    if (*object->path != '/' || (uintptr_t)look_at - object->begin < object->end - object->begin)
        return 0; /* the executable, the vdso, and ourselves */
    if (!search->count || search->objects_seen++ == SAMPLES)
        return RESIDENT;
    return look_at(search, object->path) == NOT_RESIDENT ? NOT_RESIDENT : 0;
}

static bool may_hang(struct library_search *search, const char *path)
{
    static struct mounts mounts; /* stacks may be tiny */
    if (!search->mounts) {
        mounts = (struct mounts){.used = 0};
        mounts_read(&mounts);
        search->mounts = &mounts;
    }
    return mounts_may_hang(search->mounts, path, search->executable);
}

/* As working_set.c does it: nothing but regular files, and one of another size says nothing. Nor
 * does a path that is not absolute: the mounts do not tell whether it may hang. */
static enum residency look_at_others(struct library_search *search)
{
    static char path[PATH_BYTES];
    enum residency residency = RESIDENT;
    while (search->count && residency == RESIDENT) {
        struct sys_status status = {.size = 0};
        unsigned last = search->count - 1;
        const struct profile_file *file = &search->wanted[last].file;
        read_path(search, file, path);
        int fd = *path == '/' && !text_equal(path, LOADER_CACHE) && !may_hang(search, path)
                     ? sys_open_type(path, S_IFREG, &status)
                     : -ENOENT;
        if (fd >= 0 && profile_file_fits(file, status.size))
            residency = judge(search, fd, last);
        if (fd >= 0)
            sys_close(fd);
        search->count = last;
    }
    return residency;
}

enum residency warm_look(int fd, const uint8_t *bytes, size_t size, const char *executable,
                         uint32_t *range_count)
{
    const struct profile_executable *section = profile_peek_row(bytes, size, executable);
    struct library_search search = {
        .profile = fd,
        .header = *(const struct profile_header *)(const void *)bytes,
        .executable = executable,
    };
    if (!section)
        return RESIDENCY_UNKNOWN;
    *range_count = section->range_count;
    list_wanted(&search, section);
    if (look_at(&search, executable) == NOT_RESIDENT ||
        objects_visit(look_at_object, &search) == NOT_RESIDENT)
        return NOT_RESIDENT;
    return search.resident ? look_at_others(&search) : RESIDENCY_UNKNOWN;
}
