/*
 * admission.h: decides of a start whether it may be replayed, before anything is read for it.
 */
#pragma once

#include "coldboost.h"
#include "start/lambda.h"
#include "start/telemetry.h"

/*
 * Whether this process is the first of its executable in the Lambda sandbox: makes the file
 * /tmp/.coldboost-HASH and is told by the kernel if it was there. It is never opened, followed or
 * removed, whatever stands there. Where none can be made (no /tmp, read-only) everybody is first.
 */
bool marker_take(const char *executable);

/* Whether a start goes to the holdout, which is `percent` of them: for a random number of 32 bits.
 */
bool holdout_takes(uint32_t percent, uint32_t random);

/* The same with a random number of the kernel's. */
enum telemetry_arm holdout_draw(uint32_t percent);

struct admission {
    enum coldboost_start start; /* RESTART, or COLD as far as is known */
    enum telemetry_arm arm;
    bool granted;
};

/* For a profile that names the executable. Only in Lambda is a restart told from a first start. */
struct admission admit(const char *executable, enum role role, enum policy policy,
                       uint32_t holdout);
