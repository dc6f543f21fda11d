#include "coldboost.h"

#include <criterion/criterion.h>
#include <string.h>

/* The check values of the catalogues, and of RFC 3720 B.4 for CRC-32C. */
Test(checksums, have_their_check_values)
{
    cr_assert_eq(hardware_crc32("123456789", 9), 0xcbf43926);
    cr_assert_eq(coldboost_crc32c("123456789", 9), 0xe3069283);
    uint8_t bytes[32];
    memset(bytes, 0, sizeof bytes);
    cr_assert_eq(coldboost_crc32c(bytes, sizeof bytes), 0x8a9136aa);
    cr_assert_eq(hardware_crc32(bytes, sizeof bytes), 0x190a55ad);
    memset(bytes, 0xff, sizeof bytes);
    cr_assert_eq(coldboost_crc32c(bytes, sizeof bytes), 0x62a8ab43);
    cr_assert_eq(hardware_crc32(bytes, sizeof bytes), 0xff6cab0b);
}

Test(checksums, of_nothing_are_the_start)
{
    cr_assert_eq(hardware_crc32(NULL, 0), 0);
    cr_assert_eq(coldboost_crc32c(NULL, 0), 0);
    cr_assert_eq(coldboost_crc32_update(0x12345678, NULL, 0), 0x12345678);
    cr_assert_eq(coldboost_crc32c_update(0x12345678, NULL, 0), 0x12345678);
    cr_assert_eq(coldboost_crc32_combine(0x12345678, 0, 0), 0x12345678);
    cr_assert_eq(coldboost_crc32c_combine(0x12345678, 0, 0), 0x12345678);
}

Test(checksums, continue_and_combine)
{
    cr_assert_eq(coldboost_crc32_update(hardware_crc32("1234", 4), "56789", 5), 0xcbf43926);
    cr_assert_eq(coldboost_crc32c_update(coldboost_crc32c("1234", 4), "56789", 5), 0xe3069283);
    cr_assert_eq(coldboost_crc32_combine(hardware_crc32("12", 2), hardware_crc32("3456789", 7), 7),
                 0xcbf43926);
    cr_assert_eq(
        coldboost_crc32c_combine(coldboost_crc32c("12", 2), coldboost_crc32c("3456789", 7), 7),
        0xe3069283);
}

Test(checksums, of_telemetry_are_crc32)
{
    cr_assert_eq(coldboost_telemetry_checksum("123456789", 9), 0xcbf43926);
}
