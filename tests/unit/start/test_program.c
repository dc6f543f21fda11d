/*
 * The probe of a program, compared with what the kernel and execvp() do of the same file.
 */
#include "start/program.h"

#include "cli/command.h"
#include "start/obstacle.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[512], shell[PATH_MAX];
static struct program program;

static void make_folder(void)
{
    char *here = getcwd(NULL, 0);
    snprintf(folder, sizeof folder, "%s/program-XXXXXX", here);
    free(here);
    cr_assert(mkdtemp(folder));
    cr_assert(realpath(EXECUTABLE_SHELL, shell));
}

static void remove_folder(void)
{
    char *command = xasprintf("rm -r '%s'", folder);
    cr_assert_eq(system(command), 0);
    free(command);
}

TestSuite(program, .init = make_folder, .fini = remove_folder);

/* Until the next call but three. */
static const char *path_of(const char *name)
{
    static char paths[4][PATH_MAX + 32];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static const char *make(const char *name, mode_t mode, const void *bytes, size_t size)
{
    const char *path = path_of(name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    cr_assert(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    close(fd);
    return path;
}

static const char *make_script(const char *name, const char *text)
{
    return make(name, 0755, text, strlen(text));
}

static enum obstacle probe(const char *command)
{
    char *const none[] = {NULL};
    if (program_search(command, none, &program))
        program_probe(&program);
    return program.obstacle;
}

/* The errno with which the kernel refuses to execute the file, or 0. */
static int refusal(const char *path)
{
    pid_t child;
    char *const argv[] = {(char *)(uintptr_t)path, NULL}, *const envp[] = {NULL};
    int error = posix_spawn(&child, path, NULL, NULL, argv, envp);
    if (!error)
        waitpid(child, NULL, 0);
    return error;
}

/* Valgrind executes whatever it is given: itself, which then says what is wrong. */
static bool is_under_valgrind(void)
{
    const char *list = getenv("LD_PRELOAD");
    return list && strstr(list, "/vgpreload_");
}

static void expect(const char *path, enum obstacle obstacle, int error, const char *words)
{
    cr_expect_eq(probe(path), obstacle, "%s: obstacle %d", path, program.obstacle);
    cr_expect(is_under_valgrind() || refusal(path) == error, "%s: the kernel says %d", path,
              refusal(path));
    char *text = obstacle_text(&program);
    cr_expect(text ? words && strstr(text, words) != NULL : !words, "%s: %s", path, text);
    free(text);
}

Test(program, follows_scripts_as_deep_as_the_kernel_does)
{
    const char *before = "/bin/sh";
    for (size_t depth = 1; depth <= EXECUTABLE_MAX_INTERPRETERS + 1; depth++) {
        char name[32], text[PATH_MAX + 64];
        snprintf(name, sizeof name, "script%zu", depth);
        snprintf(text, sizeof text, "#! \t%s  -e\n", before);
        before = make_script(name, text);
        bool too_deep = depth > EXECUTABLE_MAX_INTERPRETERS;
        expect(before, too_deep ? OBSTACLE_TOO_DEEP : OBSTACLE_NONE, too_deep ? ELOOP : 0,
               too_deep ? "without end" : NULL);
        if (too_deep)
            break;
        cr_expect_eq(program.interpreter_count, depth);
        cr_expect_str_eq(program.interpreters[depth - 1], "/bin/sh");
        cr_expect_str_eq(program.argument, "-e");
        cr_expect_str_eq(program.executable, shell);
        cr_expect_eq(program.loader[0], '/');
    }
}

Test(program, names_what_the_kernel_misses)
{
    expect(make_script("gone", "#! /no/such/shell -e\n"), OBSTACLE_NO_INTERPRETER, ENOENT,
           "gone: its interpreter /no/such/shell is not there");
    expect(make_script("windows", "#!/bin/sh\r\n"), OBSTACLE_CARRIAGE_RETURN, ENOENT, "dos2unix");
    char text[PATH_MAX + 8];
    snprintf(text, sizeof text, "#!%s\n", path_of("gone"));
    expect(make_script("via", text), OBSTACLE_NO_INTERPRETER, ENOENT, "/gone: its interpreter");
    expect(path_of("missing"), OBSTACLE_NOT_FOUND, ENOENT, "missing: command not found");
    expect(path_of("gone/x"), OBSTACLE_NOT_FOUND, ENOTDIR, "not found");
    expect(make("plain", 0644, "x", 1), OBSTACLE_NOT_EXECUTABLE, EACCES, "plain: Permission");
    expect(folder, OBSTACLE_FOLDER, EACCES, "is a directory");
}

Test(program, leaves_a_text_to_the_shell)
{
    cr_expect_eq(probe(make_script("text", "echo\n")), OBSTACLE_NONE);
    cr_expect(program.is_text);
    cr_expect_str_eq(program.executable, shell);
    cr_expect_eq(probe(make_script("empty", "")), OBSTACLE_NONE);
    cr_expect(program.is_text);
    expect(make("binary", 0755, "a\0b\nc", 5), OBSTACLE_NO_PROGRAM, ENOEXEC, "neither");
    expect(make_script("nobody", "#! \n"), OBSTACLE_NO_PROGRAM, ENOEXEC, "neither");
    cr_expect_not(program.is_text);
}

static uint8_t *read_own(size_t *size)
{
    return read_file("/proc/self/exe", SIZE_MAX, size);
}

Test(program, looks_at_the_head_of_an_elf_file)
{
    size_t size;
    uint8_t *own = read_own(&size);
    Elf64_Ehdr *header = (Elf64_Ehdr *)own;
    cr_expect_eq(probe(make("own", 0755, own, size)), OBSTACLE_NONE);
    cr_expect_str_eq(program.executable, path_of("own"));
    cr_expect_eq(program.machine, header->e_machine);
    expect(make("cut", 0755, own, 7), OBSTACLE_TRUNCATED, ENOEXEC, "truncated");
    expect(make("cut", 0755, own, 40), OBSTACLE_TRUNCATED, ENOEXEC, "truncated");
    own[EI_CLASS] = ELFCLASS32;
    cr_expect_eq(probe(make("class", 0755, own, size)), OBSTACLE_CLASS);
    own[EI_CLASS] = ELFCLASS64;
    own[EI_DATA] ^= 3;
    cr_expect_eq(probe(make("order", 0755, own, size)), OBSTACLE_MACHINE);
    own[EI_DATA] ^= 3;
    header->e_machine = EM_S390;
    cr_expect_eq(probe(make("machine", 0755, own, size)), OBSTACLE_MACHINE);
    header->e_machine = program.machine;
    free(own);
}

Test(program, looks_for_the_loader)
{
    size_t size;
    uint8_t *own = read_own(&size);
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)own;
    Elf64_Phdr *segments = (Elf64_Phdr *)(own + header->e_phoff), *interpreter = NULL;
    for (size_t i = 0; i < header->e_phnum; i++)
        if (segments[i].p_type == PT_INTERP)
            interpreter = &segments[i];
    cr_assert(interpreter);
    own[interpreter->p_offset + 1] = 'X';
    expect(make("foreign", 0755, own, size), OBSTACLE_NO_LOADER, ENOENT, "its loader /X");
    interpreter->p_type = PT_NULL;
    cr_expect_eq(probe(make("static", 0755, own, size)), OBSTACLE_STATIC);
    char *remedy = obstacle_remedy(&program);
    cr_expect(strstr(remedy, "from outside"));
    free(remedy);
    for (size_t i = 0; i < header->e_phnum; i++)
        if (segments[i].p_type == PT_DYNAMIC) /* with a name to be linked by, it is a loader */
            ((Elf64_Dyn *)(own + segments[i].p_offset))->d_tag = DT_SONAME;
    cr_expect_eq(probe(make("loader", 0755, own, size)), OBSTACLE_NONE);
    cr_expect_eq(program.loader[0], '\0');
    ((Elf64_Ehdr *)own)->e_phoff = (uint64_t)-48;
    cr_expect_eq(probe(make("away", 0755, own, size)), OBSTACLE_STATIC);
    free(own);
}

Test(program, gains_by_the_owner_of_the_file)
{
    size_t size;
    uint8_t *own = read_own(&size);
    const char *path = make("set-uid", 0755, own, size);
    free(own);
    cr_assert_eq(chmod(path, 04755), 0);
    cr_expect_eq(probe(path), OBSTACLE_NONE, "its owner gains nothing");
    cr_expect(program.set_uid && !program.set_gid && program.owner == getuid());
    if (getuid() != 0)
        return;
    cr_assert_eq(chown(path, 1, 2), 0);
    cr_assert_eq(chmod(path, 06755), 0);
    cr_expect_eq(probe(path), OBSTACLE_SET_ID);
    char *remedy = obstacle_remedy(&program);
    cr_expect(strstr(remedy, "record it as user 1, with group 2,"), "%s", remedy);
    free(remedy);
}

/* ---- PATH ---------------------------------------------------------------------------------- */

static enum obstacle find(const char *folders, const char *name)
{
    char path[4 * PATH_MAX];
    snprintf(path, sizeof path, "PATH=%s", folders);
    char *const envp[] = {path, NULL};
    program_search(name, envp, &program);
    return program.obstacle;
}

Test(program, is_the_first_in_path_that_may_be_executed)
{
    char folders[3 * PATH_MAX], expected[PATH_MAX + 32];
    mkdir(path_of("a"), 0755);
    mkdir(path_of("b"), 0755);
    mkdir(path_of("c"), 0755);
    mkdir(path_of("a/x"), 0755);
    make("b/x", 0644, "", 0);
    make("c/x", 0755, "", 0);
    make("b/y", 0644, "", 0);
    snprintf(folders, sizeof folders, "/nowhere:%s/a:%s/b:%s/c", folder, folder, folder);
    cr_expect_eq(find(folders, "x"), OBSTACLE_NONE);
    snprintf(expected, sizeof expected, "%s/c/x", folder);
    cr_expect_str_eq(program.path, expected);
    cr_expect_eq(find(folders, "y"), OBSTACLE_NOT_EXECUTABLE);
    cr_expect_str_eq(program.path, path_of("b/y"));
    cr_expect_eq(find(folders, "z"), OBSTACLE_NOT_FOUND);
    cr_expect_str_eq(program.path, "z");
}

Test(program, an_empty_folder_of_path_is_the_current_one)
{
    cr_assert_eq(chdir(folder), 0);
    make("x", 0755, "", 0);
    const char *const folders[] = {"", ":/nowhere", "/nowhere:", "/nowhere::/nowhere"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        cr_expect_eq(find(folders[i], "x"), OBSTACLE_NONE, "PATH=%s", folders[i]);
        cr_expect_str_eq(program.path, "./x");
    }
    char far[2 * PATH_MAX];
    memset(far, 'x', sizeof far);
    far[sizeof far - 1] = '\0';
    cr_expect_eq(find(far, "x"), OBSTACLE_NOT_FOUND);
    cr_expect_eq(find("", far), OBSTACLE_NOT_FOUND);
    cr_assert_eq(chdir(".."), 0);
}
