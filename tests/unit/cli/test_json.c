#include "cli/json.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static void expect(const char *text, const char *json)
{
    char *printed = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&printed, &size);
    json_text(&(struct json){.stream = stream}, NULL, text);
    fclose(stream);
    cr_assert_str_eq(printed, json);
    free(printed);
}

Test(json, ordinary_text_is_quoted)
{
    expect("", "\"\"");
    expect("/usr/lib/x.so", "\"/usr/lib/x.so\"");
    expect("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8e\x88",
           "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8e\x88\"");
}

Test(json, what_must_be_is_escaped)
{
    expect("\"\\", "\"\\\"\\\\\"");
    expect("\n\t\r\x01\x1f\x7f", "\"\\u000a\\u0009\\u000d\\u0001\\u001f\\u007f\"");
}

Test(json, what_is_no_utf8_becomes_the_replacement_character)
{
    expect("\xff", "\"\\ufffd\"");
    expect("a\x80z", "\"a\\ufffdz\"");
    expect("\xc3", "\"\\ufffd\"");
    expect("\xc3\"", "\"\\ufffd\\\"\"");
    expect("\xe2\x82", "\"\\ufffd\\ufffd\"");
    expect("\xf0\x9f\x8e", "\"\\ufffd\\ufffd\\ufffd\"");
}

Test(json, overlong_forms_surrogates_and_what_lies_beyond_are_no_utf8)
{
    expect("\xc0\xaf", "\"\\ufffd\\ufffd\"");
    expect("\xc1\xbf", "\"\\ufffd\\ufffd\"");
    expect("\xe0\x9f\xbf", "\"\\ufffd\\ufffd\\ufffd\"");
    expect("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"");
    expect("\xf0\x8f\xbf\xbf", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
    expect("\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
    expect("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf",
           "\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"");
}

Test(json, commas_and_brackets_are_its_own)
{
    char *printed = NULL, word[] = "a", *const words[] = {word, word};
    size_t size = 0;
    struct json out = {.stream = open_memstream(&printed, &size)};
    json_open(&out, NULL, '{');
    json_print(&out, "version %d share %.1f of %.1f", 1, 0.5, 0.0 / 0.0);
    json_open(&out, "files", '[');
    json_break_line(&out);
    json_object(&out, NULL, "offset %d", 1);
    json_break_line(&out);
    json_open(&out, NULL, '{');
    json_close(&out, "}]");
    json_text(&out, "none", NULL);
    json_texts(&out, "words", words, 2);
    json_decimals(&out, "ms", (const double[]){1, 2.5}, 2);
    json_print(&out, "is %s", json_bool(true));
    json_close(&out, "}\n");
    fclose(out.stream);
    cr_expect_str_eq(printed,
                     "{\"version\":1,\"share\":0.5,\"of\":null,\"files\":[{\"offset\":1},\n{}],"
                     "\"none\":null,\"words\":[\"a\",\"a\"],"
                     "\"ms\":[1.0000,2.5000],\"is\":true}\n");
    free(printed);
}
