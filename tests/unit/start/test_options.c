#include "start/options.h"

#include <criterion/criterion.h>
#include <string.h>

static struct options read_one(const char *variable)
{
    char *const envp[] = {(char[]){"PATH=/bin"}, strdup(variable), (char[]){"COLDBOOSTER=off"},
                          NULL};
    struct options options;
    options_read(envp, &options);
    options.others = NULL; /* where the block was */
    return options;        /* texts point into the block: it is not freed */
}

Test(options, have_defaults)
{
    char *const nothing[] = {NULL};
    char *const *const blocks[] = {nothing, NULL};
    for (size_t i = 0; i < 2; i++) {
        struct options options;
        memset(&options, 0x55, sizeof options);
        options_read(blocks[i], &options);
        cr_assert_eq(options.enabled, SWITCH_AUTO);
        cr_assert_eq(options.mode, OPTIONS_MODE_AUTO);
        cr_assert_eq(options.crc32, 1);
        cr_assert_eq(options.verbose, 0);
        cr_assert_eq(options.workers, 0);
        cr_assert_eq(options.holdout, 0);
        cr_assert_null(options.telemetry);
        cr_assert_eq(options.budget_bytes, BUDGET_BY_MEMORY);
        cr_assert_null(options.profile);
        cr_assert_null(options.record);
        cr_assert_null(options.not_understood);
        cr_assert_null(options.others);
    }
}

Test(options, read_every_choice)
{
    cr_assert_eq(read_one("COLDBOOST=off").enabled, SWITCH_OFF);
    cr_assert_eq(read_one("COLDBOOST=auto").enabled, SWITCH_AUTO);
    cr_assert_eq(read_one("COLDBOOST=force").enabled, SWITCH_FORCE);
    cr_assert_eq(read_one("COLDBOOST_MODE=thread").mode, MODE_THREAD);
    cr_assert_eq(read_one("COLDBOOST_MODE=process").mode, MODE_PROCESS);
    cr_assert_eq(read_one("COLDBOOST_MODE=fork").mode, MODE_PROCESS);
    cr_assert_eq(read_one("COLDBOOST_MODE=sync").mode, MODE_SYNC);
    cr_assert_eq(read_one("COLDBOOST_CRC32=off").crc32, 0);
    cr_assert_eq(read_one("COLDBOOST_CRC32=on").crc32, 1);
    cr_assert_eq(read_one("COLDBOOST_VERBOSE=1").verbose, 1);
    cr_assert_eq(read_one("COLDBOOST_WORKERS=16").workers, 16);
    cr_assert_eq(read_one("COLDBOOST_HOLDOUT=100").holdout, 100);
    cr_assert_str_eq(read_one("COLDBOOST_TELEMETRY=emf").telemetry, "emf");
    cr_assert_str_eq(read_one("COLDBOOST_PROFILE=/a=b").profile, "/a=b");
    cr_assert_str_eq(read_one("COLDBOOST_RECORD=log").record, "log");
}

Test(options, accept_the_usual_spellings)
{
    static const char *const off[] = {"off", "OFF", "Off", "0", "no", "NO", "false", "False"};
    static const char *const on[] = {"on", "ON", "1", "yes", "true"};
    char variable[40];
    for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
        strcat(strcpy(variable, "COLDBOOST="), off[i]);
        cr_assert_eq(read_one(variable).enabled, SWITCH_OFF, "%s", off[i]);
        strcat(strcpy(variable, "COLDBOOST_CRC32="), off[i]);
        cr_assert_eq(read_one(variable).crc32, 0, "%s", off[i]);
    }
    for (size_t i = 0; i < sizeof on / sizeof *on; i++) {
        strcat(strcpy(variable, "COLDBOOST="), on[i]);
        cr_assert_eq(read_one(variable).enabled, SWITCH_AUTO, "%s", on[i]);
        strcat(strcpy(variable, "COLDBOOST_VERBOSE="), on[i]);
        cr_assert_eq(read_one(variable).verbose, 1, "%s", on[i]);
    }
    cr_assert_eq(read_one("COLDBOOST=Force").enabled, SWITCH_FORCE);
    cr_assert_eq(read_one("COLDBOOST_MODE=PROCESS").mode, MODE_PROCESS);
}

Test(options, read_bytes_with_and_without_a_unit)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {{"0", 0},
                 {"1", 1},
                 {"4096", 4096},
                 {"3K", 3u << 10},
                 {"3k", 3u << 10},
                 {"3kB", 3u << 10},
                 {"64M", 64u << 20},
                 {"64MiB", 64u << 20},
                 {"64mb", 64u << 20},
                 {"7B", 7},
                 {"5G", UINT64_C(5) << 30},
                 {"18446744073709551615", UINT64_MAX},
                 {"17179869183G", UINT64_C(17179869183) << 30}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char variable[80] = "COLDBOOST_BUDGET=";
        struct options options = read_one(strcat(variable, cases[i].text));
        cr_assert_eq(options.budget_bytes, cases[i].bytes, "%s", cases[i].text);
        cr_assert_null(options.not_understood, "%s", cases[i].text);
    }
}

