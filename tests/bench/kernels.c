/*
 * kernels.c: what the kernels take, beside the same work by other libraries.
 *
 *   kernels [--json] [--plot FILE.svg] [--rounds N] [--peers FOLDER] [--group NAME]
 *   kernels --calls crc32|crc32c|memcpy BYTES COUNT    only makes the calls: for count-instructions
 *
 * --peers: shared libraries in FOLDER, newer than those that this was built with, take their place,
 * and libcoldboost.so that of what is linked in: a call from afar costs more. `before.so` may be
 * another build of libcoldboost.so. `kernel-table` makes such a folder. --group: only the groups
 * whose name begins so.
 *
 * Every library is measured in every round, one after the other, on one CPU; a ratio is the median
 * of the ratios within a round, so that a neighbour who comes or goes changes both sides of it.
 * Each figure is the median of the rounds. Nothing here passes or fails: speed is no test.
 */
#include "coldboost.h"
#include "primitives/cpu.h"

#include <dlfcn.h>
#include <math.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_ZLIB
#include <zlib.h>
#endif
#ifdef HAVE_LIBDEFLATE
#include <libdeflate.h>
#endif
#ifdef HAVE_ISAL
#include <isa-l/crc.h>
#endif
#ifdef HAVE_CAIRO
#include <cairo-svg.h>
#include <cairo.h>
#endif

#define MAX_ROUNDS    301
#define MAX_LIBRARIES 8
#define BATCH_NS      30000.0 /* one measurement: far more than reading the clock takes */
#define BUFFER_BYTES  ((1u << 20) + 4096u)

static size_t rounds = 31;
static const char *only; /* what the names of the groups to measure begin with */
static uint8_t *source, *destination;

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, size_t count)
{
    double sorted[MAX_ROUNDS];
    memcpy(sorted, values, count * sizeof *values);
    qsort(sorted, count, sizeof *sorted, compare_doubles);
    return sorted[count / 2];
}

/*
 * The work. Every function does `count` calls; all go through a pointer that the compiler cannot
 * see through, except those whose point is to be compiled in.
 */

typedef uint32_t checksum_function(uint32_t crc, const void *data, size_t n);
typedef void *copy_function(void *dst, const void *src, size_t n);

static volatile uint32_t sink;

static void checksum_dependent(void *volatile *function, size_t n, size_t count)
{
    checksum_function *update = (checksum_function *)*function;
    uint32_t crc = 1;
    for (size_t i = 0; i < count; i++)
        crc = update(crc, source, n);
    sink = crc;
}

static void checksum_independent(void *volatile *function, size_t n, size_t count)
{
    checksum_function *update = (checksum_function *)*function;
    uint32_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += update(0, source, n);
    sink = sum;
}

static void copy_fixed(void *volatile *function, size_t n, size_t count)
{
    copy_function *copy = (copy_function *)*function;
    for (size_t i = 0; i < count; i++)
        copy(destination + 8, source + 16, n);
}

static void copy_fixed_inline(void *volatile *function, size_t n, size_t count)
{
    (void)function;
    volatile size_t unknown = n;
    for (size_t i = 0; i < count; i++) {
        coldboost_memcpy_inline(destination + 8, source + 16, unknown);
        __asm__ volatile("" ::: "memory");
    }
}

/* Mixes: sizes and places in an order that no branch predictor learns. */
#define MIX_COUNT 65536u
static struct {
    uint16_t n, src, dst;
} mix[MIX_COUNT];
static size_t mix_position;

static uint64_t random_state = 1;

static uint32_t next_random(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33);
}

/* Like the sizes seen in SPEC CPU2017: most are a few words, with a tail to some KiB. */
static size_t spec_like_size(void)
{
    uint32_t draw = next_random() % 100;
    if (draw < 30)
        return 32;
    if (draw < 44)
        return 16;
    if (draw < 57)
        return 8;
    if (draw < 82)
        return 1 + next_random() % 64;
    if (draw < 94)
        return 64 + next_random() % 256;
    return 256 + next_random() % 1024;
}

