/*
 * json.c: see json.h.
 */
#include "cli/json.h"

#include "base/text.h"

#include <stdarg.h>
#include <string.h>

static void print_string(FILE *stream, const char *text)
{
    fputc('"', stream);
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        size_t length = text_utf8_length((const char *)at);
        if (length == 0) {
            fputs("\\ufffd", stream);
            length = 1;
        } else if (*at == '"' || *at == '\\') {
            fprintf(stream, "\\%c", *at);
        } else if (*at < 0x20 || *at == 0x7f) {
            fprintf(stream, "\\u%04x", *at);
        } else {
            fwrite(at, 1, length, stream);
        }
        at += length;
    }
    fputc('"', stream);
}

/* What stands before a value. */
static void begin(struct json *out, const char *key)
{
    if (out->needs_comma)
        fputc(',', out->stream);
    if (key)
        fprintf(out->stream, "\"%s\":", key);
    out->needs_comma = true;
}

void json_open(struct json *out, const char *key, char bracket)
{
    begin(out, key);
    fputc(bracket, out->stream);
    out->needs_comma = false;
}

void json_close(struct json *out, const char *brackets)
{
    fputs(brackets, out->stream);
    out->needs_comma = true;
}

void json_break_line(struct json *out)
{
    if (out->needs_comma)
        fputs(",\n", out->stream);
    out->needs_comma = false;
}

void json_text(struct json *out, const char *key, const char *text)
{
    begin(out, key);
    if (text)
        print_string(out->stream, text);
    else
        fputs("null", out->stream);
}

void json_texts(struct json *out, const char *key, char *const *texts, size_t count)
{
    json_open(out, key, '[');
    for (size_t i = 0; i < count; i++)
        json_text(out, NULL, texts[i]);
    json_close(out, "]");
}

void json_decimals(struct json *out, const char *key, const double *numbers, size_t count)
{
    json_open(out, key, '[');
    for (size_t i = 0; i < count; i++) {
        begin(out, NULL);
        fprintf(out->stream, "%.4f", numbers[i]);
    }
    json_close(out, "]");
}

static void print_pairs(struct json *out, const char *format, va_list arguments)
{
    char text[1024], *rest = text;
    vsnprintf(text, sizeof text, format, arguments);
    for (char *key, *value; (key = strsep(&rest, " ")) && (value = strsep(&rest, " "));) {
        begin(out, key);
        bool is_finite = !strstr(value, "nan") && !strstr(value, "inf");
        fputs(is_finite ? value : "null", out->stream);
    }
}

void json_print(struct json *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_pairs(out, format, arguments);
    va_end(arguments);
}

void json_object(struct json *out, const char *key, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    json_open(out, key, '{');
    print_pairs(out, format, arguments);
    json_close(out, "}");
    va_end(arguments);
}
