/*
 * zlib.c: crc32 and crc32_z with zlib's signatures and semantics, for callers that would have
 * reached zlib's.
 *
 * A preloaded symbol comes before every library's own. So each call first asks where it would have
 * gone without us: the next definition in lookup order. Is that zlib's (the object also defines
 * zlibVersion), or is there none, we compute; any other function called crc32 gets the call as it
 * came, whatever its arguments are.
 *
 * Lookup order is: the objects loaded at the start, in load order; then, for a caller that came
 * with dlopen(), its own scope. The first part never changes: once it holds a definition the answer
 * is final. Otherwise it holds until the loader next adds or removes an object (asking that costs
 * about 15 ns), and while a plugin with a foreign crc32 is loaded each call is looked at on its
 * own: the return address names the caller, unless it was a tail call; so a caller that has no
 * definition within reach gets the plugin's.
 */
#include "boost/zlib.h"

#include "base/objects.h"
#include "coldboost.h"
#include "interpose.h"

#include <stdint.h>

typedef void crc32_function(void); /* of whatever signature */

COLDBOOST_API unsigned long crc32(unsigned long crc, const uint8_t *data, unsigned n);
COLDBOOST_API unsigned long crc32_z(unsigned long crc, const uint8_t *data, size_t n);

static bool allowed = true;
static size_t startup_objects;

/* Where all calls go, once that is certain. */
__attribute__((visibility("hidden"))) crc32_function *cb_crc32_target, *cb_crc32_z_target;

static unsigned long our_crc32(unsigned long crc, const uint8_t *data, unsigned n)
{
    return data ? coldboost_crc32_update((uint32_t)crc, data, n) : 0;
}

static unsigned long our_crc32_z(unsigned long crc, const uint8_t *data, size_t n)
{
    return data ? coldboost_crc32_update((uint32_t)crc, data, n) : 0;
}

struct zlib_search {
    const char *name;
    uintptr_t caller_address;
    struct object caller;
    size_t index;
    crc32_function *at_startup; /* the next definition among the objects loaded at the start */
    bool startup_is_zlib;
    crc32_function *later;   /* the first one loaded later */
    crc32_function *foreign; /* the first of those that is not zlib's */
    crc32_function *callers; /* the one in the caller's own object, or else in one that it needs */
    bool callers_is_zlib;
};

static bool contains(const struct object *object, const void *address)
{
    return (uintptr_t)address >= object->begin && (uintptr_t)address < object->end;
}

static int find_caller(const struct object *object, void *context)
{
    struct zlib_search *search = context;
    if (!contains(object, (const void *)search->caller_address))
        return 0;
    search->caller = *object;
    return 1;
}

static int find_definitions(const struct object *object, void *context)
{
    struct zlib_search *search = context;
    size_t index = search->index++;
    if (index == 0 || contains(object, &allowed))
        return 0; /* the executable comes before us: its own definition never reaches us */
    crc32_function *function = (crc32_function *)object_function(object, search->name);
    if (!function)
        return 0;
    bool is_zlib = object_function(object, "zlibVersion") != NULL;
    if (index < startup_objects) {
        search->at_startup = function;
        search->startup_is_zlib = is_zlib;
        return 1;
    }
    if (!search->later)
        search->later = function;
    if (!search->foreign && !is_zlib)
        search->foreign = function;
    bool own = object->base == search->caller.base;
    if (own || (!search->callers && object_needs(&search->caller, object))) {
        search->callers = function;
        search->callers_is_zlib = is_zlib;
    }
    return 0;
}

/* For crc32 and for crc32_z: the loader's count of changes at which no foreign definition was
 * loaded. Zero: never seen. */
static uint64_t clean_generations[2];

/* From the stubs below: where this call goes. */
__attribute__((visibility("hidden"), used)) crc32_function *cb_zlib_resolve(uintptr_t caller,
                                                                            const char *name);

crc32_function *cb_zlib_resolve(uintptr_t caller, const char *name)
{
    bool z = name[5] != '\0';
    crc32_function *ours = z ? (crc32_function *)our_crc32_z : (crc32_function *)our_crc32;
    crc32_function **target = z ? &cb_crc32_z_target : &cb_crc32_target;
    uint64_t *clean_generation = &clean_generations[z];
    uint64_t generation = objects_generation();
    if (__atomic_load_n(clean_generation, __ATOMIC_RELAXED) == generation && generation)
        return ours;

    struct zlib_search search = {.name = name, .caller_address = caller};
    objects_visit(find_caller, &search);
    objects_visit(find_definitions, &search);
    if (search.at_startup) {
        crc32_function *final = allowed && search.startup_is_zlib ? ours : search.at_startup;
        __atomic_store_n(target, final, __ATOMIC_RELAXED);
        return final;
    }
    if (search.callers && (!allowed || search.foreign))
        return allowed && search.callers_is_zlib ? ours : search.callers;
    if (search.foreign)
        return search.foreign;
    if (!allowed && search.later)
        return search.later;
    if (allowed)
        __atomic_store_n(clean_generation, generation, __ATOMIC_RELAXED);
    return ours;
}

CB_INTERPOSE(crc32, cb_crc32_target, cb_zlib_resolve);
CB_INTERPOSE(crc32_z, cb_crc32_z_target, cb_zlib_resolve);

void zlib_set_up(bool allow)
{
    allowed = allow;
    startup_objects = objects_count();
}
