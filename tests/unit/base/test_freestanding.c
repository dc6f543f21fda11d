/* Under names of their own, beside those of libc. */
#define memcpy  own_memcpy
#define memmove own_memmove
#define memset  own_memset
#define memcmp  own_memcmp
#include "base/freestanding.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp

#include <criterion/criterion.h>
#include <string.h>

enum { BYTES = 24 };

static void fill(uint8_t *bytes)
{
    for (uint8_t i = 0; i < BYTES; i++)
        bytes[i] = i;
}

Test(freestanding, moves_as_libc_does)
{
    uint8_t ours[BYTES], theirs[BYTES];
    for (size_t to = 0; to < BYTES; to++)
        for (size_t from = 0; from < BYTES; from++)
            for (size_t n = 0; n + (to > from ? to : from) <= BYTES; n++) {
                fill(ours);
                fill(theirs);
                cr_assert_eq(own_memmove(ours + to, ours + from, n), ours + to);
                memmove(theirs + to, theirs + from, n);
                cr_assert(memcmp(ours, theirs, BYTES) == 0, "%zu from %zu to %zu", n, from, to);
            }
}

Test(freestanding, copies_and_fills_no_more_than_it_is_told)
{
    uint8_t from[BYTES], to[BYTES], expected[BYTES];
    for (size_t n = 0; n <= BYTES - 2; n++) {
        fill(from);
        memset(to, 0x55, BYTES);
        memset(expected, 0x55, BYTES);
        memcpy(expected + 1, from, n);
        cr_assert_eq(own_memcpy(to + 1, from, n), to + 1);
        cr_assert(memcmp(to, expected, BYTES) == 0, "copy of %zu", n);
        memset(expected + 1, 0xf3, n);
        cr_assert_eq(own_memset(to + 1, 0x1f3, n), to + 1);
        cr_assert(memcmp(to, expected, BYTES) == 0, "fill of %zu", n);
    }
}

Test(freestanding, compares_bytes_without_a_sign)
{
    cr_expect_eq(own_memcmp("same", "same", 4), 0);
    cr_expect_eq(own_memcmp("a", "b", 0), 0);
    cr_expect_eq(own_memcmp("equal to here, then", "equal to here. Then", 13), 0);
    cr_expect_gt(own_memcmp("\x80", "\x7f", 1), 0);
    cr_expect_lt(own_memcmp("a\x01", "a\xff", 2), 0);
}
