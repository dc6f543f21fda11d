/*
 * test_watched.c: which programs are watched from outside, how one asks for it, and what the
 * watcher reads in /proc.
 */
#include "trace/image.h"
#include "trace/ready_request.h"
#include "trace/watched.h"
#include "watch/outside_calls.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOTES_AT = 1024, FILE_BYTES = 4096 };

static char folder[] = "watched-test.XXXXXX";
static char path[64];

/* A program of this machine: the first segment is loaded, the others are as said. */
static struct program {
    ElfW(Ehdr) header;
    ElfW(Phdr) segments[3];
} program;

static uint8_t file[FILE_BYTES];

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/program", folder);
    ElfW(Ehdr) own;
    int fd = open("/proc/self/exe", O_RDONLY);
    cr_assert_eq(read(fd, &own, sizeof own), (ssize_t)sizeof own);
    close(fd);
    own.e_phoff = offsetof(struct program, segments);
    own.e_phnum = 3;
    program.header = own;
    program.segments[0].p_type = PT_LOAD;
    memset(file, 0, sizeof file);
}

static void tear_down(void)
{
    unlink(path);
    rmdir(folder);
}

TestSuite(watched, .init = set_up, .fini = tear_down);

static bool asks_for_it(size_t bytes)
{
    memcpy(file, &program, sizeof program);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700);
    cr_assert_eq(write(fd, file, bytes), (ssize_t)bytes);
    close(fd);
    return image_makes_own_calls(path);
}

static void add_note(size_t at, const char *name, uint32_t name_bytes, uint32_t content_bytes)
{
    uint32_t words[3] = {name_bytes, content_bytes, 4};
    memcpy(file + NOTES_AT + at, words, sizeof words);
    strcpy((char *)file + NOTES_AT + at + sizeof words, name);
}

Test(watched, programs_without_a_loader)
{
    cr_expect(asks_for_it(FILE_BYTES));
    program.segments[1].p_type = PT_INTERP;
    cr_expect_not(asks_for_it(FILE_BYTES));
    cr_expect_not(image_makes_own_calls("/proc/self/exe"));
    cr_expect_not(image_makes_own_calls("/no/such/program"));
    cr_expect_not(image_makes_own_calls(folder));
}

Test(watched, no_program_of_this_machine)
{
    for (size_t bytes = 0; bytes < sizeof program; bytes++)
        cr_expect_not(asks_for_it(bytes), "cut to %zu bytes", bytes);
    program.header.e_machine ^= 1;
    cr_expect_not(asks_for_it(FILE_BYTES));
    program.header.e_machine ^= 1;
    program.header.e_ident[EI_CLASS] ^= 3;
    cr_expect_not(asks_for_it(FILE_BYTES));
    program.header.e_ident[EI_CLASS] ^= 3;
    program.header.e_phentsize++;
    cr_expect_not(asks_for_it(FILE_BYTES));
    program.header.e_phentsize--;
    program.header.e_phoff = UINT64_MAX - 8;
    cr_expect_not(asks_for_it(FILE_BYTES));
}

Test(watched, go_programs_that_have_a_loader)
{
    program.segments[1].p_type = PT_INTERP;
    program.segments[2] = (ElfW(Phdr)){.p_type = PT_NOTE, .p_offset = NOTES_AT, .p_filesz = 100};
    add_note(0, "GNU", 4, 20);
    cr_expect_not(asks_for_it(FILE_BYTES));
    add_note(36, "Go", 4, 80);
    cr_expect(asks_for_it(FILE_BYTES));
    program.segments[2].p_filesz = 36; /* it belongs to something else */
    cr_expect_not(asks_for_it(FILE_BYTES));
    program.segments[2].p_filesz = 100;
    add_note(0, "GNU", UINT32_MAX - 2, UINT32_MAX - 2);
    cr_expect_not(asks_for_it(FILE_BYTES));
    add_note(0, "GNU", 4, UINT32_MAX - 2);
    cr_expect_not(asks_for_it(FILE_BYTES));
    program.segments[2].p_filesz = UINT64_MAX;
    cr_expect_not(asks_for_it(NOTES_AT + 7));
}

Test(watched, dynamic_programs_that_need_no_library)
{
    ElfW(Dyn) entries[100] = {{.d_tag = DT_NULL}};
    for (size_t i = 0; i < 99; i++)
        entries[i].d_tag = DT_DEBUG;
    program.segments[1].p_type = PT_INTERP;
    program.segments[2] =
        (ElfW(Phdr)){.p_type = PT_DYNAMIC, .p_offset = NOTES_AT, .p_filesz = sizeof entries};
    memcpy(file + NOTES_AT, entries, sizeof entries);
    cr_expect(asks_for_it(FILE_BYTES));
    entries[80].d_tag = DT_NEEDED;
    memcpy(file + NOTES_AT, entries, sizeof entries);
    cr_expect_not(asks_for_it(FILE_BYTES));
    entries[70].d_tag = DT_NULL; /* the end: what follows is nothing */
    memcpy(file + NOTES_AT, entries, sizeof entries);
    cr_expect(asks_for_it(FILE_BYTES));
    program.segments[2].p_filesz = UINT64_MAX;
    cr_expect(asks_for_it(NOTES_AT + 7));
}

