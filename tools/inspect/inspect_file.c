/*
 * inspect_file.c: a file that could be executed: the script's interpreters, the program behind
 * them, and whether its loader would preload anything.
 */
#include "cli/command.h"
#include "inspect/inspect.h"
#include "start/ahead.h"
#include "start/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
    LINE_BYTES = 256,     /* of a "#!" line that the kernel looks at */
    MAX_INTERPRETERS = 5, /* the kernel's limit, and one that env starts */
    MAX_PRELOADS = 64,
    MAX_LIST_BYTES = 1 << 16,
};

struct inspected_object *inspect_object(struct inspection *inspection, const char *open_path,
                                        const char *path, const char *name,
                                        const struct inspected_object *parent, const char *found_by)
{
    struct inspected_object *object = xmalloc(sizeof *object);
    *object = (struct inspected_object){.path = path ? xstrdup(path) : NULL,
                                        .real = open_path ? realpath(open_path, NULL) : NULL,
                                        .name = xstrdup(name),
                                        .parent = parent,
                                        .found_by = found_by};
    inspection->objects = (struct inspected_object **)xrealloc(
        (void *)inspection->objects, (inspection->object_count + 1) * sizeof(void *));
    inspection->objects[inspection->object_count++] = object;
    if (!open_path)
        return object;
    int fd = open(open_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        object->error = xasprintf("%s: %s", path, strerror(errno));
        return object;
    }
    find_residency(fd, object);
    const char *error = elf_facts_read(fd, &object->elf);
    if (error)
        object->error = xasprintf("%s %s", path, error);
    const struct elf_facts *elf = &object->elf;
    if (elf->glibc_major > inspection->glibc_major ||
        (elf->glibc_major == inspection->glibc_major &&
         elf->glibc_minor > inspection->glibc_minor)) {
        inspection->glibc_major = elf->glibc_major;
        inspection->glibc_minor = elf->glibc_minor;
    }
    close(fd);
    return object;
}

void add_preloads(struct inspection *inspection, const char *list)
{
    while (list && inspection->preload_count < MAX_PRELOADS) {
        list += strspn(list, ": \t\n");
        size_t length = strcspn(list, ": \t\n");
        if (length == 0)
            return;
        inspection->preloads = (char **)xrealloc((void *)inspection->preloads,
                                                 (inspection->preload_count + 1) * sizeof(char *));
        inspection->preloads[inspection->preload_count++] = xasprintf("%.*s", (int)length, list);
        list += length;
    }
}