static void make_mix(bool spec_like)
{
    random_state = 1;
    for (size_t i = 0; i < MIX_COUNT; i++) {
        mix[i].n = (uint16_t)(spec_like ? spec_like_size() : next_random() % 257);
        mix[i].src = (uint16_t)(next_random() % 16384);
        mix[i].dst = (uint16_t)(next_random() % 16384);
    }
}

static void copy_mix(void *volatile *function, size_t n, size_t count)
{
    (void)n;
    copy_function *copy = (copy_function *)*function;
    for (size_t i = mix_position; i < mix_position + count; i++)
        copy(destination + mix[i % MIX_COUNT].dst, source + mix[i % MIX_COUNT].src,
             mix[i % MIX_COUNT].n);
    mix_position += count;
}

static void copy_mix_inline(void *volatile *function, size_t n, size_t count)
{
    (void)function;
    (void)n;
    for (size_t i = mix_position; i < mix_position + count; i++)
        coldboost_memcpy_inline(destination + mix[i % MIX_COUNT].dst,
                                source + mix[i % MIX_COUNT].src, mix[i % MIX_COUNT].n);
    mix_position += count;
}

/* What any call costs: the least that a function behind a pointer can take. */
static bool say_no(void)
{
    return false;
}

static void flag_call(void *volatile *function, size_t n, size_t count)
{
    (void)n;
    bool (*ask)(void) = (bool (*)(void)) * function;
    for (size_t i = 0; i < count; i++)
        sink = ask();
}

static void flag_inline(void *volatile *function, size_t n, size_t count)
{
    (void)function;
    (void)n;
    for (size_t i = 0; i < count; i++)
        sink = coldboost_is_cold_start_inline();
}

static atomic_bool standard_flag;

static bool exchange_flag(void)
{
    return !atomic_exchange(&standard_flag, true);
}

/* One call a batch: reading 64 KiB that no cache holds. */
#define COLD_BYTES 65536u

#if defined(__x86_64__) || defined(__aarch64__)
static void flush_lines(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i += 64) {
#if defined(__x86_64__)
        __builtin_ia32_clflush(p + i);
#else
        __asm__ volatile("dc civac, %0" ::"r"(p + i) : "memory");
#endif
    }
    __sync_synchronize();
}

/* In an order that the CPU's own prefetcher does not guess. */
static double read_cold(bool prefetch, double *call_ns)
{
    flush_lines(source, COLD_BYTES);
    double before = now_ns();
    if (prefetch)
        prefetch_critical_memory(source, COLD_BYTES);
    *call_ns = now_ns() - before;
    coldboost_spin_wait_ns(2000);
    double start = now_ns();
    size_t line = 0, sum = 0;
    for (size_t i = 0; i < COLD_BYTES / 64; i++) {
        sum += *(volatile const uint8_t *)(source + line * 64);
        line = (line + 389) % (COLD_BYTES / 64);
    }
    sink = (uint32_t)sum;
    return now_ns() - start;
}
#define CAN_FLUSH 1
#else
#define CAN_FLUSH 0
#endif

/*
 * Libraries and cases.
 */

#ifdef HAVE_ZLIB
static uint32_t zlib_crc32(uint32_t crc, const void *data, size_t n)
{
    return (uint32_t)crc32_z(crc, data, n);
}
#endif

#ifdef HAVE_ISAL
static uint32_t isal_crc32(uint32_t crc, const void *data, size_t n)
{
    return crc32_gzip_refl(crc, data, n);
}

#endif

/* Without the inversions that the others do. */
typedef unsigned int iscsi_function(unsigned char *, int, unsigned int);
static iscsi_function *isal_iscsi, *isal_iscsi_512;

static uint32_t isal_crc32c(uint32_t crc, const void *data, size_t n)
{
    return isal_iscsi((unsigned char *)(uintptr_t)data, (int)n, crc);
}

static uint32_t isal_crc32c_512(uint32_t crc, const void *data, size_t n)
{
    return isal_iscsi_512((unsigned char *)(uintptr_t)data, (int)n, crc);
}

