/*
 * constructor.c: the constructor of libcoldboost.so, a story read top to bottom.
 *
 * It runs inside other people's programs, before their own code. The rules:
 *   1. Nothing goes to stdout or stderr unless COLDBOOST_VERBOSE asks for it.
 *   2. No failure matters: whatever goes wrong, the program starts as it would have without us.
 *   3. errno, the signal mask, the descriptors and the environment are left as they were; but a
 *      Lambda function's shell may hand its children an LD_PRELOAD without us (children.c).
 *   4. No libc function is called: with -z initfirst we run before libc has initialised itself.
 *   5. What takes longer than microseconds happens beside the program, not before it.
 *   6. In a set-uid program, or after COLDBOOST=off, nothing happens at all.
 */
#include "coldboost.h"

#include "base/line.h"
#include "base/objects.h"
#include "base/sys.h"
#include "base/text.h"
#include "boost/audit.h"
#include "boost/zlib.h"
#include "primitives/cpu.h"
#include "replay/blind.h"
#include "replay/profile.h"
#include "replay/replay.h"
#include "start/admission.h"
#include "start/children.h"
#include "start/environment.h"
#include "start/options.h"
#include "start/telemetry.h"

#include <elf.h>
#include <link.h>

#define PATH_BYTES 4096

extern char **environ __attribute__((weak));
extern const char *gnu_get_libc_version(void) __attribute__((weak));

static struct options options;

/* glibc hands (argc, argv, envp) to constructors and may not have set environ yet; musl hands over
 * nothing and has set it. NULL: there is no libc in this namespace, which is an auditor's. */
static char **find_environment(char **from_arguments)
{
    if (gnu_get_libc_version)
        return from_arguments;
    return &environ ? environ : NULL;
}

/* Whether the replay of this program has begun before it. */
static bool take_handover(char *const *envp, struct handover *out)
{
    const char *by_auditor = audit_take_handover(envp);
    return handover_parse(by_auditor ? by_auditor : options.started, out) &&
           (out->executable_hash == profile_hash(environment_called_executable(envp)) ||
            out->executable_hash == profile_hash(environment_own_executable()));
}

/* The kernel refuses a user namespace, and a mount namespace, to a process with a second thread. */
static bool program_enters_namespaces(void)
{
    return objects_program_calls("unshare") || objects_program_calls("setns");
}

/* Valgrind follows a process of the replay's, too, and reports of it. */
static bool is_under_valgrind(char *const *envp)
{
    const char *list = environment_get(envp, "LD_PRELOAD");
    return list && text_contains(list, "/vgpreload_");
}

/* Where the replay is to run: what was asked for, unless that is seen to change the program. */
static enum option_mode choose_mode(char *const *envp)
{
    if (options.mode == MODE_PROCESS && is_under_valgrind(envp))
        return MODE_SYNC;
    if (options.mode == MODE_THREAD && program_enters_namespaces())
        return MODE_PROCESS;
    return (enum option_mode)options.mode;
}

/* The profile's path, NULL if there is none. */
static const char *find_profile(char *const *envp)
{
    static char standard[PATH_BYTES];
    return options.profile ? options.profile : environment_profile(envp, standard, sizeof standard);
}

/* As replay_start(); -ENOENT too if there is no profile to look into. */
static int start_replay(char *const *envp, enum role role, enum policy policy,
                        struct admission *admission)
{
    struct replay_request request = {
        .profile = find_profile(envp),
        .role = role,
        .policy = policy,
        .holdout = options.holdout,
        .mode = choose_mode(envp),
        .workers = options.workers,
        .budget_bytes = options.budget_bytes,
        .granted_bytes = environment_memory_bytes(envp),
        .force = options.enabled == SWITCH_FORCE,
        .report = options.verbose,
    };
    if (!request.profile)
        return -ENOENT;
    request.executable = environment_called_executable(envp);
    request.find_executable = environment_own_executable;
    return replay_start(&request, admission);
}

