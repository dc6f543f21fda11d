/*
 * coldboost.c: the constructor of libcoldboost.so, a story read top to bottom.
 *
 * It runs inside other people's programs, before their own code. The rules:
 *   1. Nothing goes to stdout or stderr unless COLDBOOST_VERBOSE asks for it.
 *   2. No failure matters: whatever goes wrong, the program starts as it would have without us.
 *   3. errno, the signal mask, the descriptors and the environment are left as they were.
 *   4. No libc function is called: with -z initfirst we run before libc has initialised itself.
 *   5. What takes longer than microseconds happens beside the program, not before it.
 *   6. In a set-uid program, or after COLDBOOST=off, nothing happens at all.
 */
#include "coldboost.h"

#include "blind.h"
#include "cpu.h"
#include "environment.h"
#include "options.h"
#include "replay.h"
#include "report.h"
#include "sys.h"
#include "text.h"
#include "zlib.h"

#include <elf.h>
#include <link.h>

#define PATH_BYTES 4096

extern char **environ __attribute__((weak));
extern const char *gnu_get_libc_version(void) __attribute__((weak));

static struct options options;

/* glibc hands (argc, argv, envp) to constructors and may not have set environ yet; musl hands over
 * nothing and has set it. */
static char *const *find_environment(char *const *from_arguments)
{
    if (gnu_get_libc_version)
        return from_arguments;
    return &environ ? environ : NULL;
}

/* The auxiliary vector stands behind the environment that the kernel made. */
static unsigned long auxiliary(char *const *envp, unsigned long type)
{
    while (*envp)
        envp++;
    for (const ElfW(auxv_t) *entry = (const void *)(envp + 1); entry->a_type != AT_NULL; entry++)
        if (entry->a_type == type)
            return entry->a_un.a_val;
    return 0;
}

/* Whether coldboost run is replaying for this very process. */
static bool is_started(const char *process_id)
{
    uint64_t id = 0;
    for (; process_id && *process_id >= '0' && *process_id <= '9'; process_id++)
        id = id * 10 + (uint64_t)(*process_id - '0');
    return id != 0 && id == (uint64_t)sys_getpid();
}

/* 1: replaying; 0: this program is none of the profile's business; -errno: there is no profile. */
static int start_replay(char *const *envp, enum role role)
{
    static char executable[PATH_BYTES], profile[PATH_BYTES];
    struct replay_request request = {
        .profile =
            options.profile ? options.profile : environment_profile(envp, profile, sizeof profile),
        .executable = executable,
        .role = role_name(role),
        .mode = (enum option_mode)options.mode,
        .workers = options.workers,
        .budget_bytes = options.budget_bytes,
        .granted_bytes = environment_memory_bytes(envp),
        .force = options.enabled == SWITCH_FORCE,
        .report = options.verbose,
    };
    if (!request.profile)
        return -ENOENT;
    long length = sys_readlink("/proc/self/exe", executable, sizeof executable - 1);
    if (length <= 0)
        return -ENOENT;
    executable[length] = '\0';
    return replay_start(&request);
}

static void report_plan(enum role role, const char *start, const char *plan,
                        struct blind_result blind, uint64_t ns)
{
    struct report line = {.length = 0};
    report_text(&line, "coldboost: role=");
    report_text(&line, role_name(role));
    report_text(&line, " start=");
    report_text(&line, start);
    report_text(&line, " plan=");
    report_text(&line, plan);
    report_number(&line, " ranges=", blind.ranges);
    report_number(&line, " bytes=", blind.bytes);
    report_number(&line, " us=", ns / 1000);
    if (options.invalid)
        report_number(&line, " invalid_options=", options.invalid);
    report_text(&line, "\n");
    sys_write(2, line.text, line.length);
}

__attribute__((constructor)) static void construct(int argc, char **argv, char **arguments_envp)
{
    (void)argc, (void)argv;
    char *const *envp = find_environment(arguments_envp);
    if (!envp || (gnu_get_libc_version && auxiliary(envp, AT_SECURE)))
        return;
    options_read(envp, &options);
    zlib_set_up(options.crc32);
    uint32_t features;
    if (options.cpu && cpu_parse(options.cpu, &features) == 0)
        cpu_mask(features);
    else if (options.cpu)
        options.invalid++;
    if (options.enabled == SWITCH_OFF)
        return;

    environment_set(envp);
    coldboost_critical_init();
    enum role role = environment_role(envp);
    struct blind_result blind = {0, 0};
    if (is_started(options.started)) {
        if (options.verbose)
            report_plan(role, "unknown", "started", blind, 0);
        return;
    }
    uint64_t from_ns = options.verbose ? sys_monotonic_ns() : 0;
    int started = start_replay(envp, role);
    if (started == 1)
        return;
    const char *start = "unknown", *plan = "none"; /* the profile is about other programs */
    if (started < 0) {
        bool warm = blind_is_warm();
        environment_set_start(warm ? COLDBOOST_START_WARM : COLDBOOST_START_COLD);
        start = warm ? "warm" : "cold";
        plan = "blind";
        if (!warm || options.enabled == SWITCH_FORCE)
            blind = blind_page_in(options.budget_bytes);
    }
    if (options.verbose)
        report_plan(role, start, plan, blind, sys_monotonic_ns() - from_ns);
}

__attribute__((destructor)) static void destruct(void)
{
    if (options.verbose)
        replay_report_unfinished();
}
