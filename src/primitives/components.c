/*
 * components.c: initialises the parts of a program in order of priority, within a memory limit.
 *
 * No allocation, so no sorted copy: each step looks for the best of those that are still pending.
 * That is quadratic in a number that is small beside what one init function does.
 */
#include "coldboost.h"

/* Some PAUSEs, 0.3 to 3 µs: about what the prefetched lines need to arrive from memory. */
#define SPIN_AFTER_PREFETCH 64

/* Of equal priorities the first in the array; NULL if none is pending. */
static struct coldboost_component *next_pending(struct coldboost_component *components, size_t n)
{
    struct coldboost_component *best = NULL;
    for (size_t i = 0; i < n; i++)
        if (components[i].state == COLDBOOST_COMPONENT_PENDING &&
            (!best || components[i].priority > best->priority))
            best = &components[i];
    return best;
}

static enum coldboost_component_state initialise(struct coldboost_component *component,
                                                 size_t memory_left)
{
    if (!component->init)
        return COLDBOOST_COMPONENT_SKIPPED_EMPTY;
    if (component->memory_bytes > memory_left)
        return COLDBOOST_COMPONENT_SKIPPED_MEMORY;
    component->error = component->init(component->context);
    return component->error ? COLDBOOST_COMPONENT_FAILED : COLDBOOST_COMPONENT_READY;
}

size_t coldboost_preload_components(struct coldboost_component *components, size_t n,
                                    size_t memory_limit_bytes)
{
    prefetch_critical_memory(components, n * sizeof *components);
    for (size_t i = 0; i < n; i++) {
        components[i].state = COLDBOOST_COMPONENT_PENDING;
        components[i].error = 0;
        prefetch_critical_memory(components[i].metadata, components[i].metadata_bytes);
    }
    if (n)
        optimized_spin_wait(SPIN_AFTER_PREFETCH);

    bool limited = memory_limit_bytes != 0;
    size_t memory_left = limited ? memory_limit_bytes : SIZE_MAX;
    size_t ready = 0;
    struct coldboost_component *component;
    while ((component = next_pending(components, n))) {
        component->state = initialise(component, memory_left);
        if (component->state == COLDBOOST_COMPONENT_READY) {
            ready++;
            if (limited)
                memory_left -= component->memory_bytes;
        }
    }
    return ready;
}

const char *coldboost_version(void)
{
    return COLDBOOST_VERSION;
}
