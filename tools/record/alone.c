/*
 * alone.c: see alone.h. The file has all of its room from the beginning, on a file system that
 * keeps it: a program that writes to a page which finds no room is killed with SIGBUS.
 */
#include "record/alone.h"

#include "begin/new_trace.h"
#include "cli/command.h"
#include "record/session.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#define XFS_MAGIC 0x58465342

static bool keeps_its_room(int fd)
{
    static const unsigned long kinds[] = {EXT4_SUPER_MAGIC, XFS_MAGIC,   BTRFS_SUPER_MAGIC,
                                          F2FS_SUPER_MAGIC, TMPFS_MAGIC, OVERLAYFS_SUPER_MAGIC};
    struct statfs system;
    if (fstatfs(fd, &system) != 0)
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if ((unsigned long)system.f_type == kinds[i])
            return true;
    return false;
}

static bool may_have(__rlimit_resource_t resource, rlim_t bytes)
{
    struct rlimit limit;
    return getrlimit(resource, &limit) == 0 && limit.rlim_cur >= bytes;
}

/* Of a file that is there and empty. */
static bool fill_trace(int fd, pid_t process, uint64_t most_ns, const void *note, size_t note_bytes)
{
    static struct trace_header header;
    header = (struct trace_header){
        .bytes = ALONE_BYTES,
        .until_ready = true,
        .until_listen = true,
        .written = true, /* nobody is waited for */
        .no_tracer = true,
        .readahead_is_off = true, /* as far as the program is to know */
        .main_pid = (uint32_t)process,
        .alone_ns = most_ns,
    };
    return keeps_its_room(fd) && fallocate(fd, 0, 0, ALONE_BYTES) == 0 &&
           new_trace_write(fd, &header, note, note_bytes);
}

bool record_alone(const char *path, pid_t process, uint64_t most_ns, const void *note,
                  size_t note_bytes)
{
    if (!may_have(RLIMIT_FSIZE, ALONE_BYTES) || !may_have(RLIMIT_AS, 8u * ALONE_BYTES))
        return false;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool filled = fill_trace(fd, process, most_ns, note, note_bytes);
    close(fd);
    if (!filled)
        unlink(path);
    return filled;
}

const void *record_note(const uint8_t *bytes, size_t size, size_t note_bytes)
{
    const struct note *note = (const void *)(bytes + NEW_TRACE_NOTE_AT);
    bool good = size >= NEW_TRACE_NOTE_AT + sizeof *note + note_bytes &&
                trace_use((const void *)bytes, size) &&
                note->record.kind == (TRACE_NOTE | TRACE_COMPLETE) &&
                note->record.units == new_trace_note_units(note_bytes);
    return good ? note->bytes : NULL;
}

bool record_is_over(const uint8_t *bytes)
{
    return ((const struct trace_header *)(const void *)bytes)->finished;
}

bool record_take(uint8_t *bytes, const struct timespec *since, uint8_t **profile, size_t *size)
{
    static struct session session;
    session.trace = (struct trace_header *)(void *)bytes;
    session.since = *since;
    session.is_taken = true;
    session.object = look_for_component(RECORD_OBJECT);
    session_make_profile(&session, profile, size);
    return *profile || !session.trace->pid_count;
}
