/*
 * counters.c: in a build with -Dcoverage=true, linked into every object. Keeps its counters of
 * executed code in a file that all processes share.
 *
 * The compiler's own run-time library writes them at exit, and needs libc. Ours must count in an
 * object without libc, in processes that end by _exit(), exec, a signal or with the replay's
 * threads still running: each count is in the file at once. With -runtime-counter-relocation every
 * access to a counter adds __llvm_profile_counter_bias, so that they can be anywhere. Where the
 * file cannot be mapped (no descriptors, another root, nothing may be written) nothing is counted.
 */
#include "base/sys.h"

extern int64_t __llvm_profile_counter_bias __attribute__((visibility("hidden")));

/* Begin and end of the sections, from the linker. */
extern uint8_t counters_begin[] __asm__("__start___llvm_prf_cnts")
    __attribute__((visibility("hidden")));
extern const uint8_t counters_end[] __asm__("__stop___llvm_prf_cnts")
    __attribute__((visibility("hidden")));
extern const uint8_t names_begin[] __asm__("__start___llvm_prf_names")
    __attribute__((visibility("hidden")));
extern const uint8_t names_end[] __asm__("__stop___llvm_prf_names")
    __attribute__((visibility("hidden")));

/* Before the constructors of the object itself. */
__attribute__((constructor(101), no_profile_instrument_function)) static void share_counters(void)
{
    /* The names of all functions tell the objects of a build apart: FNV-1a. */
    uint64_t hash = 0xcbf29ce484222325u;
    for (const uint8_t *p = names_begin; p < names_end; p++)
        hash = (hash ^ *p) * 0x100000001b3u;
    char path[] = COUNTERS_FOLDER "/0000000000000000";
    for (char *digit = path + sizeof path - 2; hash; hash >>= 4, digit--)
        *digit = "0123456789abcdef"[hash & 15];

    long bytes = counters_end - counters_begin;
    int fd = sys_create(path, O_RDWR | O_NOFOLLOW, 0666);
    if (fd < 0)
        return;
    cb_syscall6(SYS_fchmod, fd, 0666, 0, 0, 0, 0); /* for victims that are nobody */
    long at = -1;
    if (cb_syscall6(SYS_ftruncate, fd, bytes, 0, 0, 0, 0) == 0)
        at = cb_syscall6(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    sys_close(fd);
    if (at > 0)
        __llvm_profile_counter_bias = at - (long)(uintptr_t)counters_begin;
}
