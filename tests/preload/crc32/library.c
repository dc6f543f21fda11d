/*
 * library.c: libraries and plugins that have, or use, a function called crc32. One source, built
 * several times; each result is a number that says whose function it was.
 *
 *   ZLIB      has zlibVersion() beside crc32(): what libcoldboost may answer for
 *   FOREIGN   has a crc32() of its own, with another signature
 *   NINE      has one with many arguments of both kinds, and a variadic crc32_z()
 *   USER_...  calls one of them: use() directly, use_tail() so that it returns to our caller
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default"), noinline))

#if defined(ZLIB) || defined(USER_OF_ZLIB)
EXPORT unsigned long crc32(unsigned long crc, const uint8_t *data, unsigned n);
#define CALL() crc32(0, (const uint8_t *)"123456789", 9)
#elif defined(NINE) || defined(USER_OF_NINE)
EXPORT double crc32(double a, long b, float c, const char *d, long e, double f, long g, long h,
                    long i, double j, long k, double l, double m, double n, double o, double p,
                    int q);
EXPORT double crc32_z(const char *kinds, ...);
#define CALL()                                                                                     \
    ((unsigned long)(crc32(1, 2, 3, "4", 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17) +          \
                     crc32_z("ldldldldldldldldldl", 1l, 2., 3l, 4., 5l, 6., 7l, 8., 9l, 10., 11l,  \
                             12., 13l, 14., 15l, 16., 17l, 18., 19l)))
#else
EXPORT unsigned long crc32(const void *data, size_t n);
#define CALL() crc32("123456789", 9)
#endif

#if defined(ZLIB)
EXPORT const char *zlibVersion(void);
EXPORT const char *zlibVersion(void)
{
    return "1.0 of a test";
}

EXPORT unsigned long crc32(unsigned long crc, const uint8_t *data, unsigned n)
{
    return 1000 + crc + data[0] + n;
}
#elif defined(FOREIGN)
EXPORT unsigned long crc32(const void *data, size_t n)
{
    return 2000 + *(const uint8_t *)data + n;
}
#elif defined(NINE)
EXPORT double crc32(double a, long b, float c, const char *d, long e, double f, long g, long h,
                    long i, double j, long k, double l, double m, double n, double o, double p,
                    int q)
{
    return 3000 + a * 2 + (double)b * 3 + (double)c * 5 + d[0] * 7 + (double)e * 11 + f * 13 +
           (double)g * 17 + (double)h * 19 + (double)i * 23 + j * 29 + (double)k * 31 + l * 37 +
           m * 41 + n * 43 + o * 47 + p * 53 + q * 59;
}

EXPORT double crc32_z(const char *kinds, ...)
{
    double sum = 0, weight = 1;
    va_list arguments;
    va_start(arguments, kinds);
    for (; *kinds; kinds++, weight += 2)
        sum +=
            weight * (*kinds == 'l' ? (double)va_arg(arguments, long) : va_arg(arguments, double));
    va_end(arguments);
    return sum;
}
#endif

#if defined(USER) || defined(USER_OF_ZLIB) || defined(USER_OF_NINE)
EXPORT unsigned long use(void);
EXPORT unsigned long use_tail(void);

EXPORT unsigned long use(void)
{
    unsigned long result = CALL();
    __asm__ volatile("" : "+r"(result)); /* something is left to do: not a jump */
    return result;
}

/* With -foptimize-sibling-calls a jump: the call seems to come from our caller. */
EXPORT unsigned long use_tail(void)
{
    return CALL();
}
#endif
