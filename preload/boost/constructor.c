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
 *   7. Nothing is executed, but once, where this start is to be recorded into a store (again.c).
 */
#include "coldboost.h"

#include "base/line.h"
#include "base/sys.h"
#include "boost/again.h"
#include "boost/audit.h"
#include "boost/zlib.h"
#include "primitives/cpu.h"
#include "replay/blind.h"
#include "start/children.h"
#include "start/environment.h"
#include "start/start.h"

#include <elf.h>
#include <link.h>

extern char **environ __attribute__((weak));
extern const char *gnu_get_libc_version(void) __attribute__((weak));

static struct request request __attribute__((aligned(512))); /* its small fields in one page */

/* glibc hands (argc, argv, envp) to constructors and may not have set environ yet; musl hands over
 * nothing and has set it. NULL: there is no libc in this namespace, which is an auditor's. */
static char **find_environment(char **from_arguments)
{
    if (gnu_get_libc_version)
        return from_arguments;
    return &environ ? environ : NULL;
}

static void limit_cpu_features(void)
{
    const char *names = options_other(&request.options, "COLDBOOST_CPU"); /* for tests */
    uint32_t features;
    if (names && *names && cpu_parse(names, &features) == 0)
        cpu_mask(features);
    else if (names && *names)
        request.options.not_understood = names;
}

/* Without a profile: what is certain, unless it is in memory or chance leaves this start alone. */
static struct blind_result start_blind(struct admission *admission)
{
    const struct options *options = &request.options;
    struct blind_result blind = {0, 0};
    bool warm = blind_is_warm(request.executable);
    bool holdout = holdout_draw(options->holdout) == ARM_HOLDOUT;
    admission->start = warm ? COLDBOOST_START_WARM : COLDBOOST_START_COLD;
    admission->arm = holdout ? ARM_HOLDOUT : ARM_BOOSTED;
    environment_set_start(admission->start);
    if (!holdout && (!warm || options->enabled == SWITCH_FORCE))
        blind = blind_page_in(options->budget_bytes);
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

static void report_plan(enum coldboost_start start, const char *plan, struct blind_result blind,
                        uint64_t ns)
{
    struct line line = {.length = 0};
    line_text(&line, "coldboost: role=");
    line_text(&line, role_name(request.role));
    line_text(&line, " start=");
    line_text(&line, telemetry_start_name(start));
    line_text(&line, " plan=");
    line_text(&line, plan);
    line_number(&line, " ranges=", blind.ranges);
    line_number(&line, " bytes=", blind.bytes);
    line_number(&line, " us=", ns / 1000);
    line_text(&line, "\n");
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
    const struct options *options = &request.options;
    options_read(envp, &request.options);
    zlib_set_up(options->crc32);
    limit_cpu_features();
    if (options->enabled == SWITCH_OFF)
        return;
    options_complain(options);

    environment_set(envp);
    coldboost_critical_init();
    request.envp = envp;
    request.executable = environment_called_executable(envp);
    request.find_executable = environment_own_executable;
    request_fill(&request);
    /* With reports on, a shell's children must load the object too. */
    if (request.role == ROLE_SHELL && !options->telemetry && !options->verbose &&
        !start_concerns_others(&request))
        children_spare(envp);
    struct blind_result blind = {0, 0};
    if (request.is_begun) {
        start_take_over(&request);
        if (options->verbose)
            report_plan(0, "started", blind, 0);
        return;
    }
    if (request.store == STORE_RECORD)
        again_to_record(&request); /* and returns if it is not recorded, or not watched */
    uint64_t from_ns = options->verbose ? sys_monotonic_ns() : 0;
    struct start_result result = start_begin(&request);
    if (result.outcome == START_REPLAYED)
        return;
    const char *plan = "none";
    if (result.outcome == START_FAILED && request.role != ROLE_CHILD) {
        blind = start_blind(&result.admission);
        plan = "blind";
    }
    if (result.admission.arm == ARM_HOLDOUT)
        plan = "holdout";
    if (options->verbose)
        report_plan(result.admission.start, plan, blind, sys_monotonic_ns() - from_ns);
}

__attribute__((destructor)) static void destruct(void)
{
    if (request.options.verbose || request.options.telemetry) {
        start_end_unfinished();
        telemetry_write_end();
    }
}
