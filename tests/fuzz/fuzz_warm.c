/*
 * fuzz_warm.c: whether a start is warm, by a profile of which only the header has been looked at,
 * on a machine whose files, objects and mounts are pretended.
 *
 * Input: how much is looked at first (two bytes); what goes wrong (one byte, 0: nothing); the
 * profile.
 */
#include "fuzz.h"

#include "base/objects.h"
#include "base/sys.h"
#include "replay/mounts.h"
#include "replay/profile.h"
#include "replay/residency.h"
#include "replay/warm.h"

/* The one file that may be open at a time. */
enum { FILE_FD = 4 };
enum { OBJECTS = 24, MOST_OPENS = 40 };

static const char program[] = "/usr/bin/python3.11";

static struct {
    const uint8_t *bytes;
    size_t size;
    uint8_t luck;
    uint64_t files, ranges, strings; /* where they stand */
    uint32_t file_count;
    const struct profile_executable *section; /* NULL: cannot be seen */
    uintptr_t code;                           /* where warm.c has been loaded */

    const struct object *visited;
    bool mounts_are_known;
    bool only_known;     /* nothing was in memory when the names came */
    const char *known;   /* the last one that the kernel knew the way to */
    const char *trusted; /* on no mount that may hang */
    bool is_regular;     /* it */
    const char *opened;
    bool is_open;
    unsigned opens, resident, not_resident;
} machine;

static bool goes_wrong(uint32_t what, unsigned one_in)
{
    uint32_t mixed = (what ^ machine.luck) * 0x9e3779b1u;
    return machine.luck && (mixed >> 16) % one_in == 0;
}

static const void *entry_at(uint64_t table, uint64_t index, size_t bytes)
{
    uint64_t place = table + index * bytes;
    return place + bytes <= machine.size ? machine.bytes + place : NULL;
}

static const struct profile_file *file_number(uint32_t index)
{
    if (index >= machine.file_count)
        return NULL;
    return entry_at(machine.files, index, sizeof(struct profile_file));
}

/* NULL: the profile does not name it. */
static const struct profile_file *file_named(const char *path)
{
    const struct profile_file *file;
    for (uint32_t i = 0; (file = file_number(i)); i++) {
        uint64_t place = machine.strings + file->path;
        size_t room = place < machine.size ? machine.size - place : 0;
        if (strlen(path) < room && memcmp(machine.bytes + place, path, strlen(path) + 1) == 0)
            return file;
    }
    return NULL;
}

static bool section_has_page(uint64_t page)
{
    const struct profile_range *range;
    for (uint32_t i = 0; i < machine.section->range_count; i++) {
        uint64_t index = (uint64_t)machine.section->first_range + i;
        range = entry_at(machine.ranges, index, sizeof *range);
        if (!range)
            return false;
        if (range->page_count && range->first_page == page)
            return true;
    }
    return false;
}

/* The files of objects may go by other names in the profile. */
static const struct profile_file *file_behind(const char *path)
{
    const struct profile_file *file = file_named(path);
    if (!file && machine.file_count && goes_wrong(hash_text(path), 2))
        file = file_number(hash_text(path) % machine.file_count);
    return file;
}

static void pretended_mounts_read(struct mounts *mounts)
{
    MUST(!machine.mounts_are_known && mounts->used == 0);
    MUST(machine.only_known || machine.resident > 0); /* or the look at the mounts is in vain */
    machine.mounts_are_known = true;
}

static bool pretended_may_hang(const struct mounts *mounts, const char *path, const char *of)
{
    MUST(machine.mounts_are_known && mounts && of == program);
    MUST(machine.only_known ? path == machine.known : machine.resident > 0);
    bool may_hang = goes_wrong(hash_text(path), 6);
    machine.trusted = may_hang ? "" : path;
    machine.is_regular = false;
    return may_hang;
}

