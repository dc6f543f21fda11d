/*
 * inspect_program.c: the ELF file that runs: what it is, and whether its loader would preload
 * anything.
 */
#include "cli/command.h"
#include "inspect/inspect.h"
#include "start/obstacle.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

void inspect_program(struct inspection *inspection, const char *open_path, struct program *program)
{
    obstacle_check_place(program);
    struct inspected_object *object =
        inspect_object(inspection, open_path, inspection->program, inspection->program, NULL, "");
    if (object->error)
        fail(EXIT_FAILED, "%s", object->error);
    inspection->set_uid = program->set_uid;
    inspection->set_gid = program->set_gid;
    inspection->capabilities = program->capabilities;
    inspection->kind = find_kind(&object->elf);
    inspection->libc = elf_facts_libc(&object->elf);
    if (object->elf.interpreter)
        inspection->loader_soname = read_soname(object->elf.interpreter);
    if (strcmp(inspection->kind, "shared library") == 0) {
        inspection->obstacle = xasprintf("%s is a shared library", inspection->program);
        inspection->remedy = "inspect the program that loads it";
    } else {
        inspection->obstacle = obstacle_text(program);
        inspection->remedy = obstacle_remedy(program);
    }
}
