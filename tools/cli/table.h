/*
 * table.h: arrays and bytes that grow, and how they are sorted and searched.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Orders two numbers as qsort() wants it. */
#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

typedef int table_order(const void *a, const void *b);

/* Adds an element to a growing array of `count` and yields a pointer to it; NULL and 0 at first. */
#define GROW(array, count)                                                                         \
    ((array) = table_grow((array), (count), sizeof *(array)), &(array)[(count)++])
void *table_grow(void *array, size_t count, size_t bytes);

/* As qsort() and bsearch(), for arrays that may be NULL if they are empty. */
#define SORT(array, count, order) table_sort((array), (count), sizeof *(array), (order))
#define SEARCH(key, array, count, order)                                                           \
    table_search((key), (array), (count), sizeof *(array), (order))
void table_sort(void *array, size_t count, size_t bytes, table_order *order);
void *table_search(const void *key, const void *array, size_t count, size_t bytes,
                   table_order *order);

/* Of equal elements of a sorted array keeps the first; returns how many are left. */
size_t table_unite(void *array, size_t count, size_t bytes, table_order *order);

/*
 * Finds the element of that name in a growing array, or adds one that is zero but for its name.
 * Elements begin with the name, a char * that is theirs. Looks through all: for a few hundred.
 */
#define FIND_OR_ADD(array, count, name, index)                                                     \
    ((array) = table_find_or_add((array), &(count), sizeof *(array), (name), (index)),             \
     &(array)[*(index)])
void *table_find_or_add(void *array, size_t *count, size_t bytes, const char *name, size_t *index);

/* Sets a bit of a map; returns whether it was not set. */
static inline bool set_bit(uint8_t *map, uint64_t index)
{
    uint8_t bit = (uint8_t)(1u << index % 8);
    bool is_new = !(map[index / 8] & bit);
    map[index / 8] |= bit;
    return is_new;
}

/* All zero at first; the bytes are the caller's to free. */
struct buffer {
    uint8_t *bytes;
    size_t size, room;
};
void buffer_append(struct buffer *buffer, const void *bytes, size_t size);
