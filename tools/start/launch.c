/*
 * launch.c: looks at a program before it is started, and starts it with an object preloaded.
 */
#include "start/launch.h"

#include "cli/command.h"
#include "start/ahead.h"
#include "start/environment.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#if defined(__x86_64__)
#define HOST_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define HOST_MACHINE EM_AARCH64
#else
#define HOST_MACHINE EM_NONE /* not checked */
#endif

enum {
    MAX_INTERPRETERS = 5, /* scripts whose interpreter is a script: the kernel's own limit */
    HEAD_BYTES = 256,     /* so much of a "#!" line the kernel reads */
};

char *search_path(const char *command)
{
    if (strchr(command, '/'))
        return access(command, F_OK) == 0 ? xstrdup(command) : NULL;
    const char *path = getenv("PATH");
    char *found_not_executable = NULL;
    for (const char *at = path ? path : "/usr/local/bin:/usr/bin:/bin"; at;) {
        const char *end = strchrnul(at, ':');
        char *candidate = end == at ? xasprintf("./%s", command)
                                    : xasprintf("%.*s/%s", (int)(end - at), at, command);
        struct stat status;
        if (stat(candidate, &status) == 0 && S_ISREG(status.st_mode)) {
            if (access(candidate, X_OK) == 0) {
                free(found_not_executable);
                return candidate;
            }
            if (!found_not_executable) {
                found_not_executable = candidate;
                candidate = NULL;
            }
        }
        free(candidate);
        at = *end ? end + 1 : NULL;
    }
    return found_not_executable;
}

static bool find_segment(int fd, const ElfW(Ehdr) * header, uint32_t type, ElfW(Phdr) * segment)
{
    for (unsigned i = 0; i < header->e_phnum; i++) {
        off_t at = (off_t)(header->e_phoff + (uint64_t)i * header->e_phentsize);
        if (pread(fd, segment, sizeof *segment, at) != (ssize_t)sizeof *segment)
            return false;
        if (segment->p_type == type)
            return true;
    }
    return false;
}

/* The program's loader; false if it has none: it is static. */
static bool find_loader(int fd, const ElfW(Ehdr) * header, char loader[PATH_MAX])
{
    ElfW(Phdr) segment;
    if (!find_segment(fd, header, PT_INTERP, &segment))
        return false;
    size_t bytes = segment.p_filesz < PATH_MAX ? segment.p_filesz : PATH_MAX - 1;
    ssize_t n = pread(fd, loader, bytes, (off_t)segment.p_offset);
    loader[n > 0 ? n : 0] = '\0';
    return true;
}

