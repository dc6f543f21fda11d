/*
 * until.c: reads the words, and knocks at ports.
 */
#include "start/until.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool parse_port(const char *text, struct until *out)
{
    uint64_t port;
    bool is_good = text_is_number(text, 1, UINT16_MAX, &port);
    out->port = (uint16_t)port;
    return is_good;
}

static bool parse_seconds(const char *text, struct until *out)
{
    char *end;
    double seconds = strtod(text, &end);
    bool is_good = end != text && !*end && seconds > 0 && seconds < 1e6;
    out->ns = is_good ? (uint64_t)(seconds * 1e9) : 0;
    return is_good;
}

bool until_parse(const char *words, struct until *out)
{
    static const char *const plain[] = {"exit", "ready", "listen"};
    *out = (struct until){.kind = UNTIL_SECONDS};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (strcmp(words, plain[i]) == 0) {
            out->kind = (enum until_kind)i;
            return true;
        }
    }
    if (strncmp(words, "port=", 5) == 0) {
        out->kind = UNTIL_PORT;
        return parse_port(words + 5, out);
    }
    if (strncmp(words, "line=", 5) == 0) {
        out->kind = UNTIL_LINE;
        out->text = words + 5;
        return *out->text;
    }
    return parse_seconds(words, out);
}

static bool answers(int family, const void *address, socklen_t bytes)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = fd >= 0 && connect(fd, address, bytes) == 0;
    if (fd >= 0)
        close(fd);
    return connected;
}

bool until_port_answers(uint16_t port)
{
    const struct sockaddr_in four = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct sockaddr_in6 six = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    return answers(AF_INET, &four, sizeof four) || answers(AF_INET6, &six, sizeof six);
}
