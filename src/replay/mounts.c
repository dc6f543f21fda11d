/*
 * mounts.c: reads lines of /proc/self/mountinfo (proc_pid_mountinfo(5)):
 *
 *     36 35 98:0 /root /mount\040point rw,noatime master:1 - fuse.sshfs host:/ rw
 *
 * byte by byte, for a line may be longer than any stack of ours: the mount point is kept behind the
 * others as it is read, and given up again unless the type says FUSE.
 */
#include "replay/mounts.h"

#include "base/sys.h"
#include "base/text.h"

enum { MOUNT_POINT = 4, OPTIONAL = 6, TYPE = 1000, DONE };

static const char type_prefix[] = "fuse"; /* fuse, fuseblk, fuse.sshfs */

static void keep(struct mounts *mounts, char c)
{
    if (mounts->used + mounts->length < MOUNTS_BYTES)
        mounts->paths[mounts->used + mounts->length] = c;
    mounts->length++;
}

/* A blank, a tab, a newline and a backslash are written \ooo. */
static void keep_escaped(struct mounts *mounts, char c)
{
    if (c == '\\') {
        mounts->escape_digits = 3;
        mounts->escaped = 0;
    } else if (mounts->escape_digits == 0) {
        keep(mounts, c);
    } else {
        mounts->escaped = (uint8_t)(mounts->escaped * 8 + (c - '0'));
        if (--mounts->escape_digits == 0)
            keep(mounts, (char)mounts->escaped);
    }
}

static void end_field(struct mounts *mounts)
{
    if (mounts->field == MOUNT_POINT)
        keep(mounts, '\0');
    bool is_hyphen = mounts->field >= OPTIONAL && mounts->field < TYPE && mounts->matched == 1;
    mounts->field = is_hyphen ? TYPE : mounts->field + 1; /* it ends the optional fields */
    mounts->matched = 0;
}

static void note_type(struct mounts *mounts, char c)
{
    if (c != type_prefix[mounts->matched]) {
        mounts->field = DONE;
    } else if (!type_prefix[++mounts->matched]) {
        mounts->field = DONE;
        mounts->too_many |= mounts->used + mounts->length > MOUNTS_BYTES;
        if (!mounts->too_many)
            mounts->used += mounts->length;
    }
}

void mounts_parse(struct mounts *mounts, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = bytes[i];
        if (c == '\n') {
            mounts->field = mounts->matched = mounts->length = mounts->escape_digits = 0;
        } else if (c == ' ') {
            end_field(mounts);
        } else if (mounts->field == MOUNT_POINT) {
            keep_escaped(mounts, c);
        } else if (mounts->field == TYPE) {
            note_type(mounts, c);
        } else if (mounts->field >= OPTIONAL && mounts->field < TYPE) {
            mounts->matched = c == '-' && mounts->matched == 0 ? 1 : 2;
        }
    }
}

bool mounts_name_server(const uint8_t *entries, size_t size, unsigned *seen)
{
    enum { LENGTH = 16, NAME = 19 };
    for (size_t at = 0; at + NAME < size; at += entries[at + LENGTH]) {
        const char *name = (const char *)entries + at + NAME;
        *seen += *name != '.';
        if (text_after(name, "0:") || !entries[at + LENGTH] || entries[at + LENGTH + 1])
            return true; /* or a name far too long */
        for (; *name; name++)
            if (text_after(name, type_prefix))
                return true;
    }
    return false;
}

/* Whether the kernel may know a FUSE server: a fifth of the time that its list of mounts takes. */
static bool may_have_server(void)
{
    uint64_t buffer[256];
    unsigned seen = 0;
    bool found = false;
    int fd = sys_open("/sys/class/bdi", O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return true;
    for (long n; !found && (n = sys_getdents(fd, buffer, sizeof buffer)) > 0;)
        found = mounts_name_server((const uint8_t *)buffer, (size_t)n, &seen);
    sys_close(fd);
    return found || !seen;
}

void mounts_read(struct mounts *mounts)
{
    char buffer[4096];
    uint64_t offset = 0;
    int fd = may_have_server() ? sys_open("/proc/self/mountinfo", O_RDONLY) : -ENOENT;
    if (fd < 0)
        return;
    for (long n; (n = sys_pread(fd, buffer, sizeof buffer, offset)) > 0; offset += (uint64_t)n)
        mounts_parse(mounts, buffer, (size_t)n);
    sys_close(fd);
}

/* The longest of these mount points that the path is below, or NULL. */
static const char *mount_of(const struct mounts *mounts, const char *path)
{
    const char *found = NULL;
    size_t longest = 0;
    for (uint32_t at = 0; at < mounts->used;) {
        const char *mount = mounts->paths + at;
        size_t length = 0, same = 0;
        for (; mount[length]; length++)
            same += same == length && path[same] == mount[length];
        if (same == length && length > longest &&
            (path[length] == '/' || !path[length] || mount[length - 1] == '/')) {
            found = mount;
            longest = length;
        }
        at += (uint32_t)length + 1;
    }
    return found;
}

bool mounts_may_hang(const struct mounts *mounts, const char *path, const char *executable)
{
    if (mounts->too_many)
        return true;
    const char *mount = mounts->used ? mount_of(mounts, path) : NULL;
    return mount && mount != mount_of(mounts, executable);
}
