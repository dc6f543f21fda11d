/*
 * Lines of /proc/PID/maps: see also tests/regress/test_maps_line.c.
 */
#include "trace/maps.h"

#include <criterion/criterion.h>
#include <string.h>

static bool parse(const char *text, struct mapping *out)
{
    static char line[256];
    strcpy(line, text);
    return maps_parse(line, (uint32_t)strlen(line), out);
}

Test(mapping, reads_a_mapped_file)
{
    struct mapping mapping;
    cr_assert(parse("7f3a10000000-7f3a10021000 r--p 00001000 fe:00 1234                       "
                    "/usr/lib/a b\\012c.so (deleted)",
                    &mapping));
    cr_expect_eq(mapping.start, 0x7f3a10000000);
    cr_expect_eq(mapping.end, 0x7f3a10021000);
    cr_expect_eq(mapping.offset, 0x1000);
    cr_expect_eq(mapping.inode, 1234);
    cr_expect_eq(mapping.device, 0xfe00);
    cr_expect_not(mapping.executable);
    cr_expect_eq(mapping.path_length, strlen(mapping.path));
    cr_expect_str_eq(mapping.path, "/usr/lib/a b\nc.so (deleted)");
}

Test(mapping, refuses_what_maps_no_file)
{
    static const char *const lines[] = {
        "",
        "7ffc0-7ffd0 rw-p 00000000 00:00 0   [stack]",
        "7ffc0-7ffd0 rw-p 00000000 00:00 0 ",
        "7ffc0-7ffd0 rw-s 00000000 00:0d 77   anon_inode:[perf_event]",
        "7ffd0-7ffc0 r--p 00000000 fe:00 1 /lib/backwards.so",
        "7ffc0-7ffd0 r--p 00000000 fe:00",
        "lib r--p 00000000 fe:00 1 /lib/a.so",
    };
    struct mapping mapping;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        cr_expect_not(parse(lines[i], &mapping), "%s", lines[i]);
}
