/*
 * sys.h: the system calls, typed. Each returns what the kernel returned: a value or -errno; errno
 * itself is never touched. All are async-signal-safe, and may be called between vfork and exec.
 */
#pragma once

#include "syscall.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#define SYS_ATTRIBUTE_IMMUTABLE 0x10u
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2u
#endif

struct sys_io_vector {
    void *base;
    size_t bytes;
};

/*
 * The kernel's struct statx, the fields that are used here by name: the same on every architecture.
 * musl 1.2.3 has none, and a C library may not declare it to those who do not ask.
 */
struct sys_status {
    uint8_t before_links[16];
    uint32_t links, uid, gid;
    uint16_t mode;
    uint8_t before_size[10];
    uint64_t size;
    uint8_t before_kept[8];
    uint64_t kept_attributes; /* SYS_ATTRIBUTE_…: which of them the file system keeps */
    uint8_t before_ctime[32];
    int64_t ctime_seconds;
    uint32_t ctime_nanoseconds;
    uint8_t before_mtime[4];
    int64_t mtime_seconds;
    uint32_t mtime_nanoseconds;
    uint8_t after_mtime[132];
};
static_assert(sizeof(struct sys_status) == 256, "as the kernel fills it");
static_assert(offsetof(struct sys_status, mtime_seconds) == 112, "as the kernel fills it");

static inline int sys_open_at(int folder, const char *path, int flags)
{
    return (int)cb_syscall6(SYS_openat, folder, (long)path, flags | O_CLOEXEC, 0, 0, 0);
}

static inline int sys_open(const char *path, int flags)
{
    return sys_open_at(AT_FDCWD, path, flags);
}

/* As sys_open(), for a file that may have to be made first. */
static inline int sys_create(const char *path, int flags, unsigned mode)
{
    return (int)cb_syscall6(SYS_openat, AT_FDCWD, (long)path, flags | O_CREAT | O_CLOEXEC, mode, 0,
                            0);
}

static inline int sys_close(int fd)
{
    return (int)cb_syscall6(SYS_close, fd, 0, 0, 0, 0, 0);
}

static inline int sys_statx(int fd, const char *path, int flags, struct sys_status *out)
{
    unsigned mask = 0x1 | 0x2 | 0x4 | 0x8 | 0x40 | 0x80 |
                    0x200; /* STATX_TYPE, _MODE, _NLINK, _UID, ... _SIZE */
    return (int)cb_syscall6(SYS_statx, fd, (long)path, flags, mask, (long)out, 0);
}

/* The file at fd if path is "", else the one at path; never follows a final symbolic link. */
static inline int sys_stat(int fd, const char *path, struct sys_status *out)
{
    return sys_statx(fd, path, AT_SYMLINK_NOFOLLOW | (*path ? 0 : AT_EMPTY_PATH), out);
}

/* The open file as far as the kernel knows it: asks no server. */
static inline int sys_stat_known(int fd, struct sys_status *out)
{
    return sys_statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, out);
}

/* Nanoseconds since 1970; what does not fit wraps around. */
static inline int64_t sys_mtime_ns(const struct sys_status *status)
{
    return (int64_t)((uint64_t)status->mtime_seconds * 1000000000u + status->mtime_nanoseconds);
}

/* The same of the last change of the file or of what is known about it. */
static inline int64_t sys_change_ns(const struct sys_status *status)
{
    return (int64_t)((uint64_t)status->ctime_seconds * 1000000000u + status->ctime_nanoseconds);
}

/* As sys_open(), with rules for the way there (Linux 5.6). */
static inline int sys_open_how(const char *path, int flags, uint64_t resolve)
{
    const uint64_t how[3] = {(uint64_t)(flags | O_CLOEXEC), 0, resolve};
    return (int)cb_syscall6(SYS_openat2, AT_FDCWD, (long)path, (long)how, sizeof how, 0, 0);
}

