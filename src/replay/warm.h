/*
 * warm.h: whether a start is warm, for the thread that is about to replay it.
 */
#pragma once

#include "replay/profile.h"
#include "replay/residency.h"

/*
 * Whether the files of a section's executable are in memory, by up to sixteen samples; unknown if
 * that cannot be said within some 100 µs. To start a replay in vain takes longer, most of all while
 * all CPUs are busy. Opens nothing that may hang.
 *
 * newest: whether system calls of Linux 5.12 may be made. Not in a program's own process: a filter
 * around it may end it for a call that it does not know, and valgrind says so.
 *
 * The profile is one of profile_view(), and need not have been validated: a damaged one gets a
 * wrong answer, and nothing worse. Not to be called twice at a time.
 */
enum residency warm_look(const struct profile *profile, const struct profile_executable *section,
                         const char *executable, bool newest);
