/*
 * listener.h: a seccomp listener for the tests. A program is started whose system calls, those that
 * a filter picks, this process answers, or does not.
 */
#pragma once

#include <linux/filter.h>
#include <stddef.h>
#include <sys/types.h>

enum { NO_LISTENER = 77 }; /* exit status of a test: this kernel has none */

/* Its descriptor, for the calling process and its descendants; negative if this kernel has none. */
int install_listener(struct sock_filter *filter, size_t steps);

/* Through a socket to another process; a negative descriptor is what receive_descriptor() then
 * returns. */
void send_descriptor(int socket, int fd);
int receive_descriptor(int socket);

/* Waits for a process: its exit status, or 128 + its signal. */
int status_of(pid_t child);
