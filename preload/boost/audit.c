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
 * The object may be preloaded as well, for its functions. Its constructor must then know what has
 * been decided here, and there is no room for another variable in the block that the kernel made.
 * So the pointer to "LD_AUDIT=…" is exchanged for one to a copy, in front of which the handover
 * stands; the constructor puts the first pointer back. The program never sees either.
 */
#include "boost/audit.h"

#include "base/sys.h"
#include "base/text.h"
#include "replay/profile.h"
#include "start/early.h"
#include "start/environment.h"

#include <elf.h>

#define PATH_BYTES 4096
#define NOTE_MAGIC UINT64_C(0xe3b91d5c04f7a268)

/* At the beginning of a page, and the text of the variable directly behind it. */
struct note {
    uint64_t magic;
    const char *replaced;
    char handover[HANDOVER_BYTES];
};

static size_t note_bytes(const char *variable)
{
    return sizeof(struct note) + text_length(variable) + 1;
}

static char *const *environment;

void audit_expect(char *const *envp)
{
    environment = envp;
}

/* The place of LD_AUDIT in the block, or NULL. */
static const char **find_variable(char *const *envp)
{
    for (; *envp; envp++)
        if (text_after(*envp, "LD_AUDIT="))
            return (const char **)(uintptr_t)envp;
    return NULL;
}

/* By the name under which it is installed; where it has another, nothing is handed over, and the
 * constructor looks for itself what is in memory. */
static bool is_preloaded(char *const *envp)
{
    const char *list = environment_get(envp, "LD_PRELOAD");
    return list && text_contains(list, "libcoldboost.so");
}

static void leave_handover(char *const *envp, const char *handover)
{
    const char **variable = find_variable(envp);
    if (!variable)
        return;
    size_t bytes = note_bytes(*variable);
    struct note *note = sys_map(bytes, MAP_PRIVATE);
    if (!note)
        return;
    note->magic = NOTE_MAGIC;
    note->replaced = *variable;
    text_append(note->handover, sizeof note->handover, 0, handover);
    text_append((char *)(note + 1), bytes - sizeof *note, 0, *variable);
    *variable = (const char *)(note + 1);
}

const char *audit_take_handover(char *const *envp)
{
    static char handover[HANDOVER_BYTES];
    const char **variable = find_variable(envp);
    if (!variable || (uintptr_t)*variable % 4096 != sizeof(struct note))
        return NULL;
    /* Any variable may happen to stand there; what is in front of it is then memory, too: the
     * block, or the arguments. */
    struct note *note = (struct note *)((uintptr_t)*variable - sizeof(struct note));
    if (note->magic != NOTE_MAGIC)
        return NULL;
    size_t bytes = note_bytes(*variable);
    text_append(handover, sizeof handover, 0, note->handover);
    *variable = note->replaced;
    sys_unmap(note, bytes);
    return handover;
}

static bool is_started(const struct options *options)
{
    struct handover handover;
    return handover_parse(options->started, &handover) &&
           handover.executable_hash == profile_hash(environment_own_executable());
}

static void start_replay(char *const *envp)
{
    static char buffer[PATH_BYTES];
    char text[HANDOVER_BYTES] = "";
    struct options options;
    options_read(envp, &options);
    const char *profile =
        options.profile ? options.profile : environment_profile(envp, buffer, sizeof buffer);
    if (options.enabled == SWITCH_OFF)
        return;
    if (!is_preloaded(envp)) /* or its constructor will */
        options_complain(&options);
    if (!profile || is_started(&options))
        return;
    if (early_start(profile, environment_called_executable(envp), environment_own_executable, NULL,
                    &options, envp, text) > 0 &&
        is_preloaded(envp))
        leave_handover(envp, text);
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
