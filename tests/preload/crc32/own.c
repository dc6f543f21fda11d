/*
 * own.c: a program with functions of its own under our names, visible to libraries. It must get
 * its own, and libcoldboost must go on using its own inside.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default"), noinline))

EXPORT unsigned crc32(const char *name);
EXPORT uint32_t hardware_crc32(const void *data, size_t n);
EXPORT void *fast_memcpy(void *to, const void *from, size_t n);
EXPORT bool is_cold_start(void);
EXPORT void prefetch_critical_memory(const void *p, size_t n);
EXPORT void optimized_spin_wait(uint64_t iterations);

static int calls;

EXPORT unsigned crc32(const char *name)
{
    return 5000u + (unsigned)name[0];
}

EXPORT uint32_t hardware_crc32(const void *data, size_t n)
{
    calls++;
    (void)data;
    return (uint32_t)n;
}

EXPORT void *fast_memcpy(void *to, const void *from, size_t n)
{
    calls++;
    (void)to, (void)from, (void)n;
    return NULL;
}

EXPORT bool is_cold_start(void)
{
    calls++;
    return true;
}

EXPORT void prefetch_critical_memory(const void *p, size_t n)
{
    (void)p, (void)n;
    calls++;
}

EXPORT void optimized_spin_wait(uint64_t iterations)
{
    (void)iterations;
    calls++;
}

int main(void)
{
    uint32_t (*checksum)(const void *, size_t);
    void *address = dlsym(RTLD_DEFAULT, "coldboost_telemetry_checksum");
    memcpy(&checksum, &address, sizeof checksum);
    if (checksum && checksum("123456789", 9) != 0xCBF43926)
        printf("libcoldboost uses the program's checksum\n");
    size_t (*components)(void *, size_t, size_t);
    address = dlsym(RTLD_DEFAULT, "coldboost_preload_components");
    memcpy(&components, &address, sizeof components);
    uint64_t nothing[16] = {0};
    if (components && components(nothing, 1, 0) != 0)
        printf("a component without init was initialised\n");
    printf("%d calls before its own\n", calls);
    printf("%u %u %d %d\n", crc32("A"), (unsigned)hardware_crc32("", 7),
           fast_memcpy(nothing, "x", 1) == NULL, is_cold_start() && is_cold_start());
    return 0;
}
