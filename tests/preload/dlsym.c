/*
 * dlsym.c: a program that knows nothing of coldboost but the names. It looks them up at run time,
 * as a user's program would, and checks each against an independent definition.
 *
 * Usage: dlsym present|absent [emulated]
 *        dlsym long CALLS          calls of every name, in each of 8 threads
 *
 * Prints what is wrong and exits with 1, otherwise nothing and 0.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int failures;

#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            failures++;                                                                            \
            printf("%s:%d: ", __FILE__, __LINE__);                                                 \
            printf(__VA_ARGS__);                                                                   \
            putchar('\n');                                                                         \
        }                                                                                          \
    } while (0)

struct component {
    const char *name;
    int priority;
    size_t memory_bytes;
    int (*init)(void *context);
    void *context;
    const void *metadata;
    size_t metadata_bytes;
    int state;
    int error;
};

static bool (*is_cold_start)(void);
static bool (*is_cold_start_asm)(void);
static void (*prefetch_critical_memory)(const void *p, size_t n);
static void (*optimized_spin_wait)(uint64_t iterations);
static void *(*fast_memcpy)(void *dst, const void *src, size_t n);
static uint32_t (*hardware_crc32)(const void *data, size_t n);
static unsigned long (*zlib_crc32)(unsigned long crc, const uint8_t *data, unsigned n);
static unsigned long (*zlib_crc32_z)(unsigned long crc, const uint8_t *data, size_t n);
static int (*page_in)(const void *p, size_t n);
static void (*spin_wait_ns)(uint64_t ns);
static uint32_t (*crc32_update)(uint32_t crc, const void *data, size_t n);
static uint32_t (*crc32_combine)(uint32_t crc_a, uint32_t crc_b, uint64_t length_b);
static uint32_t (*crc32c)(const void *data, size_t n);
static uint32_t (*crc32c_update)(uint32_t crc, const void *data, size_t n);
static uint32_t (*crc32c_combine)(uint32_t crc_a, uint32_t crc_b, uint64_t length_b);
static int (*critical_init)(void);
static size_t (*preload_components)(struct component *components, size_t n, size_t limit);
static uint32_t (*telemetry_checksum)(const void *data, size_t n);
static const char *(*version)(void);

static const struct {
    const char *name;
    void *pointer; /* to one of the function pointers above */
} names[] = {
    {"is_cold_start", &is_cold_start},
    {"is_cold_start_asm", &is_cold_start_asm},
    {"prefetch_critical_memory", &prefetch_critical_memory},
    {"optimized_spin_wait", &optimized_spin_wait},
    {"fast_memcpy", &fast_memcpy},
    {"hardware_crc32", &hardware_crc32},
    {"crc32", &zlib_crc32},
    {"crc32_z", &zlib_crc32_z},
    {"coldboost_page_in", &page_in},
    {"coldboost_spin_wait_ns", &spin_wait_ns},
    {"coldboost_crc32_update", &crc32_update},
    {"coldboost_crc32_combine", &crc32_combine},
    {"coldboost_crc32c", &crc32c},
    {"coldboost_crc32c_update", &crc32c_update},
    {"coldboost_crc32c_combine", &crc32c_combine},
    {"coldboost_critical_init", &critical_init},
    {"coldboost_preload_components", &preload_components},
    {"coldboost_telemetry_checksum", &telemetry_checksum},
    {"coldboost_version", &version},
};

static void look_up(bool present)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        void *address = dlsym(RTLD_DEFAULT, names[i].name);
        memcpy(names[i].pointer, &address, sizeof address);
        CHECK(!address == !present, "%s is %s", names[i].name, address ? "there" : "not there");
    }
}

enum { RACERS = 8 };
static pthread_barrier_t start;
static unsigned winners;

