/*
 * A trace with a call stack, of which no file could be kept, made stacks_make() search a table that
 * is not there: bsearch(NULL), which glibc forgives and the sanitizer does not. Found by
 * tests/fuzz/fuzz_trace.c.
 */
#include "../support/new_trace.h"
#include "convert/stacks.h"

enum { BYTES = 1 << 20 };

Test(stacks, of_a_recording_without_files)
{
    struct trace_header *trace = new_trace(BYTES);
    uint32_t process = trace_add_process(trace, 1, "/bin/one", 8);
    uint32_t file = trace_add_file(trace, 1, 2, "/tmp/gone", 9);
    const struct trace_frame frame = {.file = file, .offset = 64};
    trace_add_stack(trace, process, file, &frame, 1);
    const struct recording recording = {.file_count = 0};
    size_t size;
    cr_expect_null(stacks_make(trace, &recording, &size));
    cr_expect_eq(size, 0);
    munmap(trace, BYTES);
}
