/*
 * namespaces.c: enters a user namespace of its own as sandboxes do, which the kernel allows only to
 * a process of one thread, and prints the error, 0 if there is none.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>

int main(void)
{
    return printf("%d\n", unshare(CLONE_NEWUSER) ? errno : 0) < 0;
}
