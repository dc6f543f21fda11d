/*
 * fuzz_log.c: a log that anybody may have written into, as coldboost merge --from-log reads it.
 */
#include "fuzz.h"

static char *written; /* by frames_write() */
static size_t written_bytes;

static int pretended_write_all(int fd, const void *text, size_t size)
{
    (void)fd;
    written = realloc(written, written_bytes + size + 1);
    MUST(written);
    memcpy(written + written_bytes, text, size);
    written_bytes += size;
    return 0;
}

/* After the header, which declares them. */
#include "cli/command.h"
#define write_all pretended_write_all
#define warn      pretended_warn
#include "profile/frames.c"

/* No mutation would come past the checksums of frames: one that is 0 is put right. */
static void mend(char *text)
{
    for (char *at = text; (at = strstr(at, MARKER)); at++) {
        char *blank = strchr(at, ' ');
        for (int i = 0; i < 2 && blank; i++)
            blank = strchr(blank + 1, ' ');
        if (!blank)
            return;
        char crc[CRC_LENGTH + 1], *end = blank + 1 + strspn(blank + 1, ALPHABET "=");
        if (strncmp(end, " 00000000", CRC_LENGTH) != 0)
            continue;
        snprintf(crc, sizeof crc, " %08x", hardware_crc32(at, (size_t)(end - at)));
        memcpy(end, crc, CRC_LENGTH);
    }
}

static size_t read_log(const void *text, size_t size, bool again)
{
    struct input input = {text, size};
    uint8_t *log = take_copy(&input, size);
    size_t count, faults = 0;
    struct framed_profile *found = frames_read("log", log, size, &count, &faults);
    for (size_t i = 0; i < count; i++) {
        struct profile profile;
        profile_parse(found[i].bytes, found[i].size, &profile);
        if (again) {
            written_bytes = 0;
            MUST(frames_write(1, found[i].bytes, found[i].size) == 0);
            MUST(read_log(written, written_bytes, false) == 1);
        }
        free(found[i].name);
        free(found[i].bytes);
    }
    free(found);
    free(log);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    MUST(text);
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    mend(text);
    read_log(text, size, true);
    free(text);
    free(written);
    written = NULL;
    return 0;
}