typedef void work(void *volatile *function, size_t n, size_t count);

struct library {
    const char *name;
    void *function;
    work *instead; /* of the group's work; for what is compiled in */
};

struct group {
    const char *name;
    work *run;
    struct library libraries[MAX_LIBRARIES]; /* ours first */
    const size_t *sizes;                     /* ends with SIZE_MAX */
    const char *mix;                         /* not by size, but this */
};

static const size_t checksum_sizes[] = {
    1,    2,    3,    4,    5,    6,     7,     8,     9,      10,      11,
    12,   13,   14,   15,   16,   20,    31,    32,    48,     64,      80,
    100,  128,  192,  200,  256,  300,   400,   512,   700,    1000,    1024,
    1500, 2048, 3000, 4096, 8192, 16384, 32768, 65536, 262144, 1 << 20, SIZE_MAX};
static const size_t copy_sizes[] = {1,    2,    3,     4,     8,      12,      15,      16,
                                    24,   32,   48,    64,    128,    192,     256,     512,
                                    1024, 4096, 16384, 65536, 262144, 1 << 20, SIZE_MAX};
static const size_t no_size[] = {0, SIZE_MAX};

#define CRC32_LIBRARIES                                                                            \
    {                                                                                              \
        {"coldboost", (void *)coldboost_crc32_update, NULL}, ZLIB LIBDEFLATE ISAL_CRC32            \
    }
#define CRC32C_LIBRARIES                                                                           \
    {                                                                                              \
        {"coldboost", (void *)coldboost_crc32c_update, NULL}, ISAL_CRC32C                          \
    }
#ifdef HAVE_ZLIB
#define ZLIB {"zlib", (void *)zlib_crc32, NULL},
#else
#define ZLIB
#endif
#ifdef HAVE_LIBDEFLATE
#define LIBDEFLATE {"libdeflate", (void *)libdeflate_crc32, NULL},
#else
#define LIBDEFLATE
#endif
#ifdef HAVE_ISAL
#define ISAL_CRC32  {"ISA-L", (void *)isal_crc32, NULL},
#define ISAL_CRC32C {"ISA-L", (void *)isal_crc32c, NULL},
#else
#define ISAL_CRC32
#define ISAL_CRC32C
#endif

static struct group groups[] = {
    {"crc32 dependent", checksum_dependent, CRC32_LIBRARIES, checksum_sizes, NULL},
    {"crc32 independent", checksum_independent, CRC32_LIBRARIES, checksum_sizes, NULL},
    {"crc32c dependent", checksum_dependent, CRC32C_LIBRARIES, checksum_sizes, NULL},
    {"crc32c independent", checksum_independent, CRC32C_LIBRARIES, checksum_sizes, NULL},
    {"memcpy",
     copy_fixed,
     {{"coldboost", (void *)fast_memcpy, NULL},
      {"inline", NULL, copy_fixed_inline},
      {"libc", (void *)memcpy, NULL}},
     copy_sizes,
     NULL},
    {"memcpy uniform mix",
     copy_mix,
     {{"coldboost", (void *)fast_memcpy, NULL},
      {"inline", NULL, copy_mix_inline},
      {"libc", (void *)memcpy, NULL}},
     no_size,
     "uniform"},
    {"memcpy SPEC-like mix",
     copy_mix,
     {{"coldboost", (void *)fast_memcpy, NULL},
      {"inline", NULL, copy_mix_inline},
      {"libc", (void *)memcpy, NULL}},
     no_size,
     "spec"},
    {"cold start flag, taken",
     flag_call,
     {{"coldboost", (void *)is_cold_start, NULL},
      {"inline", NULL, flag_inline},
      {"exchange", (void *)exchange_flag, NULL},
      {"call alone", (void *)say_no, NULL}},
     no_size,
     NULL},
};
#define GROUPS (sizeof groups / sizeof *groups)

