/* linked.c: an object as any compiler makes it, linked with libc: not what a layer may hold. */
#include <stdio.h>

void linked(void);

void linked(void)
{
    puts("linked");
}