static int pretended_stat(int fd, const char *path, struct sys_status *status)
{
    bool by_name = fd == AT_FDCWD;
    if (by_name) {
        /* Mounts say nothing about what is relative to the working directory, or that itself. */
        MUST(*path == '/' && file_named(path) && strcmp(path, machine.trusted) == 0);
    } else {
        MUST(fd == FILE_FD && machine.is_open && !*path);
        path = machine.opened;
    }
    uint32_t hash = hash_text(path) + by_name;
    if (goes_wrong(hash, 9))
        return -EACCES;
    const struct profile_file *file = file_behind(path);
    memset(status, 0, sizeof *status);
    status->mode = goes_wrong(hash, 5) ? S_IFIFO : S_IFREG;
    if (by_name)
        machine.is_regular = status->mode == S_IFREG;
    if (file) {
        status->size = file->size;
        uint64_t mtime_ns = (uint64_t)file->mtime_ns;
        status->mtime_seconds = (int64_t)(mtime_ns / 1000000000u);
        status->mtime_nanoseconds = (uint32_t)(mtime_ns % 1000000000u);
        status->mtime_nanoseconds += goes_wrong(hash, 3); /* the name may decide */
    }
    return 0;
}

static int pretended_open(const char *path, int flags)
{
    MUST(!machine.is_open && machine.section);
    MUST(flags & O_NONBLOCK && ++machine.opens <= MOST_OPENS);
    if (machine.mounts_are_known) {
        MUST(flags & O_NOFOLLOW && machine.is_regular);
        MUST(file_named(path) && strcmp(path, machine.trusted) == 0);
        MUST(strcmp(path, "/etc/ld.so.cache") != 0);
    } else if (machine.visited) {
        MUST(path == machine.visited->path && *path == '/');
        MUST(machine.visited->begin != machine.code);
    } else {
        MUST(path == program);
    }
    if (goes_wrong(hash_text(path), 16))
        return -ENOENT;
    machine.opened = path;
    machine.is_open = true;
    return FILE_FD;
}

static int pretended_open_how(const char *path, int flags, uint64_t resolve)
{
    MUST(!machine.is_open && flags == O_PATH && resolve == SYS_KNOWN && *path == '/');
    MUST(machine.only_known || (machine.resident == 0 && !machine.mounts_are_known));
    machine.only_known = true;
    machine.is_open = !goes_wrong(hash_text(path), 13);
    machine.known = machine.is_open ? path : NULL;
    return machine.is_open ? FILE_FD : -EAGAIN;
}

static int pretended_open_type(const char *path, mode_t type, struct sys_status *status)
{
    int error = pretended_stat(AT_FDCWD, path, status);
    if (error)
        return error;
    if ((status->mode & S_IFMT) != type)
        return -EINVAL;
    return pretended_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
}

/* What is open goes by its own name, or by one of the profile's. */
static long pretended_readlink(const char *path, char *buffer, size_t bytes)
{
    char expected[32];
    snprintf(expected, sizeof expected, "/proc/self/fd/%d", FILE_FD);
    MUST(machine.is_open && strcmp(path, expected) == 0);
    if (goes_wrong(hash_text(machine.opened), 7))
        return -ENOENT;
    const struct profile_file *file = file_behind(machine.opened);
    uint64_t place = file ? machine.strings + file->path : machine.size;
    const char *name = place < machine.size ? (const char *)machine.bytes + place : machine.opened;
    size_t length = strnlen(name, place < machine.size ? machine.size - place : bytes);
    length = length < bytes ? length : bytes;
    memcpy(buffer, name, length);
    return (long)length;
}

static void pretended_close(int fd)
{
    MUST(fd == FILE_FD && machine.is_open);
    machine.is_open = false;
}

static bool pretended_residency(int fd, uint64_t offset)
{
    MUST(fd == FILE_FD && machine.is_open);
    MUST(offset % PROFILE_PAGE_BYTES == 0 && section_has_page(offset / PROFILE_PAGE_BYTES));
    bool resident = !goes_wrong((uint32_t)offset + machine.opens, 12);
    machine.resident += resident;
    machine.not_resident += !resident;
    return resident;
}

