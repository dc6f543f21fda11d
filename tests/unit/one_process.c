/*
 * one_process.c: stands in for libcriterion.so.3 where starting a program is slow.
 *
 * Criterion starts the program anew for each test, which under valgrind takes more than a second.
 * Here each test is a fork of a process that has run none: as isolated, and ten times as fast.
 * Knows what our tests use: fixtures, timeouts, skipping. Preferred to Criterion's by
 * LD_LIBRARY_PATH.
 */
#include <criterion/criterion.h>
#include <criterion/internal/asprintf-compat.h>
#include <criterion/options.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIPPED 77

struct criterion_options criterion_options;

static const struct criterion_test *running;
static const struct criterion_test_extra_data *suite; /* of the running test, or NULL */
static bool failed;

/* A section of the program, as Criterion's macros leave pointers in one. */
struct pointers {
    void *const *begin, *const *end;
};

static int first_base(struct dl_phdr_info *info, size_t size, void *base)
{
    (void)size;
    *(uintptr_t *)base = info->dlpi_addr;
    return 1;
}

static struct pointers section(const char *program, const char *name)
{
    struct pointers found = {NULL, NULL};
    uintptr_t base = 0;
    dl_iterate_phdr(first_base, &base);
    struct stat status;
    int fd = open(program, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0)
        return found;
    const uint8_t *file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (file == MAP_FAILED)
        return found;
    const ElfW(Ehdr) *header = (const void *)file;
    const ElfW(Shdr) *sections = (const void *)(file + header->e_shoff);
    const char *names = (const char *)file + sections[header->e_shstrndx].sh_offset;
    for (unsigned i = 0; i < header->e_shnum; i++)
        if (strcmp(names + sections[i].sh_name, name) == 0) {
            found.begin = (void *const *)(base + sections[i].sh_addr); /* NOLINT: an address */
            found.end = found.begin + sections[i].sh_size / sizeof *found.begin;
        }
    munmap((void *)(uintptr_t)file, (size_t)status.st_size);
    return found;
}

/*
 * What the macros of the tests call.
 */

void criterion_internal_test_setup(void)
{
    if (suite && suite->init)
        suite->init();
    if (running->data->init)
        running->data->init();
}

void criterion_internal_test_main(void (*test)(void))
{
    test();
}

void criterion_internal_test_teardown(void)
{
    if (running->data->fini)
        running->data->fini();
    if (suite && suite->fini)
        suite->fini();
}

void criterion_send_assert(struct criterion_assert_stats *assertion)
{
    fprintf(stderr, "%s/%s: %s:%u: %s\n", running->category, running->name, assertion->file,
            assertion->line, assertion->message);
}

void cri_asserts_passed_incr(void)
{
}

void criterion_continue_test(void)
{
    failed = true;
}

void criterion_abort_test(void)
{
    criterion_internal_test_teardown();
    exit(1);
}

void criterion_skip_test(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("skipped: %s/%s: ", running->category, running->name);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
    criterion_internal_test_teardown();
    exit(SKIPPED);
}

/* The condition follows the index, as text. */
char *cr_translate_assert_msg(int index, ...)
{
    (void)index;
    va_list arguments;
    va_start(arguments, index);
    const char *condition = va_arg(arguments, const char *);
    va_end(arguments);
    return strdup(condition ? condition : "");
}

int cr_asprintf(char **out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(out, format, arguments);
    va_end(arguments);
    return length;
}

void cr_asprintf_free(char *text)
{
    free(text);
}

/* In the child. */
_Noreturn static void run(const struct criterion_test *test, struct pointers suites)
{
    running = test;
    for (void *const *p = suites.begin; p < suites.end; p++) {
        const struct criterion_suite *candidate = *p;
        if (candidate && strcmp(candidate->name, test->category) == 0)
            suite = candidate->data;
    }
    double timeout = test->data->timeout > 0 ? test->data->timeout : suite ? suite->timeout : 0;
    alarm((unsigned)timeout * 10);
    test->test();
    exit(failed);
}

int main(int argc, char **argv)
{
    (void)argc;
    struct pointers tests = section(argv[0], "cr_tst"), suites = section(argv[0], "cr_sts");
    int done = 0, bad = 0;
    for (void *const *p = tests.begin; p < tests.end; p++) {
        const struct criterion_test *test = *p;
        if (!test)
            continue;
        fflush(stdout);
        pid_t child = fork();
        if (child == 0)
            run(test, suites);
        int status;
        if (child < 0 || waitpid(child, &status, 0) != child)
            return 2;
        bool good =
            WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == SKIPPED);
        if (!good)
            printf("failed: %s/%s: wait status %#x\n", test->category, test->name,
                   (unsigned)status);
        done++;
        bad += !good;
    }
    printf("%d tests, %d failed\n", done, bad);
    return bad || !done;
}
