/*
 * fuzz_show.c: a profile from anybody, with call stacks behind it, as coldboost show prints it.
 */
#include "fuzz.h"

#include "coldboost.h"
#include "convert/stacks.h"
#include "profile/profile_read.h"

#include <getopt.h>

static struct input shown;

/* Validated, or the command would end here; with what the harness sees to beforehand. */
static uint8_t *pretended_read_profile(const char *path, struct profile *out, size_t *size)
{
    (void)path;
    struct input again = shown;
    uint8_t *bytes = take_copy(&again, shown.left);
    *size = shown.left;
    MUST(profile_parse(bytes, *size, out) == 0);
    return bytes;
}

#define read_profile pretended_read_profile
#include "show/show.c"

static void show(const char *option)
{
    char command[] = "show", path[] = "profile", copy[16];
    snprintf(copy, sizeof copy, "%s", option);
    char *argv[] = {command, copy, path, NULL};
    optind = 0;
    command_show(3, argv);
}

static void mend_sections(uint8_t *extra, size_t size)
{
    struct extra_section section;
    for (size_t at = 0; size - at >= sizeof section; at += section.bytes) {
        memcpy(&section, extra + at, sizeof section);
        at += sizeof section;
        if (section.bytes > size - at)
            return;
        section.crc32 = hardware_crc32(extra + at, section.bytes);
        memcpy(extra + at - sizeof section, &section, sizeof section);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct profile profile;
    struct stacks stacks = {0};
    struct input raw = {data, size};
    uint8_t *bytes = take_copy(&raw, size);
    struct profile_header *header = (void *)bytes;
    size_t covered = offsetof(struct profile_header, crc32) + sizeof header->crc32;
    if (size >= sizeof *header && header->size >= covered && header->size <= size) {
        header->crc32 = hardware_crc32(bytes + covered, header->size - covered);
        if (profile_parse(bytes, size, &profile) == 0) {
            size_t behind = size - (size_t)header->size;
            stacks_parse(&profile, bytes + header->size, behind, &stacks);
            free(stacks.content);
            stacks.content = NULL;
            mend_sections(bytes + header->size, behind);
            shown = (struct input){bytes, size};
            /* It ends with a message where this fails. */
            if (behind == header->extra_bytes &&
                stacks_parse(&profile, bytes + header->size, behind, &stacks) == 0) {
                silence_stdout();
                show("--json");
                show("--");
            }
            free(stacks.content);
        }
    }
    free(bytes);
    return 0;
}
