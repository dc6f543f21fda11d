/*
 * fuzz_store.c: the names and logs of a store that somebody else has written, as a start and as the
 * tool read them. Whatever is in them, only files that the start's own name makes are opened, and
 * nothing is kept open.
 *
 * Input: a byte of luck, the texts of executable, argument and folder, the size of the start's own
 * log, that log, and the general one. Hashes are put right, or nothing would come past them.
 */
#include "fuzz.h"

#include "base/resolve.h"
#include "base/sys.h"
#include "start/store.h"

#include <sys/mman.h>
#include <unistd.h>

enum { FOLDER = 4711 }; /* its descriptor */
enum luck { OTHERS = 1, GROUP_WRITES = 2, REPLACED = 4, BUSY = 8, READ_ONLY = 16, RIGHT = 32 };

struct pretended_file {
    char name[STORE_NAME_BYTES + 8];
    uint8_t *bytes;
    size_t size;
};
static struct pretended_file own, general;
static unsigned luck, opened, noted;
static const char *working_folder;
static struct store_entry looked_for;

static int make_descriptor(const struct pretended_file *file)
{
    int fd = memfd_create("log", 0);
    MUST(fd >= 0 && write(fd, file->bytes, file->size) == (ssize_t)file->size);
    opened++;
    return fd;
}

static int pretended_open_at(int folder, const char *name, int flags)
{
    MUST(folder == FOLDER && flags & O_NOFOLLOW && flags & O_NONBLOCK);
    if (flags & O_APPEND && luck & READ_ONLY)
        return -EROFS;
    if (strcmp(name, own.name) == 0)
        return make_descriptor(&own);
    MUST(strcmp(name, general.name) == 0);
    return make_descriptor(&general);
}

static int pretended_stat(int fd, const char *path, struct sys_status *out)
{
    memset(out, 0, sizeof *out);
    out->mode = fd == FOLDER ? S_IFDIR | 0700 : S_IFREG | (luck & GROUP_WRITES ? 0620 : 0600);
    out->uid = fd != FOLDER && luck & OTHERS ? 2000 : 1000;
    out->links = !(luck & REPLACED);
    const char *log = (const char *)&looked_for.log;
    if (path > log && path < log + sizeof looked_for.log) /* one of the files that are watched */
        MUST(strnlen(path, sizeof *looked_for.log.state.watched) <
             sizeof *looked_for.log.state.watched);
    return hash_text(path) % 4 || fd != AT_FDCWD ? 0 : -ENOENT;
}

static void pretended_close(int fd)
{
    if (fd == FOLDER)
        return;
    MUST(opened > 0 && close(fd) == 0);
    opened--;
}

static long pretended_write(size_t bytes)
{
    MUST(bytes == sizeof(struct store_event));
    noted++;
    return (long)bytes;
}

/* The path of an argument that is a file. */
static bool pretended_resolve(const char *path, char *resolved, size_t bytes)
{
    if (hash_text(path) % 4 == 0)
        return false;
    snprintf(resolved, bytes, "/%s/%s", working_folder, path);
    return true;
}

#define sys_open(path, flags)               (MUST_BE_FOLDER(path, flags), FOLDER)
#define sys_open_without_links(path, flags) (MUST_BE_FOLDER(path, flags), FOLDER)
#define MUST_BE_FOLDER(path, flags)         MUST_BE(strcmp(path, "/store") == 0 && (flags)&O_DIRECTORY)
#define MUST_BE(condition)                  ((void)((condition) ? 0 : (abort(), 0)))
#define sys_open_at                         pretended_open_at
#define sys_stat                            pretended_stat
#define sys_close                           pretended_close
#define sys_write(fd, event, bytes)         ((void)(fd), (void)(event), pretended_write(bytes))
#define resolve_path                        pretended_resolve
#define sys_geteuid()                       1000
#define sys_lock_shared(fd)                 ((void)(fd), luck & BUSY ? -EAGAIN : 0)
#define sys_sleep_ns(ns)                    ((void)(ns))
#include "start/store.c"
/* The tool's part has its own of these names. */
#define read_log read_log_as_tool
#undef LOCK_TRIES
#include "profile/store_files.c"

static void check_name(const char *name)
{
    size_t length = strlen(name);
    MUST(length >= 17 && length < STORE_NAME_BYTES && name[length - 17] == '-');
    for (; *name; name++)
        MUST(is_plain(*name) || *name == '-');
}

/* Reads a log of the input, and has it agree with the start's name where luck has it. */
static void take_log(struct input *input, size_t bytes, struct pretended_file *file,
                     const char *name)
{
    snprintf(file->name, sizeof file->name, "%s.log", name);
    file->size = bytes < input->left ? bytes : input->left;
    file->bytes = take_copy(input, bytes);
    struct store_state state;
    if (!(luck & RIGHT) || file->size < sizeof state)
        return;
    memcpy(&state, file->bytes, sizeof state);
    state.executable_hash = looked_for.executable_hash;
    state.start_hash = looked_for.start_hash;
    memcpy(file->bytes, &state, sizeof state);
}

static void check_answer(enum store_answer answer)
{
    char path[sizeof looked_for.profile];
    snprintf(path, sizeof path, "/store/%s.cbp",
             looked_for.is_general ? looked_for.general : looked_for.name);
    MUST(!*looked_for.profile || strcmp(looked_for.profile, path) == 0);
    MUST(answer != STORE_REPLAY || *looked_for.profile);
    MUST(!(luck & (OTHERS | GROUP_WRITES | REPLACED)) || !*looked_for.profile);
    MUST(looked_for.event_count <= STORE_EVENTS && opened == looked_for.is_open);
}

static void read_as_tool(const char *name)
{
    size_t events;
    struct store_log *log = read_log_as_tool(FOLDER, name, &events);
    if (log)
        MUST(strnlen(log->state.start, sizeof log->state.start) < sizeof log->state.start);
    free(log);
    opened = 0; /* the tool closes by itself */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    luck = (unsigned)take_number(&input, 1);
    char *executable = take_text(&input), *argument = take_text(&input),
         *folder = take_text(&input);
    working_folder = folder;
    char *arguments[] = {argument, NULL};
    memset(&looked_for, 0, sizeof looked_for);
    memcpy(looked_for.folder, "/store", 7);
    store_name(executable, NULL, arguments, &looked_for);
    check_name(looked_for.name);
    check_name(looked_for.general);
    size_t bytes = (size_t)take_number(&input, 2);
    take_log(&input, bytes, &own, looked_for.name);
    take_log(&input, input.left, &general, looked_for.general);
    enum store_answer answer = store_look(&looked_for);
    check_answer(answer);
    store_is_timed(&looked_for);
    noted = 0;
    bool open = looked_for.is_open;
    store_note(&looked_for, STORE_BOOSTED);
    MUST(noted == open && opened == 0);
    store_note_time(&looked_for, 1000);
    MUST(noted <= 2 && opened == 0);
    read_as_tool(looked_for.name);
    read_as_tool(looked_for.general);
    free(own.bytes);
    free(general.bytes);
    free(executable);
    free(argument);
    free(folder);
    return 0;
}
