/*
 * refcheck.c: every kernel against a reference that is too simple to be wrong.
 *
 *   refcheck [--seed N]       the kernels, of which COLDBOOST_CPU chooses the variants
 *   refcheck --broken         each of broken.c in a child, which must notice
 *
 * Exit code 0: all agree; 1: a difference, described on stderr; 2: wrong arguments or mask; 77:
 * nothing compared, since the CPU lacks a feature of the mask. Plain C and no framework: it also
 * runs under qemu-user and with musl.
 */
#include "refcheck.h"

#include "call.h"

#include "coldboost.h"
#include "cpu_features.h"
#include "primitives/cpu.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVERY_LENGTH_TO 1200
#define ALIGNMENTS      64
#define LARGEST         (4u << 20)
#define GUARDED         (48u << 10) /* readable bytes between two guard pages */

static uint64_t seed = 20240607, state;

/* What was running, for the message of a crash. */
static struct {
    const char *name;
    size_t n, source, destination;
} now;

static uint64_t next_random(void)
{
    /* splitmix64 */
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static size_t random_below(size_t limit)
{
    return (size_t)(next_random() % limit);
}

static void fill_random(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)next_random();
}

_Noreturn static void differ(const char *what, uint64_t wanted, uint64_t got)
{
    fprintf(stderr,
            "refcheck: %s: %s: %zu bytes, source alignment %zu, destination alignment %zu: wanted "
            "%#llx, got %#llx; --seed %llu\n",
            now.name, what, now.n, now.source, now.destination, (unsigned long long)wanted,
            (unsigned long long)got, (unsigned long long)seed);
    _exit(1);
}

static void on_fault(int signal_number)
{
    differ("signal", 0, (uint64_t)signal_number);
}

static void *map(size_t bytes, int protection)
{
    void *p = mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        perror("refcheck: mmap");
        exit(2);
    }
    return p;
}

/* GUARDED bytes with an inaccessible page before and behind them. */
static uint8_t *map_guarded(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *p = map(GUARDED + 2 * page, PROT_NONE);
    if (GUARDED % page || mprotect(p + page, GUARDED, PROT_READ | PROT_WRITE) != 0) {
        perror("refcheck: mprotect");
        exit(2);
    }
    return p + page;
}

static uintptr_t call(any_function *function, uintptr_t a, uintptr_t b, uintptr_t c)
{
    uint64_t changed;
    uintptr_t result = checked_call(function, a, b, c, &changed);
    if (changed)
        differ("a callee-saved register changed", 0, changed);
    return result;
}

/*
 * Checksums.
 */

/* One byte, bit by bit. The register is not inverted. */
static uint32_t reference_byte(uint32_t polynomial, uint32_t crc, uint8_t byte)
{
    crc ^= byte;
    for (int bit = 0; bit < 8; bit++)
        crc = crc & 1 ? crc >> 1 ^ polynomial : crc >> 1;
    return crc;
}

static uint32_t reference(uint32_t polynomial, uint32_t crc, const uint8_t *p, size_t n)
{
    crc = ~crc;
    for (size_t i = 0; i < n; i++)
        crc = reference_byte(polynomial, crc, p[i]);
    return ~crc;
}

static uint32_t reference_product(uint32_t polynomial, uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (int bit = 31; bit >= 0; bit--) { /* bit 31 stands for x^0 */
        product ^= a >> bit & 1 ? b : 0;
        b = b & 1 ? b >> 1 ^ polynomial : b >> 1;
    }
    return product;
}

/* The register times x^(8 n): what n zero bytes make of it. By squaring, from the lowest bit. */
static uint32_t reference_append(uint32_t polynomial, uint32_t crc, uint64_t n)
{
    uint32_t power = 1u << (31 - 8); /* x^8 */
    for (; n; n >>= 1) {
        if (n & 1)
            crc = reference_product(polynomial, power, crc);
        power = reference_product(polynomial, power, power);
    }
    return crc;
}

static void expect_checksum(const struct checksum *checksum, uint32_t start, const uint8_t *p,
                            size_t n, uint32_t wanted)
{
    now.name = checksum->name;
    now.n = n;
    now.source = (uintptr_t)p % ALIGNMENTS;
    uint32_t got =
        (uint32_t)call((any_function *)(void (*)(void))checksum->update, start, (uintptr_t)p, n);
    if (got != wanted)
        differ("update", wanted, got);
    if (start == 0 && (got = checksum->one_shot(p, n)) != wanted)
        differ("one shot", wanted, got);
}

static void check_every_length(const struct checksum *checksum, const uint8_t *buffer)
{
    for (size_t alignment = 0; alignment < ALIGNMENTS; alignment++) {
        const uint8_t *p = buffer + alignment;
        uint32_t start = alignment % 4 ? (uint32_t)next_random() : 0;
        uint32_t crc = ~start;
        for (size_t n = 0; n <= EVERY_LENGTH_TO; n++) {
            expect_checksum(checksum, start, p, n, ~crc);
            crc = reference_byte(checksum->polynomial, crc, p[n]);
        }
    }
}

