/*
 * store_recording.c: finds the recorder, and has somebody watch the program; or has the tool get
 * ready what takes libc, in a child: where that cannot be loaded, the program only is not recorded.
 */
#include "begin/store_recording.h"

#include "base/resolve.h"
#include "base/sys.h"
#include "base/text.h"
#include "begin/tool.h"
#include "begin/watcher.h"
#include "cli/installation.h"
#include "start/adopter.h"
#include "start/become.h"

/* Where a start leaves its trace that nobody watches. */
static void name_trace(struct store_recording *recording, const struct store_entry *entry)
{
    char *trace = recording->trace;
    size_t room = sizeof recording->trace, at = text_append(trace, room, 0, entry->folder);
    at = text_append(trace, room, text_append(trace, room, at, "/"), entry->name);
    text_append(trace, room, at, STORE_TRACE);
}

/* By an earlier start of the same: the tool makes a profile of that first. */
static bool is_left(const char *trace)
{
    struct sys_status status;
    return sys_stat(AT_FDCWD, trace, &status) == 0;
}

static bool find_recorder(struct store_recording *recording, const char *called)
{
    char found[INSTALLATION_PATH_BYTES];
    char *recorder = recording->recorder;
    bool good = installation_find_object(called, RECORD_OBJECT, found) &&
                resolve_path(found, recorder, sizeof recording->recorder) &&
                become_can_name(recorder);
    if (good)
        become_read_ahead(recorder, RECORDER_BYTES);
    return good;
}

static bool find_tool(const char *called, const char *tool, char path[INSTALLATION_PATH_BYTES])
{
    if (*tool != '/')
        return installation_find(called, tool, path);
    text_append(path, INSTALLATION_PATH_BYTES, 0, tool);
    return true;
}

void store_recording_look(struct request *request, const struct program *program,
                          char *const *command)
{
    static char script[PROGRAM_PATH_BYTES];
    request_look_into_store(request, program->executable, program_script(program, script),
                            command + 1, true);
}

/* Whether this start is to be recorded, where it takes libc to know that, or to get ready. */
static bool prepare(const char *tool, struct request *request, const char *path,
                    char *const *command, const char *how)
{
    char *const words[] = {(char *)(uintptr_t)TOOL_PREPARE, (char *)(uintptr_t)how,
                           (char *)(uintptr_t)path, NULL};
    char **arguments = tool_arguments(words, command);
    int status = arguments ? tool_run(tool, arguments, request->envp) : -1;
    if (status & ~(PREPARED_NOTHING | PREPARED_BY_READING))
        return false; /* it did not come to that, and has read nothing */
    request->is_touched = status & PREPARED_BY_READING;
    return !(status & PREPARED_NOTHING);
}

bool store_recording_begin(struct store_recording *recording, const char *called, const char *tool,
                           struct request *request, const struct program *program,
                           char *const *command, bool now)
{
    char path[INSTALLATION_PATH_BYTES];
    const struct store_entry *entry = &request->entry;
    if (!(now || request->store == STORE_RECORD) || !entry->writable ||
        !find_recorder(recording, called) || !find_tool(called, tool, path))
        return false;
    bool alone = !adopter_reaps();
    name_trace(recording, entry);
    if (alone || is_left(recording->trace) || !(now || store_is_due(entry))) {
        static const char *const hows[2][2] = {{"", "n"}, {"a", "an"}};
        store_close(&request->entry);
        bool prepared = prepare(path, request, program->path, command, hows[alone][now]);
        store_recording_look(request, program, command);
        if (!prepared)
            return false;
    }
    return alone || watcher_start(path, entry, command, request->envp, recording->trace);
}