/* The libraries of --peers; those that the folder does not have stay what they are. */
static const struct {
    const char *file, *symbol, *name, *group;
} peers[] = {{"libdeflate.so", "libdeflate_crc32", "libdeflate", "crc32 "},
             {"libisal.so", "crc32_gzip_refl", "ISA-L", "crc32 "},
             {"libisal.so", "crc32_iscsi", "ISA-L", "crc32c "},
             {"libisal-avx512.so", "crc32_gzip_refl", "ISA-L 512", "crc32 "},
             {"libisal-avx512.so", "crc32_iscsi", "ISA-L 512", "crc32c "},
             {"libcoldboost.so", "coldboost_crc32_update", "coldboost", "crc32 "},
             {"before.so", "coldboost_crc32_update", "before", "crc32 "},
             {"libcoldboost.so", "coldboost_crc32c_update", "coldboost", "crc32c "},
             {"before.so", "coldboost_crc32c_update", "before", "crc32c "},
             {"libcoldboost.so", "fast_memcpy", "coldboost", "memcpy"},
             {"before.so", "fast_memcpy", "before", "memcpy"},
             {"libz-ng.so", "zng_crc32_z", "zlib-ng", "crc32 "}};

static void set_library(struct group *group, const char *name, void *function)
{
    size_t i = 0;
    while (group->libraries[i].name && strcmp(group->libraries[i].name, name) != 0)
        i++;
    group->libraries[i] = (struct library){name, function, NULL};
}

static void *find_peer(const char *folder, const char *file, const char *symbol)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    if (access(path, R_OK) != 0)
        return NULL;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *function = library ? dlsym(library, symbol) : NULL;
    if (!function)
        fprintf(stderr, "kernels: %s\n", dlerror());
    return function;
}

static void load_peers(const char *folder)
{
    for (size_t i = 0; i < sizeof peers / sizeof *peers; i++) {
        void *function = find_peer(folder, peers[i].file, peers[i].symbol);
        if (!function)
            continue;
        if (strcmp(peers[i].symbol, "crc32_iscsi") == 0) {
            bool newest = strcmp(peers[i].name, "ISA-L") != 0;
            *(newest ? &isal_iscsi_512 : &isal_iscsi) = (iscsi_function *)function;
            function = (void *)(newest ? isal_crc32c_512 : isal_crc32c);
        }
        for (size_t g = 0; g < GROUPS; g++)
            if (strncmp(groups[g].name, peers[i].group, strlen(peers[i].group)) == 0)
                set_library(&groups[g], peers[i].name, function);
    }
}

/*
 * Measuring.
 */

struct result {
    const struct group *group;
    size_t n;
    double ns[MAX_LIBRARIES];      /* medians */
    double against[MAX_LIBRARIES]; /* the library's time through ours: medians of the rounds */
    double inline_against;         /* the standard's, third, through that of what is compiled in */
};

static struct result results[256];
static size_t result_count;

static void run(const struct group *group, const struct library *library, size_t n, size_t count)
{
    void *volatile function = library->function;
    (library->instead ? library->instead : group->run)(&function, n, count);
}

/* Twice: the first run of anything is slow. */
static size_t find_count(const struct group *group, const struct library *library, size_t n)
{
    for (size_t count = 1;; count *= 2) {
        run(group, library, n, count);
        double start = now_ns();
        run(group, library, n, count);
        if (now_ns() - start > BATCH_NS / 2)
            return count;
    }
}

