/*
 * request.c: from the environment block to what a start is. Works without libc, before it is ready.
 */
#include "start/request.h"

#include "base/objects.h"
#include "base/sys.h"
#include "base/text.h"
#include "start/environment.h"

#define DEFAULT_WORKERS 8
#define FEW_THREADS     1000 /* of the whole machine */

static bool is_safe(const char *path)
{
    struct sys_status status;
    return sys_stat(AT_FDCWD, path, &status) == 0 && !(status.mode & S_IWOTH);
}

const char *find_profile_path(const char *named, const struct options *options, char *const *envp,
                              char buffer[REQUEST_PATH_BYTES])
{
    if (named || options->profile)
        return named ? named : options->profile;
    const char *task_root = environment_get(envp, "LAMBDA_TASK_ROOT");
    if (task_root && *task_root == '/') {
        size_t at = text_append(buffer, REQUEST_PATH_BYTES, 0, task_root);
        text_append(buffer, REQUEST_PATH_BYTES, at, "/coldboost.cbp");
        if (is_safe(buffer))
            return buffer;
    }
    text_append(buffer, REQUEST_PATH_BYTES, 0, "/opt/coldboost/profile.cbp");
    return is_safe(buffer) ? buffer : NULL;
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

/* What was asked for, unless that is seen to change the program. */
static enum replay_mode choose_mode(const struct request *request)
{
    enum replay_mode mode = request->options.mode == OPTIONS_MODE_AUTO
                                ? MODE_PROCESS
                                : (enum replay_mode)request->options.mode;
    if (!request->ahead && mode == MODE_PROCESS && is_under_valgrind(request->envp))
        return MODE_SYNC;
    if (!request->ahead && mode == MODE_THREAD && program_enters_namespaces())
        return MODE_PROCESS;
    return mode;
}

/* Whether this process is the program, and its start has been begun before it. */
static bool is_begun(struct request *request)
{
    struct handover *begun = &request->begun;
    return request->find_executable && handover_take(request->envp, &request->options, begun) &&
           (begun->executable_hash == profile_hash(request->executable) ||
            begun->executable_hash == profile_hash(request->find_executable()));
}

/* Where memory is shared, exec looks through all processes for who has it next: too many of them
 * take longer than a copy. */
static bool may_leave_memory(const struct request *request)
{
    struct sysinfo machine = {.procs = 0};
    if (!request->ahead || request->find_executable || is_under_valgrind(request->envp))
        return false;
    sys_sysinfo(&machine);
    return machine.procs > 0 && machine.procs <= FEW_THREADS;
}

static void plan_replay(struct request *request)
{
    const struct options *options = &request->options;
    bool is_gentle = request->policy == POLICY_GENTLE;
    request->mode = choose_mode(request);
    request->asks_for_few = !request->ahead && request->policy != POLICY_SNAPSHOT &&
                            options->mode == OPTIONS_MODE_AUTO && !options->workers &&
                            options->budget_bytes == BUDGET_BY_MEMORY;
    request->leaves_memory = may_leave_memory(request);
    request->workers = options->workers ? options->workers : is_gentle ? 1 : DEFAULT_WORKERS;
    request->most_workers = options->workers || is_gentle ? request->workers : REPLAY_MOST_WORKERS;
    request->started_ns = request->ahead ? sys_monotonic_ns() : 0;
}

void request_look_into_store(struct request *request, const char *executable, const char *script,
                             char *const *arguments, bool by_default)
{
    struct store_entry *entry = &request->entry;
    char buffer[STORE_PATH_BYTES];
    const char *folder = store_folder(request->envp, request->options.store, by_default, buffer);
    request->store = STORE_NOTHING;
    if (!folder || !*executable || is_under_valgrind(request->envp)) /* it says what it cannot do */
        return;
    text_append(entry->folder, sizeof entry->folder, 0, folder);
    store_name(executable, script, arguments, entry);
    entry->only_read = !request->options.store && !by_default;
    request->store = store_look(entry);
    if (request->store == STORE_RECORD && options_never_record(&request->options))
        request->store = *entry->profile ? STORE_REPLAY : STORE_NOTHING;
    if (*entry->profile) /* also where this start is to be recorded, which may be impossible */
        request->profile = entry->profile;
}

void request_fill(struct request *request)
{
    char *const *envp = request->envp;
    request->role = lambda_role(envp, request->find_executable ? NULL : request->executable);
    if (request->role != ROLE_OTHER) {
        request->init_type = lambda_init_type(envp);
        request->granted_bytes = lambda_memory_bytes(envp);
    }
    request->policy = lambda_policy(request->role, request->init_type);
    request->is_begun = is_begun(request);
    if (request->is_begun)
        request->started_ns = request->begun.started_ns;
    else
        plan_replay(request);
    if (request->begun.started_ns && !request->begun.executable_hash)
        request->is_touched = true; /* by coldboost again, which this process was */
    /* What has been begun needs no profile, but a shell's children are looked for in it. */
    if (!request->profile && (!request->is_begun || request->role == ROLE_SHELL))
        request->profile = find_profile_path(NULL, &request->options, envp, request->path);
    if (!request->profile && !request->is_begun && request->find_executable &&
        store_is_there(request->options.store)) {
        char *const *arguments = environment_arguments(envp);
        if (arguments)
            request_look_into_store(request, request->find_executable(), NULL, arguments + 1,
                                    false);
    }
}
