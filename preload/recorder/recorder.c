/*
 * recorder.c: libcoldboost-record.so, which is preloaded into a program while it is recorded.
 *
 * It notes in a shared trace what the program reads (the wrappers in wrap_reads.c and
 * wrap_stdio.c), which mapped pages it has touched when an image ends (here), and sees to it that
 * its children are recorded too (wrap_exec.c). The tool `coldboost record` samples the mapped
 * pages from outside while the program runs; no thread is added to it, so that programs which must
 * be single-threaded still are. See recorder.h for the rules.
 */
#include "recorder/recorder.h"

#include "base/objects.h"
#include "base/sys.h"
#include "base/text.h"
#include "replay/profile.h"
#include "trace/format.h"
#include "trace/image.h"
#include "trace/pages.h"
#include "trace/watched.h"

#include <linux/limits.h>

extern int __cxa_atexit(void (*run)(void *), void *argument, void *object) __attribute__((weak));
extern unsigned long getauxval(unsigned long type) __attribute__((weak));
extern const char *gnu_get_libc_version(void) __attribute__((weak));

enum { RECENT = 256, MOST_WAITS = 5000 };

/* Zero in a child of fork (MADV_WIPEONFORK): it finds no process name and no lock. */
struct own {
    _Atomic uint32_t process; /* this process in the trace; 0: not yet */
    _Atomic uint32_t scanning;
    _Atomic uint64_t recent[RECENT]; /* single pages noted lately: file << 32 | page */
};

static struct trace_header *trace;
static struct own *own;
static uint64_t page_bytes = 4096;

static void map_own_state(void)
{
    size_t bytes = (sizeof *own + page_bytes - 1) / page_bytes * page_bytes;
    own = sys_map(bytes, MAP_PRIVATE);
    if (own)
        sys_madvise(own, bytes, MADV_WIPEONFORK);
}

static void attach(void)
{
    char path[PATH_MAX];
    long length = sys_readlink("/proc/self/exe", path, sizeof path);
    if (length <= 0)
        return;
    uint32_t pid = (uint32_t)sys_getpid();
    own->process = trace_add_process(trace, pid, path, (uint32_t)length);
    trace->pids[trace->pid_count++ % TRACE_PIDS] = pid;
}

/* This process in the trace, 0 when nothing is to be recorded. */
static uint32_t process(void)
{
    if (!trace || !own || trace->finished)
        return 0;
    if (!own->process)
        attach();
    return own->process;
}

void record_attach_child(void)
{
    record_stacks_child();
    process();
}

uint32_t record_process(void)
{
    return process();
}

uint64_t record_page_bytes(void)
{
    return page_bytes;
}

bool record_wants_random_mappings(void)
{
    return trace && !trace->readahead_is_off;
}

/* ---- files --------------------------------------------------------------------------------- */

/* /proc/self/fd/N; link has room for 32 bytes. */
static const char *descriptor_link(int fd, char *link)
{
    char digits[16];
    size_t at = text_append(link, 32, 0, "/proc/self/fd/"), n = 0;
    for (unsigned rest = (unsigned)fd; n == 0 || rest; rest /= 10)
        digits[n++] = (char)('0' + rest % 10);
    while (n)
        link[at++] = digits[--n];
    link[at] = '\0';
    return link;
}

static uint32_t file_of_descriptor(int fd, const struct stat *status)
{
    uint32_t file = trace_find_file(trace, status->st_dev, status->st_ino);
    if (file)
        return file;
    char link[32], path[PATH_MAX];
    long length = sys_readlink(descriptor_link(fd, link), path, sizeof path);
    if (length <= 0 || path[0] != '/')
        return 0;
    return trace_add_file(trace, status->st_dev, status->st_ino, path, (uint32_t)length);
}

static void add(uint32_t file, uint64_t first_page, uint64_t page_count, enum trace_how how)
{
    struct trace_range range = {
        .process = own->process,
        .file = file,
        .first_page = (uint32_t)first_page,
        .page_count = (uint32_t)page_count,
        .how = how,
        .time_ns = trace_now(trace),
    };
    trace_add_range(trace, &range);
}

/* A program that reads byte by byte would fill the trace with one page. */
static bool seen_lately(uint32_t file, uint64_t page)
{
    uint64_t key = (uint64_t)file << 32 | (uint32_t)page;
    return atomic_exchange(&own->recent[(file * 31 + page) % RECENT], key) == key;
}

