/*
 * admission.c: who replays: the first process of a program in a sandbox, unless chance leaves it
 * unboosted for comparison.
 */
#include "start/admission.h"

#include "base/sys.h"
#include "base/text.h"
#include "replay/profile.h"

#define GRND_NONBLOCK_FLAG 1

bool marker_take(const char *executable)
{
    char path[48];
    size_t length = text_append(path, sizeof path, 0, "/tmp/.coldboost-");
    text_append_hash(path, sizeof path, length, profile_hash(executable));
    int fd = sys_create(path, O_WRONLY | O_EXCL | O_NOFOLLOW, 0600);
    if (fd >= 0)
        sys_close(fd);
    return fd != -EEXIST;
}

bool holdout_takes(uint32_t percent, uint32_t random)
{
    return ((uint64_t)random * 100 >> 32) < percent;
}

enum telemetry_arm holdout_draw(uint32_t percent)
{
    uint32_t random = 0;
    if (percent > 0 && percent < 100 &&
        sys_getrandom(&random, sizeof random, GRND_NONBLOCK_FLAG) < 0)
        return ARM_BOOSTED;
    return holdout_takes(percent, random) ? ARM_HOLDOUT : ARM_BOOSTED;
}

struct admission admit(const char *executable, enum role role, enum policy policy, uint32_t holdout)
{
    struct admission admission = {.start = COLDBOOST_START_COLD, .arm = holdout_draw(holdout)};
    if (role != ROLE_OTHER && !marker_take(executable))
        admission.start = COLDBOOST_START_RESTART;
    bool again = policy == POLICY_ONCE && admission.start == COLDBOOST_START_RESTART;
    admission.granted = policy != POLICY_NOTHING && !again && admission.arm == ARM_BOOSTED;
    return admission;
}
