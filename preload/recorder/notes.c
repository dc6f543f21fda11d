/*
 * notes.c: what becomes of a note: which file is it, has it been noted lately, and then a range in
 * the trace.
 */
#include "recorder/notes.h"

#include "base/objects.h"
#include "base/sys.h"
#include "base/text.h"
#include "recorder/call_stacks.h"
#include "recorder/state.h"

#include <linux/limits.h>

/* Called as often as something is noted. */
static bool takes_part(void)
{
    if (!record_process())
        return false;
    if (record_is_time_to_look())
        record_pages(0, UINTPTR_MAX);
    return true;
}

/* ---- descriptors ---------------------------------------------------------------------------- */

/* The file behind fd if it is of this kind, or 0. Who first used it is noted too. */
static uint32_t file_of_descriptor(int fd, mode_t kind)
{
    char link[TEXT_DESCRIPTOR_LINK];
    struct stat status;
    if (!takes_part() || sys_fstat(fd, &status) != 0 || (status.st_mode & S_IFMT) != kind)
        return 0;
    uint32_t file = trace_opened_file(record_trace(), &status, text_descriptor_link(link, fd));
    if (file)
        record_stack(file);
    return file;
}

void record_read(int fd, int64_t offset, int64_t bytes)
{
    if (bytes <= 0 || offset < 0)
        return;
    uint64_t first = (uint64_t)offset / TRACE_PAGE_BYTES;
    uint64_t last = ((uint64_t)offset + (uint64_t)bytes - 1) / TRACE_PAGE_BYTES;
    uint32_t file = file_of_descriptor(fd, S_IFREG);
    if (file && last <= UINT32_MAX && (first != last || !record_seen_lately(file, first)))
        record_range(file, first, last - first + 1, TRACE_READ);
}

void record_read_here(int fd, int64_t bytes)
{
    if (bytes <= 0 || !record_takes_part())
        return;
    int64_t end = sys_position(fd);
    if (end >= bytes)
        record_read(fd, end - bytes, bytes);
}

void record_listed(int fd)
{
    uint32_t file = file_of_descriptor(fd, S_IFDIR);
    if (file && !record_seen_lately(file, 0))
        record_range(file, 0, 0, TRACE_LISTED);
}

void record_met(int fd)
{
    if (record_wants_stacks())
        file_of_descriptor(fd, S_IFREG);
}

/* ---- paths ---------------------------------------------------------------------------------- */

/* Where a relative path starts: appends the directory and a slash. Returns the length, or 0. */
static size_t start_path(int directory, char *path)
{
    char link[TEXT_DESCRIPTOR_LINK];
    long length = directory == AT_FDCWD
                      ? sys_readlink("/proc/self/cwd", path, PATH_MAX)
                      : sys_readlink(text_descriptor_link(link, directory), path, PATH_MAX);
    if (length <= 0 || path[0] != '/' || length + 1 >= PATH_MAX)
        return 0;
    path[length] = '/';
    return (size_t)length + 1;
}

/* These are made up as they are looked at. */
static bool has_no_storage(const char *path)
{
    return text_after(path, "/proc/") || text_after(path, "/sys/") || text_after(path, "/dev/");
}

bool record_may_look_at(int directory, const char *path)
{
    struct stat status;
    int error = sys_fstatat(directory, path, &status);
    return error != -EFAULT && error != -ENAMETOOLONG && error != -EBADF;
}

static void look_up(int directory, const char *path, bool failed, enum trace_how how)
{
    if (!takes_part() || (failed && !record_may_look_at(directory, path)) || !path[0])
        return;
    char whole[PATH_MAX];
    size_t length = path[0] == '/' ? 0 : start_path(directory, whole);
    if (path[0] != '/' && length == 0)
        return;
    length = text_append(whole, sizeof whole, length, path);
    if (length + 1 >= sizeof whole || has_no_storage(whole))
        return;
    uint32_t file = trace_path(record_trace(), whole, (uint32_t)length);
    if (file && !record_seen_lately(file, 0))
        record_range(file, 0, 0, how);
}

void record_lookup(int directory, const char *path, bool failed)
{
    look_up(directory, path, failed, TRACE_LOOKED_UP);
}

static void whole_file(const char *path, enum trace_how how)
{
    char link[TEXT_DESCRIPTOR_LINK];
    struct stat status;
    if (!record_process())
        return;
    look_up(AT_FDCWD, path, false, how == TRACE_LOADED ? how : TRACE_LOOKED_UP);
    if (sys_fstatat(AT_FDCWD, path, &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_size <= 0)
        return;
    int fd = sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return;
    uint32_t file = trace_opened_file(record_trace(), &status, text_descriptor_link(link, fd));
    uint64_t pages = ((uint64_t)status.st_size + TRACE_PAGE_BYTES - 1) / TRACE_PAGE_BYTES;
    if (file && !record_seen_lately(file, 0))
        record_range(file, 0, pages, how);
    sys_close(fd);
}

void record_whole_file(const char *path)
{
    whole_file(path, TRACE_READ);
}

static int note_object(const struct object *object, void *unused)
{
    (void)unused;
    if (*object->path == '/')
        look_up(AT_FDCWD, object->path, false, TRACE_LOADED);
    return 0;
}

/*
 * The loader opens all libraries, most by the name of a link, before it relocates the first, and
 * waits for each on a cold start. glibc's has searched its cache for them and unmapped it again.
 */
void record_loading(void)
{
    if (gnu_get_libc_version)
        whole_file("/etc/ld.so.cache", TRACE_LOADED);
    objects_visit(note_object, NULL);
}

/* ---- mapped pages --------------------------------------------------------------------------- */

/* One look at the mapped pages. */
struct look {
    uint64_t time_ns;
    uint32_t file;
};

static bool note_mapping(struct page_scan *scan, const struct mapping *mapping)
{
    struct look *look = scan->context;
    if (mapping->start == (uintptr_t)record_trace()) /* the program has no such file */
        return false;
    look->file = trace_mapped_file(record_trace(), mapping);
    if (!look->file || !S_ISREG(trace_file_at(record_trace(), look->file)->mode))
        return false;
    /* The loader, or the kernel, has read the header before it mapped anything. */
    if (mapping->executable)
        record_range_at(look->time_ns, look->file, 0, 1, TRACE_MAPPED);
    return true;
}

static void note_run(struct page_scan *scan, const struct mapping *mapping, uint64_t first_page,
                     uint64_t page_count)
{
    (void)mapping;
    const struct look *look = scan->context;
    if (first_page + page_count <= UINT32_MAX)
        record_range_at(look->time_ns, look->file, first_page, page_count, TRACE_MAPPED);
}

void record_pages(uintptr_t from, uintptr_t to)
{
    if (!record_process() || !record_begin_scan())
        return;
    struct look look = {.time_ns = trace_now(record_trace())};
    record_scan(&(struct page_scan){
        .from = from, .to = to, .mapping = note_mapping, .run = note_run, .context = &look});
    record_end_scan();
}

/* Some programs unload all their plugins before they end, one by one: each look is at all that is
 * mapped, as is not known what an object takes along. */
void record_unloading(void)
{
    if (record_process() && record_is_time_to_unload((uint32_t)(objects_generation() >> 32)))
        record_pages(0, UINTPTR_MAX);
}
