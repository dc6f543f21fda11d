/*
 * own-entry.c: a dynamic program that needs no library: it has a loader, and an entry and system
 * calls of its own. Reads one byte of page 3 of a file. Usage: own-entry FILE
 */
#include "base/sys.h"
#include "entry.h"

CB_ENTRY(own_main)

__attribute__((used)) _Noreturn void own_main(long *stack)
{
    char byte;
    int fd = stack[0] == 2 ? sys_open((const char *)stack[2], O_RDONLY) : -1;
    sys_exit(fd >= 0 && sys_pread(fd, &byte, 1, 3 * 4096) == 1 ? 7 : 1);
}