/* Without a profile: what is certain, unless it is in memory or chance leaves this start alone. */
static struct blind_result start_blind(char *const *envp, struct admission *admission)
{
    struct blind_result blind = {0, 0};
    bool warm = blind_is_warm(environment_called_executable(envp));
    bool holdout = holdout_draw(options.holdout) == ARM_HOLDOUT;
    admission->start = warm ? COLDBOOST_START_WARM : COLDBOOST_START_COLD;
    admission->arm = holdout ? ARM_HOLDOUT : ARM_BOOSTED;
    environment_set_start(admission->start);
    if (!holdout && (!warm || options.enabled == SWITCH_FORCE))
        blind = blind_page_in(options.budget_bytes);
    if (telemetry_is_on()) {
        uint8_t method = blind.ranges ? METHOD_SYNC : METHOD_NONE;
        telemetry_include(0, admission->arm, admission->start, method);
        telemetry_write_start(&(struct telemetry_replay){
            .bytes_asked = blind.bytes,
            .bytes_resident = blind.bytes ? TELEMETRY_UNKNOWN64 : 0,
            .ranges = blind.ranges,
            .ranges_total = blind.ranges,
            .start = (uint8_t)admission->start,
            .plan = PLAN_BLIND,
            .method = method,
            .state = (uint8_t)(blind.ranges ? STATE_DONE
                               : warm       ? STATE_SKIPPED
                                            : STATE_NONE),
        });
    }
    return blind;
}

static void report_plan(enum role role, enum coldboost_start start, const char *plan,
                        struct blind_result blind, uint64_t ns)
{
    struct report line = {.length = 0};
    report_text(&line, "coldboost: role=");
    report_text(&line, role_name(role));
    report_text(&line, " start=");
    report_text(&line, telemetry_start_name(start));
    report_text(&line, " plan=");
    report_text(&line, plan);
    report_number(&line, " ranges=", blind.ranges);
    report_number(&line, " bytes=", blind.bytes);
    report_number(&line, " us=", ns / 1000);
    report_text(&line, "\n");
    sys_write(2, line.text, line.length);
}

__attribute__((constructor)) static void construct(int argc, char **argv, char **arguments_envp)
{
    (void)argc, (void)argv;
    char **envp = find_environment(arguments_envp);
    if (!envp) {
        audit_expect(arguments_envp);
        return;
    }
    if (gnu_get_libc_version && environment_auxiliary(envp, AT_SECURE))
        return;
    options_read(envp, &options);
    zlib_set_up(options.crc32);
    uint32_t features;
    if (options.cpu && cpu_parse(options.cpu, &features) == 0)
        cpu_mask(features);
    else if (options.cpu)
        options.not_understood = options.cpu;
    if (options.enabled == SWITCH_OFF)
        return;
    options_complain(&options);

    environment_set(envp);
    coldboost_critical_init();
    enum role role = environment_role(envp, NULL);
    enum init_type init_type = environment_init_type(envp);
    struct handover handover;
    bool started_ahead = take_handover(envp, &handover);
    if (options.telemetry) {
        struct telemetry_process process = {
            .target = options.telemetry,
            .envp = envp,
            .executable = environment_own_executable(),
            .role = role,
            .init_type = init_type,
            .holdout = options.holdout,
            .started_ns = started_ahead ? handover.started_ns : 0,
        };
        telemetry_begin(&process);
    }
    /* Who wants reports wants those of all. */
    if (role == ROLE_SHELL && !options.telemetry && !options.verbose)
        children_spare(envp, find_profile(envp), environment_own_executable());
    struct blind_result blind = {0, 0};
    if (started_ahead) {
        if (handover.start > 0 && handover.start <= COLDBOOST_START_RESTART)
            environment_set_start((enum coldboost_start)handover.start);
        telemetry_include(0, (enum telemetry_arm)handover.arm, (unsigned)handover.start,
                          METHOD_RUN);
        if (options.verbose)
            report_plan(role, 0, "started", blind, 0);
        return;
    }
    uint64_t from_ns = options.verbose ? sys_monotonic_ns() : 0;
    enum policy policy = lambda_policy(role, init_type);
    struct admission admission = {.start = 0}; /* the profile is about other programs */
    int started = policy == POLICY_NOTHING ? 0 : start_replay(envp, role, policy, &admission);
    if (started == 1)
        return;
    const char *plan = "none";
    if (started < 0 && role != ROLE_CHILD) {
        blind = start_blind(envp, &admission);
        plan = "blind";
    }
    if (admission.arm == ARM_HOLDOUT)
        plan = "holdout";
    if (options.verbose)
        report_plan(role, admission.start, plan, blind, sys_monotonic_ns() - from_ns);
}

__attribute__((destructor)) static void destruct(void)
{
    if (options.verbose || options.telemetry) {
        replay_report_unfinished();
        telemetry_write_end();
    }
}
