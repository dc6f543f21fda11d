/*
 * program.c: from a command through PATH and "#!" lines to an ELF file, and what its head says.
 */
#include "start/program.h"

#include "base/resolve.h"
#include "base/search_path.h"
#include "base/sys.h"
#include "base/text.h"
#include "start/options.h"

static bool is_missing(long error)
{
    return error == -ENOENT || error == -ENOTDIR;
}

bool program_search(const char *command, char *const *envp, struct program *out)
{
    const char *folders = environment_get(envp, "PATH");
    size_t room = sizeof out->path;
    struct stat status;
    folders = folders ? folders : "/usr/local/bin:/usr/bin:/bin";
    out->interpreter_count = 0;
    out->obstacle = OBSTACLE_NONE;
    if (text_contains(command, "/")) {
        bool fits = text_append(out->path, room, 0, command) + 1 < room;
        if (!fits || !sys_may_execute(command))
            out->obstacle = fits && sys_fstatat(AT_FDCWD, command, &status) == 0
                                ? OBSTACLE_NOT_EXECUTABLE
                                : OBSTACLE_NOT_FOUND;
    } else if (!search_path(folders, command, is_executable_file, out->path, room)) {
        bool is_there = search_path(folders, command, is_regular_file, out->path, room);
        out->obstacle = is_there ? OBSTACLE_NOT_EXECUTABLE : OBSTACLE_NOT_FOUND;
        if (!is_there)
            text_append(out->path, room, 0, command);
    }
    return !out->obstacle;
}

/* ---- scripts ----------------------------------------------------------------------------------*/

const char *program_script(const struct program *program, char buffer[PROGRAM_PATH_BYTES])
{
    bool is_script = resolve_path(program->path, buffer, PROGRAM_PATH_BYTES) &&
                     !text_equal(buffer, program->executable);
    return is_script ? buffer : NULL;
}

/* Notes what executes the file; false if the kernel does, or if that would be one too many. */
static bool add_interpreter(struct program *program, const char *path,
                            const struct executable *file)
{
    bool is_script = file->kind == EXECUTABLE_SCRIPT;
    bool is_text = file->kind == EXECUTABLE_TEXT && !program->is_text && sys_may_execute(path);
    if (!is_script && !is_text)
        return false;
    if (is_script && program->interpreter_count >= EXECUTABLE_MAX_INTERPRETERS) {
        program->obstacle = OBSTACLE_TOO_DEEP;
        return false;
    }
    program->is_text |= is_text;
    text_append(program->interpreters[program->interpreter_count++], sizeof *program->interpreters,
                0, is_script ? file->interpreter : EXECUTABLE_SHELL);
    text_append(program->argument, sizeof program->argument, 0, is_script ? file->argument : "");
    return true;
}

/* For a file that cannot be opened. */
static void note_unopened(struct program *program, const char *path, int error)
{
    if (!is_missing(error))
        program->obstacle = OBSTACLE_UNREADABLE; /* the kernel may still start it */
    else if (!program->interpreter_count)
        program->obstacle = OBSTACLE_NOT_FOUND;
    else
        program->obstacle =
            text_contains(path, "\r") ? OBSTACLE_CARRIAGE_RETURN : OBSTACLE_NO_INTERPRETER;
    program->error = -error;
    if (!resolve_path(path, program->executable, PROGRAM_PATH_BYTES))
        text_append(program->executable, sizeof program->executable, 0, path);
}

/* ---- the ELF file -----------------------------------------------------------------------------*/

/* False if the program has none: it is static, or a loader itself. */
static bool read_loader(int fd, const struct executable_segments *segments,
                        char loader[PROGRAM_PATH_BYTES])
{
    const Elf64_Phdr *segment = executable_segment(segments, PT_INTERP);
    if (!segment)
        return false;
    size_t bytes =
        segment->p_filesz < PROGRAM_PATH_BYTES ? segment->p_filesz : PROGRAM_PATH_BYTES - 1;
    long n = sys_pread(fd, loader, bytes, segment->p_offset);
    loader[n > 0 ? n : 0] = '\0';
    return true;
}

/* ld.so PROGRAM: unlike a static program, which may be position-independent too, it has a name to
 * be linked by. */