static void measure(const struct group *group, size_t n)
{
    static double ns[MAX_LIBRARIES][MAX_ROUNDS];
    size_t counts[MAX_LIBRARIES] = {0}, libraries = 0;
    for (; libraries < MAX_LIBRARIES && group->libraries[libraries].name; libraries++)
        counts[libraries] = find_count(group, &group->libraries[libraries], n);
    for (size_t round = 0; round < rounds; round++)
        for (size_t i = 0; i < libraries; i++) {
            double start = now_ns();
            run(group, &group->libraries[i], n, counts[i]);
            ns[i][round] = (now_ns() - start) / (double)counts[i];
        }
    struct result *result = &results[result_count++];
    result->group = group;
    result->n = n;
    for (size_t i = 0; i < libraries; i++) {
        double ratios[MAX_ROUNDS];
        for (size_t round = 0; round < rounds; round++)
            ratios[round] = ns[i][round] / ns[0][round];
        result->ns[i] = median(ns[i], rounds);
        result->against[i] = median(ratios, rounds);
    }
    if (group->libraries[1].instead) {
        double ratios[MAX_ROUNDS];
        for (size_t round = 0; round < rounds; round++)
            ratios[round] = ns[2][round] / ns[1][round];
        result->inline_against = median(ratios, rounds);
    }
}

static void measure_group(const struct group *group)
{
    if (only && strncmp(group->name, only, strlen(only)) != 0)
        return;
    if (group->mix)
        make_mix(strcmp(group->mix, "spec") == 0);
    for (size_t i = 0; group->sizes[i] != SIZE_MAX; i++)
        measure(group, group->sizes[i]);
}

static struct {
    double without_ns, with_ns, call_ns, ratio; /* medians; the ratio's own */
} cold;

static void measure_cold_reads(void)
{
#if CAN_FLUSH
    static double without[MAX_ROUNDS], with[MAX_ROUNDS], call[MAX_ROUNDS], ratios[MAX_ROUNDS];
    for (size_t i = 0; i < rounds; i++) {
        without[i] = read_cold(false, &call[i]);
        with[i] = read_cold(true, &call[i]);
        ratios[i] = with[i] / without[i];
    }
    cold.without_ns = median(without, rounds);
    cold.with_ns = median(with, rounds);
    cold.call_ns = median(call, rounds);
    cold.ratio = median(ratios, rounds);
#endif
}

static const uint64_t waits[] = {1000, 3000, 10000, 100000, 1000000, 10000000};
#define WAITS (sizeof waits / sizeof *waits)
static double wait_errors[WAITS];

/* Without the time that reading the clock takes. */
static void measure_waits(void)
{
    static double values[MAX_ROUNDS];
    for (size_t i = 0; i < rounds; i++) {
        double start = now_ns();
        values[i] = now_ns() - start;
    }
    double clock = median(values, rounds);
    for (size_t w = 0; w < WAITS; w++) {
        for (size_t i = 0; i < rounds; i++) {
            double start = now_ns();
            coldboost_spin_wait_ns(waits[w]);
            values[i] = fabs(now_ns() - start - clock - (double)waits[w]);
        }
        wait_errors[w] = median(values, rounds);
    }
}

/*
 * Printing.
 */

static const struct result *find_result(const char *group, size_t n)
{
    for (size_t i = 0; i < result_count; i++)
        if (strcmp(results[i].group->name, group) == 0 && results[i].n == n)
            return &results[i];
    return NULL;
}

static void print_figure(double ns, size_t n)
{
    if (n > 512)
        printf("%9.1f GB/s", (double)n / ns);
    else
        printf("%11.2f ns", ns);
}

static void print_group(const struct group *group)
{
    if (only && strncmp(group->name, only, strlen(only)) != 0)
        return;
    printf("\n%s\n%10s", group->name, "bytes");
    for (size_t i = 0; i < MAX_LIBRARIES && group->libraries[i].name; i++)
        printf("%14s", group->libraries[i].name);
    printf("   their time through ours%s\n",
           group->libraries[1].instead ? "; third through inline" : "");
    for (size_t r = 0; r < result_count; r++) {
        const struct result *result = &results[r];
        if (result->group != group)
            continue;
        if (result->n)
            printf("%10zu", result->n);
        else
            printf("%10s", "");
        for (size_t i = 0; i < MAX_LIBRARIES && group->libraries[i].name; i++)
            print_figure(result->ns[i], result->n);
        for (size_t i = 1; i < MAX_LIBRARIES && group->libraries[i].name; i++)
            printf("%8.2fx", result->against[i]);
        if (group->libraries[1].instead)
            printf("; %.2fx", result->inline_against);
        printf("\n");
    }
}

