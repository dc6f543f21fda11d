#include "start/children.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <string.h>

Test(children, takes_us_out_of_the_preloaded_objects)
{
    static const struct {
        char before[64], after[64];
    } cases[] = {
        {"/opt/lib/libcoldboost.so", ""},
        {"libcoldboost.so", ""},
        {"libcoldboost.so:/opt/lib/libcoldboost.so", ""},
        {" :libcoldboost.so: ", ""},
        {"/opt/lib/libcoldboost.so:/a.so", "/a.so"},
        {"/a.so /opt/lib/libcoldboost.so", "/a.so"},
        {"/a.so:/opt/lib/libcoldboost.so /b.so:/c.so", "/a.so /b.so:/c.so"},
        {"/b.so : /a.so: libcoldboost.so", "/b.so : /a.so"},
        {"/a.so", "/a.so"},
        {"notlibcoldboost.so:/libcoldboost.so.1", "notlibcoldboost.so:/libcoldboost.so.1"},
        {"/libcoldboost.so/a.so:coldboost.so", "/libcoldboost.so/a.so:coldboost.so"},
        {"LD_AUDIT=/a.so:/opt/lib/libcoldboost.so", "/a.so"},
        {"LD_AUDIT=/opt/lib/libcoldboost.so", ""},
        /* A blank separates objects to preload, and is part of an auditor's path. */
        {"LD_AUDIT=/a folder/libcoldboost.so:/b.so", "/b.so"},
        {"LD_AUDIT=libcoldboost.so /b.so", "libcoldboost.so /b.so"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool is_audit = strncmp(cases[i].before, "LD_AUDIT=", strlen("LD_AUDIT=")) == 0;
        const char *name = is_audit ? "LD_AUDIT=" : "LD_PRELOAD=";
        char list[96], first[] = "FIRST=libcoldboost.so", other[] = "XLD_PRELOAD=libcoldboost.so",
                       last[] = "LD_PRELOADED=libcoldboost.so";
        char *block[] = {first, list, other, last, NULL, first};
        strcpy(list, is_audit ? "" : name);
        strcat(list, cases[i].before);
        children_spare(block);
        size_t at = 0;
        cr_assert_eq(block[at++], first);
        if (*cases[i].after) {
            cr_assert_eq(block[at++], list);
            cr_assert_str_eq(list + strlen(name), cases[i].after, "%zu", i);
        }
        cr_assert_eq(block[at++], other);
        cr_assert_eq(block[at++], last);
        cr_assert_str_eq(other, "XLD_PRELOAD=libcoldboost.so");
        cr_assert_str_eq(last, "LD_PRELOADED=libcoldboost.so");
        while (at < 5)
            cr_assert_null(block[at++]);
        cr_assert_eq(block[5], first, "what follows the block");
    }
}
