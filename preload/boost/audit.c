/*
 * audit.c: libcoldboost.so as an auditor: LD_AUDIT=…/libcoldboost.so.
 *
 * glibc loads an auditor into a namespace of its own before it has looked for a single library of
 * the program, which is where LD_PRELOAD comes too late: ffmpeg's constructors run 0.2 s after
 * exec, when hundreds of libraries have been mapped and relocated from a cold disk. Here the replay
 * begins first, in a process of its own as for coldboost run. Then la_version() says 0: the loader
 * unmaps us, forgets that there was an auditor, and binds the program as without one. Nothing is
 * left in the process. See rtld-audit(7). musl knows no auditors and ignores the variable.
 *
 * The object may be preloaded as well, for its functions: its constructor is then told what has
 * been decided here (start/handover.h).
 */
#include "boost/audit.h"

#include "base/text.h"
#include "start/environment.h"
#include "start/start.h"

#include <elf.h>

static char *const *environment;

void audit_expect(char *const *envp)
{
    environment = envp;
}

/* By the name under which it is installed; where it has another, nothing is handed over, and the
 * constructor looks for itself what is in memory. */
static bool is_preloaded(char *const *envp)
{
    const char *list = environment_get(envp, "LD_PRELOAD");
    return list && text_contains(list, "libcoldboost.so");
}

static void start_replay(char *const *envp)
{
    static struct request request;
    options_read(envp, &request.options);
    if (request.options.enabled == SWITCH_OFF)
        return;
    request.envp = envp;
    request.executable = environment_called_executable(envp);
    request.find_executable = environment_own_executable;
    request.ahead = true;
    request_fill(&request);
    bool preloaded = is_preloaded(envp);
    if (!preloaded) /* or its constructor will */
        options_complain(&request.options);
    if (!request.profile || request.is_begun)
        return;
    struct start_result result = start_begin(&request);
    if (preloaded && result.is_begun)
        handover_leave(envp, &result.handover);
}

/* Called by the loader when our constructor has run: there, the program's name is not yet known. */
__attribute__((visibility("default"))) unsigned la_version(unsigned version);

unsigned la_version(unsigned version)
{
    (void)version;
    if (environment && !environment_auxiliary(environment, AT_SECURE))
        start_replay(environment);
    return 0;
}