void add_system_preloads(struct inspection *inspection)
{
    int fd = open("/etc/ld.so.preload", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return;
    char *list = xmalloc(MAX_LIST_BYTES + 1);
    ssize_t n = read(fd, list, MAX_LIST_BYTES);
    list[n > 0 ? n : 0] = '\0';
    add_preloads(inspection, list);
    free(list);
    close(fd);
}

/* The permitted set of struct vfs_cap_data: little-endian words, the first one the revision. */
static uint64_t file_capabilities(int fd)
{
    uint8_t bytes[24];
    ssize_t n = fgetxattr(fd, "security.capability", bytes, sizeof bytes);
    uint64_t low = 0, high = 0;
    for (unsigned i = 0; n >= 20 && i < 4; i++) {
        low |= (uint64_t)bytes[4 + i] << i * 8;
        high |= (uint64_t)bytes[12 + i] << i * 8;
    }
    return high << 32 | low;
}

static char *read_soname(const char *path)
{
    struct elf_facts facts;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    char *soname = !elf_facts_read(fd, &facts) && facts.soname ? xstrdup(facts.soname) : NULL;
    elf_facts_release(&facts);
    close(fd);
    return soname;
}

static const char *find_kind(const struct elf_facts *elf)
{
    if (elf_facts_is_loader(elf))
        return "loader";
    if (elf->type == ET_EXEC)
        return elf->interpreter ? "executable" : "static executable";
    if (elf->interpreter)
        return elf->is_pie || !elf->soname ? "position-independent executable"
                                           : "shared library that can be executed";
    return elf->is_pie ? "static position-independent executable" : "shared library";
}

/* For what cannot be preloaded. Its owner gains no privileges, so that a recording may preload. */
static const char *find_remedy(const struct inspection *inspection, const struct elf_facts *elf,
                               const struct stat *status)
{
    static const char replay[] = "coldboost run -p PROFILE then reads ahead of it";
    if (inspection->set_uid || inspection->set_gid || inspection->capabilities) {
        char *user = inspection->set_uid && status->st_uid
                         ? xasprintf("user %ju", (uintmax_t)status->st_uid)
                         : xstrdup("root");
        char *group = inspection->set_gid && status->st_gid
                          ? xasprintf(", with group %ju", (uintmax_t)status->st_gid)
                          : xstrdup("");
        char *remedy =
            xasprintf("record it as %s%s, who gains no privileges by it; %s, for everybody", user,
                      group, replay);
        free(user);
        free(group);
        return remedy;
    }
    if (!elf->interpreter && !elf_facts_is_loader(elf))
        return xasprintf("coldboost record watches it from outside; %s", replay);
    return "install coldboost in a folder that LD_PRELOAD can name";
}

void inspect_program(struct inspection *inspection, const char *open_path)
{
    int fd = open(open_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0)
        fail(EXIT_FAILED, "%s: %s", inspection->program, strerror(errno));
    struct inspected_object *object =
        inspect_object(inspection, open_path, inspection->program, inspection->program, NULL, "");
    if (object->error)
        fail(EXIT_FAILED, "%s", object->error);
    inspection->set_uid = (status.st_mode & S_ISUID) != 0;
    inspection->set_gid = (status.st_mode & S_ISGID) != 0;
    inspection->capabilities = file_capabilities(fd);
    inspection->kind = find_kind(&object->elf);
    inspection->libc = elf_facts_libc(&object->elf);
    if (object->elf.interpreter)
        inspection->loader_soname = read_soname(object->elf.interpreter);
    if (strcmp(inspection->kind, "shared library") == 0) {
        inspection->obstacle = xasprintf("%s is a shared library", inspection->program);
        inspection->remedy = "inspect the program that loads it";
    } else {
        inspection->obstacle = find_obstacle(fd, inspection->program);
        if (!inspection->obstacle)
            inspection->obstacle = find_naming_obstacle();
        inspection->remedy = find_remedy(inspection, &object->elf, &status);
    }
    close(fd);
}

/* The interpreter in the "#!" line of a script and what follows it, or false: it has none. */
static bool read_script(const char *path, char line[LINE_BYTES], char **argument)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        fail(EXIT_FAILED, "%s: %s", path, strerror(errno));
    ssize_t n = pread(fd, line, LINE_BYTES - 1, 0);
    if (n < 0)
        fail(EXIT_FAILED, "%s: %s", path, strerror(errno));
    close(fd);
    line[n] = '\0';
    if (n < 2 || memcmp(line, "#!", 2) != 0)
        return false;
    line[strcspn(line, "\n")] = '\0';
    char *begin = line + 2 + strspn(line + 2, " \t");
    char *end = begin + strcspn(begin, " \t");
    *argument = end + strspn(end, " \t");
    *end = '\0';
    memmove(line, begin, (size_t)(end - begin) + 1);
    return *line != '\0';
}

/* What "env NAME" starts: the last step of most scripts. */
static char *find_env_program(const char *interpreter, char *argument)
{
    const char *name = strrchr(interpreter, '/');
    if (strcmp(name ? name + 1 : interpreter, "env") != 0)
        return NULL;
    if (strncmp(argument, "-S", 2) == 0)
        argument += 2 + strspn(argument + 2, " \t");
    argument[strcspn(argument, " \t")] = '\0';
    return *argument && *argument != '-' && !strchr(argument, '=') ? search_path(argument) : NULL;
}

static void add_interpreter(struct inspection *inspection, char *path)
{
    inspection->interpreters = (char **)xrealloc((void *)inspection->interpreters,
                                                 (inspection->interpreter_count + 1) * sizeof path);
    inspection->interpreters[inspection->interpreter_count++] = path;
    inspection->program = path;
}

/* As a command is found; what is none may be a file in this folder. */
static char *find_subject(const char *name)
{
    char *found = search_path(name);
    if (found || access(name, F_OK) == 0 || strchr(name, '/'))
        return found ? found : xstrdup(name);
    fail(EXIT_FAILED, "%s: neither a command in PATH nor a file here", name);
}

void inspect_file(const char *name, struct inspection *out)
{
    char *path = find_subject(name);
    *out = (struct inspection){.subject = path, .program = xstrdup(path)};
    char line[LINE_BYTES], *argument, *missing = find_missing_part(path);
    if (missing)
        fail(EXIT_FAILED, "%s", missing);
    if (access(path, X_OK) == 0 && ahead_is_for_shell(path))
        add_interpreter(out, xstrdup(AHEAD_SHELL));
    while (read_script(out->program, line, &argument)) {
        if (out->interpreter_count >= MAX_INTERPRETERS)
            fail(EXIT_FAILED,
                 "%s: its interpreters are scripts without end; name a program in its "
                 "first line",
                 path);
        add_interpreter(out, xstrdup(line));
        char *started = find_env_program(line, argument);
        if (started)
            add_interpreter(out, started);
    }
    inspect_program(out, out->program);
    add_preloads(out, getenv("LD_PRELOAD"));
    add_system_preloads(out);
    inspect_libraries(out);
    inspect_audit(out);
}