static void *race(void *index)
{
    pthread_barrier_wait(&start);
    for (uintptr_t i = 0; i < 1000; i++)
        if ((i + (uintptr_t)index) % 2 ? is_cold_start() : is_cold_start_asm())
            __atomic_add_fetch(&winners, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void check_cold_start(void)
{
    pthread_t threads[RACERS];
    pthread_barrier_init(&start, NULL, RACERS);
    for (uintptr_t i = 0; i < RACERS; i++)
        if (pthread_create(&threads[i], NULL, race, (void *)i) != 0)
            abort();
    for (int i = 0; i < RACERS; i++)
        pthread_join(threads[i], NULL);
    CHECK(winners == 1, "%u callers were told that they came first", winners);
}

/* Bit by bit, from the definition; the polynomial is reflected. */
static uint32_t reference(uint32_t polynomial, uint32_t crc, const uint8_t *data, size_t n)
{
    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
    }
    return ~crc;
}

static void check_checksums(void)
{
    const uint32_t ieee = 0xEDB88320, castagnoli = 0x82F63B78;
    static uint8_t data[70000];
    uint32_t seed = 12345;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);

    CHECK(hardware_crc32("123456789", 9) == 0xCBF43926, "check value of CRC-32");
    CHECK(crc32c("123456789", 9) == 0xE3069283, "check value of CRC-32C");
    CHECK(hardware_crc32(NULL, 0) == 0 && crc32c(NULL, 0) == 0, "checksum of nothing");
    CHECK(zlib_crc32(99, NULL, 0) == 0 && zlib_crc32_z(99, NULL, 5) == 0, "zlib's initial value");
    CHECK(zlib_crc32(99, data, 0) == 99, "zlib's checksum of nothing more");
    static const size_t sizes[] = {0,   1,   2,   3,   7,   8,   15,   16,   31,   63,    64,   65,
                                   127, 128, 255, 256, 511, 777, 1024, 4095, 4096, 10000, 65536};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t offset = 0; offset < 18; offset += offset < 4 ? 1 : 7) {
            size_t n = sizes[i], half = n / 2;
            const uint8_t *p = data + offset;
            uint32_t expected = reference(ieee, 0, p, n);
            uint32_t expected_c = reference(castagnoli, 0, p, n);
            uint32_t a = hardware_crc32(p, half), b = hardware_crc32(p + half, n - half);
            uint32_t c = crc32c(p, half), d = crc32c(p + half, n - half);
            CHECK(hardware_crc32(p, n) == expected, "hardware_crc32, %zu at %zu", n, offset);
            CHECK(crc32_update(a, p + half, n - half) == expected, "update, %zu at %zu", n, offset);
            CHECK(crc32_combine(a, b, n - half) == expected, "combine, %zu at %zu", n, offset);
            CHECK(zlib_crc32(0, p, (unsigned)n) == expected, "crc32, %zu at %zu", n, offset);
            CHECK(zlib_crc32_z(a, p + half, n - half) == expected, "crc32_z, %zu at %zu", n,
                  offset);
            CHECK(telemetry_checksum(p, n) == expected, "telemetry, %zu at %zu", n, offset);
            CHECK(crc32c(p, n) == expected_c, "crc32c, %zu at %zu", n, offset);
            CHECK(crc32c_update(c, p + half, n - half) == expected_c, "crc32c update, %zu", n);
            CHECK(crc32c_combine(c, d, n - half) == expected_c, "crc32c combine, %zu", n);
        }
}

static void check_copy(size_t n, size_t from_offset, size_t to_offset)
{
    enum { GUARD = 64 };
    static uint8_t from[(1 << 20) + 256], to[(1 << 20) + 256];
    uint8_t *src = from + GUARD + from_offset, *dst = to + GUARD + to_offset;
    for (size_t i = 0; i < n; i++)
        src[i] = (uint8_t)(i * 7 + n);
    memset(to, 0xa5, GUARD + to_offset + n + GUARD);
    CHECK(fast_memcpy(dst, src, n) == dst, "fast_memcpy(%zu) returns something else", n);
    CHECK(memcmp(dst, src, n) == 0, "fast_memcpy(%zu) from +%zu to +%zu", n, from_offset,
          to_offset);
    for (size_t i = 0; i < GUARD; i++)
        CHECK(dst[-1 - (long)i] == 0xa5 && dst[n + i] == 0xa5,
              "fast_memcpy(%zu) writes outside, near %zu", n, i);
}

static void check_copies(void)
{
    for (size_t n = 0; n <= 1100; n++) {
        check_copy(n, 0, 0);
        check_copy(n, n % 16, n * 5 % 16);
    }
    for (size_t n = 2048; n <= 1 << 20; n *= 2) {
        check_copy(n, 0, 0);
        check_copy(n - 1, 3, 9);
    }
    CHECK(fast_memcpy(NULL, NULL, 0) == NULL, "fast_memcpy of nothing");
}

