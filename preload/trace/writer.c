/*
 * writer.c: appends records to a trace. Runs inside recorded programs, in signal handlers and
 * between vfork and exec: system calls only, no libc, no lock, no memory of its own.
 */
#include "trace/format.h"

#include "base/sys.h"
#include "base/text.h"
#include "trace/maps.h"

/* Of the one trace that this process has mapped. */
static uint64_t mapped_units;

bool trace_use(const struct trace_header *trace, size_t bytes)
{
    if (bytes <= sizeof *trace || trace->bytes != bytes ||
        !bytes_equal(trace->magic, TRACE_MAGIC, sizeof trace->magic))
        return false;
    mapped_units = bytes / TRACE_UNIT;
    return true;
}

struct trace_header *trace_map(const char *path)
{
    /* A link of /proc/PID/fd, and the number may be another process's by now: open no device. */
    struct stat status;
    if (sys_fstatat(AT_FDCWD, path, &status) != 0 || !S_ISREG(status.st_mode))
        return NULL;
    int fd = sys_open(path, O_RDWR);
    if (fd < 0)
        return NULL;
    size_t bytes = sys_fstat(fd, &status) == 0 ? (size_t)status.st_size : 0;
    struct trace_header *trace = NULL;
    if (bytes > sizeof *trace)
        trace = sys_map_file(fd, bytes, MAP_SHARED);
    sys_close(fd);
    if (!trace || trace_use(trace, bytes))
        return trace;
    sys_unmap(trace, bytes);
    return NULL;
}

uint64_t trace_units(void)
{
    return mapped_units;
}

/* Whether so many units lie in the trace, behind its header. */
static bool lies_within(uint64_t first, uint64_t units)
{
    return first >= TRACE_FIRST_UNIT && first <= mapped_units && units <= mapped_units - first;
}

uint64_t trace_now(const struct trace_header *trace)
{
    return sys_monotonic_ns() - trace->start_ns;
}

static void *at(const struct trace_header *trace, uint32_t unit)
{
    return (void *)((uintptr_t)trace + (uint64_t)unit * TRACE_UNIT);
}

/*
 * Claims room for a record of `bytes` bytes; NULL if there is none left. The units stand first, so
 * that a reader can step over a record that was never completed.
 */
static void *begin(struct trace_header *trace, enum trace_kind kind, uint64_t bytes, uint32_t *name)
{
    uint16_t units = (uint16_t)((bytes + TRACE_UNIT - 1) / TRACE_UNIT);
    uint64_t first = trace->next_unit;
    if (trace->finished)
        return NULL;
    if (lies_within(first, units))
        first = atomic_fetch_add_explicit(&trace->next_unit, units, memory_order_relaxed);
    if (!lies_within(first, units)) {
        trace->lost++;
        return NULL;
    }
    *name = (uint32_t)first;
    struct trace_record *record = at(trace, *name);
    record->units = units;
    record->kind = (uint16_t)kind;
    return record;
}

static void complete(struct trace_record *record)
{
    uint16_t kind = (uint16_t)(record->kind | TRACE_COMPLETE);
    atomic_store_explicit(&record->kind, kind, memory_order_release);
}

static void copy_path(char *to, const char *from, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        to[i] = from[i];
    to[length] = '\0';
}

uint32_t trace_add_process(struct trace_header *trace, uint32_t pid, const char *path,
                           uint32_t length)
{
    uint32_t name;
    struct trace_process *process =
        begin(trace, TRACE_PROCESS, sizeof *process + length + 1, &name);
    if (!process)
        return 0;
    process->pid = pid;
    process->time_ns = trace_now(trace);
    copy_path(process->path, path, length);
    complete(&process->record);
    return name;
}

const struct trace_file *trace_file_at(const struct trace_header *trace, uint32_t file)
{
    return at(trace, file);
}

static uint32_t hash(uint64_t device, uint64_t inode)
{
    uint64_t mixed = (device * 0x9e3779b97f4a7c15u ^ inode) * 0xff51afd7ed558ccdu;
    return (uint32_t)(mixed >> 40);
}

#define UNITS_OF_FILE ((sizeof(struct trace_file) + TRACE_UNIT - 1) / TRACE_UNIT)