/* No symbolic link is followed; -EAGAIN instead of a wait for storage (Linux 5.12). */
#define SYS_WITHOUT_LINKS 0x04u /* RESOLVE_NO_SYMLINKS */
#define SYS_KNOWN         0x20u /* RESOLVE_CACHED */

static inline int sys_open_without_links(const char *path, int flags)
{
    int fd = sys_open_how(path, flags, SYS_WITHOUT_LINKS);
    return fd == -ENOSYS ? sys_open(path, flags) : fd;
}

/* Opens a regular file or directory, whatever stands at the path now; -errno if it is neither. */
static inline int sys_open_type(const char *path, mode_t type, struct sys_status *status)
{
    int error = sys_stat(AT_FDCWD, path, status);
    if (error)
        return error;
    if ((status->mode & S_IFMT) != type)
        return -EINVAL;
    int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    return sys_open(path, type == S_IFDIR ? flags | O_DIRECTORY : flags);
}

/* Follows symbolic links, as the program will; asks no server. */
static inline void sys_look_up(const char *path)
{
    struct sys_status status;
    int flags = AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC;
    cb_syscall6(SYS_statx, AT_FDCWD, (long)path, flags, 0x1, (long)&status, 0); /* STATX_TYPE */
}

#ifdef SYS_newfstatat /* the newest architectures have statx alone */
/* The status as libc has it, of what a program means by the path: follows a final symbolic link. */
static inline int sys_fstatat(int directory, const char *path, struct stat *status)
{
    return (int)cb_syscall6(SYS_newfstatat, directory, (long)path, (long)status, 0, 0, 0);
}

static inline int sys_fstat(int fd, struct stat *status)
{
    return (int)cb_syscall6(SYS_fstat, fd, (long)status, 0, 0, 0, 0);
}
#endif

/* What executing the file gives to whoever does, as the kernel's struct vfs_cap_data; or an error.
 */
static inline long sys_read_capabilities(int fd, void *out, size_t bytes)
{
    return cb_syscall6(SYS_fgetxattr, fd, (long)"security.capability", (long)out, (long)bytes, 0,
                       0);
}

static inline bool sys_has_capabilities(int fd)
{
    return sys_read_capabilities(fd, NULL, 0) > 0;
}

static inline long sys_read(int fd, void *buffer, size_t bytes)
{
    long n;
    do
        n = cb_syscall6(SYS_read, fd, (long)buffer, (long)bytes, 0, 0, 0);
    while (n == -EINTR);
    return n;
}

static inline long sys_pread(int fd, void *buffer, size_t bytes, uint64_t offset)
{
    return cb_syscall6(SYS_pread64, fd, (long)buffer, (long)bytes, (long)offset, 0, 0);
}

