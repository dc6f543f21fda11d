#include "start/request.h"

#include "replay/profile.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

static char runtime_api[] = "AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001", task_root[64];
static char folder[] = "/tmp/coldboost-request-XXXXXX", profile[64];
static struct request request;

static void make_profile(void)
{
    cr_assert(mkdtemp(folder));
    snprintf(task_root, sizeof task_root, "LAMBDA_TASK_ROOT=%s", folder);
    snprintf(profile, sizeof profile, "%s/coldboost.cbp", folder);
    FILE *file = fopen(profile, "w");
    cr_assert(file && fclose(file) == 0);
    cr_assert_eq(chmod(profile, 0644), 0);
}

static void remove_profile(void)
{
    unlink(profile);
    rmdir(folder);
}

TestSuite(request, .init = make_profile, .fini = remove_profile);

static const char *find_own(void)
{
    return "/usr/bin/own";
}

/* As the constructor does it; `ahead` as coldboost run does. */
static void fill(char *const *envp, bool ahead)
{
    request = (struct request){
        .envp = envp,
        .executable = "/bin/bash",
        .find_executable = ahead ? NULL : find_own,
        .ahead = ahead,
    };
    options_read(envp, &request.options);
    request_fill(&request);
}

Test(request, outside_lambda_is_what_the_options_say)
{
    char mode[] = "COLDBOOST_MODE=thread", workers[] = "COLDBOOST_WORKERS=3",
         memory[] = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512";
    char *const nothing[] = {NULL}, *const options[] = {mode, workers, memory, NULL};
    fill(nothing, false);
    cr_expect_eq(request.role, ROLE_OTHER);
    cr_expect_eq(request.init_type, INIT_NONE);
    cr_expect_eq(request.policy, POLICY_BURST);
    cr_expect_eq(request.mode, MODE_PROCESS);
    cr_expect_eq(request.workers, 8);
    cr_expect_eq(request.most_workers, REPLAY_MOST_WORKERS, "where storage is slow");
    cr_expect_not(request.is_begun);
    cr_expect_eq(request.started_ns, 0, "now");
    fill(options, true);
    cr_expect_eq(request.mode, MODE_THREAD);
    cr_expect_eq(request.workers, 3);
    cr_expect_eq(request.most_workers, 3);
    cr_expect_eq(request.granted_bytes, 0);
    cr_expect_gt(request.started_ns, 0);
}

Test(request, in_lambda_depends_on_the_role)
{
    char type[] = "AWS_LAMBDA_INITIALIZATION_TYPE=provisioned-concurrency",
         memory[] = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512";
    char *const envp[] = {runtime_api, task_root, type, memory, NULL};
    fill(envp, true);
    cr_expect_eq(request.role, ROLE_SHELL, "by the executable that is going to run");
    cr_expect_eq(request.init_type, INIT_PROVISIONED);
    cr_expect_eq(request.policy, POLICY_GENTLE);
    cr_expect_eq(request.workers, 1);
    cr_expect_eq(request.most_workers, 1);
    cr_expect_eq(request.granted_bytes, UINT64_C(512) << 20);
    fill(envp, false);
    cr_expect_eq(request.role, ROLE_RUNTIME, "by the one that runs");
}

Test(request, finds_the_profile_in_one_order)
{
    char variable[] = "COLDBOOST_PROFILE=/variable.cbp", empty[] = "COLDBOOST_PROFILE=";
    char *const all[] = {variable, task_root, NULL}, *const some[] = {empty, task_root, NULL};
    static char buffer[REQUEST_PATH_BYTES];
    fill(all, false);
    cr_expect_str_eq(request.profile, "/variable.cbp");
    cr_expect_str_eq(find_profile_path("named", &request.options, all, buffer), "named");
    fill(some, false);
    cr_expect_str_eq(request.profile, profile);
    cr_assert_eq(chmod(profile, 0666), 0);
    fill(some, false);
    cr_expect(!request.profile || strcmp(request.profile, profile) != 0, "anybody may write it");
    request = (struct request){.envp = some, .executable = "/x", .profile = "given"};
    request_fill(&request);
    cr_expect_str_eq(request.profile, "given");
}

Test(request, leaves_valgrind_no_process)
{
    char list[] = "LD_PRELOAD=/usr/libexec/valgrind/vgpreload_core-amd64-linux.so",
         mode[] = "COLDBOOST_MODE=thread";
    char *const envp[] = {list, NULL}, *const thread[] = {list, mode, NULL};
    fill(envp, false);
    cr_expect_eq(request.mode, MODE_SYNC);
    fill(thread, false);
    cr_expect_eq(request.mode, MODE_THREAD);
    fill(envp, true);
    cr_expect_eq(request.mode, MODE_PROCESS, "the program is not there yet");
}

Test(request, leaves_its_memory_where_it_becomes_the_program)
{
    char list[] = "LD_PRELOAD=/usr/libexec/valgrind/vgpreload_core-amd64-linux.so";
    char *const nothing[] = {NULL}, *const valgrind[] = {list, NULL};
    struct sysinfo machine;
    cr_assert_eq(sysinfo(&machine), 0);
    fill(nothing, true);
    if (machine.procs < 900) /* others come and go */
        cr_expect(request.leaves_memory);
    else if (machine.procs > 1100)
        cr_expect_not(request.leaves_memory);
    fill(nothing, false);
    cr_expect_not(request.leaves_memory);
    fill(valgrind, true);
    cr_expect_not(request.leaves_memory);
}

/* What has been handed over for the executable at the path. */
static void fill_begun(const char *path, bool ahead)
{
    char variable[sizeof HANDOVER_VARIABLE "=" + HANDOVER_BYTES] = HANDOVER_VARIABLE "=";
    char *const envp[] = {variable, task_root, NULL};
    struct handover handover = {
        .started_ns = 5, .start = 1, .arm = 2, .executable_hash = profile_hash(path)};
    handover_write(&handover, variable + strlen(variable));
    fill(envp, ahead);
}

Test(request, knows_that_it_has_been_begun)
{
    static const char *const own[] = {"/bin/bash", "/usr/bin/own"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        fill_begun(own[i], false);
        cr_assert(request.is_begun, "%s", own[i]);
        cr_expect_eq(request.begun.arm, 2);
        cr_expect_eq(request.started_ns, 5);
        cr_expect_null(request.profile, "nobody needs it");
    }
    fill_begun("/usr/bin/other", false);
    cr_expect_not(request.is_begun, "another program");
    cr_expect_str_eq(request.profile, profile);
    fill_begun("/bin/bash", true);
    cr_expect_not(request.is_begun, "what becomes the program begins by itself");
}
