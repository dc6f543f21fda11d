/*
 * inspect_libraries.c: finds the libraries of a program as its loader would, without running it:
 * the loader's own --list would execute code that the file may bring.
 *
 * glibc looks in DT_RPATH of the object and of those that asked for it (unless it has a
 * DT_RUNPATH), LD_LIBRARY_PATH, DT_RUNPATH, ld.so.cache, the default folders; musl in
 * LD_LIBRARY_PATH, both of the object's lists and of those that asked for it, its own folders. Left
 * out are libraries in folders for certain processors (glibc-hwcaps).
 */
#include "base/executable.h"
#include "cli/command.h"
#include "cli/table.h"
#include "inspect/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_OBJECTS = 1024,
    MAX_TRIES = 20000, /* paths that are looked at in all */
    MAX_PRELOADS = 64,
};

#define CACHE_MAGIC     "glibc-ld.so.cache1.1"
#define OLD_CACHE_MAGIC "ld.so-1.7.0"

struct cache_head {
    char magic[sizeof CACHE_MAGIC - 1];
    uint32_t count, string_bytes, rest[5];
};

struct cache_entry {
    int32_t flags;
    uint32_t name, path, os_version;
    uint64_t processor;
};

/* Text in the cache that ends inside it. */
static const char *cache_text(const char *bytes, size_t size, size_t at)
{
    return at < size && memchr(bytes + at, '\0', size - at) ? bytes + at : NULL;
}

const char *library_cache_find(const char *bytes, size_t size, const char *name, uint16_t machine,
                               size_t n)
{
    const size_t magic = sizeof OLD_CACHE_MAGIC - 1;
    if (size > 16 && memcmp(bytes, OLD_CACHE_MAGIC, magic) == 0) { /* the new one follows it */
        uint32_t count;
        memcpy(&count, bytes + 12, sizeof count);
        size_t skip = (16 + (size_t)count * 12 + 7) & ~(size_t)7;
        if (skip >= size)
            return NULL;
        bytes += skip;
        size -= skip;
    }
    struct cache_head head;
    if (size < sizeof head || memcmp(bytes, CACHE_MAGIC, sizeof head.magic) != 0)
        return NULL;
    memcpy(&head, bytes, sizeof head);
    const int32_t wanted = machine == EM_AARCH64 ? 0x0a03 : 0x0303; /* libc 6, 64-bit */
    for (size_t i = 0; i < head.count && (size - sizeof head) / sizeof(struct cache_entry) > i;
         i++) {
        struct cache_entry entry;
        memcpy(&entry, bytes + sizeof head + i * sizeof entry, sizeof entry);
        const char *found = cache_text(bytes, size, entry.name);
        const char *path = cache_text(bytes, size, entry.path);
        if (found && path && entry.flags == wanted && entry.processor == 0 &&
            strcmp(found, name) == 0 && n-- == 0)
            return path;
    }
    return NULL;
}

struct needed_search {
    struct inspection *inspection;
    bool is_musl, is_secure;
    uint16_t machine;
    const char *library_path;
    char *cache;
    size_t cache_bytes;
    unsigned tries;
};

/* As loaders do it, one of another machine is passed over. */
static bool is_candidate(struct needed_search *search, const char *path)
{
    if (search->tries++ >= MAX_TRIES)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    struct stat status;
    struct executable file;
    bool good = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                executable_read(fd, &file) == 0 && file.kind == EXECUTABLE_ELF &&
                file.header.e_ident[EI_CLASS] == ELFCLASS64 &&
                file.header.e_machine == search->machine;
    close(fd);
    return good;
}

static const char *multiarch(uint16_t machine)
{
    return machine == EM_AARCH64 ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
}

/* The text behind "$NAME" or "${NAME}" at `at`, or NULL. */
static const char *behind_token(const char *at, const char *name)
{
    bool braces = at[1] == '{';
    const char *text = at + 1 + braces;
    size_t length = strlen(name);
    if (strncmp(text, name, length) != 0 || (braces && text[length] != '}'))
        return NULL;
    return text + length + braces;
}

