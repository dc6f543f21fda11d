/*
 * identity.c: looks at the recorded files, once the recording is over and whenever somebody asks
 * what has become of them. Reads nothing of a file but its ELF notes.
 */
#include "profile/identity.h"

#include "base/text.h"
#include "cli/command.h"

#include <fcntl.h>
#include <gelf.h>
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

/* Takes the build-id from the notes that start at `start`; false if there is none. */
static bool find_in_notes(Elf *elf, size_t start, size_t size, size_t alignment,
                          struct profile_file *out)
{
    Elf_Type type = alignment == 8 ? ELF_T_NHDR8 : ELF_T_NHDR;
    Elf_Data *data = elf_getdata_rawchunk(elf, (int64_t)start, size, type);
    GElf_Nhdr note;
    size_t at = 0, name, description;
    while (data && (at = gelf_getnote(data, at, &note, &name, &description)) != 0) {
        const char *bytes = data->d_buf;
        if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 || !note.n_descsz ||
            memcmp(bytes + name, "GNU", 4) != 0 || start + description > UINT32_MAX)
            continue;
        out->build_id_bytes = note.n_descsz < PROFILE_BUILD_ID ? note.n_descsz : PROFILE_BUILD_ID;
        out->build_id_offset = (uint32_t)(start + description);
        memcpy(out->build_id, bytes + description, out->build_id_bytes);
        return true;
    }
    return false;
}

static void find_build_id(int fd, struct profile_file *out)
{
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    size_t count;
    if (elf && elf_kind(elf) == ELF_K_ELF && elf_getphdrnum(elf, &count) == 0) {
        for (size_t i = 0; i < count; i++) {
            GElf_Phdr header;
            if (gelf_getphdr(elf, (int)i, &header) && header.p_type == PT_NOTE &&
                find_in_notes(elf, header.p_offset, header.p_filesz, header.p_align, out))
                break;
        }
    }
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
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    if (fd < 0)
        return false;
    bool regular = false;
    bool belongs = fstat(fd, &status) == 0 && status.st_dev == device && status.st_ino == inode &&
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

static bool has_build_id(int fd, const struct profile_file *file)
{
    uint8_t build_id[PROFILE_BUILD_ID];
    ssize_t n = pread(fd, build_id, file->build_id_bytes, file->build_id_offset);
    return n == (ssize_t)file->build_id_bytes && memcmp(build_id, file->build_id, (size_t)n) == 0;
}

enum identity identity_now(const char *path, const struct profile_file *file)
{
    struct stat status;
    if (lstat(path, &status) != 0 || !S_ISREG(status.st_mode) ||
        !profile_file_fits(file, (uint64_t)status.st_size))
        return IDENTITY_STALE;
    if (!file->build_id_bytes)
        return !file->mtime_ns || file->mtime_ns == mtime_ns(&status) ? IDENTITY_SAME
                                                                      : IDENTITY_CHANGED;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return IDENTITY_STALE;
    bool same = has_build_id(fd, file);
    close(fd);
    return same ? IDENTITY_SAME : IDENTITY_CHANGED;
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
        enum identity identity = identity_now(profile->strings + file->path, file);
        counts.files++;
        counts.changed += identity == IDENTITY_CHANGED;
        counts.stale += identity == IDENTITY_STALE;
    }
    free(wanted);
    return counts;
}

char *identity_text(const struct identity_counts *counts)
{
    if (!counts->changed && !counts->stale)
        return NULL;
    char *changed = counts->changed
                        ? xasprintf("%u of %u files %s changed since; ", counts->changed,
                                    counts->files, counts->changed == 1 ? "has" : "have")
                        : xstrdup("");
    char *stale =
        counts->stale
            ? xasprintf("%u of %u files %s another size here, and %s not read; ", counts->stale,
                        counts->files, counts->stale == 1 ? "is gone or has" : "are gone or have",
                        counts->stale == 1 ? "is" : "are")
            : xstrdup("");
    char *text = xasprintf("%s%srecord again", changed, stale);
    free(changed);
    free(stale);
    return text;
}