static void print_line(const char *what, double standard_ns, double ours_ns)
{
    printf("%-44s%12.1f%12.1f%9.2fx\n", what, standard_ns, ours_ns, standard_ns / ours_ns);
}

/* The table of the write-up that this library goes back to. */
static void print_write_up(void)
{
    printf("\n%-44s%12s%12s%10s\n", "ours against standard, ns", "standard", "ours", "");
    const struct result *flag = find_result("cold start flag, taken", 0);
    print_line("cold start flag, against atomic_exchange", flag->ns[2], flag->ns[0]);
    print_line("the same, compiled in", flag->ns[2], flag->ns[1]);
    if (cold.with_ns > 0) {
        print_line("reading 64 KiB, not prefetched or prefetched", cold.without_ns, cold.with_ns);
        print_line("the same and the call that prefetches", cold.without_ns,
                   cold.with_ns + cold.call_ns);
    }
    const struct result *copy = find_result("memcpy", 64);
    print_line("memcpy of 64 bytes, against libc", copy->ns[2], copy->ns[0]);
    print_line("the same, compiled in", copy->ns[2], copy->ns[1]);
#ifdef HAVE_ZLIB
    static const struct {
        const char *what;
        size_t n;
    } sizes[] = {{"CRC-32 of 64 bytes, against zlib", 64},
                 {"CRC-32 of 16 KiB, against zlib", 16384},
                 {"CRC-32 of 1 MiB, against zlib", 1 << 20}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const struct result *crc = find_result("crc32 dependent", sizes[i].n);
        print_line(sizes[i].what, crc->ns[1], crc->ns[0]);
    }
#endif
}

static void print_waits(void)
{
    printf("\n%-44s%12s\n", "coldboost_spin_wait_ns", "median error, ns");
    for (size_t i = 0; i < WAITS; i++)
        printf("%41ju ns%12.0f\n", (uintmax_t)waits[i], wait_errors[i]);
}

static void print_tables(void)
{
    printf("coldboost kernels: features %#x, %zu rounds, medians\n", cpu_features(), rounds);
    for (size_t i = 0; i < GROUPS; i++)
        print_group(&groups[i]);
    if (!only) {
        print_write_up();
        print_waits();
    }
}

static void print_json(void)
{
    printf("{\"version\":1,\"rounds\":%zu,\"features\":%u,\"results\":[", rounds, cpu_features());
    for (size_t r = 0; r < result_count; r++) {
        const struct result *result = &results[r];
        const struct library *libraries = result->group->libraries;
        for (size_t i = 0; i < MAX_LIBRARIES && libraries[i].name; i++) {
            printf("%s\n{\"group\":\"%s\",\"bytes\":%zu,\"library\":\"%s\",\"ns\":%.3f,"
                   "\"time_through_ours\":%.4f",
                   r || i ? "," : "", result->group->name, result->n, libraries[i].name,
                   result->ns[i], result->against[i]);
            if (i == 2 && libraries[1].instead)
                printf(",\"time_through_inline\":%.4f", result->inline_against);
            printf("}");
        }
    }
    printf("],\n\"cold_read\":{\"bytes\":%u,\"ns\":%.0f,\"prefetched_ns\":%.0f,"
           "\"call_ns\":%.0f,\"ratio\":%.4f},",
           COLD_BYTES, cold.without_ns, cold.with_ns, cold.call_ns, cold.ratio);
    printf("\n\"waits\":[");
    for (size_t i = 0; i < WAITS; i++)
        printf("%s{\"ns\":%ju,\"median_error_ns\":%.0f}", i ? "," : "", (uintmax_t)waits[i],
               wait_errors[i]);
    printf("]}\n");
}

#ifdef HAVE_CAIRO
#define PANEL_WIDTH  460.0
#define PANEL_HEIGHT 320.0
#define MARGIN       52.0