static void check_memory(bool emulated)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *p = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(p + page, page, PROT_NONE);
    errno = 77;
    prefetch_critical_memory(NULL, 0);
    prefetch_critical_memory(NULL, 1 << 20);
    prefetch_critical_memory((void *)(UINTPTR_MAX - 100), 1 << 20);
    prefetch_critical_memory(p, 3 * page);
    prefetch_critical_memory(&page, SIZE_MAX);
    CHECK(page_in(p, page) == 0, "page_in of a page: %d", page_in(p, page));
    CHECK(page_in(p, 0) == 0 && page_in(NULL, 0) == 0, "page_in of nothing");
    /* qemu-user says yes to any madvise(). */
    CHECK(emulated || page_in(p, 3 * page) < 0, "page_in of what cannot be read: %d",
          page_in(p, 3 * page));
    munmap(p + page, page);
    CHECK(emulated || page_in(p, 3 * page) == -ENOMEM, "page_in of a hole: %d",
          page_in(p, 3 * page));
    optimized_spin_wait(0);
    optimized_spin_wait(100);
    spin_wait_ns(0);
    spin_wait_ns(1000);
    CHECK(errno == 77, "errno was changed to %d", errno);
}

static char order[8];

static int init(void *context)
{
    strncat(order, context, 1);
    return *(char *)context == 'f' ? 5 : 0;
}

static void check_components(void)
{
    enum { READY = 1, FAILED, SKIPPED_MEMORY, SKIPPED_EMPTY };
    static char a[] = "a", b[] = "b", c[] = "c", f[] = "f";
    struct component list[] = {
        {"low", 1, 10, init, a, a, 1, 0, 0},        {"high", 9, 60, init, b, NULL, 0, 0, 0},
        {"large", 5, 50, init, c, NULL, 0, 0, 0},   {"fails", 8, 40, init, f, NULL, 0, 0, 0},
        {"empty", 7, 0, NULL, NULL, NULL, 0, 0, 0},
    };
    size_t ready = preload_components(list, 5, 100);
    CHECK(ready == 2, "%zu components are ready", ready);
    CHECK(strcmp(order, "bfa") == 0, "initialised in the order %s", order);
    CHECK(list[0].state == READY && list[1].state == READY, "states of what fits");
    CHECK(list[2].state == SKIPPED_MEMORY, "state %d of what does not fit", list[2].state);
    CHECK(list[3].state == FAILED && list[3].error == 5, "error %d", list[3].error);
    CHECK(list[4].state == SKIPPED_EMPTY, "state %d of the empty one", list[4].state);
    CHECK(preload_components(NULL, 0, 0) == 0, "no components");
}

/* Pieces of some data with what the definitions say of them. */
enum { PIECES = 61, DATA_BYTES = 5000 };
static uint8_t data[DATA_BYTES];
static struct piece {
    size_t offset, half, size;
    uint32_t crc, crc_of_first, crc_of_second, crc32c, crc32c_of_first, crc32c_of_second;
} pieces[PIECES];

static void make_pieces(void)
{
    const uint32_t ieee = 0xEDB88320, castagnoli = 0x82F63B78;
    for (size_t i = 0; i < DATA_BYTES; i++)
        data[i] = (uint8_t)(i * i >> 3 ^ i);
    for (size_t i = 0; i < PIECES; i++) {
        struct piece *piece = &pieces[i];
        piece->offset = i * 7 % 64;
        piece->size = i < PIECES - 1 ? i * i % 700 : 4096;
        piece->half = piece->size / 3;
        const uint8_t *p = data + piece->offset, *middle = p + piece->half;
        size_t rest = piece->size - piece->half;
        piece->crc = reference(ieee, 0, p, piece->size);
        piece->crc_of_first = reference(ieee, 0, p, piece->half);
        piece->crc_of_second = reference(ieee, 0, middle, rest);
        piece->crc32c = reference(castagnoli, 0, p, piece->size);
        piece->crc32c_of_first = reference(castagnoli, 0, p, piece->half);
        piece->crc32c_of_second = reference(castagnoli, 0, middle, rest);
    }
}

static int count_call(void *count)
{
    return ++*(int *)count % 3 == 0 ? 7 : 0;
}

