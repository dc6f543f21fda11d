/*
 * A recorded program wrote over the trace that it shares with the others (a wild pointer is
 * enough). A slot of the table of files, or the header's idea of where the records end, then named
 * a place beyond the mapping, and whoever looked next died of it: another recorded program in its
 * own open(), or coldboost record with all that it had seen. Found by tests/fuzz/fuzz_trace.c.
 */
#include "../support/new_trace.h"
#include "convert/trace_records.h"

enum { BYTES = 4 << 20 };

static struct trace_header *trace;
static uint32_t file;

static void set_up(void)
{
    trace = new_trace(BYTES);
    file = trace_add_file(trace, 1, 2, "/usr/lib/libc.so.6", 18);
    cr_assert_eq(trace_find_file(trace, 1, 2), file);
}

static void tear_down(void)
{
    munmap(trace, BYTES);
}

TestSuite(trace_header, .init = set_up, .fini = tear_down);

Test(trace_header, slots_that_name_no_record_lead_nowhere)
{
    static const uint32_t names[] = {1, TRACE_FIRST_UNIT - 1, BYTES / TRACE_UNIT - 1,
                                     BYTES / TRACE_UNIT, UINT32_MAX};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        for (size_t i = 0; i < TRACE_SLOTS; i++)
            trace->slots[i] = names[n];
        cr_expect_eq(trace_find_file(trace, 1, 2), 0, "%u", names[n]);
    }
}

Test(trace_header, records_go_where_there_is_room)
{
    static const uint64_t ends[] = {0, TRACE_FIRST_UNIT - 1, BYTES / TRACE_UNIT, UINT32_MAX,
                                    UINT64_MAX};
    trace->bytes = UINT64_MAX;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        trace->next_unit = ends[i];
        cr_expect_eq(trace_add_file(trace, 1, 3, "/usr/lib/libm.so.6", 18), 0, "%ju",
                     (uintmax_t)ends[i]);
    }
    cr_expect_eq(trace->lost, sizeof ends / sizeof *ends);
}

Test(trace_header, a_reader_ends_where_the_trace_does)
{
    trace->bytes = UINT64_MAX;
    trace->next_unit = UINT64_MAX;
    cr_expect_eq(trace_end(trace), BYTES / TRACE_UNIT);
    struct trace_cursor at = {0};
    cr_assert_eq(trace_next(trace, TRACE_FILE, &at), (const void *)trace_file_at(trace, file));
    cr_expect_null(trace_next(trace, TRACE_FILE, &at));
}