/* Around the sizes where a variant changes its plan, all of them known or not; and at random. */
static void check_larger(const struct checksum *checksum, const uint8_t *buffer, uint32_t *prefixes)
{
    for (int round = 0; round < 2; round++) {
        const uint8_t *p = buffer + random_below(ALIGNMENTS);
        uint32_t start = (uint32_t)next_random();
        prefixes[0] = ~start;
        for (size_t n = 0; n < LARGEST; n++)
            prefixes[n + 1] = reference_byte(checksum->polynomial, prefixes[n], p[n]);
        for (size_t n = EVERY_LENGTH_TO; n < 16384; n++)
            expect_checksum(checksum, start, p, n, ~prefixes[n]);
        for (size_t shift = 14; shift <= 22; shift++)
            expect_checksum(checksum, start, p, (size_t)1 << shift, ~prefixes[(size_t)1 << shift]);
        for (int i = 0; i < 60; i++) {
            size_t n = random_below((size_t)2 << (13 + random_below(9)));
            expect_checksum(checksum, start, p, n, ~prefixes[n]);
        }
    }
}

static void check_guarded_checksum(const struct checksum *checksum, uint8_t *guarded)
{
    for (size_t i = 0; i <= EVERY_LENGTH_TO + 300; i++) {
        size_t n = i <= EVERY_LENGTH_TO ? i : random_below(GUARDED);
        uint32_t start = (uint32_t)next_random();
        const uint8_t *at_end = guarded + GUARDED - n;
        expect_checksum(checksum, start, guarded, n,
                        reference(checksum->polynomial, start, guarded, n));
        expect_checksum(checksum, start, at_end, n,
                        reference(checksum->polynomial, start, at_end, n));
    }
}

static void check_splits(const struct checksum *checksum, const uint8_t *buffer)
{
    for (int i = 0; i < 1000; i++) {
        size_t n = random_below((size_t)2 << random_below(13)), split = random_below(n + 1);
        const uint8_t *p = buffer + random_below(ALIGNMENTS);
        uint32_t whole = reference(checksum->polynomial, 0, p, n);
        uint32_t first = checksum->update(0, p, split);
        now.name = checksum->name;
        now.n = n;
        now.source = (uintptr_t)p % ALIGNMENTS;
        uint32_t got = checksum->update(first, p + split, n - split);
        if (got != whole)
            differ("split", whole, got);
        uint32_t second = checksum->one_shot(p + split, n - split);
        got = checksum->combine(first, second, n - split);
        if (got != whole)
            differ("combine", whole, got);
    }
    for (int i = 0; i < 1000; i++) {
        uint32_t a = (uint32_t)next_random(), b = (uint32_t)next_random();
        uint64_t length_b = next_random() >> random_below(64);
        uint32_t wanted = b ^ reference_append(checksum->polynomial, a, length_b);
        uint32_t got = checksum->combine(a, b, length_b);
        if (got != wanted)
            differ("combine with a long second part", wanted, got);
    }
}

static void check_checksum(const struct checksum *checksum, const uint8_t *buffer, uint8_t *guarded,
                           uint32_t *prefixes)
{
    now.name = checksum->name;
    if (checksum->update(5, NULL, 0) != 5)
        differ("nothing at NULL", 5, checksum->update(5, NULL, 0));
    check_every_length(checksum, buffer);
    check_guarded_checksum(checksum, guarded);
    check_splits(checksum, buffer);
    check_larger(checksum, buffer, prefixes);
}

/*
 * Copies.
 */

#define RED_ZONE 128

static void expect_copy(const struct copy *copy, uint8_t *dst, const uint8_t *src, size_t n)
{
    now.name = copy->name;
    now.n = n;
    now.source = (uintptr_t)src % ALIGNMENTS;
    now.destination = (uintptr_t)dst % ALIGNMENTS;
    uintptr_t result =
        call((any_function *)(void (*)(void))copy->copy, (uintptr_t)dst, (uintptr_t)src, n);
    if (result != (uintptr_t)dst)
        differ("result", (uintptr_t)dst, result);
    for (size_t i = 0; i < n; i++)
        if (dst[i] != src[i]) {
            fprintf(stderr, "refcheck: first difference at byte %zu\n", i);
            differ("byte", src[i], dst[i]);
        }
}

/* With red zones around the destination, which must have room for them. */
static void check_copy_at(const struct copy *copy, uint8_t *dst, const uint8_t *src, size_t n)
{
    memset(dst - RED_ZONE, 0xa5, n + 2 * RED_ZONE);
    expect_copy(copy, dst, src, n);
    for (size_t i = 0; i < RED_ZONE; i++) {
        if (dst[n + i] != 0xa5)
            differ("written behind the destination", 0xa5, dst[n + i]);
        if (dst[-1 - (ptrdiff_t)i] != 0xa5)
            differ("written before the destination", 0xa5, dst[-1 - (ptrdiff_t)i]);
    }
}