/* One folder of a list with $ORIGIN, $LIB and $PLATFORM replaced; NULL if it is too long. */
static char *expand(const struct needed_search *search, const char *folder, size_t length,
                    const struct inspected_object *object)
{
    char out[PATH_MAX], lib[64];
    size_t used = 0;
    snprintf(lib, sizeof lib, "/lib/%s", multiarch(search->machine));
    const char *platform =
        (const char *)(uintptr_t)getauxval(AT_PLATFORM); /* NOLINT(*-int-to-ptr) */
    for (const char *at = folder; at < folder + length;) {
        const char *rest, *value = NULL;
        char *origin = NULL;
        if (*at == '$' && (rest = behind_token(at, "ORIGIN"))) {
            char *real = object ? realpath(object->path, NULL) : NULL;
            if (!real)
                return NULL;
            *strrchr(real, '/') = '\0';
            value = origin = real;
        } else if (*at == '$' && (rest = behind_token(at, "LIB"))) {
            value = access(lib, F_OK) == 0 ? lib + 1 : "lib64";
        } else if (*at == '$' && platform && (rest = behind_token(at, "PLATFORM"))) {
            value = platform;
        }
        size_t bytes = value ? strlen(value) : 1;
        bool fits = used + bytes < sizeof out;
        if (fits)
            memcpy(out + used, value ? value : at, bytes);
        used += bytes;
        at = value ? rest : at + 1;
        free(origin);
        if (!fits)
            return NULL;
    }
    out[used] = '\0';
    return xstrdup(used ? out : ".");
}

static char *find_in_list(struct needed_search *search, const char *list, const char *separators,
                          const char *name, const struct inspected_object *object)
{
    for (const char *at = list; at && search->tries < MAX_TRIES;) {
        size_t length = strcspn(at, separators);
        char *folder = expand(search, at, length, object);
        char *path = folder ? xasprintf("%s/%s", folder, name) : NULL;
        free(folder);
        if (path && is_candidate(search, path))
            return path;
        free(path);
        at = at[length] ? at + length + 1 : NULL;
    }
    return NULL;
}

/* Upwards from the object: a library may be found by the lists of those that asked for it. */
static char *find_by_ancestors(struct needed_search *search, const char *name,
                               const struct inspected_object *object, const char **by)
{
    for (; object; object = object->parent) {
        const struct elf_facts *elf = &object->elf;
        char *found = NULL;
        if (elf->rpath && (search->is_musl || !elf->runpath)) {
            *by = "RPATH";
            found = find_in_list(search, elf->rpath, ":", name, object);
        }
        if (!found && search->is_musl && elf->runpath) {
            *by = "RUNPATH";
            found = find_in_list(search, elf->runpath, ":", name, object);
        }
        if (found)
            return found;
    }
    return NULL;
}

static char *find_in_cache(struct needed_search *search, const char *name)
{
    const char *path;
    for (size_t n = 0;
         search->cache &&
         (path = library_cache_find(search->cache, search->cache_bytes, name, search->machine, n));
         n++)
        if (is_candidate(search, path))
            return xstrdup(path);
    return NULL;
}

static char *find_in_defaults(struct needed_search *search, const char *name)
{
    if (search->is_musl) {
        size_t size;
        char *configured = read_text(search->machine == EM_AARCH64 ? "/etc/ld-musl-aarch64.path"
                                                                   : "/etc/ld-musl-x86_64.path",
                                     &size);
        char *found = find_in_list(search, configured ? configured : "/lib:/usr/local/lib:/usr/lib",
                                   ":\n", name, NULL);
        free(configured);
        return found;
    }
    const char *arch = multiarch(search->machine);
    char *folders = xasprintf("/lib/%s:/usr/lib/%s:/lib64:/usr/lib64:/lib:/usr/lib", arch, arch);
    char *found = find_in_list(search, folders, ":", name, NULL);
    free(folders);
    return found;
}

static char *find_library(struct needed_search *search, const char *name,
                          const struct inspected_object *object, const char **by)
{
    if (strchr(name, '/')) {
        *by = "its path";
        return is_candidate(search, name) ? xstrdup(name) : NULL;
    }
    char *found = NULL;
    if (!search->is_musl && !object->elf.runpath)
        found = find_by_ancestors(search, name, object, by);
    if (!found && search->library_path && !search->is_secure) {
        *by = "LD_LIBRARY_PATH";
        found =
            find_in_list(search, search->library_path, ":;", name, search->inspection->objects[0]);
    }
    if (!found && search->is_musl)
        found = find_by_ancestors(search, name, object, by);
    if (!found && !search->is_musl && object->elf.runpath) {
        *by = "RUNPATH";
        found = find_in_list(search, object->elf.runpath, ":", name, object);
    }
    if (!found && !search->is_musl && !object->elf.no_default_folders) {
        *by = "ld.so.cache";
        found = find_in_cache(search, name);
    }
    if (!found && !object->elf.no_default_folders) {
        *by = "the default folders";
        found = find_in_defaults(search, name);
    }
    return found;
}

