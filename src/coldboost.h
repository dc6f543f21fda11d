/*
 * coldboost.h: the public interface of libcoldboost.
 *
 * A program can link against libcoldboost.so, or look any of these names up at run time with
 * dlsym(RTLD_DEFAULT, …) when the object was preloaded; absence then means "not preloaded" and the
 * program goes on without it. Unless a comment says otherwise every function is thread-safe,
 * async-signal-safe, leaves errno alone, takes no lock and allocates nothing.
 */
#ifndef COLDBOOST_H
#define COLDBOOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define COLDBOOST_RESTRICT
#else
#define COLDBOOST_RESTRICT restrict
#endif

#define COLDBOOST_API __attribute__((visibility("default")))

/*
 * Start kind.
 *
 * is_cold_start(): true exactly once a process, for whichever caller comes first from any thread;
 * false for ever after. The library's own constructor does not use the answer up. Once the flag is
 * taken a call is a plain load; the atomic exchange is only reached while it is not.
 * is_cold_start_asm() is the same function under the name of the original system.
 */
COLDBOOST_API bool is_cold_start(void);
COLDBOOST_API bool is_cold_start_asm(void);

/*
 * is_cold_start() to compile into the caller: once this translation unit knows that the flag is
 * taken, a call is one load and a branch. The two may be mixed; together they are true once.
 */
static inline bool coldboost_is_cold_start_inline(void)
{
    static bool known_taken;
    if (__builtin_expect(__atomic_load_n(&known_taken, __ATOMIC_ACQUIRE), true))
        return false;
    bool first = is_cold_start();
    __atomic_store_n(&known_taken, true, __ATOMIC_RELEASE);
    return first;
}

/*
 * Brings the n bytes at p towards the first-level cache, one request per 64-byte line that they
 * touch, at most the first 256 KiB: no more than the smallest second-level cache holds, so that
 * the last lines do not evict the first. The requests are spread over about the time that memory
 * takes for them, 4 µs for 64 KiB: a CPU drops what it has no room for. A hint: it never faults,
 * whatever p is, and n = 0 does nothing. It does not page anything in: a prefetch of a page
 * without a mapping is dropped by the CPU (Intel SDM, PREFETCHh; AMD APM, PREFETCHlevel). For
 * that, see coldboost_page_in().
 */
COLDBOOST_API void prefetch_critical_memory(const void *p, size_t n);

/*
 * Brings the pages of the n bytes at p into memory and into this process's page tables, for
 * reading, and waits until they are there; n = 0 does nothing. Never raises a signal. Returns 0 or
 *   -ENOMEM  part of the range is not mapped
 *   -EFAULT  part of it cannot be read, for instance because its file has become shorter
 *   or another negative errno of madvise(2) or process_vm_readv(2); some pages may be in memory.
 * One system call from Linux 5.14 on (MADV_POPULATE_READ), one every 64 pages before.
 */
COLDBOOST_API int coldboost_page_in(const void *p, size_t n);

/*
 * Executes the CPU's spin-wait hint (PAUSE, ISB or YIELD) `iterations` times. This is a count, not
 * a time: one hint lasts from about 3 ns to 45 ns between CPU generations.
 */
COLDBOOST_API void optimized_spin_wait(uint64_t iterations);

/*
 * Waits ns nanoseconds, or a little longer; not less by more than what the calibration errs. Up to
 * 10 ms it spins on the CPU's invariant counter, whose rate the first such wait of the process
 * measures against CLOCK_MONOTONIC (it then lasts at least 20 µs) where the CPU does not tell it;
 * longer waits go to the kernel's timer. A signal handler may run meanwhile; the wait still lasts
 * to its end.
 */
COLDBOOST_API void coldboost_spin_wait_ns(uint64_t ns);

/*
 * Copies n bytes from src to dst and returns dst, as memcpy: if the two overlap (unless they are
 * the same) the result is undefined. With n = 0 neither pointer is looked at.
 */
COLDBOOST_API void *fast_memcpy(void *COLDBOOST_RESTRICT dst, const void *COLDBOOST_RESTRICT src,
                                size_t n);

/*
 * Memory as registers: any alignment, any type behind it.
 */
typedef uint16_t coldboost_u16 __attribute__((aligned(1), may_alias));
typedef uint32_t coldboost_u32 __attribute__((aligned(1), may_alias));
typedef uint64_t coldboost_u64 __attribute__((aligned(1), may_alias));
typedef uint64_t coldboost_u128 __attribute__((vector_size(16), aligned(1), may_alias));

#define COLDBOOST_COPY_ENDS(type)                                                                  \
    do {                                                                                           \
        const type first = *(const type *)s, last = *(const type *)(s + n - sizeof(type));         \
        *(type *)d = first;                                                                        \
        *(type *)(d + n - sizeof(type)) = last;                                                    \
        return dst;                                                                                \
    } while (0)

/*
 * fast_memcpy() to compile into the caller: up to 64 bytes are copied in registers, two or four of
 * them, the last overlapping; more go to fast_memcpy(). A constant n leaves only the moves. Where n
 * changes from call to call, fast_memcpy() itself has fewer branches to guess.
 */