Test(options, count_what_they_cannot_understand_and_keep_the_default)
{
    static const char *const wrong[] = {
        "COLDBOOST=",
        "COLDBOOST=of",
        "COLDBOOST=offf",
        "COLDBOOST=o",
        "COLDBOOST=no false",
        "COLDBOOST= off",
        "COLDBOOST=forced",
        "COLDBOOST_MODE=threads",
        "COLDBOOST_MODE= fork",
        "COLDBOOST_CRC32=2",
        "COLDBOOST_VERBOSE=2",
        "COLDBOOST_VERBOSE=very",
        "COLDBOOST_WORKERS=17",
        "COLDBOOST_WORKERS=-1",
        "COLDBOOST_WORKERS=4294967296",
        "COLDBOOST_WORKERS=4K",
        "COLDBOOST_WORKERS=",
        "COLDBOOST_HOLDOUT=101",
        "COLDBOOST_HOLDOUT=5%",
        "COLDBOOST_BUDGET=",
        "COLDBOOST_BUDGET=K",
        "COLDBOOST_BUDGET=1T",
        "COLDBOOST_BUDGET=1KBB",
        "COLDBOOST_BUDGET=1Ki",
        "COLDBOOST_BUDGET=1 K",
        "COLDBOOST_BUDGET=1.5G",
        "COLDBOOST_BUDGET=-1",
        "COLDBOOST_BUDGET=18446744073709551616",
        "COLDBOOST_BUDGET=17179869184G",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct options options = read_one(wrong[i]);
        cr_assert_str_eq(options.not_understood, wrong[i]);
        options.not_understood = NULL;
        struct options defaults = read_one("X=");
        cr_assert_eq(memcmp(&options, &defaults, sizeof options), 0, "%s changed one", wrong[i]);
    }
}

Test(options, an_empty_text_is_no_text)
{
    cr_assert_null(read_one("COLDBOOST_PROFILE=").profile);
    cr_assert_null(read_one("COLDBOOST_PROFILE=").not_understood);
}

Test(options, other_variables_are_none_of_theirs)
{
    static const char *const others[] = {"COLDBOOST",
                                         "COLDBOOST_",
                                         "COLDBOOST_X=1",
                                         "coldboost=off",
                                         "COLDBOOS=off",
                                         "XCOLDBOOST=off",
                                         "COLDBOOST_MODES=fork",
                                         "=COLDBOOST=off",
                                         ""};
    struct options defaults = read_one("X=");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct options options = read_one(others[i]);
        cr_assert_eq(memcmp(&options, &defaults, sizeof options), 0, "%s", others[i]);
    }
}

Test(options, the_table_is_whole)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];
        cr_assert_lt(row->offset, sizeof(struct options));
        cr_assert_eq(row->choices[0] != NULL, row->kind == OPTION_CHOICE, "%s", row->name);
        cr_assert_eq(row->max != 0, row->kind == OPTION_NUMBER, "%s", row->name);
        for (size_t j = 0; j < i; j++)
            cr_assert(option_table[j].offset != row->offset, "%s shares a field", row->name);
    }
}

Test(options, environment_get_finds_whole_names)
{
    char *const envp[] = {(char[]){"AB=1"}, (char[]){"A=2"}, (char[]){"A=3"}, (char[]){"E="}, NULL};
    cr_assert_str_eq(environment_get(envp, "A"), "2");
    cr_assert_str_eq(environment_get(envp, "AB"), "1");
    cr_assert_str_eq(environment_get(envp, "E"), "");
    cr_assert_null(environment_get(envp, "B"));
    cr_assert_null(environment_get(envp, "ABC"));
    cr_assert_null(environment_get(NULL, "A"));
}

Test(options, finds_variables_of_ours_that_are_none)
{
    char *const envp[] = {(char[]){"COLDBOOST=off"}, (char[]){"COLDBOOST_B=1"}, (char[]){"A=2"},
                          (char[]){"COLDBOOST_C=3"}, NULL};
    char *const nothing[] = {envp[0], envp[2], NULL};
    struct options options;
    options_read(envp, &options);
    cr_assert_str_eq(options_other(&options, "COLDBOOST_B"), "1");
    cr_assert_str_eq(options_other(&options, "COLDBOOST_C"), "3");
    cr_assert_null(options_other(&options, "COLDBOOST_D"));
    options_read(nothing, &options);
    cr_assert_null(options_other(&options, "COLDBOOST_B"));
}
