/* foreign.c: somebody else's LD_PRELOAD, which has been there before us. */
#include <unistd.h>

__attribute__((constructor)) static void say(void)
{
    if (write(2, "foreign preload\n", 16) != 16)
        _exit(9);
}
