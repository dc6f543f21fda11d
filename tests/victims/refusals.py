"""Which system calls a start makes, how each may fail, and what the report must then say."""

import glob
import os
import re

# What the manual pages say, and what seccomp filters of containers answer: EPERM and ENOSYS.
FILTERED = ("EPERM", "ENOSYS")
READING = ("EINTR", "EAGAIN", "EIO", "EISDIR", "EINVAL", "ENOMEM")
LOOKING = ("EACCES", "ENOENT", "ENOMEM", "EIO", "ELOOP", "ESTALE", "ENOTDIR")
ERRORS = {
    "chdir": ("ENOENT", "EACCES", "ENOTDIR"),
    "clock_gettime": ("EINVAL", "EFAULT"),
    "clone": ("EAGAIN", "ENOMEM", "EINVAL"),
    "close_range": ("EMFILE", "ENOMEM", "EINVAL"),
    "futex": ("EAGAIN", "EINTR", "ETIMEDOUT", "EINVAL"),
    "getcwd": ("ENOENT", "ERANGE", "EACCES"),
    "getdents64": ("ENOENT", "EINTR", "EIO", "ENOTDIR"),
    "getppid": (),
    "getpid": (),
    "getrandom": ("EAGAIN", "EINTR"),
    "getrusage": ("EINVAL",),
    "madvise": ("EAGAIN", "ENOMEM", "EIO", "EINVAL", "EBADF"),
    "mmap": ("ENOMEM", "EAGAIN", "EINVAL"),
    "munmap": ("EINVAL", "ENOMEM"),
    "openat": ("EMFILE", "ENFILE", "EINTR", "EAGAIN", "EOVERFLOW", *LOOKING),
    "pidfd_open": ("EINVAL", "EMFILE", "ENODEV", "ENOMEM", "ESRCH"),
    "ppoll": ("EINTR", "ENOMEM"),
    "prctl": ("EINVAL",),
    "pread64": READING,
    "preadv2": ("EOPNOTSUPP", *READING),
    "readahead": ("EINVAL", "EBADF", "EIO", "EINTR"),
    "readlinkat": LOOKING,
    "rt_sigprocmask": ("EINVAL", "EFAULT"),
    "rt_sigtimedwait": ("EAGAIN", "EINTR"),
    "statx": ("EINTR", *LOOKING),
    "sysinfo": ("EFAULT",),
    "unshare": ("ENOMEM", "EINVAL"),
    "write": ("EAGAIN", "EINTR", "EIO", "ENOSPC", "EDQUOT", "EPIPE", "EFBIG"),
}
SINGLY = ("EINTR", "EIO", "ENOMEM", "EAGAIN", "EINVAL")
# What does not fail where the program itself goes on: the descriptor is closed whatever close()
# answers, and who is refused wait4() does not see a child that is left.
CANNOT_FAIL = {"exit", "exit_group", "close", "wait4"}
# Made for a caller of the public functions, who is told; by the tools alone, or the recorder; on slow
# storage, as a hint; where the program's only thread has ended; where there is a store of profiles.
NOT_OF_A_START = {"clock_nanosleep", "nanosleep", "process_vm_readv", "execve", "faccessat", "fadvise64",
                  "kill", "rt_sigaction", "mmap2", "preadv", "newfstatat", "fstat", "lseek", "read",
                  "gettid", "seccomp", "fgetxattr", "geteuid", "getuid", "getgid", "openat2", "flock",
                  "memfd_create", "ftruncate", "pwrite64", "prlimit64", "fcntl", "dup3", "setsid"}
# What the report must say where all calls of a kind fail.
GAVE_UP = r"plan=(blind|none) "
GAVE_UP_OR_WARM = r"plan=(blind|none) |state=skipped"
NOT_BESIDE = r"mode=sync |state=skipped" # who cannot tell who would reap leaves no process
SAYS = {
    "clone": {"unforced": GAVE_UP_OR_WARM, "thread": GAVE_UP},
    "mmap": {"unforced": GAVE_UP_OR_WARM, "thread": GAVE_UP, "process": GAVE_UP, "sync": GAVE_UP},
    "rt_sigprocmask": {"unforced": GAVE_UP_OR_WARM, "thread": GAVE_UP, "process": GAVE_UP},
    "openat": {"unforced": GAVE_UP, "thread": GAVE_UP, "process": GAVE_UP, "sync": GAVE_UP},
    "pread64": {"unforced": GAVE_UP, "thread": GAVE_UP, "process": GAVE_UP, "sync": GAVE_UP},
    "readlinkat": {"unforced": NOT_BESIDE, "process": NOT_BESIDE},
    "statx": {"unforced": GAVE_UP, "thread": GAVE_UP, "process": GAVE_UP, "sync": GAVE_UP},
    "getdents64": {"thread": r"stale_files=1 ", "process": r"stale_files=1 ", "sync": r"stale_files=1 "},
    "readahead": {"thread": r"bytes=[1-9].* stale_files=0 .*state=done"},
    "madvise": {"no profile": r"plan=blind ranges=0 "},
    "unshare": {"before Linux 5.9": r"ranges=0/.* state=unfinished"},
}
# What the kernel does not take back stays, and nobody can do anything about it: the one mapping of a
# replay, which is 17 stacks of 32 KiB, its state of 11 KiB and a copy of the profile, here 3 KiB. More
# than that, or anything else that differs, would be a fault.
MAPPING_KIB = 17 * 32 + 16
SYSCALLS_H = ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm-generic/unistd.h")
REPORT = re.compile(
    rb"coldboost: role=\w+ start=\w+ plan=\w+( mode=\w+)? ranges=\d+(/\d+)? bytes=\d+[^\n]* us=\d+[^\n]*\n"
)


def call_names():
    """Names of system calls by number."""
    for path in SYSCALLS_H:
        if os.path.exists(path):
            with open(path, encoding="utf-8") as header:
                found = re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)", header.read())
            return {int(number): name for name, number in found}
    return {}


def names_in_sources(folder):
    """Of the library's calls, whoever makes them."""
    names = set()
    for path in glob.glob(f"{folder}/**/*.[ch]", recursive=True):
        with open(path, encoding="utf-8") as source:
            names.update(re.findall(r"\bSYS_([a-z]\w*)", source.read()))
    return names