static const double colours[MAX_LIBRARIES][3] = {
    {0.84, 0.15, 0.16}, {0.12, 0.47, 0.71}, {0.17, 0.63, 0.17}, {0.58, 0.40, 0.74},
    {0.55, 0.34, 0.29}, {0.89, 0.47, 0.76}, {0.50, 0.50, 0.50}, {0.74, 0.74, 0.13}};

/* Both axes are logarithmic: 1 B to 1 MiB, 0.1 to 200 GB/s. */
static double place_x(size_t n)
{
    return MARGIN + log2((double)n) / 20 * (PANEL_WIDTH - 1.5 * MARGIN);
}

static double place_y(double gigabytes)
{
    double share = (log10(gigabytes) + 1) / (log10(200) + 1);
    return PANEL_HEIGHT - MARGIN - share * (PANEL_HEIGHT - 1.7 * MARGIN);
}

static void plot_text(cairo_t *cairo, double x, double y, const char *text)
{
    cairo_move_to(cairo, x, y);
    cairo_show_text(cairo, text);
}

static void plot_axes(cairo_t *cairo, const char *title)
{
    static const struct {
        size_t n;
        const char *label;
    } columns[] = {{1, "1"},     {16, "16"},     {256, "256"},
                   {4096, "4K"}, {65536, "64K"}, {1 << 20, "1M"}};
    static const struct {
        double gigabytes;
        const char *label;
    } lines[] = {{0.1, "0.1"}, {1, "1"}, {10, "10"}, {100, "100"}};
    cairo_set_line_width(cairo, 0.5);
    cairo_set_source_rgb(cairo, 0.35, 0.35, 0.35);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        double x = place_x(columns[i].n);
        cairo_move_to(cairo, x, place_y(0.1));
        cairo_line_to(cairo, x, place_y(200));
        plot_text(cairo, x - 6, place_y(0.1) + 14, columns[i].label);
    }
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        double y = place_y(lines[i].gigabytes);
        cairo_move_to(cairo, place_x(1), y);
        cairo_line_to(cairo, place_x(1 << 20), y);
        plot_text(cairo, 20, y + 4, lines[i].label);
    }
    cairo_stroke(cairo);
    plot_text(cairo, MARGIN, 18, title);
    plot_text(cairo, place_x(4096), PANEL_HEIGHT - 18, "bytes a call");
    plot_text(cairo, 8, 34, "GB/s");
}

static void plot_curve(cairo_t *cairo, const struct group *group, size_t library)
{
    cairo_set_source_rgb(cairo, colours[library][0], colours[library][1], colours[library][2]);
    cairo_set_line_width(cairo, library ? 1.2 : 2.2);
    cairo_new_path(cairo);
    for (size_t r = 0; r < result_count; r++)
        if (results[r].group == group && results[r].n)
            cairo_line_to(cairo, place_x(results[r].n),
                          place_y((double)results[r].n / results[r].ns[library]));
    cairo_stroke(cairo);
    plot_text(cairo, place_x(2), place_y(160) + 14 * (double)library,
              group->libraries[library].name);
}

static int plot(const char *path)
{
    size_t panels = 0;
    for (size_t i = 0; i < GROUPS; i++)
        panels += groups[i].sizes != no_size;
    double height = PANEL_HEIGHT * (double)((panels + 1) / 2);
    cairo_surface_t *surface = cairo_svg_surface_create(path, 2 * PANEL_WIDTH, height);
    cairo_t *cairo = cairo_create(surface);
    cairo_set_source_rgb(cairo, 1, 1, 1);
    cairo_paint(cairo);
    cairo_set_font_size(cairo, 11);
    for (size_t i = 0, panel = 0; i < GROUPS; i++) {
        if (groups[i].sizes == no_size)
            continue;
        cairo_save(cairo);
        cairo_translate(cairo, PANEL_WIDTH * (double)(panel % 2),
                        PANEL_HEIGHT * (double)(panel / 2));
        plot_axes(cairo, groups[i].name);
        for (size_t k = MAX_LIBRARIES; k-- > 0;)
            if (groups[i].libraries[k].name)
                plot_curve(cairo, &groups[i], k);
        cairo_restore(cairo);
        panel++;
    }
    cairo_destroy(cairo);
    cairo_surface_finish(surface);
    cairo_status_t status = cairo_surface_status(surface);
    cairo_surface_destroy(surface);
    if (status != CAIRO_STATUS_SUCCESS) {
        fprintf(stderr, "kernels: %s: %s\n", path, cairo_status_to_string(status));
        return 1;
    }
    return 0;
}
#else
static int plot(const char *path)
{
    fprintf(stderr, "kernels: %s: built without cairo; install libcairo2-dev and build again\n",
            path);
    return 1;
}
#endif

