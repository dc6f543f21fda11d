/*
 * user.c: a program linked at build time against a library that has a crc32, by way of one that
 * uses it.
 */
#include <stdio.h>

unsigned long use(void);
unsigned long use_tail(void);

int main(void)
{
    printf("%lu %lu\n", use(), use_tail());
    return 0;
}
