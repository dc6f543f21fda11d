#include "start/start.h"

#include "profile/profile_write.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* A profile in the working folder that names two programs. */
static char path[] = "start-XXXXXX";
static char *const nothing[] = {NULL};
static struct request request;

static void set_up(void)
{
    int fd = mkstemp(path);
    uint8_t *bytes;
    size_t size;
    char *real = realpath(path, NULL);
    struct profile_writer *writer = profile_writer_new(1000, 1700000000);
    profile_writer_set_one_start(writer);
    struct profile_file file = {.size = 1};
    profile_writer_add_file(writer, real, &file);
    static const char *const programs[] = {"/usr/bin/one", "/usr/bin/two"};
    for (int i = 0; i < 2; i++) {
        profile_writer_add_executable(writer, programs[i]);
        profile_writer_add_range(writer, &(struct profile_range){.page_count = 1});
    }
    cr_assert_eq(profile_writer_finish(writer, &bytes, &size), 0);
    cr_assert(real && write(fd, bytes, size) == (ssize_t)size);
    close(fd);
    free(bytes);
    free(real);
    request = (struct request){
        .envp = nothing, .profile = path, .executable = "/usr/bin/one", .ahead = true};
    options_read(nothing, &request.options);
    request.options.mode = MODE_SYNC;
}

static void remove_profile(void)
{
    unlink(path);
}

TestSuite(start, .init = set_up, .fini = remove_profile);

static struct start_result begin(void)
{
    request_fill(&request);
    return start_begin(&request);
}

Test(start, of_a_named_program_is_replayed)
{
    request.options.enabled = SWITCH_FORCE;
    struct start_result result = begin();
    cr_expect_eq(result.outcome, START_REPLAYED);
    cr_expect_eq(result.error, 0);
    cr_expect_eq(result.admission.start, COLDBOOST_START_COLD);
    cr_expect_eq(result.handover.start, COLDBOOST_START_COLD);
    cr_expect_eq(result.handover.arm, ARM_BOOSTED);
    cr_expect_eq(result.handover.started_ns, request.started_ns);
    cr_expect_eq(result.handover.executable_hash, profile_hash("/usr/bin/one"));
    cr_expect_null(request.loaded.bytes);
}

Test(start, of_another_program_is_not)
{
    request.executable = "/usr/bin/three";
    struct start_result result = begin();
    cr_expect_eq(result.outcome, START_NOT_NAMED);
    cr_expect_null(request.loaded.bytes);
}

Test(start, in_the_holdout_is_denied)
{
    request.options.holdout = 100;
    struct start_result result = begin();
    cr_expect_eq(result.outcome, START_DENIED);
    cr_expect_eq(result.handover.arm, ARM_HOLDOUT);
    cr_expect_eq(result.handover.executable_hash, profile_hash("/usr/bin/one"));
    cr_expect_null(request.loaded.bytes);
}

Test(start, fails_without_a_good_profile)
{
    request.profile = "no/such/profile";
    struct start_result result = begin();
    cr_expect_eq(result.outcome, START_FAILED);
    cr_expect_eq(result.error, -ENOENT);
    request.profile = "/proc/self/exe";
    cr_expect_eq(begin().error, -EINVAL, "a link");
    cr_assert_eq(truncate(path, 100), 0);
    request.profile = path;
    cr_expect_eq(begin().error, -EMSGSIZE);
}

Test(start, of_a_process_that_does_nothing_loads_nothing)
{
    request_fill(&request);
    request.policy = POLICY_NOTHING;
    request.ahead = false;
    cr_expect_eq(start_begin(&request).outcome, START_NOT_NAMED);
    cr_expect_null(request.loaded.bytes);
    cr_expect_eq(request.loaded.size, 0);
}

static const char *find_own(void)
{
    return request.executable;
}

/* Whether a start is left alone, as what has begun ahead of process 1 reads for it, too. */
static bool is_left_alone(const char *executable, uint64_t age_ns, const char *begun, int arm)
{
    char variable[128], *envp[] = {variable, NULL};
    snprintf(variable, sizeof variable, "COLDBOOST_STARTED=1:%llu:1:%d:%llu",
             (unsigned long long)(sys_monotonic_ns() - age_ns), arm,
             (unsigned long long)profile_hash(begun));
    request = (struct request){.envp = envp, .profile = path, .executable = executable};
    request.find_executable = find_own;
    options_read(envp, &request.options);
    request.options.mode = MODE_SYNC;
    struct start_result result = begin();
    cr_expect_eq(result.outcome, START_REPLAYED);
    return result.admission.start == COLDBOOST_START_WARM;
}

Test(start, of_a_child_is_covered_by_that_of_its_parent)
{
    static const char one[] = "/usr/bin/one", two[] = "/usr/bin/two";
    cr_expect(is_left_alone(two, 0, one, ARM_BOOSTED));
    cr_expect(is_left_alone(one, 0, one, ARM_BOOSTED));
    cr_expect(is_left_alone(two, 9000000000, one, ARM_BOOSTED));
    cr_expect_not(is_left_alone(two, 11000000000, one, ARM_BOOSTED), "long ago");
    cr_expect_not(is_left_alone(two, 0, one, ARM_HOLDOUT));
    cr_expect_not(is_left_alone(one, 0, two, ARM_BOOSTED), "not what was started");
}

static const char *find_one(void)
{
    return "/usr/bin/one";
}

Test(start, knows_whether_the_profile_is_about_others)
{
    request.executable = "/proc/self/exe";
    request.find_executable = find_one;
    request_fill(&request);
    cr_expect(start_concerns_others(&request));
    request.profile = NULL;
    request.loaded.bytes = NULL;
    cr_expect_not(start_concerns_others(&request));
    request.profile = path;
    cr_expect_eq(start_begin(&request).outcome, START_REPLAYED, "under its true path");
}