static int pretended_visit(int (*visit)(const struct object *object, void *context), void *context)
{
    static const char *const paths[] = {
        "",
        "linux-vdso.so.1",
        "/opt/libcoldboost.so",
        "/usr/lib/x86_64-linux-gnu/libc.so.6",
        "/lib/libz.so.1",
    };
    enum { OURSELVES = 2, LAST = sizeof paths / sizeof *paths - 1 };
    int answer = 0;
    for (unsigned i = 0; i < OBJECTS && answer == 0; i++) {
        uintptr_t begin = i == OURSELVES ? machine.code : 1;
        struct object object = {
            .begin = begin,
            .end = begin + 1,
            .path = paths[i < LAST ? i : LAST],
        };
        machine.visited = &object;
        answer = visit(&object, context);
    }
    machine.visited = NULL;
    return answer;
}

#define sys_stat              pretended_stat
#define sys_open              pretended_open
#define sys_open_type         pretended_open_type
#define sys_open_how          pretended_open_how
#define sys_readlink          pretended_readlink
#define sys_close             pretended_close
#define file_page_is_resident pretended_residency
#define mounts_read           pretended_mounts_read
#define mounts_may_hang       pretended_may_hang
#define objects_visit         pretended_visit
#include "replay/warm.c"

/* No mutation of the counts would come past the size, and few would leave the hash alone. */
static void put_right(uint8_t *bytes, size_t size)
{
    struct profile_header *header = (void *)bytes;
    struct profile_executable *executables = (void *)(header + 1);
    machine.files = sizeof *header + (uint64_t)header->executable_count * sizeof *executables;
    machine.ranges = machine.files + (uint64_t)header->file_count * sizeof(struct profile_file);
    machine.strings = machine.ranges + (uint64_t)header->range_count * sizeof(struct profile_range);
    machine.file_count = header->file_count;
    header->size = machine.strings + header->string_bytes;
    if (header->executable_count && size >= sizeof *header + sizeof *executables)
        executables[0].path_hash = profile_hash(program);
}

static void ask(const uint8_t *bytes, size_t size)
{
    struct profile profile;
    machine.section = profile_peek_row(bytes, size, program);
    if (!machine.section || !profile_view(bytes, size, &profile))
        return;
    enum residency found = warm_look(&profile, machine.section, program, true);
    MUST(!machine.is_open && !machine.visited);
    MUST(found == RESIDENCY_UNKNOWN || found == RESIDENT || found == NOT_RESIDENT);
    MUST(machine.not_resident == (found == NOT_RESIDENT)); /* it stops at the first */
    bool gave_up = machine.only_known && !machine.known;
    MUST((found == RESIDENT) == (machine.resident && !machine.not_resident && !gave_up));
}

/* The beginning lies alone, so that a read beyond it is seen. */
static void peek(const uint8_t *bytes, size_t size, size_t seen)
{
    struct input input = {bytes, size};
    uint8_t *beginning = take_copy(&input, seen);
    seen = size - input.left;
    if (profile_check_header(beginning, seen) == 0 && !profile_peek(beginning, seen, program))
        MUST(!profile_peek_row(bytes, size, program));
    free(beginning);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    size_t seen = (size_t)take_number(&input, 2);
    memset(&machine, 0, sizeof machine);
    machine.trusted = "";
    machine.luck = (uint8_t)take_number(&input, 1);
    machine.size = input.left;
    machine.code = (uintptr_t)look_at;
    uint8_t *bytes = take_copy(&input, input.left);
    machine.bytes = bytes;
    if (machine.size >= sizeof(struct profile_header))
        put_right(bytes, machine.size);
    if (profile_check_header(bytes, machine.size) == 0) {
        peek(bytes, machine.size, seen);
        ask(bytes, machine.size);
    }
    free(bytes);
    return 0;
}