Test(watched, scripts_are_as_their_interpreters)
{
    char script[64], line[128];
    asks_for_it(FILE_BYTES);
    snprintf(script, sizeof script, "%s/script", folder);
    const struct {
        const char *before, *name, *after;
        bool expected;
    } forms[] = {
        {"#!", path, "", true},      {"#! \t", path, " x\n", true}, {"#!", path, "\r\n", false},
        {"#!", script, "\n", false}, {"#!", "", "\n", false},       {"#", path, "\n", false},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        snprintf(line, sizeof line, "%s%s%s", forms[i].before, forms[i].name, forms[i].after);
        int fd = open(script, O_WRONLY | O_CREAT | O_TRUNC, 0700);
        cr_assert_eq(write(fd, line, strlen(line)), (ssize_t)strlen(line));
        close(fd);
        cr_expect_eq(image_makes_own_calls(script), forms[i].expected, "%s", line);
    }
    unlink(script);
}

Test(watched, survives_any_bytes)
{
    unsigned seed = 1;
    for (int round = 0; round < 2000; round++) {
        for (size_t i = sizeof program; i < FILE_BYTES; i++)
            file[i] = (uint8_t)(rand_r(&seed) % 8);
        program.segments[1].p_type = PT_INTERP;
        program.segments[2] = (ElfW(Phdr)){
            .p_type = PT_NOTE,
            .p_offset = (size_t)rand_r(&seed) % FILE_BYTES,
            .p_filesz = (size_t)rand_r(&seed) % 2000,
        };
        asks_for_it((size_t)rand_r(&seed) % FILE_BYTES);
    }
}

Test(watched, position_of_a_descriptor)
{
    cr_expect_eq(outside_position("pos:\t0\nflags:\t0100000\n"), 0);
    cr_expect_eq(outside_position("pos:\t8589934592\nflags:\t0\n"), INT64_C(8589934592));
    cr_expect_eq(outside_position(""), -1);
    cr_expect_eq(outside_position("flags:\t0\n"), -1);
}

Test(watched, request_for_an_invocation)
{
    static const struct {
        const char *text;
        bool is;
    } cases[] = {
        {"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n", true},
        {"GET /x/runtime/invocation/next HTTP/1.1", true},
        {"POST /2018-06-01/runtime/invocation/next HTTP/1.1\r\n", false},
        {"GET /2018-06-01/runtime/invocation/1/response HTTP/1.1\r\n", false},
        {"GET /x HTTP/1.1\r\nX: /runtime/invocation/next\r\n", false},
        {"GET /runtime/invocation/nex", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(is_ready_request(cases[i].text, strlen(cases[i].text)), cases[i].is, "%s",
                     cases[i].text);
}

/* ---- asking and answering ---------------------------------------------------------------------
 */

static struct trace_header *shared;

static void set_up_trace(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(shared, MAP_FAILED);
}

TestSuite(asking, .init = set_up_trace, .timeout = 60);

static pid_t start_asking(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(-watched_begin(shared));
    return pid;
}

static int result_of(pid_t pid)
{
    int status = 0;
    cr_expect_eq(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
}

static uint32_t hear(void)
{
    uint32_t thread;
    while (!(thread = watched_asks(shared)))
        usleep(100);
    return thread;
}

Test(asking, is_heard_once_and_gets_its_answer)
{
    static const int answers[] = {0, EPERM, ESRCH};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        pid_t pid = start_asking();
        cr_expect_eq(hear(), (uint32_t)pid);
        cr_expect_eq(watched_asks(shared), 0);
        usleep(2000);
        cr_expect_eq(waitpid(pid, NULL, WNOHANG), 0, "waits for the answer");
        watched_answer(shared, 1, EACCES); /* for somebody else */
        watched_answer(shared, (uint32_t)pid, answers[i]);
        cr_expect_eq(result_of(pid), answers[i]);
        cr_expect_eq(shared->asks, 0);
    }
}

Test(asking, one_after_the_other)
{
    enum { COUNT = 8 };
    pid_t pids[COUNT];
    for (int i = 0; i < COUNT; i++)
        pids[i] = start_asking();
    for (int i = 0; i < COUNT; i++) {
        uint32_t thread = hear();
        watched_answer(shared, thread, (int)(thread % 100) + 1);
    }
    for (int i = 0; i < COUNT; i++)
        cr_expect_eq(result_of(pids[i]), pids[i] % 100 + 1);
}

static bool all_are_gone(uint32_t thread)
{
    return thread != 0;
}

static bool none_is_gone(uint32_t thread)
{
    return thread == 0;
}

/* Its request would stand in the way of all others, heard or not, answered or not. */
Test(asking, makes_room_when_it_is_killed)
{
    for (int heard = 0; heard < 3; heard++) {
        pid_t pid = start_asking();
        while (!shared->asks)
            usleep(100);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        if (heard)
            cr_expect_eq(watched_asks(shared), (uint32_t)pid);
        if (heard == 2)
            watched_answer(shared, (uint32_t)pid, 0);
        watched_forget(shared, none_is_gone);
        cr_expect_neq(shared->asks, 0);
        watched_forget(shared, all_are_gone);
        cr_expect_eq(shared->asks, 0);
    }
}

Test(asking, is_not_watched_when_it_was_taken_for_gone)
{
    pid_t pid = start_asking();
    hear();
    watched_forget(shared, all_are_gone);
    cr_expect_eq(result_of(pid), ESRCH);
}

Test(asking, gives_up_when_nobody_listens)
{
    cr_expect_eq(result_of(start_asking()), ETIMEDOUT);
    cr_expect_eq(shared->asks, 0);
}
