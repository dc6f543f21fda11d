/*
 * next.c: finds the definitions that are next in the order of lookup, behind this object.
 */
#include "recorder/next.h"

#include "base/objects.h"

/* The entries of all wrappers, side by side; the linker says where. */
extern struct record_next __start_record_next_entries[] __attribute__((visibility("hidden")));
extern struct record_next __stop_record_next_entries[] __attribute__((visibility("hidden")));

struct object_search {
    struct record_next *first, *end;
    bool behind; /* our own object has gone by */
};

static int search_object(const struct object *object, void *context)
{
    struct object_search *search = context;
    uintptr_t here = (uintptr_t)record_next;
    if (!search->behind) {
        search->behind = here >= object->begin && here < object->end;
        return 0;
    }
    for (struct record_next *of = search->first; of < search->end; of++)
        if (!of->function)
            of->function = object_function(object, of->name);
    return 0;
}

static void find(struct record_next *first, struct record_next *end)
{
    struct object_search search = {first, end, false};
    objects_visit(search_object, &search);
}

void record_find_next(void)
{
    find(__start_record_next_entries, __stop_record_next_entries);
}

void *record_next(struct record_next *of)
{
    if (!of->function)
        find(of, of + 1);
    return of->function;
}
