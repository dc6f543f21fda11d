/*
 * inspect_process.c: a running process: what it has mapped, by /proc/PID.
 */
#include "base/text.h"
#include "cli/command.h"
#include "inspect/inspect.h"
#include "start/program.h"
#include "trace/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_known(const struct inspection *inspection, const char *path)
{
    for (size_t i = 0; i < inspection->object_count; i++)
        if (strcmp(inspection->objects[i]->path, path) == 0)
            return true;
    return false;
}

/* Only ELF files count: a process maps fonts, archives and data too. */
static bool is_elf(const char *path)
{
    struct executable file;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool elf = fd >= 0 && executable_read(fd, &file) == 0 && file.kind == EXECUTABLE_ELF;
    if (fd >= 0)
        close(fd);
    return elf;
}

/* From the first mapping of its beginning: where the address 0 of the file would be. */
static uintptr_t base_of(const struct inspected_object *object, uint64_t begin)
{
    for (size_t i = 0; i < object->elf.header_count; i++)
        if (object->elf.headers[i].p_type == PT_LOAD)
            return begin - (object->elf.headers[i].p_vaddr & ~(uint64_t)4095);
    return 0;
}

static void add_mapped(const struct mapping *mapping, void *context)
{
    struct inspection *inspection = context;
    struct inspected_object *program = inspection->objects[0];
    if (strcmp(mapping->path, program->path) == 0) {
        if (program->base == 0 && mapping->offset == 0)
            program->base = base_of(program, mapping->start);
        return;
    }
    if (mapping->offset != 0 || is_known(inspection, mapping->path))
        return;
    /* Through its own root, in its own mount namespace; what is deleted, through the mapping. */
    const char deleted[] = " (deleted)";
    size_t length = strlen(mapping->path), suffix = sizeof deleted - 1;
    bool is_deleted = length > suffix && strcmp(mapping->path + length - suffix, deleted) == 0;
    char *path = is_deleted
                     ? xasprintf("/proc/%jd/map_files/%jx-%jx", (intmax_t)inspection->pid,
                                 (uintmax_t)mapping->start, (uintmax_t)mapping->end)
                     : xasprintf("/proc/%jd/root%s", (intmax_t)inspection->pid, mapping->path);
    if (is_elf(path)) {
        struct inspected_object *object =
            inspect_object(inspection, path, mapping->path, mapping->path, NULL, "");
        object->base = base_of(object, mapping->start);
        if (text_after(text_last_part(mapping->path), "libcoldboost.so"))
            inspection->is_preloaded = true;
    }
    free(path);
}

static void read_maps(struct inspection *inspection)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%jd/maps", (intmax_t)inspection->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fail(EXIT_FAILED, "process %jd: cannot read its maps: %s; be its user or root",
             (intmax_t)inspection->pid, strerror(errno));
    char *buffer = xmalloc(MAPS_BYTES);
    maps_visit(fd, buffer, add_mapped, inspection);
    free(buffer);
    close(fd);
}

static void read_preloads(struct inspection *inspection)
{
    size_t size;
    char *path = xasprintf("/proc/%jd/environ", (intmax_t)inspection->pid);
    char *block = read_text(path, &size);
    for (char *at = block; at && at < block + size; at += strlen(at) + 1)
        if (strncmp(at, "LD_PRELOAD=", 11) == 0)
            add_preloads(inspection, at + 11);
    free(block);
    free(path);
}

void inspect_process(pid_t pid, struct inspection *out)
{
    char link[PATH_MAX];
    char *path = xasprintf("/proc/%jd/exe", (intmax_t)pid);
    ssize_t length = readlink(path, link, sizeof link - 1);
    if (length < 0)
        fail(EXIT_FAILED, "process %jd: %s", (intmax_t)pid,
             access("/proc/self", F_OK) != 0 ? "/proc is not mounted; mount it"
             : errno == ENOENT && kill(pid, 0) != 0
                 ? "there is none; for a file of that name, put ./ before it"
             : errno == ENOENT ? "has no executable: it belongs to the kernel or has ended"
                               : "cannot look into it; be its user or root");
    link[length] = '\0';
    *out = (struct inspection){
        .subject = xasprintf("%jd", (intmax_t)pid), .pid = pid, .program = xstrdup(link)};
    struct program program;
    snprintf(program.path, sizeof program.path, "%s", path);
    program_probe(&program);
    if (program.obstacle == OBSTACLE_NO_LOADER) /* for us: it has a mount namespace of its own */
        program.obstacle = OBSTACLE_NONE;
    inspect_program(out, path, &program);
    free(path);
    read_preloads(out);
    add_system_preloads(out);
    read_maps(out);
    if (!out->is_preloaded && !out->obstacle) {
        out->obstacle = xasprintf("process %jd runs already", (intmax_t)pid);
        out->remedy = "start it again with coldboost run, or with LD_PRELOAD";
    }
}