static inline void *coldboost_memcpy_inline(void *COLDBOOST_RESTRICT dst,
                                            const void *COLDBOOST_RESTRICT src, size_t n)
{
    unsigned char *d = (unsigned char *)dst;
    const unsigned char *s = (const unsigned char *)src;
    if (n <= 16) {
        if (n >= 4) {
            if (n >= 8)
                COLDBOOST_COPY_ENDS(coldboost_u64);
            COLDBOOST_COPY_ENDS(coldboost_u32);
        }
        if (n >= 2)
            COLDBOOST_COPY_ENDS(coldboost_u16);
        if (n)
            *d = *s;
        return dst;
    }
    if (n > 64)
        return fast_memcpy(dst, src, n);
    if (n > 32) {
        const coldboost_u128 second = *(const coldboost_u128 *)(s + 16);
        const coldboost_u128 third = *(const coldboost_u128 *)(s + n - 32);
        *(coldboost_u128 *)(d + 16) = second; /* the middle, which the ends do not cover */
        *(coldboost_u128 *)(d + n - 32) = third;
    }
    COLDBOOST_COPY_ENDS(coldboost_u128);
}
#undef COLDBOOST_COPY_ENDS

/*
 * CRC-32 of zlib, gzip, PNG and Ethernet (polynomial 0x04C11DB7, reflected; "123456789" gives
 * 0xCBF43926). hardware_crc32() is one-shot. coldboost_crc32_update() continues: pass 0 for the
 * first piece and the last result for each that follows. data may be NULL if n is 0.
 * coldboost_crc32_combine() gives the checksum of A followed by B from those of A and B and the
 * length of B in bytes.
 */
COLDBOOST_API uint32_t hardware_crc32(const void *data, size_t n);
COLDBOOST_API uint32_t coldboost_crc32_update(uint32_t crc, const void *data, size_t n);
COLDBOOST_API uint32_t coldboost_crc32_combine(uint32_t crc_a, uint32_t crc_b, uint64_t length_b);

/*
 * CRC-32C (Castagnoli, polynomial 0x1EDC6F41, reflected; "123456789" gives 0xE3069283): iSCSI,
 * ext4, and what the SSE4.2 crc32 instruction computes. The forms are those of CRC-32 above.
 */
COLDBOOST_API uint32_t coldboost_crc32c(const void *data, size_t n);
COLDBOOST_API uint32_t coldboost_crc32c_update(uint32_t crc, const void *data, size_t n);
COLDBOOST_API uint32_t coldboost_crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t length_b);

/*
 * What kind of start this process is, as the constructor found it.
 */
enum coldboost_start {
    COLDBOOST_START_COLD = 1,    /* first process of its kind here, or nothing says otherwise */
    COLDBOOST_START_WARM = 2,    /* the files it needs were in memory already */
    COLDBOOST_START_RESTART = 3, /* not the first of its program in this Lambda sandbox */
};

/*
 * Prefetches the environment block and records the start kind. Idempotent; the constructor calls
 * it, a program that links against the library may call it earlier. Returns the start kind.
 */
COLDBOOST_API enum coldboost_start coldboost_critical_init(void);

enum coldboost_component_state {
    COLDBOOST_COMPONENT_PENDING = 0,
    COLDBOOST_COMPONENT_READY,          /* init returned 0 */
    COLDBOOST_COMPONENT_FAILED,         /* init returned something else: see error */
    COLDBOOST_COMPONENT_SKIPPED_MEMORY, /* its declared memory did not fit the limit */
    COLDBOOST_COMPONENT_SKIPPED_EMPTY,  /* it has no init function */
};

/*
 * One part of a program that coldboost_preload_components() can initialise.
 */
struct coldboost_component {
    const char *name;           /* for the caller's reports; may be NULL */
    int priority;               /* higher goes first; ties keep the array's order */
    size_t memory_bytes;        /* what its initialisation will need, as declared */
    int (*init)(void *context); /* returns 0 or an error of its own */
    void *context;              /* handed to init */
    const void *metadata;       /* read by init, prefetched first; may be NULL */
    size_t metadata_bytes;
    enum coldboost_component_state state; /* out */
    int error;                            /* out: what init returned */
};

/*
 * Prefetches the components and their metadata, spins a moment so that the lines arrive, then
 * initialises them in order of priority while the sum of their declared memory stays within
 * memory_limit_bytes (0: no limit). A component that does not fit is skipped, a smaller one behind
 * it still gets its turn; one that fails frees its share. state and error say what became of each.
 * Returns how many are ready. Calls the init functions on this thread, so it is only as
 * signal-safe as they are.
 */
COLDBOOST_API size_t coldboost_preload_components(struct coldboost_component *components, size_t n,
                                                  size_t memory_limit_bytes);

/*
 * The checksum of coldboost's telemetry records: CRC-32, see hardware_crc32().
 */
COLDBOOST_API uint32_t coldboost_telemetry_checksum(const void *data, size_t n);

/*
 * The library's version, "MAJOR.MINOR.PATCH"; static storage.
 */
COLDBOOST_API const char *coldboost_version(void);

#ifdef __cplusplus
}
#endif
#endif
