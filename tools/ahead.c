/*
 * ahead.c: what coldboost run and coldboost-wrapper do before they become the program.
 */
#include "ahead.h"

#include "environment.h"
#include "profile.h"
#include "replay.h"
#include "sys.h"
#include "text.h"

#define MAX_INTERPRETERS 5   /* scripts whose interpreter is a script: the kernel's own limit */
#define HEAD_BYTES       256 /* so much of a "#!" line the kernel reads */

static size_t append_number(char *buffer, size_t capacity, size_t at, uint64_t number)
{
    char digits[21], *first = digits + sizeof digits - 1;
    *first = '\0';
    do
        *--first = (char)('0' + number % 10);
    while (number /= 10);
    return text_append(buffer, capacity, at, first);
}

/* The path without symbolic links, as the kernel will have it. */
static bool resolve(const char *path, char *resolved)
{
    int fd = sys_open(path, O_PATH);
    if (fd < 0)
        return false;
    char link[AHEAD_ID_BYTES + sizeof "/proc/self/fd/"];
    append_number(link, sizeof link, text_append(link, sizeof link, 0, "/proc/self/fd/"),
                  (uint64_t)fd);
    long length = sys_readlink(link, resolved, AHEAD_PATH_BYTES - 1);
    sys_close(fd);
    if (length <= 0)
        return false;
    resolved[length] = '\0';
    return true;
}

/* The interpreter on a script's first line; NULL if the file is no script. */
static const char *read_interpreter(const char *path, char head[HEAD_BYTES + 1])
{
    int fd = sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return NULL;
    long n = sys_pread(fd, head, HEAD_BYTES, 0);
    sys_close(fd);
    head[n > 0 ? n : 0] = '\0';
    const char *interpreter = text_after(head, "#!");
    if (!interpreter)
        return NULL;
    while (*interpreter == ' ' || *interpreter == '\t')
        interpreter++;
    char *end = head + (interpreter - head);
    while (*end && *end != ' ' && *end != '\t' && *end != '\r' && *end != '\n')
        end++;
    *end = '\0';
    return *interpreter ? interpreter : NULL;
}

bool ahead_find_executable(const char *path, char executable[AHEAD_PATH_BYTES])
{
    char head[HEAD_BYTES + 1];
    for (int depth = 0;; depth++) {
        if (!resolve(path, executable))
            return false;
        path = depth < MAX_INTERPRETERS ? read_interpreter(executable, head) : NULL;
        if (!path)
            return true;
    }
}

int ahead_start(const char *profile, const char *executable, const char *label,
                const struct options *options, char *const *envp, char id[AHEAD_ID_BYTES])
{
    /* A thread would not outlive exec. */
    if (replay_would_be_adopted())
        return -ECHILD;
    enum role role = environment_role(envp, executable);
    enum init_type init_type = environment_init_type(envp);
    struct telemetry_process process = {
        .target = options->telemetry,
        .envp = envp,
        .executable = executable,
        .role = role,
        .init_type = init_type,
        .holdout = options->holdout,
        .started_ns = sys_monotonic_ns(),
    };
    telemetry_begin(&process);
    struct replay_request request = {
        .profile = profile,
        .executable = executable,
        .label = label,
        .role = role,
        .policy = lambda_policy(role, init_type),
        .ahead = true,
        .holdout = options->holdout,
        .mode = MODE_FORK,
        .workers = options->workers,
        .budget_bytes = options->budget_bytes,
        .granted_bytes = environment_memory_bytes(envp),
        .force = options->enabled == SWITCH_FORCE,
        .report = options->verbose,
    };
    struct admission admission;
    int started = replay_start(&request, &admission);
    if (started > 0) {
        const uint64_t numbers[] = {(uint64_t)sys_getpid(), process.started_ns, admission.start,
                                    admission.arm, profile_hash(executable)};
        size_t length = 0;
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
            length = text_append(id, AHEAD_ID_BYTES, length, i ? ":" : "");
            length = append_number(id, AHEAD_ID_BYTES, length, numbers[i]);
        }
    }
    return started;
}
