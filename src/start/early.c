/*
 * early.c: begins the replay before the program is there: before exec, or before the loader has
 * mapped its libraries.
 */
#include "start/early.h"

#include "base/sys.h"
#include "replay/profile.h"
#include "replay/replay.h"
#include "start/environment.h"

int early_start(const char *profile, const char *executable, const char *(*find_executable)(void),
                const char *label, const struct options *options, char *const *envp,
                char handover[HANDOVER_BYTES])
{
    enum role role = environment_role(envp, find_executable ? NULL : executable);
    enum init_type init_type = environment_init_type(envp);
    struct telemetry_process process = {
        .target = options->telemetry,
        .envp = envp,
        .executable = options->telemetry && find_executable ? find_executable() : executable,
        .role = role,
        .init_type = init_type,
        .holdout = options->holdout,
        .started_ns = sys_monotonic_ns(),
    };
    telemetry_begin(&process);
    struct replay_request request = {
        .profile = profile,
        .executable = executable,
        .find_executable = find_executable,
        .label = label,
        .role = role,
        .policy = lambda_policy(role, init_type),
        .ahead = true,
        .holdout = options->holdout,
        .mode = (enum option_mode)options->mode,
        .workers = options->workers,
        .budget_bytes = options->budget_bytes,
        .granted_bytes = environment_memory_bytes(envp),
        .force = options->enabled == SWITCH_FORCE,
        .report = options->verbose,
    };
    struct admission admission;
    int started = replay_start(&request, &admission);
    if (started > 0)
        handover_write(&(struct handover){(uint64_t)sys_getpid(), process.started_ns,
                                          admission.start, admission.arm,
                                          profile_hash(request.executable)},
                       handover);
    return started;
}
