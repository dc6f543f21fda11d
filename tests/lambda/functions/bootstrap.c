/*
 * bootstrap.c: a custom runtime in C with libcurl; see bootstrap.py for what it is to do.
 */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct text {
    char bytes[64 << 10];
    size_t length;
};

static char request_id[128];

static size_t append(char *data, size_t size, size_t count, void *context)
{
    struct text *text = context;
    size_t bytes = size * count;
    if (bytes >= sizeof text->bytes - text->length)
        return 0;
    memcpy(text->bytes + text->length, data, bytes);
    text->length += bytes;
    text->bytes[text->length] = '\0';
    return bytes;
}

static size_t take_header(char *line, size_t size, size_t count, void *context)
{
    static const char name[] = "lambda-runtime-aws-request-id:";
    (void)context;
    if (size * count > sizeof name && strncasecmp(line, name, sizeof name - 1) == 0) {
        const char *value = line + sizeof name - 1 + strspn(line + sizeof name - 1, " ");
        size_t length = strcspn(value, "\r\n");
        if (length < sizeof request_id)
            snprintf(request_id, sizeof request_id, "%.*s", (int)length, value);
    }
    return size * count;
}

/* GET if there is no body. Returns false when the API does not answer. */
static bool call(CURL *curl, const char *path, const char *body, struct curl_slist *headers,
                 struct text *reply)
{
    static struct text ignored;
    char url[512];
    snprintf(url, sizeof url, "http://%s/2018-06-01/runtime/%s", getenv("AWS_LAMBDA_RUNTIME_API"),
             path);
    ignored.length = 0;
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply ? reply : &ignored);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    if (body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    if (headers)
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    return curl_easy_perform(curl) == CURLE_OK;
}

static bool report(CURL *curl, const char *path)
{
    struct curl_slist *headers =
        curl_slist_append(NULL, "Lambda-Runtime-Function-Error-Type: Unhandled");
    headers = curl_slist_append(headers, "Content-Type: application/json");
    bool sent = call(curl, path,
                     "{\"errorMessage\":\"asked to fail\",\"errorType\":\"ValueError\","
                     "\"stackTrace\":[]}",
                     headers, NULL);
    curl_slist_free_all(headers);
    return sent;
}

int main(void)
{
    static struct text event;
    static char answer[sizeof event.bytes + 128];
    char path[256];
    const char *filler = getenv("FILLER");
    CURL *curl = curl_easy_init();
    if (!curl)
        return 4;
    if (getenv("FAIL_INIT")) {
        report(curl, "init/error");
        return 1;
    }
    while (event.length = 0, call(curl, "invocation/next", NULL, NULL, &event)) {
        if (strstr(event.bytes, "\"do\":\"crash\""))
            _Exit(3);
        if (strstr(event.bytes, "\"do\":\"fail\"")) {
            snprintf(path, sizeof path, "invocation/%s/error", request_id);
            report(curl, path);
            continue;
        }
        snprintf(path, sizeof path, "invocation/%s/response", request_id);
        snprintf(answer, sizeof answer, "{\"runtime\":\"c\",\"event\":%s,\"filler\":%zu}",
                 event.bytes, filler ? strlen(filler) : 0);
        call(curl, path, answer, NULL, NULL);
    }
    curl_easy_cleanup(curl);
    return 0;
}