/* On the last CPU that is allowed: the first has the interrupts. */
static void pin(void)
{
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return;
    size_t last = 0;
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed))
            last = cpu;
    CPU_ZERO(&one);
    CPU_SET(last, &one);
    sched_setaffinity(0, sizeof one, &one);
}

static int usage(void)
{
    fprintf(stderr,
            "usage: kernels [--json] [--plot FILE.svg] [--rounds N] [--peers FOLDER] "
            "[--group NAME], N up to %d\n"
            "       kernels --calls crc32|crc32c|memcpy BYTES COUNT\n",
            MAX_ROUNDS);
    return 2;
}

static int make_calls(const char *name, size_t n, size_t count)
{
    void *volatile function = NULL;
    for (size_t i = 0; i < GROUPS; i++)
        if (strncmp(groups[i].name, name, strlen(name)) == 0 && !groups[i].mix &&
            n <= BUFFER_BYTES) {
            function = groups[i].libraries[0].function;
            groups[i].run(&function, n, count);
            return 0;
        }
    return usage();
}

int main(int argc, char **argv)
{
    bool json = false;
    const char *plot_path = NULL, *folder = NULL, *mask = getenv("COLDBOOST_CPU"),
               *calls[3] = {NULL, NULL, NULL};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            json = true;
        else if (strcmp(argv[i], "--plot") == 0 && i + 1 < argc)
            plot_path = argv[++i];
        else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
            rounds = strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--peers") == 0 && i + 1 < argc)
            folder = argv[++i];
        else if (strcmp(argv[i], "--group") == 0 && i + 1 < argc)
            only = argv[++i];
        else if (strcmp(argv[i], "--calls") == 0 && i + 3 < argc)
            for (size_t k = 0; k < 3; k++)
                calls[k] = argv[++i];
        else
            return usage();
    }
    uint32_t allowed = CPU_ALL;
    if (rounds < 1 || rounds > MAX_ROUNDS || (mask && cpu_parse(mask, &allowed) != 0))
        return usage();
    cpu_mask(allowed);
#ifdef HAVE_ISAL
    isal_iscsi = crc32_iscsi;
#endif
    if (folder)
        load_peers(folder);

    pin();
    source = aligned_alloc(4096, BUFFER_BYTES);
    destination = aligned_alloc(4096, BUFFER_BYTES);
    if (!source || !destination) {
        fprintf(stderr, "kernels: out of memory\n");
        return 1;
    }
    if (calls[0])
        return make_calls(calls[0], strtoul(calls[1], NULL, 10), strtoul(calls[2], NULL, 10));
    for (size_t i = 0; i < BUFFER_BYTES; i++)
        source[i] = (uint8_t)next_random();
    memset(destination, 0, BUFFER_BYTES);
    is_cold_start();
    for (size_t i = 0; i < GROUPS; i++)
        for (size_t k = 0; k < MAX_LIBRARIES && groups[i].libraries[k].name; k++)
            if (groups[i].run != flag_call)
                run(&groups[i], &groups[i].libraries[k], BUFFER_BYTES / 2, 2); /* chooses */

    for (size_t i = 0; i < GROUPS; i++)
        measure_group(&groups[i]);
    if (!only) {
        measure_cold_reads();
        measure_waits();
    }
    if (json)
        print_json();
    else
        print_tables();
    return plot_path ? plot(plot_path) : 0;
}
