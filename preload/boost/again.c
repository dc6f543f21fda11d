/*
 * again.c: LD_PRELOAD and COLDBOOST_STORE alone, and the first cold start records itself.
 *
 * To be recorded, a program needs the recorder in front of it and a watcher beside it. So this
 * process becomes coldboost, which is static and without libc and starts wherever this program did,
 * and that becomes the program again (tools/run/front.c). The second constructor finds a
 * handover, and so there is no third.
 */
#include "boost/again.h"

#include "base/executable.h"
#include "base/objects.h"
#include "base/resolve.h"
#include "base/sys.h"
#include "base/text.h"
#include "replay/blind.h"
#include "replay/profile.h"
#include "start/environment.h"

#define PATH_BYTES 4096
#define OBJECT     "libcoldboost.so"
#define TOOL       "coldboost-tool"
#define FRONT      "coldboost" /* beside it; where there is no such pair, it is another program */

/* Copies the folder that we were loaded from, with its slash. */
static int find_folder(const struct object *object, void *context)
{
    char *folder = context;
    size_t length = text_length(object->path), name = sizeof OBJECT - 1;
    if (length <= name || length >= PATH_BYTES || !text_equal(object->path + length - name, OBJECT))
        return 0;
    text_append(folder, PATH_BYTES, 0, object->path);
    folder[length - name] = '\0';
    return *folder == '/';
}

/* The front in its places: where an installation and where a build tree has it. */
static bool find_front(char path[PATH_BYTES])
{
    static const char *const places[] = {"../../bin/", "../bin/", "", "../tools/", "../../../bin/"};
    char folder[PATH_BYTES] = "";
    struct sys_status status;
    if (objects_visit(find_folder, folder) == 0)
        return false;
    size_t end = text_append(path, PATH_BYTES, 0, folder);
    text_append(path, PATH_BYTES, end, "libcoldboost-record.so");
    if (sys_stat(AT_FDCWD, path, &status) != 0)
        return false;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        size_t at = text_append(path, PATH_BYTES, end, places[i]);
        text_append(path, PATH_BYTES, at, TOOL);
        if (!sys_may_execute(path))
            continue;
        text_append(path, PATH_BYTES, at, FRONT);
        return sys_may_execute(path);
    }
    return false;
}

/* A debugger, or strace, would see another exec than it expects. */
static bool is_traced(void)
{
    char text[1024];
    static const char nobody[] = "TracerPid:\t0\n";
    return sys_read_text("/proc/self/status", text, sizeof text) <= 0 ||
           !text_contains(text, nobody);
}

static bool may_record(const struct request *request)
{
    return request->entry.writable && request->role == ROLE_OTHER &&
           !environment_get(request->envp, "COLDBOOST_TRACE") &&
           /* What the first process of a tree needs is recorded together with its children. */
           !environment_parent_has("COLDBOOST_STORE=") && !request->begun.started_ns &&
           !is_traced();
}

/* Whether exec and the loader have waited for storage; much readahead hides that from
 * blind_is_warm(). */
static bool is_cold(const struct request *request)
{
    struct rusage usage;
    sys_usage(RUSAGE_SELF, &usage);
    return usage.ru_inblock || usage.ru_majflt || !blind_is_warm(request->executable);
}

static bool is_script(const char *path)
{
    static struct executable file;
    int fd = sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    bool script = fd >= 0 && executable_read(fd, &file) == 0 && file.kind == EXECUTABLE_SCRIPT;
    if (fd >= 0)
        sys_close(fd);
    return script;
}

/* Where the kernel has put a script that it was called by: behind its interpreter and at most one
 * option of that. 0 if it was not. */
static size_t find_script(const char *called, char *const *arguments)
{
    size_t count = text_count(arguments), at = count > 1 && arguments[1][0] == '-' ? 2 : 1;
    return at < count && text_equal(arguments[at], called) && is_script(called) ? at : 0;
}

/*
 * What is executed again, and the arguments for it: as it was called, be that a link or a script,
 * since the process takes its name from that.
 */
static const char *name_executable(const struct request *request, char *const **arguments)
{
    static char path[PATH_BYTES];
    const char *executable = request->find_executable();
    const char *called = (const char *)environment_auxiliary(request->envp, AT_EXECFN);
    if (!called || !text_contains(called, "/")) /* which would be looked for in PATH */
        return executable;
    size_t script = find_script(called, *arguments);
    *arguments += script;
    bool same = resolve_path(called, path, sizeof path) && text_equal(path, executable);
    return script || same ? called : executable;
}

void again_to_record(const struct request *request)
{
    static char front[PATH_BYTES];
    char *const *arguments = environment_arguments(request->envp);
    if (!arguments || !is_cold(request) || !may_record(request) || !find_front(front))
        return;
    const char *executable = name_executable(request, &arguments);
    const size_t count = text_count(arguments), bytes = (count + 4) * sizeof(char *);
    char **command = sys_map(bytes, MAP_PRIVATE);
    if (!command)
        return;
    command[0] = (char *)(uintptr_t)FRONT;
    command[1] = (char *)(uintptr_t) "again";
    command[2] = (char *)(uintptr_t)executable;
    for (size_t i = 0; i < count; i++)
        command[3 + i] = arguments[i];
    sys_execute(front, command, request->envp);
    sys_unmap(command, bytes);
}
