/*
 * inspect_object.c: one loaded ELF file of an inspection.
 */
#include "cli/command.h"
#include "cli/table.h"
#include "inspect/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    *GROW(inspection->objects, inspection->object_count) = object;
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
