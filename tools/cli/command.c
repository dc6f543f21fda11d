/*
 * command.c: messages, memory and files for the sub-commands.
 */
#include "cli/command.h"

#include "base/text.h"
#include "cli/installation.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_TEXT_BYTES ((size_t)64 << 20)

static void print_line_to(FILE *stream, const char *format, va_list arguments)
{
    char *text;
    if (vasprintf(&text, format, arguments) >= 0) {
        print_escaped(stream, text);
        free(text);
    }
    fputc('\n', stream);
}

void print_line(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_line_to(stdout, format, arguments);
    va_end(arguments);
}

static void say(const char *command, const char *format, va_list arguments)
{
    fflush(stdout);
    fprintf(stderr, "coldboost%s%s: ", command ? " " : "", command ? command : "");
    print_line_to(stderr, format, arguments);
}

void warn(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(NULL, format, arguments);
    va_end(arguments);
}

void fail(int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(NULL, format, arguments);
    va_end(arguments);
    exit(code);
}

void fail_usage(const char *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(command, format, arguments);
    va_end(arguments);
    fail_usage_hint(command);
}

void fail_usage_hint(const char *command)
{
    fprintf(stderr, "Try 'coldboost %s --help'.\n", command);
    exit(EXIT_USAGE);
}

/* C1 control characters are two bytes of UTF-8. */
static bool is_control(const char *text)
{
    unsigned char byte = (unsigned char)*text;
    return byte < 0x20 || byte == 0x7f || (byte == 0xc2 && (unsigned char)text[1] < 0xa0);
}

char *escape(const char *text)
{
    char *result = xmalloc(4 * strlen(text) + 1), *out = result;
    while (*text) {
        size_t length = text_utf8_length(text);
        if (*text == '\n') {
            out = stpcpy(out, "\\n");
            text++;
        } else if (*text == '\\') {
            out = stpcpy(out, "\\\\");
            text++;
        } else if (length == 0 || is_control(text)) {
            for (size_t i = 0; i < (length ? length : 1); i++)
                out += sprintf(out, "\\x%02x", (unsigned char)*text++);
        } else {
            out = mempcpy(out, text, length);
            text += length;
        }
    }
    *out = '\0';
    return result;
}

void print_escaped(FILE *stream, const char *text)
{
    char *escaped = escape(text);
    fputs(escaped, stream);
    free(escaped);
}

struct size_text size_text(uint64_t bytes)
{
    struct size_text size;
    if (bytes < 1 << 10)
        snprintf(size.text, sizeof size.text, "%u B", (unsigned)bytes);
    else if (bytes < 1 << 20)
        snprintf(size.text, sizeof size.text, "%.0f KiB", (double)bytes / (1 << 10));
    else
        snprintf(size.text, sizeof size.text, "%.1f MiB", (double)bytes / (1 << 20));
    return size;
}

struct hex_text hex_text(const uint8_t *bytes, size_t size)
{
    struct hex_text hex = {""};
    for (size_t i = 0; i < size && 2 * i < sizeof hex.text - 1; i++)
        sprintf(hex.text + 2 * i, "%02x", bytes[i]);
    return hex;
}

double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

void finish_output(void)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        fail(EXIT_FAILED, "cannot write to standard output: %s", strerror(errno));
}

void print_help(const char *help)
{
    fputs(help, stdout);
    finish_output();
    exit(EXIT_SUCCESS);
}

int next_option(int argc, char **argv, const char *letters, const struct option *options,
                const char *help)
{
    int c = getopt_long(argc, argv, letters, options, NULL);
    if (c == 'h')
        print_help(help);
    const char *name = text_after(argv[0], "coldboost ");
    if (c == '?')
        fail_usage_hint(name ? name : argv[0]);
    return c;
}

void *xrealloc(void *memory, size_t bytes)
{
    void *result = realloc(memory, bytes ? bytes : 1);
    if (!result)
        fail(EXIT_FAILED, "out of memory (%zu bytes)", bytes);
    return result;
}

void *xmalloc(size_t bytes)
{
    return xrealloc(NULL, bytes);
}

char *xstrdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(xmalloc(bytes), text, bytes);
}

char *xasprintf(const char *format, ...)
{
    char *text;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        fail(EXIT_FAILED, "out of memory");
    return text;
}

char *look_for_component(const char *name)
{
    char path[INSTALLATION_PATH_BYTES];
    const char *called = (const char *)getauxval(AT_EXECFN); /* NOLINT(*-int-to-ptr) */
    return installation_find(called, name, path) || installation_find_object(called, name, path)
               ? realpath(path, NULL)
               : NULL;
}

char *find_component(const char *name)
{
    char *found = look_for_component(name);
    if (!found)
        fail(EXIT_FAILED,
             "%s is neither in the tool's build tree nor in ../" COLDBOOST_LIBDIR
             " beside it; build or install coldboost again",
             name);
    return found;
}

int open_recorded(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
}

int open_recorded_pages(const char *path)
{
    int fd = open_recorded(path);
    if (fd >= 0)
        posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    return fd;
}

/* Reads and closes; a zero stands behind the bytes. NULL with errno if there are more, or it fails.
 */
static uint8_t *read_to_end(int fd, size_t max_bytes, size_t *size)
{
    uint8_t *bytes = NULL;
    size_t have = 0, room = 0;
    int error = fd < 0 ? errno : 0;
    for (ssize_t n = 1; n && !error;) {
        if (have == room) {
            room = room ? 2 * room : 1 << 16;
            bytes = xrealloc(bytes, room + 1);
        }
        n = read(fd, bytes + have, room - have);
        have += n > 0 ? (size_t)n : 0;
        error = have > max_bytes ? EFBIG : n < 0 && errno != EINTR ? errno : 0;
    }
    if (fd >= 0)
        close(fd);
    if (error)
        free(bytes);
    else
        bytes[have] = '\0';
    *size = have;
    errno = error;
    return error ? NULL : bytes;
}

uint8_t *read_file(const char *path, size_t max_bytes, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (fd >= 0 && fstat(fd, &status) == 0) {
        if (!S_ISREG(status.st_mode))
            fail(EXIT_FAILED, "%s: not a regular file", path);
        if ((uint64_t)status.st_size > max_bytes)
            fail(EXIT_FAILED, "%s: %jd bytes, more than the %zu allowed", path,
                 (intmax_t)status.st_size, max_bytes);
    }
    uint8_t *bytes = read_to_end(fd, max_bytes, size);
    if (!bytes)
        fail(EXIT_FAILED, "%s: %s", path, strerror(errno));
    return bytes;
}

uint8_t *read_stream(const char *path, size_t max_bytes, size_t *size)
{
    bool is_standard = strcmp(path, "-") == 0;
    int fd = is_standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *bytes = read_to_end(fd, max_bytes, size);
    if (!bytes)
        fail(EXIT_FAILED, "%s: %s", path, strerror(errno));
    return bytes;
}

char *read_text(const char *path, size_t *size)
{
    return (char *)read_to_end(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), MAX_TEXT_BYTES, size);
}

int write_all(int fd, const void *bytes, size_t size)
{
    const char *next = bytes;
    while (size) {
        ssize_t n = write(fd, next, size);
        if (n < 0 && errno == EAGAIN)
            poll(&(struct pollfd){fd, POLLOUT, 0}, 1, -1);
        else if (n < 0 && errno != EINTR)
            return -errno;
        size -= n > 0 ? (size_t)n : 0;
        next += n > 0 ? n : 0;
    }
    return 0;
}

bool write_setting(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return written;
}
