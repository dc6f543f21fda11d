#include "start/admission.h"

#include "replay/profile.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char executable[64], marker[64];

/* A name that no other run of this test has. */
static void name_executable(void)
{
    snprintf(executable, sizeof executable, "/nowhere/test-%ld", (long)getpid());
    snprintf(marker, sizeof marker, "/tmp/.coldboost-%016jx", (uintmax_t)profile_hash(executable));
    unlink(marker);
}

static void remove_marker(void)
{
    if (unlink(marker) != 0)
        rmdir(marker);
}

TestSuite(marker, .init = name_executable, .fini = remove_marker);

Test(marker, goes_to_the_first_alone)
{
    cr_assert(marker_take(executable));
    cr_assert_not(marker_take(executable));
    cr_assert_not(marker_take(executable));
    struct stat status;
    cr_assert_eq(lstat(marker, &status), 0);
    cr_assert(S_ISREG(status.st_mode));
    cr_assert_eq(status.st_mode & 07777, 0600);
    cr_assert_eq(status.st_size, 0);
}

Test(marker, goes_to_one_of_many_at_once)
{
    enum { RIVALS = 16 };
    int ready[2], won = 0;
    cr_assert_eq(pipe(ready), 0);
    pid_t rivals[RIVALS];
    for (int i = 0; i < RIVALS; i++)
        if ((rivals[i] = fork()) == 0) {
            char byte;
            close(ready[1]);
            (void)!read(ready[0], &byte, 1); /* until all are there */
            _exit(marker_take(executable));
        }
    close(ready[1]);
    for (int i = 0; i < RIVALS; i++) {
        int status;
        waitpid(rivals[i], &status, 0);
        won += WEXITSTATUS(status);
    }
    cr_assert_eq(won, 1);
}

Test(marker, follows_and_touches_nothing_that_stands_there)
{
    char target[] = "/tmp/coldboost-target-XXXXXX";
    int fd = mkstemp(target);
    cr_assert_eq(write(fd, "precious", 8), 8);
    close(fd);
    struct stat before, after;
    for (int kind = 0; kind < 5; kind++) {
        remove_marker();
        switch (kind) {
        case 0:
            cr_assert_eq(symlink(target, marker), 0);
            break;
        case 1:
            cr_assert_eq(symlink("/tmp/no-such-file-of-coldboost", marker), 0);
            break;
        case 2:
            cr_assert_eq(link(target, marker), 0);
            break;
        case 3:
            cr_assert_eq(mkfifo(marker, 0600), 0);
            break;
        case 4:
            cr_assert_eq(mkdir(marker, 0700), 0);
            break;
        }
        cr_assert_eq(lstat(marker, &before), 0);
        cr_assert_not(marker_take(executable), "kind %d", kind);
        cr_assert_eq(lstat(marker, &after), 0, "kind %d", kind);
        cr_assert_eq(before.st_ino, after.st_ino, "kind %d", kind);
        cr_assert_eq(before.st_mtime, after.st_mtime, "kind %d", kind);
        cr_assert_neq(access("/tmp/no-such-file-of-coldboost", F_OK), 0, "kind %d", kind);
    }
    cr_assert_eq(stat(target, &after), 0);
    cr_assert_eq(after.st_size, 8);
    unlink(target);
}

Test(admission, knows_a_restart_in_lambda_alone)
{
    name_executable();
    for (int i = 0; i < 3; i++) {
        struct admission other = admit(executable, ROLE_OTHER, POLICY_BURST, 0);
        cr_assert(other.granted);
        cr_assert_eq(other.start, COLDBOOST_START_COLD);
    }
    struct admission first = admit(executable, ROLE_RUNTIME, POLICY_ONCE, 0);
    cr_assert(first.granted);
    cr_assert_eq(first.start, COLDBOOST_START_COLD);
    cr_assert_eq(first.arm, ARM_BOOSTED);
    struct admission second = admit(executable, ROLE_RUNTIME, POLICY_ONCE, 0);
    cr_assert_not(second.granted);
    cr_assert_eq(second.start, COLDBOOST_START_RESTART);
    /* The files may have left the memory with the crash: the replay looks for itself. */
    struct admission burst = admit(executable, ROLE_RUNTIME, POLICY_BURST, 0);
    cr_assert(burst.granted);
    cr_assert_eq(burst.start, COLDBOOST_START_RESTART);
    cr_assert_not(admit(executable, ROLE_CHILD, POLICY_NOTHING, 0).granted);
    remove_marker();
}

Test(admission, leaves_the_holdout_alone)
{
    struct admission all = admit("/x", ROLE_OTHER, POLICY_BURST, 100);
    cr_assert_not(all.granted);
    cr_assert_eq(all.arm, ARM_HOLDOUT);
    cr_assert(admit("/x", ROLE_OTHER, POLICY_BURST, 0).granted);
}

Test(holdout, is_exact_over_all_random_numbers)
{
    for (uint32_t percent = 0; percent <= 100; percent++) {
        /* The first random number of the boosted arm. */
        uint64_t border = ((uint64_t)percent << 32) / 100 + (((uint64_t)percent << 32) % 100 != 0);
        cr_assert_eq(holdout_takes(percent, 0), percent > 0);
        cr_assert_eq(holdout_takes(percent, UINT32_MAX), percent == 100);
        if (percent > 0)
            cr_assert(holdout_takes(percent, (uint32_t)(border - 1)), "%u", percent);
        if (percent < 100)
            cr_assert_not(holdout_takes(percent, (uint32_t)border), "%u", percent);
    }
}

Test(holdout, takes_its_share_of_10000_starts)
{
    static const uint32_t shares[] = {0, 1, 10, 50, 90, 99, 100};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        const int starts = 10000;
        int taken = 0;
        for (int n = 0; n < starts; n++) {
            enum telemetry_arm arm = holdout_draw(shares[i]);
            cr_assert(arm == ARM_BOOSTED || arm == ARM_HOLDOUT);
            taken += arm == ARM_HOLDOUT;
        }
        /* Five standard deviations: wrong once in two million runs. */
        double p = shares[i] / 100.0, expected = starts * p;
        double off = taken - expected;
        cr_assert(off * off <= 25 * starts * p * (1 - p), "%d of %d for %u %%", taken, starts,
                  shares[i]);
    }
}