/* The beginning of a small file as text, "" if it cannot be read. Returns its length. */
static inline size_t sys_read_text(const char *path, char *text, size_t capacity)
{
    int fd = sys_open(path, O_RDONLY);
    long n = fd < 0 ? 0 : sys_pread(fd, text, capacity - 1, 0);
    if (fd >= 0)
        sys_close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

/* pread that answers -EAGAIN instead of waiting for storage (Linux 4.14). */
static inline long sys_pread_nowait(int fd, void *buffer, size_t bytes, uint64_t offset)
{
    struct sys_io_vector vector = {buffer, bytes};
    return cb_syscall6(SYS_preadv2, fd, (long)&vector, 1, (long)offset, 0, RWF_NOWAIT);
}

/* flock(2), and never waits. */
static inline int sys_lock_shared(int fd)
{
    return (int)cb_syscall6(SYS_flock, fd, 1 | 4 /* LOCK_SH | LOCK_NB */, 0, 0, 0, 0);
}

/* The descriptor's position. */
static inline int64_t sys_position(int fd)
{
    return cb_syscall6(SYS_lseek, fd, 0, 1 /* SEEK_CUR */, 0, 0, 0);
}

/*
 * Starts reading [offset, offset + bytes) into the page cache and does not wait for it. The kernel
 * stops at a device-dependent size (often 128 KiB–2 MiB): call it in chunks.
 */
static inline long sys_readahead(int fd, uint64_t offset, size_t bytes)
{
    return cb_syscall6(SYS_readahead, fd, (long)offset, (long)bytes, 0, 0, 0);
}

/* How [0, bytes) of a file, all of it if that is 0, will be read: POSIX_FADV_RANDOM keeps the
 * kernel from reading ahead, POSIX_FADV_WILLNEED starts to read. */
static inline void sys_advise(int fd, size_t bytes, int advice)
{
    cb_syscall6(SYS_fadvise64, fd, 0, (long)bytes, advice, 0, 0);
}

static inline long sys_write(int fd, const void *bytes, size_t size)
{
    return cb_syscall6(SYS_write, fd, (long)bytes, (long)size, 0, 0, 0);
}

static inline long sys_pwrite(int fd, const void *bytes, size_t size, uint64_t offset)
{
    return cb_syscall6(SYS_pwrite64, fd, (long)bytes, (long)size, (long)offset, 0, 0);
}

/* A file in memory: memfd_create(2). */
static inline int sys_create_memory(const char *name, unsigned flags)
{
    return (int)cb_syscall6(SYS_memfd_create, (long)name, flags, 0, 0, 0, 0);
}

static inline int sys_set_size(int fd, uint64_t bytes)
{
    return (int)cb_syscall6(SYS_ftruncate, fd, (long)bytes, 0, 0, 0, 0);
}

/* Another descriptor, not below `least`, that exec closes. */
static inline int sys_duplicate(int fd, int least)
{
    return (int)cb_syscall6(SYS_fcntl, fd, F_DUPFD_CLOEXEC, least, 0, 0, 0);
}

/* Makes `to`, which is another, the same file as fd; exec leaves it open. */
static inline void sys_duplicate_to(int fd, int to)
{
    cb_syscall6(SYS_dup3, fd, to, 0, 0, 0, 0);
}

/* Also across exec. */
static inline void sys_keep_open(int fd)
{
    cb_syscall6(SYS_fcntl, fd, F_SETFD, 0, 0, 0, 0);
}

static inline long sys_readlink(const char *path, char *buffer, size_t bytes)
{
    return cb_syscall6(SYS_readlinkat, AT_FDCWD, (long)path, (long)buffer, (long)bytes, 0, 0);
}

/* Fills buffer with directory entries; 0 at the end. */
static inline long sys_getdents(int fd, void *buffer, size_t bytes)
{
    return cb_syscall6(SYS_getdents64, fd, (long)buffer, (long)bytes, 0, 0, 0);
}

static inline long sys_getcwd(char *buffer, size_t bytes)
{
    return cb_syscall6(SYS_getcwd, (long)buffer, (long)bytes, 0, 0, 0, 0);
}

static inline int sys_chdir(const char *path)
{
    return (int)cb_syscall6(SYS_chdir, (long)path, 0, 0, 0, 0, 0);
}

/* One descriptor; waits without an end if timeout is NULL. 1: it is ready. */
static inline long sys_poll(struct pollfd *descriptor, const struct timespec *timeout)
{
    return cb_syscall6(SYS_ppoll, (long)descriptor, 1, (long)timeout, 0, 0, 0);
}

/* The beginning of a file, to read and write; anonymous memory with MAP_ANONYMOUS and fd -1. NULL
 * if that fails. */
static inline void *sys_map_file(int fd, size_t bytes, int flags)
{
    long result = cb_syscall6(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
    return result < 0 && result > -4096 ? NULL : (void *)result;
}

/* Anonymous memory, zeroed; NULL if there is none. MAP_SHARED: RLIMIT_DATA does not count it. */
static inline void *sys_map(size_t bytes, int sharing)
{
    return sys_map_file(-1, bytes, sharing | MAP_ANONYMOUS | MAP_NORESERVE);
}

static inline int sys_unmap(void *address, size_t bytes)
{
    return (int)cb_syscall6(SYS_munmap, (long)address, (long)bytes, 0, 0, 0, 0);
}

static inline int sys_madvise(void *address, size_t bytes, int advice)
{
    return (int)cb_syscall6(SYS_madvise, (long)address, (long)bytes, advice, 0, 0, 0);
}

/* Closes first..last (Linux 5.9); with CLOSE_RANGE_UNSHARE in a table of the caller's own. */
static inline long sys_close_range(unsigned first, unsigned last, unsigned flags)
{
    return cb_syscall6(SYS_close_range, first, last, flags, 0, 0, 0);
}

/* Gives the calling thread what it has shared so far: CLONE_FILES, a descriptor table. */
static inline int sys_unshare(int flags)
{
    return (int)cb_syscall6(SYS_unshare, flags, 0, 0, 0, 0, 0);
}

static inline long sys_prctl(int option, unsigned long value)
{
    return cb_syscall6(SYS_prctl, option, (long)value, 0, 0, 0, 0);
}

/* Has the kernel ask this BPF program (struct sock_fprog) about each system call from now on. */
static inline int sys_filter_calls(const void *program, unsigned flags)
{
    return (int)cb_syscall6(SYS_seccomp, 1 /* SECCOMP_SET_MODE_FILTER */, flags, (long)program, 0,
                            0, 0);
}

/* Sets the calling thread's signal mask: 64 bits, one a signal; stores the old one in *old. */
static inline int sys_signal_mask(const uint64_t *mask, uint64_t *old)
{
    return (int)cb_syscall6(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, (long)mask, (long)old, 8, 0,
                            0);
}

static inline long sys_getpid(void)
{
    return cb_syscall6(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

static inline long sys_gettid(void)
{
    return cb_syscall6(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

static inline long sys_getppid(void)
{
    return cb_syscall6(SYS_getppid, 0, 0, 0, 0, 0, 0);
}

static inline long sys_geteuid(void)
{
    return cb_syscall6(SYS_geteuid, 0, 0, 0, 0, 0, 0);
}

/* The real ones: what a set-uid or set-gid program changes is compared with them. */
static inline uid_t sys_getuid(void)
{
    return (uid_t)cb_syscall6(SYS_getuid, 0, 0, 0, 0, 0, 0);
}

static inline gid_t sys_getgid(void)
{
    return (gid_t)cb_syscall6(SYS_getgid, 0, 0, 0, 0, 0, 0);
}

/* Signal 0 only asks whether there is such a process. */
static inline int sys_kill(long process, int signal)
{
    return (int)cb_syscall6(SYS_kill, process, signal, 0, 0, 0, 0);
}

/* A descriptor that can be read from when the process has ended (Linux 5.3). */
static inline int sys_pidfd_open(long process)
{
    return (int)cb_syscall6(SYS_pidfd_open, process, 0, 0, 0, 0, 0);
}

/* Waits for the end of a child, be it one without an exit signal. Returns its wait status, or -1 if
 * that is unknown. */
static inline int sys_reap(long process)
{
    int status = -1;
    cb_syscall6(SYS_wait4, process, (long)&status, 0x40000000 /* __WALL */, 0, 0, 0);
    return status;
}

/* Ends the calling process by the signal as if nobody handled it, if no other thread is left that
 * has blocked it. Returns where that is impossible: the signal is ignored by default, or this is
 * process 1 of its namespace. */
static inline void sys_die_of(int number)
{
    const uint64_t by_default[4] = {0}, none = 0; /* handler, flags, restorer, mask */
    uint64_t before;
    cb_syscall6(SYS_rt_sigaction, number, (long)by_default, 0, 8, 0, 0);
    sys_kill(sys_getpid(), number);
    sys_signal_mask(&none, &before);
}

/* Takes a pending, blocked signal of the mask away; does nothing if there is none. */
static inline void sys_drop_signal(uint64_t mask)
{
    struct timespec now = {0, 0};
    cb_syscall6(SYS_rt_sigtimedwait, (long)&mask, 0, (long)&now, 8, 0, 0);
}

/* Sleeps until *word is no longer `value` (checked by the kernel) or somebody wakes it. */
static inline void sys_wait_while(int *word, int value)
{
    cb_syscall6(SYS_futex, (long)word, 0 /* FUTEX_WAIT */, value, 0, 0, 0);
}

/* Copies another process's memory, or what of one's own may not be there, in pieces: -EFAULT, or
 * fewer bytes, where nothing is. */
static inline long sys_read_memory(long process, const struct sys_io_vector *to,
                                   const struct sys_io_vector *pieces, size_t count)
{
    return cb_syscall6(SYS_process_vm_readv, process, (long)to, 1, (long)pieces, (long)count, 0);
}

/* Becomes the program at `path`; returns only an error. */
static inline long sys_execute(const char *path, char *const *argv, char *const *envp)
{
    return cb_syscall6(SYS_execve, (long)path, (long)argv, (long)envp, 0, 0, 0);
}

static inline bool sys_may_execute(const char *path)
{
    return cb_syscall6(SYS_faccessat, AT_FDCWD, (long)path, 1 /* X_OK */, 0, 0, 0) == 0;
}

/* Ends the calling thread alone. */
static inline _Noreturn void sys_exit_thread(void)
{
    for (;;)
        cb_syscall6(SYS_exit, 0, 0, 0, 0, 0, 0);
}

/* Ends the calling process. */
static inline _Noreturn void sys_exit(int status)
{
    for (;;)
        cb_syscall6(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

static inline uint64_t sys_clock_ns(clockid_t clock)
{
    struct timespec now = {0, 0};
    cb_syscall6(SYS_clock_gettime, clock, (long)&now, 0, 0, 0, 0);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t sys_monotonic_ns(void)
{
    return sys_clock_ns(CLOCK_MONOTONIC);
}

/* A child with a copy of everything, which sends no signal when it ends: sys_reap(). */
static inline long sys_fork(void)
{
    return cb_syscall6(SYS_clone, 0, 0, 0, 0, 0, 0);
}

/* In a session of its own, without a terminal. */
static inline void sys_new_session(void)
{
    cb_syscall6(SYS_setsid, 0, 0, 0, 0, 0, 0);
}

/* The soft limit of a resource; RLIM_INFINITY where it is unknown. */
static inline uint64_t sys_limit(int resource)
{
    uint64_t limits[2] = {~0ull, ~0ull};
    cb_syscall6(SYS_prlimit64, 0, resource, 0, (long)limits, 0, 0);
    return limits[0];
}

/* How much memory the machine has, among other things. */
static inline void sys_sysinfo(struct sysinfo *out)
{
    cb_syscall6(SYS_sysinfo, (long)out, 0, 0, 0, 0, 0);
}

static inline long sys_getrandom(void *out, size_t bytes, unsigned flags)
{
    return cb_syscall6(SYS_getrandom, (long)out, (long)bytes, flags, 0, 0, 0);
}

/* A signal ends it early: -EINTR. */
static inline int sys_sleep_ns(long ns)
{
    struct timespec time = {.tv_nsec = ns};
    return (int)cb_syscall6(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, (long)&time, 0, 0, 0);
}

/* The same, up to a time of sys_monotonic_ns(). */
static inline int sys_sleep_until(uint64_t ns)
{
    struct timespec time = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    return (int)cb_syscall6(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, (long)&time, 0, 0,
                            0);
}

/* who: RUSAGE_SELF or RUSAGE_THREAD. All zero where the kernel does not answer. */
static inline void sys_usage(int who, struct rusage *out)
{
    *out = (struct rusage){.ru_majflt = 0};
    cb_syscall6(SYS_getrusage, who, (long)out, 0, 0, 0, 0);
}