void record_read(int fd, int64_t offset, int64_t bytes)
{
    struct stat status;
    if (bytes <= 0 || offset < 0 || !process() || sys_fstat(fd, &status) != 0 ||
        !S_ISREG(status.st_mode))
        return;
    uint64_t first = (uint64_t)offset / PROFILE_PAGE_BYTES;
    uint64_t last = ((uint64_t)offset + (uint64_t)bytes - 1) / PROFILE_PAGE_BYTES;
    uint32_t file = file_of_descriptor(fd, &status);
    if (file)
        record_stack(file);
    if (file && last <= UINT32_MAX && (first != last || !seen_lately(file, first)))
        add(file, first, last - first + 1, TRACE_READ);
}

void record_met(int fd)
{
    struct stat status;
    uint32_t file = 0;
    if (record_wants_stacks() && process() && sys_fstat(fd, &status) == 0 &&
        S_ISREG(status.st_mode))
        file = file_of_descriptor(fd, &status);
    if (file)
        record_stack(file);
}

void record_read_here(int fd, int64_t bytes)
{
    if (bytes <= 0 || !trace)
        return;
    int64_t end = sys_position(fd);
    if (end >= bytes)
        record_read(fd, end - bytes, bytes);
}

void record_listed(int fd)
{
    struct stat status;
    if (!process() || sys_fstat(fd, &status) != 0 || !S_ISDIR(status.st_mode))
        return;
    uint32_t file = file_of_descriptor(fd, &status);
    if (file)
        record_stack(file);
    if (file && !seen_lately(file, 0))
        add(file, 0, 0, TRACE_LISTED);
}

/* Where a relative path starts: appends the directory and a slash. Returns the length, or 0. */
static size_t start_path(int directory, char *path)
{
    char link[32];
    long length = directory == AT_FDCWD
                      ? sys_readlink("/proc/self/cwd", path, PATH_MAX)
                      : sys_readlink(descriptor_link(directory, link), path, PATH_MAX);
    if (length <= 0 || path[0] != '/' || length + 1 >= PATH_MAX)
        return 0;
    path[length] = '/';
    return (size_t)length + 1;
}

/* These are made up as they are looked at. */
static bool has_no_storage(const char *path)
{
    static const char *const roots[] = {"/proc/", "/sys/", "/dev/"};
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
        if (text_after(path, roots[i]))
            return true;
    return false;
}

bool record_may_look_at(int directory, const char *path)
{
    struct stat status;
    long error = sys_fstatat(directory, path, &status);
    return error != -EFAULT && error != -ENAMETOOLONG && error != -EBADF;
}

static void look_up(int directory, const char *path, bool failed, enum trace_how how)
{
    if (!process() || (failed && !record_may_look_at(directory, path)) || !path[0])
        return;
    char whole[PATH_MAX];
    size_t length = path[0] == '/' ? 0 : start_path(directory, whole);
    if (path[0] != '/' && length == 0)
        return;
    length = text_append(whole, sizeof whole, length, path);
    if (length + 1 >= sizeof whole || has_no_storage(whole))
        return;
    uint32_t file = trace_path(trace, whole, (uint32_t)length);
    if (file && !seen_lately(file, 0))
        add(file, 0, 0, how);
}

void record_lookup(int directory, const char *path, bool failed)
{
    look_up(directory, path, failed, TRACE_LOOKED_UP);
}