/* musl is its loader: these names are all itself. */
static bool is_musl_itself(const char *name)
{
    static const char *const names[] = {"c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet."};
    if (strncmp(name, "lib", 3) != 0)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(name + 3, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static bool is_loaded(const struct inspection *inspection, const char *name)
{
    for (size_t i = 0; i < inspection->object_count; i++) {
        const struct inspected_object *object = inspection->objects[i];
        if (strcmp(object->name, name) == 0 ||
            (object->elf.soname && strcmp(object->elf.soname, name) == 0))
            return true;
    }
    return false;
}

static bool is_same_file(const struct inspection *inspection, const char *path)
{
    struct stat wanted, status;
    if (stat(path, &wanted) != 0)
        return false;
    for (size_t i = 0; i < inspection->object_count; i++)
        if (inspection->objects[i]->path && stat(inspection->objects[i]->path, &status) == 0 &&
            status.st_dev == wanted.st_dev && status.st_ino == wanted.st_ino)
            return true;
    return false;
}

static void load_needed(struct needed_search *search, const struct inspected_object *object,
                        const char *name)
{
    struct inspection *inspection = search->inspection;
    if (is_loaded(inspection, name) || (search->is_musl && is_musl_itself(name)) ||
        (inspection->loader_soname && strcmp(inspection->loader_soname, name) == 0))
        return;
    const char *by = "";
    char *path = find_library(search, name, object, &by);
    if (!path)
        inspect_object(inspection, NULL, NULL, name, object, "")->error = xasprintf(
            search->tries >= MAX_TRIES ? "%s: gave up looking for it: its folder lists are endless"
                                       : "%s: not found; install it or set LD_LIBRARY_PATH",
            name);
    else if (!is_same_file(inspection, path))
        inspect_object(inspection, path, path, name, object, by);
    free(path);
}

void add_preloads(struct inspection *inspection, const char *list)
{
    while (list && inspection->preload_count < MAX_PRELOADS) {
        list += strspn(list, ": \t\n");
        size_t length = strcspn(list, ": \t\n");
        if (length == 0)
            return;
        *GROW(inspection->preloads, inspection->preload_count) =
            xasprintf("%.*s", (int)length, list);
        list += length;
    }
}

void add_system_preloads(struct inspection *inspection)
{
    size_t size;
    char *list = read_text("/etc/ld.so.preload", &size);
    add_preloads(inspection, list);
    free(list);
}

void inspect_libraries(struct inspection *inspection)
{
    const struct inspected_object *program = inspection->objects[0];
    struct needed_search search = {
        .inspection = inspection,
        .is_musl = strcmp(inspection->libc, "musl") == 0,
        .is_secure = inspection->set_uid || inspection->set_gid || inspection->capabilities,
        .machine = program->elf.machine,
        .library_path = getenv("LD_LIBRARY_PATH"),
    };
    if (search.library_path && !*search.library_path)
        search.library_path = NULL;
    search.cache = read_text("/etc/ld.so.cache", &search.cache_bytes);
    /* In breadth: the list grows while it is walked. */
    for (size_t i = 0; i < inspection->object_count; i++) {
        const struct inspected_object *object = inspection->objects[i];
        for (size_t n = 0; n < object->elf.needed_count; n++) {
            if (inspection->object_count >= MAX_OBJECTS) {
                warn("%s: loads more than %d objects; the rest is left out", inspection->subject,
                     MAX_OBJECTS);
                i = inspection->object_count;
                break;
            }
            load_needed(&search, object, object->elf.needed[n]);
        }
    }
    const char *loader = program->elf.interpreter;
    if (loader && !is_same_file(inspection, loader))
        inspect_object(inspection, loader, loader, loader, program, "PT_INTERP");
    free(search.cache);
}