/* One call of every name; the number of those that answered wrongly. */
static unsigned call_all(const struct piece *piece, uint8_t *copy)
{
    const uint8_t *p = data + piece->offset, *middle = p + piece->half;
    size_t n = piece->size, rest = n - piece->half;
    unsigned wrong = 0, first = (unsigned)is_cold_start() + (unsigned)is_cold_start_asm();
    __atomic_add_fetch(&winners, first, __ATOMIC_RELAXED);
    prefetch_critical_memory(p, n);
    optimized_spin_wait(1);
    spin_wait_ns(20);
    memset(copy, 0x5a, n + 1);
    wrong += fast_memcpy(copy, p, n) != copy || memcmp(copy, p, n) != 0 || copy[n] != 0x5a;
    wrong += hardware_crc32(p, n) != piece->crc;
    wrong += zlib_crc32(piece->crc_of_first, middle, (unsigned)rest) != piece->crc;
    wrong += zlib_crc32_z(piece->crc_of_first, middle, rest) != piece->crc;
    wrong += telemetry_checksum(p, n) != piece->crc;
    wrong += crc32_update(piece->crc_of_first, middle, rest) != piece->crc;
    wrong += crc32_combine(piece->crc_of_first, piece->crc_of_second, rest) != piece->crc;
    wrong += crc32c(p, n) != piece->crc32c;
    wrong += crc32c_update(piece->crc32c_of_first, middle, rest) != piece->crc32c;
    wrong += crc32c_combine(piece->crc32c_of_first, piece->crc32c_of_second, rest) != piece->crc32c;
    wrong += page_in(p, n) != 0;
    int count = 0;
    struct component list[] = {{"low", 1, 1, count_call, &count, p, n, 0, 0},
                               {"large", 2, 9, count_call, &count, NULL, 0, 0, 0},
                               {"high", 3, 1, count_call, &count, NULL, 0, 0, 0}};
    wrong += preload_components(list, 3, 5) != 2 || count != 2 || list[1].state != 3;
    int kind = critical_init();
    wrong += kind < 1 || kind > 2;
    wrong += version()[0] < '0';
    return wrong;
}

static unsigned long calls_each, wrong_calls;

static void *call_long(void *index)
{
    static _Thread_local uint8_t copy[DATA_BYTES];
    unsigned long wrong = 0;
    pthread_barrier_wait(&start);
    for (unsigned long i = 0; i < calls_each; i++)
        wrong += call_all(&pieces[(i + (uintptr_t)index) % PIECES], copy);
    __atomic_add_fetch(&wrong_calls, wrong, __ATOMIC_RELAXED);
    return NULL;
}

static void check_long(unsigned long calls)
{
    pthread_t threads[RACERS];
    make_pieces();
    calls_each = calls;
    pthread_barrier_init(&start, NULL, RACERS);
    errno = 77;
    for (uintptr_t i = 0; i < RACERS; i++)
        if (pthread_create(&threads[i], NULL, call_long, (void *)i) != 0)
            abort();
    for (int i = 0; i < RACERS; i++)
        pthread_join(threads[i], NULL);
    CHECK(wrong_calls == 0, "%lu calls answered wrongly", wrong_calls);
    CHECK(winners == 1, "%u callers were told that they came first", winners);
    CHECK(errno == 77, "errno was changed to %d", errno);
}

int main(int argc, char **argv)
{
    bool is_long = argc > 2 && strcmp(argv[1], "long") == 0;
    bool present = is_long || (argc > 1 && strcmp(argv[1], "present") == 0);
    look_up(present);
    if (failures || !present)
        return failures != 0;
    if (is_long) {
        check_long(strtoul(argv[2], NULL, 10));
        return failures != 0;
    }
    check_cold_start();
    check_checksums();
    check_copies();
    check_memory(argc > 2 && strcmp(argv[2], "emulated") == 0);
    check_components();
    int kind = critical_init();
    CHECK((kind == 1 || kind == 2) && critical_init() == kind, "start kind %d", kind);
    int major, minor, patch, used = 0;
    CHECK(sscanf(version(), "%d.%d.%d%n", &major, &minor, &patch, &used) == 3 && !version()[used],
          "version \"%s\"", version());
    return failures != 0;
}
