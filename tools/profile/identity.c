/*
 * identity.c: looks at the recorded files, once the recording is over and whenever somebody asks
 * what has become of them. Reads nothing of a file but its ELF notes.
 */
#include "profile/identity.h"

#include "base/text.h"
#include "cli/command.h"
#include "elf/elf_file.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Their pages are in memory or nowhere. */
static bool has_storage(int fd)
{
    static const unsigned long without[] = {
        PROC_SUPER_MAGIC, SYSFS_MAGIC,        TMPFS_MAGIC,        RAMFS_MAGIC,
        DEBUGFS_MAGIC,    TRACEFS_MAGIC,      CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
        SECURITYFS_MAGIC, DEVPTS_SUPER_MAGIC, HUGETLBFS_MAGIC,    BPF_FS_MAGIC,
    };
    struct statfs system;
    if (fstatfs(fd, &system) != 0)
        return false;
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        if ((unsigned long)system.f_type == without[i])
            return false;
    return true;
}

/* Whether the path, or what it would stand in, is kept on storage. */
static bool is_on_storage(const char *path)
{
    char parent[PATH_MAX] = "";
    if (text_append(parent, sizeof parent, 0, path) == sizeof parent - 1)
        return false;
    int fd;
    while ((fd = open(parent, O_PATH | O_CLOEXEC)) < 0 && parent[1]) {
        char *slash = strrchr(parent, '/');
        slash[slash == parent] = '\0';
    }
    bool answer = fd >= 0 && has_storage(fd);
    if (fd >= 0)
        close(fd);
    return answer;
}

static bool is_at_or_after(const struct timespec *time, const struct timespec *since)
{
    return time->tv_sec > since->tv_sec ||
           (time->tv_sec == since->tv_sec && time->tv_nsec >= since->tv_nsec);
}

static int64_t mtime_ns(const struct stat *status)
{
    return status->st_mtim.tv_sec * INT64_C(1000000000) + status->st_mtim.tv_nsec;
}

static void find_build_id(int fd, struct profile_file *out)
{
    unsigned char ident[EI_NIDENT];
    Elf *elf = elf_file_open(fd, ident);
    uint64_t offset = 0;
    size_t bytes = elf_file_build_id(elf, out->build_id, sizeof out->build_id, &offset);
    out->build_id_bytes = offset <= UINT32_MAX ? (uint32_t)bytes : 0;
    out->build_id_offset = (uint32_t)offset;
    elf_end(elf);
}

bool identify_path(const char *path, const struct timespec *since, struct profile_file *out)
{
    struct stat status;
    *out = (struct profile_file){.kind = PROFILE_FILE_PATH};
    bool is_new = lstat(path, &status) == 0 && !S_ISDIR(status.st_mode) &&
                  is_at_or_after(&status.st_ctim, since);
    return !is_new && is_on_storage(path);
}

bool identify_file(const char *path, uint64_t device, uint64_t inode, const struct timespec *since,
                   struct profile_file *out)
{
    int fd = open_recorded_pages(path);
    struct stat status;
    if (fd < 0)
        return false;
    bool regular = false;
    bool belongs = fstat(fd, &status) == 0 &&
                   (!inode || (status.st_dev == device && status.st_ino == inode)) &&
                   ((regular = S_ISREG(status.st_mode)) || S_ISDIR(status.st_mode)) &&
                   status.st_size > 0 && !is_at_or_after(&status.st_mtim, since) &&
                   !is_at_or_after(&status.st_ctim, since) && has_storage(fd);
    if (belongs) {
        *out = (struct profile_file){
            .size = (uint64_t)status.st_size,
            .mtime_ns = mtime_ns(&status),
            .kind = regular ? PROFILE_FILE_REGULAR : PROFILE_FILE_DIRECTORY,
        };
        if (regular)
            find_build_id(fd, out);
    }
    close(fd);
    return belongs;
}

enum file_fate identity_now(const char *path, const struct profile_file *file)
{
    struct stat status;
    if (lstat(path, &status) != 0 || !S_ISREG(status.st_mode))
        return FILE_STALE;
    struct profile_file now = {.size = (uint64_t)status.st_size, .mtime_ns = mtime_ns(&status)};
    if (file->build_id_bytes && profile_file_fits(file, now.size)) {
        int fd = open_recorded_pages(path);
        if (fd < 0)
            return FILE_STALE;
        ssize_t n = pread(fd, now.build_id, file->build_id_bytes, file->build_id_offset);
        now.build_id_bytes = n > 0 ? (uint32_t)n : 0;
        close(fd);
    }
    return profile_file_fate(file, &now);
}

struct identity_counts identity_count(const struct profile *profile,
                                      const struct profile_executable *section)
{
    struct identity_counts counts = {0, 0, 0};
    uint32_t files = profile->header->file_count;
    bool *wanted = xmalloc(files);
    memset(wanted, !section, files);
    for (uint32_t i = 0; section && i < section->range_count; i++)
        wanted[profile->ranges[section->first_range + i].file] = true;
    for (uint32_t i = 0; i < files; i++) {
        const struct profile_file *file = &profile->files[i];
        if (!wanted[i] || file->kind != PROFILE_FILE_REGULAR)
            continue;
        enum file_fate fate = identity_now(profile->strings + file->path, file);
        counts.files++;
        counts.changed += fate == FILE_CHANGED;
        counts.stale += fate == FILE_STALE;
    }
    free(wanted);
    return counts;
}

char *identity_text(const struct identity_counts *counts)
{
    unsigned files = counts->files, changed = counts->changed, stale = counts->stale;
    char *text = NULL, *more = NULL;
    if (!changed && !stale)
        return NULL;
    if (changed)
        text = xasprintf("%u of %u files %s changed since; ", changed, files,
                         changed == 1 ? "has" : "have");
    if (stale)
        more = xasprintf("%u of %u files %s another size here, and %s not read; ", stale, files,
                         stale == 1 ? "is gone or has" : "are gone or have",
                         stale == 1 ? "is" : "are");
    char *all = xasprintf("%s%srecord again", text ? text : "", more ? more : "");
    free(text);
    free(more);
    return all;
}
