/*
 * last_thread.h: what the program's first thread has come to, seen from one that is about to end.
 *
 * Since Linux 6.0 a process that was not ended as a whole (exit_group) has the status of the thread
 * that ended last; before, that of its first thread. The only thread of a program may be gone while
 * a replay is running: by exit(2) itself, or killed by its seccomp filter. Then that is the
 * process's end, and the replay's last thread must end as it did. (Threads of the program that have
 * ended since then leave no trace; by pthread_exit() they would have said 0.)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* How the process's first thread has ended. */
struct first_thread {
    int exit_status; /* of exit(2); 0 if it has not ended */
    int signal;      /* that has killed it while nobody but the caller was left; or 0 */
    bool is_ending;  /* it runs no more of the program, but how it ends is not known yet */
};

/* Asks /proc/self/stat, and waits for the end of a thread that is ending. */
struct first_thread first_thread_read(void);

/* What such a line says (proc_pid_stat(5)); any bytes will do. */
struct first_thread first_thread_parse(const char *line, size_t size);
