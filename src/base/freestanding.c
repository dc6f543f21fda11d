/*
 * freestanding.c: the four functions that a compiler may call without being asked to. They keep
 * libcoldboost.so free of libc and are hidden: the program never sees them.
 */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/* Keeps the compiler from turning these loops into calls of themselves. */
#define NOT_A_CALL() __asm__ volatile("")

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    uint8_t *d = to;
    const uint8_t *s = from;
    for (; n; n--) {
        *d++ = *s++;
        NOT_A_CALL();
    }
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    uint8_t *d = to;
    const uint8_t *s = from;
    if ((uintptr_t)d - (uintptr_t)s >= n)
        return memcpy(to, from, n);
    while (n--) {
        d[n] = s[n];
        NOT_A_CALL();
    }
    return to;
}

void *memset(void *to, int byte, size_t n)
{
    uint8_t *d = to;
    for (; n; n--) {
        *d++ = (uint8_t)byte;
        NOT_A_CALL();
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;
    for (; n; n--, x++, y++) {
        if (*x != *y)
            return *x - *y;
        NOT_A_CALL();
    }
    return 0;
}
