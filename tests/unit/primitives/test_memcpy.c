#include "coldboost.h"

#include <criterion/criterion.h>
#include <string.h>

/* The bytes themselves are tests/refcheck's work. */

Test(memcpy, of_nothing_looks_at_nothing)
{
    char dst;
    cr_assert_eq(fast_memcpy(&dst, NULL, 0), &dst);
    cr_assert_null(fast_memcpy(NULL, NULL, 0));
    cr_assert_null(coldboost_memcpy_inline(NULL, NULL, 0));
}

Test(memcpy, onto_itself_changes_nothing)
{
    static char bytes[3000], before[3000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7);
    memcpy(before, bytes, sizeof bytes);
    for (size_t n = 0; n < sizeof bytes; n += n < 300 ? 1 : 37) {
        char *same = bytes;
        cr_assert_eq(fast_memcpy(bytes, same, n), bytes);
        cr_assert_eq(coldboost_memcpy_inline(bytes, same, n), bytes);
        cr_assert_arr_eq(bytes, before, sizeof bytes);
    }
}

#define COPIES_CONSTANT(n)                                                                         \
    do {                                                                                           \
        char dst[(n) + 1] = {0};                                                                   \
        coldboost_memcpy_inline(dst, src, (n));                                                    \
        cr_assert_arr_eq(dst, src, (n));                                                           \
        cr_assert_eq(dst[n], 0);                                                                   \
    } while (0)

Test(memcpy, copies_constant_sizes)
{
    char src[65];
    memset(src, 'x', sizeof src);
    COPIES_CONSTANT(1);
    COPIES_CONSTANT(2);
    COPIES_CONSTANT(3);
    COPIES_CONSTANT(4);
    COPIES_CONSTANT(7);
    COPIES_CONSTANT(8);
    COPIES_CONSTANT(15);
    COPIES_CONSTANT(16);
    COPIES_CONSTANT(17);
    COPIES_CONSTANT(32);
    COPIES_CONSTANT(33);
    COPIES_CONSTANT(64);
    COPIES_CONSTANT(65);
}
