/*
 * blind.c: the plan without a profile: small, and only what is certain.
 *
 * Reading whole objects loses (a start touches 15–40 % of a large one, and the rest competes for
 * the disk). Certain is only what runs next: each object's initialisers, whose addresses the loader
 * has just relocated, and the executable's entry point. One window around each is asked for at
 * once, so that the storage can work on all of them while the first is still being waited for. What
 * is in memory already costs a system call of about a microsecond.
 */
#include "replay/blind.h"

#include "base/objects.h"
#include "base/sys.h"
#include "replay/budget.h"
#include "replay/residency.h"

#define WARM_SAMPLES 2

struct plan {
    uint64_t budget_bytes;
    struct blind_result result;
};

bool blind_window(const struct object *object, uintptr_t address, uintptr_t *from, uintptr_t *to)
{
    for (size_t i = 0; i < object->header_count; i++) {
        const ElfW(Phdr) *header = &object->headers[i];
        uintptr_t begin = object->base + header->p_vaddr;
        uintptr_t end = begin + header->p_filesz;
        if (header->p_type != PT_LOAD || address < begin || address >= end)
            continue;
        uintptr_t window = address & ~(uintptr_t)(BLIND_WINDOW_BYTES - 1);
        *from = window > begin ? window : begin & ~(uintptr_t)4095;
        *to = window + BLIND_WINDOW_BYTES < end ? window + BLIND_WINDOW_BYTES : end;
        return true;
    }
    return false;
}

/* Asks for the window around an address of the object's file-backed part. */
static uintptr_t ask_around(struct plan *plan, const struct object *object, uintptr_t address)
{
    uintptr_t from, to;
    if (!blind_window(object, address, &from, &to))
        return 0;
    if (plan->result.bytes + (to - from) <= plan->budget_bytes &&
        sys_madvise((void *)from, to - from, MADV_WILLNEED) == 0) {
        plan->result.bytes += to - from;
        plan->result.ranges++;
    }
    return address & ~(uintptr_t)(BLIND_WINDOW_BYTES - 1);
}

static int plan_object(const struct object *object, void *context)
{
    struct plan *plan = context;
    if (object->end <= object->begin || !object->dynamic)
        return 0;
    uintptr_t done = 0;
    for (size_t i = 0; i < object->init_count && object->init_array; i++) {
        uintptr_t initialiser = object->init_array[i];
        if ((initialiser & ~(uintptr_t)(BLIND_WINDOW_BYTES - 1)) != done)
            done = ask_around(plan, object, initialiser);
    }
    return plan->result.bytes >= plan->budget_bytes;
}

/* The middle of the code: the loader has not been there, and initialisers seldom are. */
static uint64_t middle_of_code(const struct object *object)
{
    for (size_t i = 0; i < object->header_count; i++) {
        const ElfW(Phdr) *header = &object->headers[i];
        if (header->p_type == PT_LOAD && (header->p_flags & PF_X))
            return header->p_offset + header->p_filesz / 2;
    }
    return 0;
}

struct sample {
    const char *executable;
    size_t seen;
    bool cold;
};

static int sample_object(const struct object *object, void *context)
{
    struct sample *sample = context;
    const char *path = *object->path ? object->path : sample->executable;
    if (*path != '/' || (uintptr_t)sample_object - object->begin < object->end - object->begin)
        return 0; /* the vdso; and ourselves, who are running */
    int fd = sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return 0;
    sample->cold = !file_page_is_resident(fd, middle_of_code(object));
    sys_close(fd);
    return sample->cold || ++sample->seen == WARM_SAMPLES;
}

bool blind_is_warm(const char *executable)
{
    struct sample sample = {executable, 0, false};
    objects_visit(sample_object, &sample);
    return !sample.cold;
}

struct blind_result blind_page_in(uint64_t budget_bytes)
{
    bool is_default = budget_bytes == BUDGET_BY_MEMORY;
    struct plan plan = {.budget_bytes = is_default ? BLIND_BUDGET_BYTES : budget_bytes};
    objects_visit(plan_object, &plan);
    return plan.result;
}