static void check_copy(const struct copy *copy, uint8_t *buffer, uint8_t *guarded_src,
                       uint8_t *guarded_dst, uint8_t *room)
{
    room += RED_ZONE;
    for (size_t n = 0; n <= EVERY_LENGTH_TO; n++)
        for (size_t alignment = 0; alignment < ALIGNMENTS; alignment++) {
            check_copy_at(copy, room + alignment, buffer + random_below(ALIGNMENTS), n);
            check_copy_at(copy, room + random_below(ALIGNMENTS), buffer + alignment, n);
        }
    for (size_t n = 1; n <= 1024; n *= 2)
        for (size_t src = 0; src < ALIGNMENTS; src++)
            for (size_t dst = 0; dst < ALIGNMENTS; dst++)
                check_copy_at(copy, room + dst, buffer + src, n + (src + dst) % 2);
    for (int i = 0; i < 200; i++) {
        size_t n = random_below((size_t)2 << (10 + random_below(12)));
        check_copy_at(copy, room + random_below(ALIGNMENTS), buffer + random_below(ALIGNMENTS), n);
    }
    for (size_t i = 0; i <= EVERY_LENGTH_TO + 300; i++) {
        size_t n = i <= EVERY_LENGTH_TO ? i : random_below(GUARDED);
        size_t end = GUARDED - n;
        memset(guarded_dst, 0, GUARDED);
        expect_copy(copy, guarded_dst, guarded_src, n);
        expect_copy(copy, guarded_dst + end, guarded_src + end, n);
        expect_copy(copy, guarded_dst, guarded_src + end, n);
        expect_copy(copy, guarded_dst + end, guarded_src, n);
    }
}

static void *inline_copy(void *restrict dst, const void *restrict src, size_t n)
{
    return coldboost_memcpy_inline(dst, src, n);
}

static void check_all(const struct subjects *subjects)
{
    state = seed;
    uint8_t *buffer = map(LARGEST + ALIGNMENTS, PROT_READ | PROT_WRITE);
    uint8_t *room = map(LARGEST + ALIGNMENTS + 2 * RED_ZONE, PROT_READ | PROT_WRITE);
    uint32_t *prefixes = map((LARGEST + 1) * sizeof *prefixes, PROT_READ | PROT_WRITE);
    uint8_t *guarded = map_guarded(), *guarded_too = map_guarded();
    fill_random(buffer, LARGEST + ALIGNMENTS);
    fill_random(guarded, GUARDED);
    for (size_t i = 0; i < sizeof subjects->checksums / sizeof *subjects->checksums; i++)
        check_checksum(&subjects->checksums[i], buffer, guarded, prefixes);
    for (size_t i = 0; i < sizeof subjects->copies / sizeof *subjects->copies; i++)
        check_copy(&subjects->copies[i], buffer, guarded, guarded_too, room);
}

/* Whether a child that runs with this broken variant ends with the exit code of a difference. */
static bool is_noticed(const struct broken *broken, const struct subjects *subjects)
{
    struct subjects worse = *subjects;
    broken->apply(&worse);
    pid_t child = fork();
    if (child == 0) {
        check_all(&worse);
        _exit(0);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("refcheck: fork");
        exit(2);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

static int check_broken(const struct subjects *subjects)
{
    int unnoticed = 0;
    for (const struct broken *broken = broken_variants; broken->name; broken++) {
        bool noticed = is_noticed(broken, subjects);
        printf("%-12s %s\n", noticed ? "noticed" : "NOT NOTICED", broken->name);
        fflush(stdout);
        unnoticed += !noticed;
    }
    return unnoticed != 0;
}

/* Says which feature of the mask the CPU, or its kernel, lacks: its variant cannot run. */
static bool lacks_a_feature(uint32_t allowed)
{
    for (const struct cpu_feature_name *entry = cpu_feature_names; entry->name; entry++)
        if (allowed & entry->bit & ~cpu_features()) {
            printf("skipped: this CPU has no %s\n", entry->name);
            return true;
        }
    return false;
}

int main(int argc, char **argv)
{
    const char *mask = getenv("COLDBOOST_CPU");
    uint32_t allowed = CPU_ALL;
    if (mask && cpu_parse(mask, &allowed) != 0) {
        fprintf(stderr, "refcheck: COLDBOOST_CPU=%s: unknown feature\n", mask);
        return 2;
    }
    cpu_mask(allowed);

    bool broken = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--broken") == 0)
            broken = true;
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 0);
        else {
            fprintf(stderr, "usage: refcheck [--seed N] [--broken]\n");
            return 2;
        }
    }

    struct sigaction action = {.sa_handler = on_fault};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    const struct subjects subjects = {
        .checksums = {{"crc32", 0xedb88320u, coldboost_crc32_update, hardware_crc32,
                       coldboost_crc32_combine},
                      {"crc32c", 0x82f63b78u, coldboost_crc32c_update, coldboost_crc32c,
                       coldboost_crc32c_combine}},
        .copies = {{"fast_memcpy", fast_memcpy}, {"coldboost_memcpy_inline", inline_copy}},
    };
    if (allowed != CPU_ALL && lacks_a_feature(allowed))
        return 77;
    if (broken)
        return check_broken(&subjects);
    printf("seed %llu, features %#x of %#x\n", (unsigned long long)seed, cpu_features(), allowed);
    check_all(&subjects);
    return 0;
}