uint32_t trace_find_file(struct trace_header *trace, uint64_t device, uint64_t inode)
{
    uint32_t slot = hash(device, inode);
    for (uint32_t i = 0; i < TRACE_SLOTS; i++) {
        uint32_t name = trace->slots[(slot + i) % TRACE_SLOTS];
        if (!lies_within(name, UNITS_OF_FILE)) /* 0: an empty slot */
            return 0;
        const struct trace_file *file = at(trace, name);
        if (file->key_device == device && file->key_inode == inode)
            return name;
    }
    return 0;
}

/* Two writers may add the same file; both records are good, one stays in the table. */
static void publish(struct trace_header *trace, uint32_t name, uint64_t device, uint64_t inode)
{
    uint32_t slot = hash(device, inode);
    for (uint32_t i = 0; i < TRACE_SLOTS; i++) {
        uint32_t empty = 0;
        if (atomic_compare_exchange_strong(&trace->slots[(slot + i) % TRACE_SLOTS], &empty, name))
            return;
    }
    trace->lost++;
}

uint32_t trace_add_file(struct trace_header *trace, uint64_t device, uint64_t inode,
                        const char *path, uint32_t length)
{
    uint32_t name;
    struct trace_file *file = begin(trace, TRACE_FILE, sizeof *file + length + 1, &name);
    if (!file)
        return 0;
    file->key_device = device;
    file->key_inode = inode;
    copy_path(file->path, path, length);
    struct stat status;
    if (sys_fstatat(AT_FDCWD, file->path, &status) == 0) {
        file->mode = status.st_mode;
        file->device = status.st_dev;
        file->inode = status.st_ino;
    }
    complete(&file->record);
    publish(trace, name, device, inode);
    return name;
}

uint32_t trace_opened_file(struct trace_header *trace, const struct stat *status, const char *link)
{
    char path[TRACE_PATH];
    uint32_t file = trace_find_file(trace, status->st_dev, status->st_ino);
    long length = file ? 0 : sys_readlink(link, path, sizeof path);
    return length > 0 && path[0] == '/'
               ? trace_add_file(trace, status->st_dev, status->st_ino, path, (uint32_t)length)
               : file;
}

uint32_t trace_mapped_file(struct trace_header *trace, const struct mapping *mapping)
{
    uint32_t file = trace_find_file(trace, mapping->device, mapping->inode);
    return file ? file
                : trace_add_file(trace, mapping->device, mapping->inode, mapping->path,
                                 mapping->path_length);
}

uint32_t trace_path(struct trace_header *trace, const char *path, uint32_t length)
{
    uint64_t key = 0xcbf29ce484222325u; /* FNV-1a */
    for (uint32_t i = 0; i < length; i++)
        key = (key ^ (uint8_t)path[i]) * 0x100000001b3u;
    uint32_t name = trace_find_file(trace, TRACE_KEY_PATH, key);
    return name ? name : trace_add_file(trace, TRACE_KEY_PATH, key, path, length);
}

void trace_add_range(struct trace_header *trace, const struct trace_range *range)
{
    uint32_t name;
    struct trace_range *out = begin(trace, TRACE_RANGE, sizeof *out, &name);
    if (!out)
        return;
    out->process = range->process;
    out->file = range->file;
    out->first_page = range->first_page;
    out->page_count = range->page_count;
    out->how = range->how;
    out->time_ns = range->time_ns;
    complete(&out->record);
}

bool trace_claim_stack(struct trace_header *trace, uint32_t name)
{
    struct trace_file *file = at(trace, name);
    return !trace->finished && !atomic_exchange(&file->has_stack, 1);
}

void trace_add_stack(struct trace_header *trace, uint32_t process, uint32_t file,
                     const struct trace_frame *frames, uint32_t count)
{
    uint32_t name;
    struct trace_stack *stack =
        begin(trace, TRACE_STACK, sizeof *stack + count * sizeof *frames, &name);
    if (!stack)
        return;
    stack->process = process;
    stack->file = file;
    stack->frame_count = count;
    for (uint32_t i = 0; i < count; i++)
        stack->frames[i] = frames[i];
    complete(&stack->record);
}
