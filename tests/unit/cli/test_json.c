#include "cli/json.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static void expect(const char *text, const char *json)
{
    char *printed = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&printed, &size);
    print_json_string(stream, text);
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
