/*
 * fuzz_report.c: a telemetry file from anybody, as coldboost report reads it.
 */
#include "fuzz.h"

#include "cli/command.h"
#include "start/telemetry.h"

static struct input file;

static uint8_t *pretended_read_file(const char *path, size_t max_bytes, size_t *size)
{
    (void)path, (void)max_bytes;
    struct input again = file;
    *size = file.left;
    return take_copy(&again, *size);
}

#define read_file pretended_read_file
#define warn      pretended_warn
#include "measure/report.c"

/* No mutation would come past the checksums: one that is 0 is put right. */
static void mend(uint8_t *bytes, size_t size)
{
    for (size_t at = 0; size - at >= sizeof(struct telemetry_record); at++) {
        uint16_t length;
        uint32_t crc32 = 0;
        if (memcmp(bytes + at, TELEMETRY_MAGIC, sizeof TELEMETRY_MAGIC) != 0)
            continue;
        memcpy(&length, bytes + at + offsetof(struct telemetry_record, size), sizeof length);
        if (length < sizeof crc32 || length > size - at)
            continue;
        uint8_t *end = bytes + at + length - sizeof crc32;
        if (memcmp(end, &crc32, sizeof crc32) != 0)
            continue;
        crc32 = coldboost_telemetry_checksum(bytes + at, length - sizeof crc32);
        memcpy(end, &crc32, sizeof crc32);
    }
}

static void check_first(const uint8_t *data, size_t size)
{
    struct telemetry_record record;
    int result = telemetry_parse(data, size, &record);
    if (result > 0)
        MUST((size_t)result <= size && memchr(record.program, 0, sizeof record.program));
    else if (result == -ENOTSUP)
        MUST(record.size <= size && record.size > 0);
    if (result <= 0)
        return;
    const char *const names[] = {
        telemetry_start_name(record.start), telemetry_method_name(record.method),
        telemetry_plan_name(record.plan),   telemetry_state_name(record.state),
        telemetry_arm_name(record.arm),     role_name(record.role),
        init_type_name(record.init_type),
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        MUST(strlen(names[i]) > 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint8_t *bytes = take_copy(&input, size);
    check_first(bytes, size);
    mend(bytes, size);
    check_first(bytes, size);
    file = (struct input){bytes, size};
    silence_stdout();
    char command[] = "report", json[] = "--json", path[] = "telemetry";
    char *as_text[] = {command, path, path, NULL}, *as_json[] = {command, json, path, NULL};
    optind = 0;
    command_report(3, as_text);
    optind = 0;
    command_report(3, as_json);
    free(bytes);
    return 0;
}
