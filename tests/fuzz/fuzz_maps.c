/*
 * fuzz_maps.c: /proc/PID/maps and environ of a process that calls its files what it likes, as
 * coldboost inspect reads them.
 *
 * Input: maps, a zero, environ.
 */
#include "fuzz.h"

#include "base/sys.h"
#include "cli/command.h"
#include "inspect/inspect.h"
#include "start/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

enum { OTHER = 3, MAPS };

static struct input maps, environ_block;

static int pretended_open(const char *path, int flags)
{
    (void)flags;
    return strcmp(path, "/proc/7/maps") == 0 ? MAPS : hash_text(path) % 4 ? OTHER : -1;
}

/* In pieces, as the kernel hands them out. */
static ssize_t pretended_read(int fd, void *buffer, size_t bytes)
{
    MUST(fd == MAPS);
    size_t n = bytes < maps.left ? bytes : maps.left;
    n = n < 4000 ? n : 4000;
    take(&maps, buffer, n);
    return (ssize_t)n;
}

/* As the kernel has it, with a zero behind it. */
static char *pretended_text(const char *path, size_t *size)
{
    MUST(strcmp(path, "/proc/7/environ") == 0);
    *size = environ_block.left;
    char *text = xmalloc(*size + 1);
    take(&environ_block, text, *size);
    text[*size] = '\0';
    return text;
}

static int pretended_executable_read(int fd, struct executable *out)
{
    MUST(fd == OTHER);
    *out = (struct executable){.kind = EXECUTABLE_ELF};
    return 0;
}

static void pretended_probe(struct program *program)
{
    MUST(strcmp(program->path, "/proc/7/exe") == 0);
    program->obstacle = OBSTACLE_NONE;
}

static ssize_t pretended_readlink(const char *path, char *link, size_t bytes)
{
    static const char program[] = "/usr/bin/python3.11";
    MUST(strcmp(path, "/proc/7/exe") == 0 && bytes >= sizeof program);
    memcpy(link, program, sizeof program - 1);
    return sizeof program - 1;
}

#define open            pretended_open
#define read_text       pretended_text
#define readlink        pretended_readlink
#define close(fd)       ((void)(fd))
#define sys_read        pretended_read
#define executable_read pretended_executable_read
#define program_probe   pretended_probe
#include "inspect/inspect_process.c"
#include "trace/maps.c"

static ElfW(Phdr) headers[2] = {{.p_type = PT_NOTE}, {.p_type = PT_LOAD, .p_vaddr = 0x1000}};

struct inspected_object *inspect_object(struct inspection *inspection, const char *open_path,
                                        const char *path, const char *name,
                                        const struct inspected_object *parent, const char *found_by)
{
    MUST(open_path && path[0] == '/' && !parent);
    struct inspected_object *object = xmalloc(sizeof *object);
    *object = (struct inspected_object){
        .path = xstrdup(path), .name = xstrdup(name), .found_by = found_by};
    object->elf.headers = headers;
    object->elf.header_count = hash_text(path) % 3;
    inspection->objects =
        xrealloc((void *)inspection->objects, (inspection->object_count + 1) * sizeof(void *));
    inspection->objects[inspection->object_count++] = object;
    return object;
}

void inspect_program(struct inspection *inspection, const char *open_path, struct program *program)
{
    (void)program;
    inspect_object(inspection, open_path, inspection->program, inspection->program, NULL, "");
}

static size_t list_bytes;

void add_preloads(struct inspection *inspection, const char *list)
{
    (void)inspection;
    list_bytes += strlen(list);
}

void add_system_preloads(struct inspection *inspection)
{
    (void)inspection;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t length = strnlen((const char *)data, size);
    maps = (struct input){data, length};
    environ_block = (struct input){data + length, size - length};
    struct inspection inspection;
    list_bytes = 0;
    inspect_process(7, &inspection);
    MUST(inspection.objects[0]->path && list_bytes <= size);
    for (size_t i = 0; i < inspection.object_count; i++) {
        struct inspected_object *object = inspection.objects[i];
        MUST(strlen(object->path) <= size + 32);
        free(object->path);
        free(object->name);
        free(object);
    }
    free((void *)inspection.objects);
    free(inspection.program);
    free((void *)(uintptr_t)inspection.subject);
    free(inspection.obstacle);
    return 0;
}