static bool is_missing(const char *path)
{
    return access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* The interpreter on a script's first line, as the kernel reads it; NULL if this is no script. */
static char *interpreter_in(char *head)
{
    if (strncmp(head, "#!", 2) != 0)
        return NULL;
    char *interpreter = head + 2 + strspn(head + 2, " \t");
    interpreter[strcspn(interpreter, " \t\n")] = '\0';
    return *interpreter ? interpreter : NULL;
}

static char *find_missing_loader(int fd, const char *path, const char *head, size_t bytes)
{
    ElfW(Ehdr) header;
    char loader[PATH_MAX];
    if (bytes < sizeof header || memcmp(head, ELFMAG, SELFMAG) != 0)
        return NULL;
    memcpy(&header, head, sizeof header);
    bool is_ours = header.e_ident[EI_CLASS] == (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) &&
                   (HOST_MACHINE == EM_NONE || header.e_machine == HOST_MACHINE);
    return is_ours && find_loader(fd, &header, loader) && is_missing(loader)
               ? xasprintf("%s: its loader %s is not there; install the C library that it was "
                           "built for",
                           path, loader)
               : NULL;
}

char *find_missing_part(const char *path)
{
    char head[HEAD_BYTES + 1], at[PATH_MAX];
    char *missing = NULL, *interpreter = NULL;
    snprintf(at, sizeof at, "%s", path);
    for (int depth = 0; depth <= MAX_INTERPRETERS && !missing; depth++) {
        int fd = open(at, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        ssize_t n = fd < 0 ? 0 : pread(fd, head, HEAD_BYTES, 0);
        head[n > 0 ? n : 0] = '\0';
        interpreter = interpreter_in(head);
        if (!interpreter)
            missing = find_missing_loader(fd, at, head, n > 0 ? (size_t)n : 0);
        else if (is_missing(interpreter) && strchr(interpreter, '\r'))
            missing =
                xasprintf("%s: its first line ends in a carriage return, which the kernel "
                          "takes for a part of the interpreter's name; remove it: dos2unix %s",
                          at, at);
        else if (is_missing(interpreter))
            missing = xasprintf("%s: its interpreter %s is not there; install it", at, interpreter);
        if (fd >= 0)
            close(fd);
        if (!interpreter)
            break;
        snprintf(at, sizeof at, "%s", interpreter);
    }
    return missing;
}

/* ld.so PROGRAM: unlike a static program, which may be position-independent too, it has a name to
 * be linked by. */
static bool is_loader(int fd, const ElfW(Ehdr) * header)
{
    ElfW(Phdr) segment;
    ElfW(Dyn) entry = {.d_tag = DT_NULL};
    if (!find_segment(fd, header, PT_DYNAMIC, &segment))
        return false;
    for (uint64_t at = 0; at < segment.p_filesz && entry.d_tag != DT_SONAME; at += sizeof entry)
        if (pread(fd, &entry, sizeof entry, (off_t)(segment.p_offset + at)) != sizeof entry ||
            entry.d_tag == DT_NULL)
            return false;
    return entry.d_tag == DT_SONAME;
}

char *find_obstacle(int fd, const char *path)
{
    char head[sizeof(ElfW(Ehdr))];
    ssize_t n = pread(fd, head, sizeof head, 0);
    if (n < 0)
        return xasprintf("%s: cannot look into it: %s", path, strerror(errno));
    size_t head_bytes = (size_t)n;
    const unsigned char *ident = (const unsigned char *)head;
    if (head_bytes < EI_NIDENT || memcmp(head, ELFMAG, SELFMAG) != 0)
        return xasprintf("%s is neither an ELF file nor a script", path);
    if (ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32))
        return xasprintf("%s is a %d-bit program, libcoldboost.so is %d-bit", path,
                         ident[EI_CLASS] == ELFCLASS64 ? 64 : 32, (int)sizeof(void *) * 8);
    ElfW(Ehdr) header;
    if (head_bytes < sizeof header)
        return xasprintf("%s is a truncated ELF file", path);
    memcpy(&header, head, sizeof header);
    if (HOST_MACHINE != EM_NONE && header.e_machine != HOST_MACHINE)
        return xasprintf("%s is for another architecture (ELF machine %u)", path, header.e_machine);
    struct stat status;
    if (fstat(fd, &status) == 0 && (((status.st_mode & S_ISUID) && status.st_uid != getuid()) ||
                                    ((status.st_mode & S_ISGID) && status.st_gid != getgid())))
        return xasprintf("%s is set-uid or set-gid: its loader ignores LD_PRELOAD", path);
    if (getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0)
        return xasprintf("%s has file capabilities: its loader ignores LD_PRELOAD", path);
    ElfW(Phdr) segment;
    if (!find_segment(fd, &header, PT_INTERP, &segment) && !is_loader(fd, &header))
        return xasprintf("%s is statically linked: it has no loader that would preload", path);
    return NULL;
}

char *find_naming_obstacle(void)
{
    char *object = look_for_component("libcoldboost.so");
    char *obstacle = NULL;
    if (object && !ahead_can_name(object))
        obstacle =
            xasprintf("libcoldboost.so is in %.*s, which LD_PRELOAD cannot name, with its blank, "
                      "colon or $; install coldboost in another folder",
                      (int)(strrchr(object, '/') - object), object);
    free(object);
    return obstacle;
}

struct program find_program(const char *command)
{
    struct program program = {.path = search_path(command)};
    if (!program.path)
        fail(EXIT_NOT_FOUND, "%s: command not found", command);
    if (access(program.path, X_OK) != 0)
        fail(EXIT_CANNOT_EXECUTE, "%s: %s", program.path, strerror(errno));
    char *missing = find_missing_part(program.path);
    if (missing)
        fail(EXIT_NOT_FOUND, "%s", missing);

    char executable[AHEAD_PATH_BYTES], byte;
    bool found = ahead_find_executable(program.path, executable);
    const char *path = found ? executable : program.path;
    program.executable = xstrdup(path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : pread(fd, &byte, 1, 0);
    if (n < 0 && errno == EISDIR)
        fail(EXIT_CANNOT_EXECUTE, "%s: is a directory", path);
    if (!found)
        program.obstacle = xasprintf("%s: cannot find out what it starts; mount /proc", path);
    else if (n < 0) /* executable but not readable: the kernel may still start it */
        program.obstacle = xasprintf("%s: cannot look into it: %s", path, strerror(errno));
    else
        program.obstacle = find_obstacle(fd, path);
    if (!program.obstacle) {
        program.obstacle = find_naming_obstacle();
        program.has_nameless_object = program.obstacle != NULL;
    }
    if (fd >= 0)
        close(fd);
    return program;
}

char *look_for_profile(const char *named, const char **path)
{
    static char standard[PATH_MAX];
    const char *variable = getenv("COLDBOOST_PROFILE");
    *path = named                   ? named
            : variable && *variable ? variable
                                    : environment_profile(environ, standard, sizeof standard);
    return *path ? realpath(*path, NULL) : NULL;
}

char *find_profile(const char *named)
{
    const char *path;
    char *absolute = look_for_profile(named, &path);
    if (path && !absolute)
        fail(EXIT_FAILED, "%s: %s; 'coldboost record' makes a profile", path, strerror(errno));
    return absolute;
}

void preload_object(const char *object)
{
    const char *others = getenv("LD_PRELOAD");
    char *value = others && *others ? xasprintf("%s:%s", object, others) : xstrdup(object);
    if (setenv("LD_PRELOAD", value, 1) != 0)
        fail(EXIT_FAILED, "out of memory");
    free(value);
}

char **shell_command(const struct program *program, char *const *argv)
{
    size_t count = 0;
    while (argv[count])
        count++;
    char **command = xmalloc((count + 2) * sizeof *command);
    command[0] = xstrdup(AHEAD_SHELL);
    command[1] = program->path;
    memcpy(command + 2, argv + 1, count * sizeof *command);
    return command;
}

int try_to_execute(const struct program *program, char **argv)
{
    execv(program->path, argv);
    int error = errno;
    if (error == ENOEXEC && ahead_is_for_shell(program->path))
        execv(AHEAD_SHELL, shell_command(program, argv));
    return error;
}

void execute(const struct program *program, char **argv)
{
    int error = try_to_execute(program, argv);
    fail(error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE, "%s: %s", program->path,
         strerror(error));
}
