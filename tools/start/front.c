/*
 * front.c: the program behind the name "coldboost". Starts what is ordinary by itself and leaves
 * everything else to coldboost-tool, beside it.
 *
 * coldboost run stands before every start, and loading libc would take longer than all that it
 * does: this is static and without libc. It says nothing. An option it does not know, a command it
 * does not find, a program or a profile with anything unusual about it: the tool gets the same
 * arguments, environment and descriptors, and it alone decides and says what is wrong.
 */
#include "base/sys.h"
#include "base/text.h"
#include "entry.h"
#include "start/ahead.h"
#include "start/early.h"
#include "start/environment.h"
#include "start/options.h"

#include <elf.h>

/* This program's own header: one like it is what the loader can preload into. */
extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));

/* The command behind the options of coldboost run; NULL unless all of them are understood. */
static char **parse(char **argument, const char **profile)
{
    for (; *argument; argument++) {
        const char *rest;
        if (text_equal(*argument, "--"))
            return argument[1] ? argument + 1 : NULL;
        if ((*argument)[0] != '-' || !(*argument)[1])
            return argument;
        if (text_equal(*argument, "-p") || text_equal(*argument, "--profile"))
            *profile = *++argument;
        else if ((rest = text_after(*argument, "-p")) ||
                 (rest = text_after(*argument, "--profile=")))
            *profile = rest;
        else
            return NULL;
        if (!*profile)
            return NULL;
    }
    return NULL;
}

static bool has_interpreter(const uint8_t *head, size_t bytes, const Elf64_Ehdr *header)
{
    for (size_t i = 0; i < header->e_phnum; i++) {
        size_t at = header->e_phoff + i * sizeof(Elf64_Phdr);
        if (header->e_phoff > bytes || at + sizeof(Elf64_Phdr) > bytes)
            return false;
        if (((const Elf64_Phdr *)(const void *)(head + at))->p_type == PT_INTERP)
            return true;
    }
    return false;
}

/* Whether the loader will certainly preload into it. */
static bool is_ordinary(const char *executable)
{
    static uint64_t head[4096 / sizeof(uint64_t)];
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)head, *own = &__ehdr_start;
    struct sys_status status;
    int fd = sys_open(executable, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return false;
    long n = sys_pread(fd, head, sizeof head, 0);
    bool gains_nothing =
        sys_stat(fd, "", &status) == 0 && !(status.mode & (S_ISUID | S_ISGID)) &&
        (cb_syscall6(SYS_getuid, 0, 0, 0, 0, 0, 0) == 0 ||
         cb_syscall6(SYS_fgetxattr, fd, (long)"security.capability", 0, 0, 0, 0) <= 0);
    sys_close(fd);
    return gains_nothing && n >= (long)sizeof *header &&
           bytes_equal(header->e_ident, own->e_ident, EI_VERSION) &&
           header->e_machine == own->e_machine && header->e_phoff % 8 == 0 &&
           header->e_phentsize == sizeof(Elf64_Phdr) &&
           has_interpreter((const uint8_t *)head, (size_t)n, header);
}

static bool find_profile(const char *named, char *const *envp, char profile[AHEAD_PATH_BYTES])
{
    char standard[AHEAD_PATH_BYTES];
    const char *variable = environment_get(envp, "COLDBOOST_PROFILE");
    const char *path = named ? named
                       : variable && *variable
                           ? variable
                           : environment_profile(envp, standard, sizeof standard);
    return path && ahead_resolve(path, profile);
}

/* As find_component() of the tool; first where an installation has it. */
static bool find_object(const char *called, char object[AHEAD_PATH_BYTES])
{
    static const char *const places[] = {("/../" COLDBOOST_LIBDIR), "", "/../preload"};
    char path[AHEAD_PATH_BYTES];
    long length = ahead_own_folder(called, path);
    for (size_t i = 0; length >= 0 && i < sizeof places / sizeof *places; i++) {
        size_t end = text_append(path, sizeof path, (size_t)length, places[i]);
        text_append(path, sizeof path, end, "/libcoldboost.so");
        if (ahead_resolve(path, object))
            return true;
    }
    return false;
}

/* Becomes the program. Returns if that is for the tool to do, or to say why not. */
static void run(const char *called, char **arguments, char *const *envp)
{
    static char buffer[AHEAD_PATH_BYTES], executable[AHEAD_PATH_BYTES];
    static char profile[AHEAD_PATH_BYTES], object[AHEAD_PATH_BYTES];
    struct options options;
    const char *named = NULL;
    char **command = parse(arguments, &named);
    options_read(envp, &options);
    if (!command || options.enabled == SWITCH_OFF)
        return;
    const char *path = ahead_find_command(*command, envp, buffer);
    if (!path || !sys_may_execute(path) || !ahead_find_executable(path, executable) ||
        !is_ordinary(executable) || !find_profile(named, envp, profile) ||
        !find_object(called, object))
        return;
    char id[HANDOVER_BYTES] = "";
    ahead_read_object(object);
    if (early_start(profile, executable, NULL, "run", &options, envp, id) <= 0 && options.verbose)
        return; /* the tool says why; the program starts all the same */
    char *const *extended = ahead_extend(envp, profile, object, id);
    if (extended)
        ahead_execute(path, command, extended);
}

static _Noreturn void become_tool(const char *called, char **argv, char *const *envp)
{
    char path[AHEAD_PATH_BYTES], line[AHEAD_PATH_BYTES + 128];
    long folder = ahead_own_folder(called, path);
    if (folder >= 0) {
        text_append(path, sizeof path, (size_t)folder, "/coldboost-tool");
        sys_execute(path, argv, envp);
    }
    size_t length = text_append(line, sizeof line, 0, "coldboost: ");
    length = text_append(line, sizeof line, length, folder < 0 ? "coldboost-tool" : path);
    length = text_append(line, sizeof line, length,
                         ": cannot be executed; build or install coldboost again\n");
    sys_write(2, line, length);
    sys_exit(1);
}

CB_ENTRY(front_main)

__attribute__((used)) _Noreturn void front_main(long *stack)
{
    long argc = stack[0];
    char **argv = (char **)(stack + 1), **envp = argv + argc + 1;
    const char *called = (const char *)environment_auxiliary(envp, AT_EXECFN);
    if (argc > 2 && text_equal(argv[1], "run"))
        run(called, argv + 2, envp);
    become_tool(called, argv, envp);
}
