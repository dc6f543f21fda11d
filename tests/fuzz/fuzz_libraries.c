/*
 * fuzz_libraries.c: library search paths, needed names and an ld.so.cache from anybody.
 *
 * Input: how to search (1), LD_LIBRARY_PATH, and of each of four objects RPATH, RUNPATH, and one
 * name that it needs, each ended by a zero; what is left is the cache.
 */
#include "fuzz.h"

#include "base/executable.h"
#include "cli/command.h"
#include "inspect/inspect.h"

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OBJECTS = 4 };

static struct input cache;
static char *library_path, *texts[OBJECTS][3];
static size_t text_bytes[OBJECTS][3];
static bool is_arm;

/* Every other file is there, and every second of those is a library. */
static int pretended_open(const char *path, int flags)
{
    (void)flags;
    return hash_text(path) % 8 == 0 ? 3 : -1;
}

static char *pretended_text(const char *path, size_t *size)
{
    struct input input = cache;
    *size = input.left;
    return strcmp(path, "/etc/ld.so.cache") == 0 ? (char *)take_copy(&input, input.left) : NULL;
}

static int pretended_executable_read(int fd, struct executable *out)
{
    (void)fd;
    *out = (struct executable){.kind = EXECUTABLE_ELF,
                               .header = {.e_machine = is_arm ? EM_AARCH64 : EM_X86_64}};
    out->header.e_ident[EI_CLASS] = ELFCLASS64;
    return 0;
}

static int pretended_fstat(int fd, struct stat *status)
{
    (void)fd;
    *status = (struct stat){.st_mode = S_IFREG, .st_size = 4096};
    return 0;
}

static int pretended_stat(const char *path, struct stat *status)
{
    *status = (struct stat){.st_mode = S_IFREG, .st_ino = hash_text(path)};
    return 0;
}

static char *pretended_realpath(const char *path, char *resolved)
{
    MUST(!resolved);
    return hash_text(path) % 4 && path[0] == '/' ? strdup(path) : NULL;
}

static char *pretended_getenv(const char *name)
{
    MUST(strcmp(name, "LD_LIBRARY_PATH") == 0);
    return library_path;
}

#define open              pretended_open
#define read_text         pretended_text
#define close(fd)         ((void)(fd))
#define executable_read   pretended_executable_read
#define fstat             pretended_fstat
#define stat(path, out)   pretended_stat(path, out)
#define realpath          pretended_realpath
#define getenv            pretended_getenv
#define access(path, how) (hash_text(path) % 2 ? 0 : -1)
#define warn(...)         ((void)0)
#include "inspect/inspect_libraries.c"
#undef stat

struct inspected_object *inspect_object(struct inspection *inspection, const char *open_path,
                                        const char *path, const char *name,
                                        const struct inspected_object *parent, const char *found_by)
{
    size_t n = inspection->object_count % OBJECTS;
    struct inspected_object *object = xmalloc(sizeof *object);
    (void)open_path;
    *object = (struct inspected_object){.path = xstrdup(path ? path : ""),
                                        .name = xstrdup(name),
                                        .parent = parent,
                                        .found_by = found_by};
    object->elf.machine = is_arm ? EM_AARCH64 : EM_X86_64;
    object->elf.rpath = text_bytes[n][0] ? texts[n][0] : NULL;
    object->elf.runpath = text_bytes[n][1] ? texts[n][1] : NULL;
    object->elf.needed = &texts[n][2];
    object->elf.needed_count = text_bytes[n][2] != 0 && inspection->object_count < 40;
    inspection->objects =
        xrealloc((void *)inspection->objects, (inspection->object_count + 1) * sizeof(void *));
    inspection->objects[inspection->object_count++] = object;
    return object;
}

static void search(bool is_musl, bool is_secure)
{
    struct inspection inspection = {
        .subject = "/usr/bin/any", .libc = is_musl ? "musl" : "glibc", .set_uid = is_secure};
    struct inspected_object *program =
        inspect_object(&inspection, NULL, "/usr/bin/any", "any", NULL, "");
    program->elf.interpreter = texts[0][2];
    inspect_libraries(&inspection);
    for (size_t i = 0; i < inspection.object_count; i++) {
        struct inspected_object *object = inspection.objects[i];
        free(object->path);
        free(object->name);
        free(object->error);
        free(object);
    }
    free((void *)inspection.objects);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint8_t how = (uint8_t)take_number(&input, 1);
    is_arm = how & 4;
    library_path = take_text(&input);
    for (size_t i = 0; i < OBJECTS; i++)
        for (size_t n = 0; n < 3; n++) {
            texts[i][n] = take_text(&input);
            text_bytes[i][n] = strlen(texts[i][n]);
        }
    size_t cache_bytes = input.left;
    uint8_t *copy = take_copy(&input, cache_bytes);
    cache = (struct input){copy, cache_bytes};
    search(how & 1, how & 2);
    for (size_t i = 0; i < OBJECTS; i++)
        for (size_t n = 0; n < 3; n++)
            free(texts[i][n]);
    free(copy);
    free(library_path);
    return 0;
}
