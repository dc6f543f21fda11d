/*
 * warm.c: opens what the loader has mapped under the names that it has used a moment ago, and only
 * what is left then by name, which takes a look at the mounts. On a cold disk to open is to wait,
 * but not for what has just been opened, nor for what the kernel knows: so there must be something
 * of the first kind in memory, or everything be of the second. (Major faults would tell too; but to
 * be asked for its usage makes the kernel end the time slice.)
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

#define SAMPLES     16
#define LONG_RANGES 64 /* with more than these, more than one page of a file may be a sample */
#define PATH_BYTES  256

/* Every start has read it before it comes here, or will at once: it says nothing. */
#define LOADER_CACHE "/etc/ld.so.cache"

/* A file that has not been looked at yet, and pages of it: of a short program, which would feel
 * more of them, the last one. What a start touches late is the least likely to be in memory by
 * accident. */
struct wanted {
    const struct profile_file *file;
    uint32_t page_count, pages[SAMPLES];
};

struct library_search {
    const struct profile *profile; /* nothing in it has been validated */
    const char *executable;
    struct mounts *mounts; /* or NULL: not read yet */
    struct wanted wanted[SAMPLES];
    unsigned count, objects_seen, resident;
    bool is_long, newest;
};

static void want(struct library_search *search, const struct profile_range *range)
{
    const struct profile_file *file = &search->profile->files[range->file];
    for (unsigned i = 0; i < search->count; i++)
        if (search->wanted[i].file == file) {
            struct wanted *known = &search->wanted[i];
            if (search->is_long)
                known->pages[known->page_count++] = range->first_page;
            return;
        }
    search->wanted[search->count++] =
        (struct wanted){.file = file, .page_count = 1, .pages = {range->first_page}};
}

static void list_wanted(struct library_search *search, const struct profile_executable *section)
{
    const struct profile_range *ranges = search->profile->ranges + section->first_range;
    uint32_t count = section->range_count;
    uint32_t samples = count < SAMPLES ? count : SAMPLES;
    search->is_long = count > LONG_RANGES;
    for (uint32_t i = samples; i-- > 0;) {
        const struct profile_range *range = &ranges[(uint64_t)i * count / samples];
        if (range->page_count && range->file < search->profile->header->file_count)
            want(search, range);
    }
}

static bool is_resident(int fd, const struct wanted *wanted)
{
    for (uint32_t i = 0; i < wanted->page_count; i++)
        if (!file_page_is_resident(fd, (uint64_t)wanted->pages[i] * PROFILE_PAGE_BYTES))
            return false;
    return true;
}

/* The recorded path, or "". */
static const char *path_of(const struct library_search *search, const struct profile_file *file)
{
    return profile_path_is_valid(search->profile, file->path)
               ? search->profile->strings + file->path
               : "";
}

static bool has_recorded_path(const struct library_search *search, int fd,
                              const struct profile_file *file)
{
    static char path[PATH_BYTES]; /* stacks may be tiny */
    char link[TEXT_DESCRIPTOR_LINK];
    long length = sys_readlink(text_descriptor_link(link, fd), path, sizeof path - 1);
    if (length <= 0)
        return false;
    path[length] = '\0';
    return text_equal(path, path_of(search, file));
}

/* The place of an open file in the list, whatever its name; search->count if it is not on it. */
static unsigned find_wanted(const struct library_search *search, int fd)
{
    struct sys_status status = {.size = 0};
    if (sys_stat(fd, "", &status) != 0)
        return search->count;
    unsigned i = 0;
    for (; i < search->count; i++) {
        const struct profile_file *file = search->wanted[i].file;
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

/* Whether the kernel knows the way there, so that nobody waits for it (Linux 5.12). */
static bool is_known(const char *path)
{
    int fd = sys_open_how(path, O_PATH, SYS_KNOWN);
    if (fd >= 0)
        sys_close(fd);
    return fd >= 0;
}

/* As working_set.c does it: nothing but regular files, and one of another size says nothing. */
static enum residency look_by_name(struct library_search *search, const char *path, unsigned i)
{
    struct sys_status status = {.size = 0};
    int fd = may_hang(search, path) ? -ENOENT : sys_open_type(path, S_IFREG, &status);
    if (fd < 0)
        return RESIDENCY_UNKNOWN;
    enum residency residency = RESIDENCY_UNKNOWN;
    if (profile_file_fits(search->wanted[i].file, status.size))
        residency = judge(search, fd, i);
    sys_close(fd);
    return residency;
}

/* Not by a path that is not absolute: the mounts do not tell whether it may hang. Where nothing of
 * the start is in memory yet, only what is known. */
static enum residency look_at_others(struct library_search *search)
{
    bool only_known = !search->resident;
    while (search->count) {
        unsigned last = search->count - 1;
        const char *path = path_of(search, search->wanted[last].file);
        if (*path == '/' && !text_equal(path, LOADER_CACHE)) {
            if (only_known && !(search->newest && is_known(path)))
                return RESIDENCY_UNKNOWN;
            if (look_by_name(search, path, last) == NOT_RESIDENT)
                return NOT_RESIDENT;
        }
        search->count = last;
    }
    return search->resident ? RESIDENT : RESIDENCY_UNKNOWN;
}

enum residency warm_look(const struct profile *profile, const struct profile_executable *section,
                         const char *executable, bool newest)
{
    struct library_search search = {.profile = profile, .executable = executable, .newest = newest};
    if (!profile_section_fits(profile, section))
        return RESIDENCY_UNKNOWN;
    list_wanted(&search, section);
    if (look_at(&search, executable) == NOT_RESIDENT ||
        objects_visit(look_at_object, &search) == NOT_RESIDENT)
        return NOT_RESIDENT;
    return look_at_others(&search);
}
