/*
 * test_table.c: what grows keeps what is in it; what is found by name is there once.
 */
#include "cli/table.h"

#include <criterion/criterion.h>
#include <stdlib.h>

struct named {
    char *name;
    int value;
};

static int compare_numbers(const void *a, const void *b)
{
    return ORDER(*(const int *)a, *(const int *)b);
}

Test(table, an_array_that_grows_keeps_its_elements)
{
    int *numbers = NULL;
    size_t count = 0;
    for (int i = 0; i < 1000; i++)
        *GROW(numbers, count) = i;
    cr_assert_eq(count, 1000);
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(numbers[i], i);
    free(numbers);
}

Test(table, of_equal_elements_the_first_stays)
{
    int numbers[] = {5, 3, 5, 1, 3, 5}, wanted = 3, missing = 4, *none = NULL;
    SORT(numbers, 6, compare_numbers);
    cr_assert_eq(table_unite(numbers, 6, sizeof *numbers, compare_numbers), 3);
    cr_expect_arr_eq(numbers, ((int[]){1, 3, 5}), 3 * sizeof *numbers);
    cr_expect_eq(SEARCH(&wanted, numbers, 3, compare_numbers), &numbers[1]);
    cr_expect_null(SEARCH(&missing, numbers, 3, compare_numbers));
    cr_expect_null(SEARCH(&wanted, none, 0, compare_numbers));
    cr_expect_eq(table_unite(none, 0, sizeof *numbers, compare_numbers), 0);
}

Test(table, a_name_is_added_once)
{
    static const char *const names[] = {"b", "a", "b", "c", "a"};
    static const size_t places[] = {0, 1, 0, 2, 1};
    struct named *all = NULL;
    size_t count = 0, index;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct named *found = FIND_OR_ADD(all, count, names[i], &index);
        cr_expect_eq(index, places[i]);
        cr_expect_str_eq(found->name, names[i]);
        found->value++;
    }
    cr_assert_eq(count, 3);
    cr_expect_eq(all[0].value, 2);
    cr_expect_eq(all[2].value, 1);
    for (size_t i = 0; i < count; i++)
        free(all[i].name);
    free(all);
}

Test(table, bytes_are_appended_in_order)
{
    struct buffer buffer = {0};
    for (uint8_t i = 0; i < 200; i++)
        buffer_append(&buffer, (uint8_t[]){i, 7}, 2);
    buffer_append(&buffer, NULL, 0);
    cr_assert_eq(buffer.size, 400);
    for (size_t i = 0; i < 200; i++)
        cr_assert(buffer.bytes[2 * i] == i && buffer.bytes[2 * i + 1] == 7);
    free(buffer.bytes);
}
