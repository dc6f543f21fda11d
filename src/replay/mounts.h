/*
 * mounts.h: the file systems whose server may never answer.
 *
 * What a FUSE server has taken it must answer: whoever waits cannot give up, not even when killed
 * (fs/fuse/dev.c, request_wait_answer), and a process does not end before its last thread does. So
 * nothing of the kind may be asked for by a thread of a program that did not ask for it itself. A
 * program that was loaded from such a file system depends on it anyway. (NFS and disks let go of a
 * thread that is killed.)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MOUNTS_BYTES 2048

/* Zero, then filled by mounts_read() or, piece by piece, mounts_parse(). */
struct mounts {
    uint32_t used; /* bytes of `paths`: the mount points of FUSE file systems, each with its NUL */
    bool too_many; /* there are more than that: any path may be on one */
    char paths[MOUNTS_BYTES];

    uint32_t field, matched, length; /* of the line that is being parsed */
    uint8_t escape_digits, escaped;
};

/* Reads /proc/self/mountinfo, if there is any FUSE server. Where there is none nothing is known,
 * and nothing suspected. */
void mounts_read(struct mounts *mounts);

/* The next bytes of such a file; hostile ones make the answer wrong, and nothing worse. */
void mounts_parse(struct mounts *mounts, const char *bytes, size_t size);

/*
 * Whether one of the kernel's backing devices is a FUSE server's: named by a device number that is
 * no disk's, "0:52", or "8:1-fuseblk". The entries are a piece of /sys/class/bdi, as getdents64()
 * gives them; *seen is increased by their number.
 */
bool mounts_name_server(const uint8_t *entries, size_t size, unsigned *seen);

/*
 * Whether the path, which is absolute and free of symbolic links, is on a FUSE file system that the
 * executable is not on.
 */
bool mounts_may_hang(const struct mounts *mounts, const char *path, const char *executable);
