/*
 * loadable.c: finds a command and the reason why it cannot be preloaded, if there is one. Reads the
 * first page and the program headers, executes nothing.
 */
#include "loadable.h"

#include "command.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD_BYTES = 4096, MAX_INTERPRETERS = 5 };

static bool is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && !S_ISDIR(status.st_mode);
}

/* The first entry of PATH that has it and may execute it, else the first that has it, else NULL. */
static char *search(const char *name)
{
    const char *list = getenv("PATH");
    char *forbidden = NULL;
    for (const char *next = list ? list : "/bin:/usr/bin"; next;) {
        size_t length = strcspn(next, ":");
        char *path = length ? xasprintf("%.*s/%s", (int)length, next, name) : xstrdup(name);
        next = next[length] ? next + length + 1 : NULL;
        if (is_file(path) && access(path, X_OK) == 0) {
            free(forbidden);
            return path;
        }
        if (is_file(path) && !forbidden)
            forbidden = path;
        else
            free(path);
    }
    return forbidden;
}

static bool is_native(const Elf64_Ehdr *header)
{
    Elf64_Ehdr own;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    bool known = fd >= 0 && read(fd, &own, sizeof own) == (ssize_t)sizeof own;
    if (fd >= 0)
        close(fd);
    return !known ||
           (header->e_ident[EI_CLASS] == own.e_ident[EI_CLASS] &&
            header->e_ident[EI_DATA] == own.e_ident[EI_DATA] && header->e_machine == own.e_machine);
}

static bool has_interpreter(int fd, const Elf64_Ehdr *header)
{
    for (unsigned i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr segment;
        off_t offset = (off_t)(header->e_phoff + i * sizeof segment);
        if (pread(fd, &segment, sizeof segment, offset) != (ssize_t)sizeof segment)
            return false;
        if (segment.p_type == PT_INTERP)
            return true;
    }
    return false;
}

static void check_elf(const char *path, int fd, const char *head)
{
    Elf64_Ehdr header;
    memcpy(&header, head, sizeof header);
    if (!is_native(&header))
        fail(EXIT_CANNOT_EXECUTE,
             "%s: a program for another architecture (or 32-bit) than this "
             "coldboost; it cannot be preloaded",
             path);
    if (!has_interpreter(fd, &header))
        fail(EXIT_CANNOT_EXECUTE,
             "%s: a statically linked program; it has no loader that could preload anything", path);
    struct stat status;
    if (fstat(fd, &status) != 0)
        return;
    bool gains_user = status.st_mode & S_ISUID && status.st_uid != geteuid();
    bool gains_group = status.st_mode & S_ISGID && status.st_gid != getegid();
    if (gains_user || gains_group)
        fail(EXIT_CANNOT_EXECUTE, "%s: a set-%s-ID program; the loader preloads nothing into it",
             path, gains_user ? "user" : "group");
}

/* The interpreter of a script; NULL: it is not a script. The caller's to free. */
static char *interpreter_of(const char *head, size_t length)
{
    if (length < 3 || head[0] != '#' || head[1] != '!')
        return NULL;
    const char *start = head + 2;
    start += strspn(start, " \t");
    return xasprintf("%.*s", (int)strcspn(start, " \t\n"), start);
}

static void check(const char *path, int depth)
{
    char head[HEAD_BYTES + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return; /* executable but not readable: the kernel decides */
    ssize_t length = read(fd, head, HEAD_BYTES);
    head[length > 0 ? length : 0] = '\0';
    char *interpreter = length > 0 ? interpreter_of(head, (size_t)length) : NULL;
    if (interpreter && depth < MAX_INTERPRETERS)
        check(interpreter, depth + 1);
    else if (length >= (ssize_t)sizeof(Elf64_Ehdr) && memcmp(head, ELFMAG, SELFMAG) == 0)
        check_elf(path, fd, head);
    free(interpreter);
    close(fd);
}

char *find_command(const char *name)
{
    char *path = strchr(name, '/') ? xstrdup(name) : search(name);
    struct stat status;
    if (!path || stat(path, &status) != 0)
        fail(!path || errno == ENOENT || errno == ENOTDIR ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE,
             "%s: %s", name, path ? strerror(errno) : "command not found");
    if (!S_ISREG(status.st_mode) || access(path, X_OK) != 0)
        fail(EXIT_CANNOT_EXECUTE, "%s: %s", path,
             S_ISDIR(status.st_mode) ? "a directory" : "not executable");
    check(path, 0);
    return path;
}
