/*
 * fuzz_merge.c: up to four profiles from anybody, united.
 *
 * Input: the share in per cent, how many bytes the first profiles have (two bytes each), and the
 * profiles; the last one is what is left.
 */
#include "fuzz.h"

#include "coldboost.h"
#include "profile/merge.h"

enum { MOST = 4 };

static uint8_t *take_profile(struct input *input, size_t size, struct profile *out)
{
    uint8_t *bytes = take_copy(input, size);
    struct profile_header *header = (void *)bytes;
    size_t covered = offsetof(struct profile_header, crc32) + sizeof header->crc32;
    if (size >= sizeof *header) {
        header->size = size;
        header->extra_bytes = 0;
        header->crc32 = hardware_crc32(bytes + covered, size - covered);
    }
    if (profile_parse(bytes, size, out) == 0)
        return bytes;
    free(bytes);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct merge_source sources[MOST] = {0}, reversed[MOST] = {0};
    uint8_t *bytes[MOST], *merged, *again;
    size_t sizes[MOST], count = 0, merged_size, again_size;
    unsigned min_share = (unsigned)take_number(&input, 1) % 101;
    for (size_t i = 0; i + 1 < MOST; i++)
        sizes[i] = (size_t)take_number(&input, 2);
    sizes[MOST - 1] = SIZE_MAX;
    for (size_t i = 0; i < MOST; i++) {
        size_t have = sizes[i] < input.left ? sizes[i] : input.left;
        bytes[count] = take_profile(&input, have, &sources[count].profile);
        count += bytes[count] != NULL;
    }
    for (size_t i = 0; i < count; i++)
        reversed[i].profile = sources[count - 1 - i].profile;
    struct merge_totals totals;
    int error =
        count ? merge_profiles(sources, count, min_share, &merged, &merged_size, &totals) : -1;
    if (count && !error) {
        struct profile profile;
        MUST(profile_parse(merged, merged_size, &profile) == 0);
        MUST(profile.header->file_count == totals.files);
        MUST(profile.header->executable_count == totals.executables);
        error = merge_profiles(reversed, count, min_share, &again, &again_size, &totals);
        MUST(!error && again_size == merged_size && memcmp(again, merged, merged_size) == 0);
        free(again);
        free(merged);
    }
    while (count > 0)
        free(bytes[--count]);
    return 0;
}
