/*
 * adopter.h: who becomes the parent of a process that has lost its own, and whether it reaps.
 */
#pragma once

#include <stdbool.h>

/*
 * Whether an orphan of this process would be reaped soon after its end. The kernel gives it to the
 * nearest ancestor that asked for orphans (PR_SET_CHILD_SUBREAPER), who then reaps them, or else to
 * process 1 of the PID namespace: an init reaps, but an application that a container runs as
 * process 1 does not, and a zombie would stay until the container ends. false if this process
 * itself would get the orphan, and whenever the answer cannot be had. Takes some 10 µs;
 * signal-safe.
 */
bool adopter_reaps(void);

/* Whether this is the machine's own PID namespace, and no container's. Signal-safe. */
bool adopter_is_machine(void);
