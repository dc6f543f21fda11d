#include "base/objects.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* A small library of glibc's that nothing here is linked against. */
#define ANOTHER_LIBRARY "libanl.so.1"

struct search {
    const char *soname;
    struct object object;
    size_t seen;
};

static int find(const struct object *object, void *context)
{
    struct search *search = context;
    search->seen++;
    if (!search->soname || !object->soname || strcmp(object->soname, search->soname) != 0)
        return 0;
    search->object = *object;
    return 7;
}

static int keep_first(const struct object *object, void *context)
{
    *(struct object *)context = *object;
    return 1;
}

static struct object executable(void)
{
    struct object object;
    cr_assert_eq(objects_visit(keep_first, &object), 1);
    return object;
}

static struct object libc(void)
{
    struct search search = {.soname = "libc.so.6"};
    cr_assert_eq(objects_visit(find, &search), 7, "what visit() returns ends the walk");
    return search.object;
}

Test(objects, begin_with_the_executable)
{
    struct object object = executable();
    uintptr_t here = (uintptr_t)executable;
    cr_assert(here >= object.begin && here < object.end);
    cr_assert_str_empty(object.path);
    cr_assert_null(object.soname);
    cr_assert_gt(object.header_count, 0);
}

Test(objects, are_as_many_as_the_loader_says)
{
    struct search search = {.soname = NULL};
    cr_assert_eq(objects_visit(find, &search), 0);
    cr_assert_eq(search.seen, objects_count());
    cr_assert_gt(search.seen, 2);
}

Test(objects, functions_are_what_dlsym_finds)
{
    struct object object = libc();
    /* Many: where a name stands in its chain of the hash table is the linker's choice. An older
     * version of the last stands before the one that counts. */
    static const char *const names[] = {"getpid", "malloc", "qsort",  "dl_iterate_phdr", "free",
                                        "calloc", "printf", "fopen",  "fclose",          "read",
                                        "write",  "open",   "close",  "abort",           "exit",
                                        "fork",   "execve", "getenv", "setenv",          "atoi",
                                        "strtol", "select", "poll",   "socket",          "bind",
                                        "glob"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        cr_assert_eq(object_function(&object, names[i]),
                     dlsym(dlopen("libc.so.6", RTLD_NOW), names[i]), "%s", names[i]);
}

/* Since glibc 2.32, which has it for older programs alone. */
Test(objects, an_outdated_function_is_taken_for_want_of_another)
{
    struct object object = libc();
    void *handle = dlopen("libc.so.6", RTLD_NOW), *expected = NULL;
    static const char *const versions[] = {"GLIBC_2.2.5", "GLIBC_2.17"};
    for (size_t i = 0; i < sizeof versions / sizeof *versions && !expected; i++)
        expected = dlvsym(handle, "xdr_void", versions[i]);
    cr_assert_eq(object_function(&object, "xdr_void"), expected);
}

Test(objects, an_indirect_function_is_resolved)
{
    struct object object = libc();
    void *(*copy)(void *, const void *, size_t);
    void *address = object_function(&object, "memcpy");
    cr_assert_not_null(address);
    memcpy(&copy, &address, sizeof copy);
    char to[40] = "";
    cr_assert_eq(copy(to, "copied by what the resolver chose", 34), to);
    cr_assert_str_eq(to, "copied by what the resolver chose");
}

Test(objects, have_no_other_functions)
{
    struct object object = libc(), own = executable();
    cr_assert_null(object_function(&object, "no_such_function"));
    cr_assert_null(object_function(&object, ""));
    cr_assert_null(object_function(&object, "getpi"));
    cr_assert_null(object_function(&object, "environ"), "data is no function");
    cr_assert_null(object_function(&own, "getpid"), "undefined here");
    struct object nothing = {.soname = NULL};
    cr_assert_null(object_function(&nothing, "getpid"));
}

Test(objects, without_a_gnu_hash_the_older_one_serves)
{
    struct object object = libc();
    if (!object.sysv_hash)
        cr_skip_test("libc.so.6 has no DT_HASH");
    void *by_gnu = object_function(&object, "getpid");
    object.gnu_hash = NULL;
    cr_assert_eq(object_function(&object, "getpid"), by_gnu);
    cr_assert_null(object_function(&object, "no_such_function"));
}

static bool executable_needs(const char *soname, size_t bytes)
{
    struct object object = executable(), library = {.soname = soname, .soname_bytes = bytes};
    return object_needs(&object, &library);
}

Test(objects, know_what_they_need)
{
    cr_assert(executable_needs("libc.so.6", 10));
    cr_assert_not(executable_needs("libc.so.6", 9), "not terminated");
    cr_assert_not(executable_needs("libc.so", 8));
    cr_assert_not(executable_needs("libc.so.60", 11));
    cr_assert_not(executable_needs(NULL, 0));
}

Test(objects, the_generation_changes_with_every_load_and_unload)
{
    uint64_t before = objects_generation();
    cr_assert_neq(before, 0);
    cr_assert_eq(objects_generation(), before);
    size_t count = objects_count();
    void *library = dlopen(ANOTHER_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        cr_skip_test("%s is not here", ANOTHER_LIBRARY);
    uint64_t with = objects_generation();
    cr_assert_neq(with, before);
    cr_assert_eq(objects_count(), count + 1);
    dlclose(library);
    cr_assert_neq(objects_generation(), with);
    cr_assert_neq(objects_generation(), before);
    cr_assert_eq(objects_count(), count);
}

Test(objects, program_calls)
{
    cr_assert(objects_program_calls("dlsym"), "called, from a library");
    cr_assert(objects_program_calls("dlopen"));
    cr_assert_not(objects_program_calls("unshare"), "never called");
    cr_assert_not(objects_program_calls("dlsy"));
    cr_assert_not(objects_program_calls("dlsymm"));
    cr_assert_not(objects_program_calls(""));
}
