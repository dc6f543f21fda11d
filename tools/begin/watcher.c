/*
 * watcher.c: the trace is memory of the watcher's, by a descriptor that it inherits. So the program
 * can open it, through /proc, as soon as the watcher has a process id.
 */
#include "begin/watcher.h"

#include "base/sys.h"
#include "base/text.h"
#include "begin/new_trace.h"
#include "begin/tool.h"
#include "start/adopter.h"

#include <unistd.h>

#define TRACE_NAME "coldboost-trace."

/* Of memory files: Linux 6.3. */
#define NOT_EXECUTABLE 8u

/* What the watcher needs: descriptors 0 to 2, the trace, and some that it opens. */
enum { LEAST_FILES = 8 };

/* Every recorded program maps the trace, and is to have most of its address space for itself. 0:
 * there is no room. */
static uint64_t trace_bytes(void)
{
    uint64_t bytes = sys_limit(RLIMIT_AS) / 8, file = sys_limit(RLIMIT_FSIZE);
    bytes = file < bytes ? file : bytes;
    bytes = bytes < TRACE_BYTES ? bytes : TRACE_BYTES;
    return bytes - bytes % TRACE_LEAST_BYTES;
}

static size_t append_name(char *text, size_t room, size_t at, uint32_t program)
{
    return text_append_number(text, room, text_append(text, room, at, TRACE_NAME), program);
}

void watcher_mapping(uint32_t program, char mapping[WATCHER_MAPPING_BYTES])
{
    size_t at = text_append(mapping, WATCHER_MAPPING_BYTES, 0, "/memfd:");
    at = append_name(mapping, WATCHER_MAPPING_BYTES, at, program);
    text_append(mapping, WATCHER_MAPPING_BYTES, at, " (deleted)");
}

/* Never one of the standard streams, which the watcher does without. */
static int create_memory(uint32_t program)
{
    char name[WATCHER_PATH_BYTES];
    append_name(name, sizeof name, 0, program);
    int fd = sys_create_memory(name, MFD_CLOEXEC | NOT_EXECUTABLE);
    if (fd == -EINVAL)
        fd = sys_create_memory(name, MFD_CLOEXEC);
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int other = sys_duplicate(fd, STDERR_FILENO + 1);
    sys_close(fd);
    return other;
}

/* Whether our root is that of a file system, as it is but in a container or another root. */
static bool has_whole_root(void)
{
    static char mounts[16 << 10];
    sys_read_text("/proc/self/mountinfo", mounts, sizeof mounts);
    return text_contains(mounts, " / / ");
}

/*
 * A container, or the step that makes an image, ends with the program, and the watcher with it: by
 * the PID namespace, or by the root, where images are built without namespaces. Then the program
 * waits for its profile before it ends.
 */
static bool may_end_with_program(void)
{
    return !adopter_is_machine() || !has_whole_root();
}

/* Returns the descriptor, or a negative number. */
static int make_trace(const struct watcher_note *note)
{
    static struct trace_header header; /* all zero; set as a whole, its tables were filled, too */
    header.bytes = trace_bytes();
    header.until_ready = true;
    header.until_listen = true;
    header.no_tracer = true;
    header.readahead_is_off = true; /* as far as the program is to know */
    header.main_pid = may_end_with_program() ? note->program : 0;
    if (!header.bytes || sys_limit(RLIMIT_NOFILE) < LEAST_FILES)
        return -ENOMEM;
    int fd = create_memory(note->program);
    if (fd >= 0 && sys_set_size(fd, header.bytes) == 0 &&
        new_trace_write(fd, &header, note, sizeof *note))
        return fd;
    if (fd >= 0)
        sys_close(fd);
    return -ENOMEM;
}

/* For the program, which may be waiting. */
static void give_up(int trace)
{
    const uint32_t yes = 1;
    sys_pwrite(trace, &yes, sizeof yes, offsetof(struct trace_header, finished));
    sys_pwrite(trace, &yes, sizeof yes, offsetof(struct trace_header, written));
}

/* What the watcher is going to be. */
struct calling {
    const char *tool;
    char *const *envp;
    char **arguments;
    int trace;
};

static _Noreturn void become_watcher(const struct calling *calling)
{
    sys_chdir("/");
    tool_become(calling->tool, calling->arguments, calling->envp, calling->trace);
    give_up(calling->trace);
    sys_exit(1);
}

/* The process id of the watcher, whose parent has ended; or less than 1. */
static long fork_watcher(const struct calling *calling)
{
    long *id = sys_map(sizeof *id, MAP_SHARED);
    if (!id)
        return -ENOMEM;
    long first = sys_fork();
    if (first == 0) {
        long second = sys_fork();
        if (second == 0)
            become_watcher(calling);
        *id = second;
        sys_exit(0);
    }
    if (first > 0)
        sys_reap(first);
    long watcher = first > 0 ? *id : first;
    sys_unmap(id, sizeof *id);
    return watcher;
}

bool watcher_start(const char *tool, const struct store_entry *entry, char *const *command,
                   char *const *envp, char path[WATCHER_PATH_BYTES])
{
    static struct watcher_note note;
    char trace[WATCHER_PATH_BYTES];
    long length = sys_readlink("/proc/self/exe", note.before, sizeof note.before - 1);
    note.entry = *entry;
    note.since_ns = sys_clock_ns(CLOCK_REALTIME);
    note.program = (uint32_t)sys_getpid();
    int fd = length > 0 ? make_trace(&note) : -ENOENT;
    if (fd < 0)
        return false;
    text_append_number(trace, sizeof trace, 0, (uint64_t)fd);
    char *const words[] = {(char *)(uintptr_t)WATCHER_COMMAND, trace, NULL};
    const struct calling calling = {tool, envp, tool_arguments(words, command), fd};
    long watcher = calling.arguments ? fork_watcher(&calling) : -ENOMEM;
    sys_close(fd);
    if (watcher <= 0)
        return false;
    size_t at = text_append(path, WATCHER_PATH_BYTES, 0, "/proc/");
    at = text_append_number(path, WATCHER_PATH_BYTES, at, (uint64_t)watcher);
    at = text_append(path, WATCHER_PATH_BYTES, at, "/fd/");
    text_append(path, WATCHER_PATH_BYTES, at, trace);
    return true;
}
