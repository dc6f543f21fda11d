#include "replay/last_thread.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* A line with a state, flags, a number of threads and an exit code, and a name that could be
 * misread. */
static struct first_thread parse_flags(char state, unsigned flags, unsigned threads, unsigned code)
{
    char line[600];
    int n = snprintf(line, sizeof line,
                     "77 (a ) Z 9 (b)) %c 1 77 77 0 -1 %u 1 2 3 4 5 6 7 8 20 0 %u 0 5 6 7 8 9 "
                     "10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 "
                     "%u\n",
                     state, flags, threads, code);
    return first_thread_parse(line, (size_t)n);
}

static struct first_thread parse(char state, unsigned threads, unsigned code)
{
    return parse_flags(state, 4194304, threads, code);
}

Test(last_thread, sees_nothing_in_a_thread_that_lives)
{
    struct first_thread ended = parse('S', 2, 0x400);
    cr_assert(ended.exit_status == 0 && ended.signal == 0);
    ended = first_thread_read();
    cr_assert(ended.exit_status == 0 && ended.signal == 0);
}

Test(last_thread, ends_as_the_first_one_did)
{
    struct first_thread ended = parse('Z', 2, 0x400);
    cr_assert(ended.exit_status == 4 && ended.signal == 0);
    ended = parse('Z', 5, 0xff00);
    cr_assert(ended.exit_status == 255 && ended.signal == 0);
    ended = parse('Z', 2, 9);
    cr_assert(ended.exit_status == 0 && ended.signal == 9);
    ended = parse('Z', 2, 0x80 | 31);
    cr_assert(ended.exit_status == 0 && ended.signal == 31);
}

Test(last_thread, is_ending_until_it_has_ended)
{
    enum { EXITING = 4194304 | 4 }; /* PF_EXITING */
    struct first_thread ended = parse_flags('R', EXITING, 2, 0);
    cr_assert(ended.is_ending && ended.exit_status == 0 && ended.signal == 0);
    ended = parse_flags('Z', EXITING, 2, 31);
    cr_assert(!ended.is_ending && ended.signal == 31);
    cr_assert(!parse('S', 2, 0).is_ending);
}

Test(last_thread, kills_nobody_else)
{
    struct first_thread ended = parse('Z', 3, 9);
    cr_assert(ended.exit_status == 0 && ended.signal == 0);
}

Test(last_thread, understands_any_bytes)
{
    static const char *const lines[] = {"",
                                        ")",
                                        "))",
                                        ") Z",
                                        "1 (a) Z 1 2",
                                        "1 (a Z 1 2 3",
                                        ") Z 99999999999999999999999 9 9 9 9 9 9 9 9 9 9 9 9 9 9"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct first_thread ended = first_thread_parse(lines[i], strlen(lines[i]));
        cr_assert(ended.exit_status == 0 && ended.signal == 0, "%s", lines[i]);
    }
}