static void whole_file(const char *path, enum trace_how how)
{
    struct stat status;
    if (!process())
        return;
    look_up(AT_FDCWD, path, false, how == TRACE_LOADED ? how : TRACE_LOOKED_UP);
    if (sys_fstatat(AT_FDCWD, path, &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_size <= 0)
        return;
    int fd = sys_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return;
    uint32_t file = file_of_descriptor(fd, &status);
    uint64_t pages = ((uint64_t)status.st_size + PROFILE_PAGE_BYTES - 1) / PROFILE_PAGE_BYTES;
    if (file && !seen_lately(file, 0))
        add(file, 0, pages, how);
    sys_close(fd);
}

void record_whole_file(const char *path)
{
    whole_file(path, TRACE_READ);
}

/* ---- mapped pages -------------------------------------------------------------------------- */

static bool note_mapping(struct page_scan *scan, const struct mapping *mapping)
{
    uint32_t *file = scan->context;
    *file = trace_find_file(trace, mapping->device, mapping->inode);
    if (!*file)
        *file = trace_add_file(trace, mapping->device, mapping->inode, mapping->path,
                               mapping->path_length);
    if (!*file || !S_ISREG(trace_file_at(trace, *file)->mode))
        return false;
    /* The loader, or the kernel, has read the header before it mapped anything. */
    if (mapping->executable)
        add(*file, 0, 1, TRACE_MAPPED);
    return true;
}

static void note_run(struct page_scan *scan, const struct mapping *mapping, uint64_t first_page,
                     uint64_t page_count)
{
    (void)mapping;
    if (first_page + page_count <= UINT32_MAX)
        add(*(uint32_t *)scan->context, first_page, page_count, TRACE_MAPPED);
}

/*
 * One scan at a time. The wait is bounded: a signal handler may have interrupted the scan that it
 * would be waiting for, and a child of vfork may have been killed in one.
 */
static bool begin_scan(void)
{
    for (int i = 0; i < 200; i++) {
        uint32_t idle = 0;
        if (atomic_compare_exchange_strong(&own->scanning, &idle, 1))
            return true;
        sys_sleep_ns(1000000);
    }
    return false;
}

void record_pages(uintptr_t from, uintptr_t to)
{
    uint32_t file;
    struct page_scan scan = {
        .maps = "/proc/self/maps",
        .pagemap = "/proc/self/pagemap",
        .from = from,
        .to = to,
        .mapping = note_mapping,
        .run = note_run,
        .page_bytes = page_bytes,
        .context = &file,
    };
    if (!process() || !begin_scan())
        return;
    pages_scan(&scan);
    own->scanning = 0;
}

bool record_wants_ready(void)
{
    return trace && trace->until_ready && !trace->ready && !trace->finished;
}

void record_ready(void)
{
    record_end();
    trace->ready = 1;
    trace->finished = 1; /* here and now, not when the tool next looks */
    /* A sandbox may be frozen for good once the invocation that was asked for is answered. */
    for (int i = 0; !trace->written && i < MOST_WAITS; i++)
        sys_sleep_ns(1000000);
}

void record_end(void)
{
    if (!process())
        return;
    record_open_streams();
    record_loaded();
    record_pages(0, UINTPTR_MAX);
}

void record_stop(void)
{
    record_end();
    trace = NULL;
}

void record_hand_over(const char *path)
{
    if (process() && path && image_makes_own_calls(path))
        watched_begin(trace);
}

/* ---- beginning and end --------------------------------------------------------------------- */

static bool advise_random(struct page_scan *scan, const struct mapping *mapping)
{
    (void)scan;
    sys_madvise((void *)mapping->start, mapping->end - mapping->start, MADV_RANDOM);
    return false;
}

static void keep_readahead_out(void)
{
    struct page_scan scan = {
        .maps = "/proc/self/maps",
        .pagemap = "/proc/self/pagemap",
        .to = UINTPTR_MAX,
        .mapping = advise_random,
        .page_bytes = page_bytes,
    };
    if (record_wants_random_mappings())
        pages_scan(&scan);
}

static int note_object(const struct object *object, void *unused)
{
    (void)unused;
    if (*object->path == '/')
        look_up(AT_FDCWD, object->path, false, TRACE_LOADED);
    return 0;
}

/*
 * What the loader has looked up: it opens all libraries, most by the name of a link, before it
 * relocates the first, and waits for each on a cold start. glibc's has searched its cache for them
 * and unmapped it again.
 */
static void record_loading(void)
{
    if (gnu_get_libc_version)
        whole_file("/etc/ld.so.cache", TRACE_LOADED);
    objects_visit(note_object, NULL);
}

static void at_exit(void *unused)
{
    (void)unused;
    record_end();
}

/*
 * Runs before the initialisers of other objects (-z initfirst), when libc has no environ yet:
 * glibc's loader hands it over, also where there is no libc; musl does not and has it. An atexit
 * handler that belongs to no object, registered this early, runs after the destructors of all of
 * them.
 */
__attribute__((constructor)) static void begin(int argc, char **argv, char **envp)
{
    (void)argc;
    (void)argv;
    bool musl = &environ && !gnu_get_libc_version;
    char **environment = musl ? environ : envp;
    const char *trace_path;
    record_find_next();
    record_remember_environment(environment, &trace_path);
    if (!trace_path)
        return;
    page_bytes = getauxval ? getauxval(6 /* AT_PAGESZ */) : 4096;
    map_own_state();
    trace = trace_map(trace_path);
    if (!process())
        return;
    record_stacks_begin(trace);
    keep_readahead_out();
    record_loading();
    record_pages(0, UINTPTR_MAX);
    record_standard_input();
    if (__cxa_atexit)
        __cxa_atexit(at_exit, NULL, NULL);
}