static bool is_loader(int fd, const struct executable_segments *segments)
{
    return executable_has_dynamic(fd, executable_segment(segments, PT_DYNAMIC), DT_SONAME);
}

/* The permitted set of the kernel's struct vfs_cap_data: little-endian words, first the revision.
 * False if the file has none. */
static bool read_capabilities(int fd, uint64_t *permitted)
{
    uint8_t bytes[24];
    long n = sys_read_capabilities(fd, bytes, sizeof bytes);
    *permitted = 0;
    for (unsigned i = 0; n >= 20 && i < 4; i++)
        *permitted |= (uint64_t)bytes[4 + i] << i * 8 | (uint64_t)bytes[12 + i] << (32 + i * 8);
    return n > 0;
}

/* What whoever runs the program gains by it; the loader then ignores LD_PRELOAD. */
static enum obstacle find_privileges(int fd, struct program *program)
{
    struct stat status;
    bool has_capabilities = read_capabilities(fd, &program->capabilities);
    if (sys_fstat(fd, &status) != 0)
        return OBSTACLE_NONE;
    program->set_uid = status.st_mode & S_ISUID;
    program->set_gid = status.st_mode & S_ISGID;
    program->owner = status.st_uid;
    program->group = status.st_gid;
    if ((program->set_uid && status.st_uid != sys_getuid()) ||
        (program->set_gid && status.st_gid != sys_getgid()))
        return OBSTACLE_SET_ID;
    return has_capabilities && sys_getuid() != 0 ? OBSTACLE_CAPABILITIES : OBSTACLE_NONE;
}

static enum obstacle look_at_elf(int fd, const struct executable *file, struct program *program)
{
    struct executable_segments segments;
    struct stat status;
    if (file->kind != EXECUTABLE_ELF)
        return OBSTACLE_NO_PROGRAM;
    program->machine = file->header.e_machine;
    enum obstacle privileges = find_privileges(fd, program);
    if (file->bytes < EI_NIDENT)
        return OBSTACLE_TRUNCATED;
    if (file->header.e_ident[EI_CLASS] != ELFCLASS64)
        return OBSTACLE_CLASS;
    if (file->bytes < sizeof file->header)
        return OBSTACLE_TRUNCATED;
    if (!executable_is_native(&file->header))
        return OBSTACLE_MACHINE;
    executable_read_segments(fd, &file->header, &segments);
    bool has_loader = read_loader(fd, &segments, program->loader);
    if (privileges)
        return privileges;
    if (has_loader && is_missing(sys_fstatat(AT_FDCWD, program->loader, &status)))
        return OBSTACLE_NO_LOADER;
    return has_loader || is_loader(fd, &segments) ? OBSTACLE_NONE : OBSTACLE_STATIC;
}

/* For the file that the kernel runs in the end, or would. */
static void look_at_file(int fd, const char *path, const struct executable *file, int error,
                         struct program *program)
{
    bool is_named = resolve_descriptor(fd, program->executable, PROGRAM_PATH_BYTES);
    if (!is_named)
        text_append(program->executable, sizeof program->executable, 0, path);
    enum obstacle found = error == -EISDIR ? OBSTACLE_FOLDER
                          : !is_named      ? OBSTACLE_NO_PROC
                          : error          ? OBSTACLE_UNREADABLE
                                           : look_at_elf(fd, file, program);
    program->error = -error;
    if (!program->obstacle)
        program->obstacle = found;
}

void program_probe(struct program *program)
{
    struct executable file;
    const char *path = program->path;
    bool goes_on = true;
    program->obstacle = OBSTACLE_NONE;
    program->error = 0;
    program->is_text = program->set_uid = program->set_gid = false;
    program->capabilities = program->interpreter_count = program->machine = 0;
    program->argument[0] = program->loader[0] = '\0';
    while (goes_on) {
        int fd = sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        if (fd < 0) {
            note_unopened(program, path, fd);
            return;
        }
        int error = executable_read(fd, &file);
        goes_on = add_interpreter(program, path, &file);
        if (!goes_on)
            look_at_file(fd, path, &file, error, program);
        sys_close(fd);
        if (goes_on)
            path = program->interpreters[program->interpreter_count - 1];
    }
}
