/*
 * table.c: see table.h.
 */
#include "cli/table.h"

#include "cli/command.h"

#include <stdlib.h>
#include <string.h>

void *table_grow(void *array, size_t count, size_t bytes)
{
    /* There is room for the next power of two. */
    return count & (count - 1) ? array : xrealloc(array, (count ? 2 * count : 1) * bytes);
}

void table_sort(void *array, size_t count, size_t bytes, table_order *order)
{
    if (count)
        qsort(array, count, bytes, order);
}

void *table_search(const void *key, const void *array, size_t count, size_t bytes,
                   table_order *order)
{
    return count ? bsearch(key, array, count, bytes, order) : NULL;
}

size_t table_unite(void *array, size_t count, size_t bytes, table_order *order)
{
    char *all = array;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!kept || order(all + i * bytes, all + (kept - 1) * bytes) != 0)
            memmove(all + kept++ * bytes, all + i * bytes, bytes);
    return kept;
}

void *table_find_or_add(void *array, size_t *count, size_t bytes, const char *name, size_t *index)
{
    for (*index = 0; *index < *count; ++*index)
        if (strcmp(*(char **)((char *)array + *index * bytes), name) == 0)
            return array;
    array = table_grow(array, (*count)++, bytes);
    void *added = memset((char *)array + *index * bytes, 0, bytes);
    *(char **)added = xstrdup(name);
    return array;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t size)
{
    if (size > buffer->room - buffer->size) {
        buffer->room = 2 * (buffer->size + size);
        buffer->bytes = xrealloc(buffer->bytes, buffer->room);
    }
    if (size)
        memcpy(buffer->bytes + buffer->size, bytes, size);
    buffer->size += size;
}
