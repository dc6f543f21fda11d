"""Every system call that libcoldboost.so makes in a start fails in turn; the program does not notice,
and the report says what could not be done.

Usage: faults.py OBJECT REFUSE VICTIM FOLDER-OF-SOURCES

refuse.c first lists the calls of each kind of start, and then lets each fail in every plausible
way: all of them, the first, all but the first. What the victim sees must be what it sees without
us. Prints a table of calls and errors: how many runs with that failure were as without it.
"""

import concurrent.futures
import errno
import glob
import json
import os
import re
import shutil
import sys
import tempfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
from coldboost_support import Checks, Profile, path_hash, plain_environment, run  # noqa: E402

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
# Made for a caller of the public functions, who is told; by the tools alone; on a slow store, as a hint;
# where the program's only thread has ended; on 32-bit architectures.
NOT_OF_A_START = {"clock_nanosleep", "nanosleep", "process_vm_readv", "execve", "faccessat", "fadvise64",
                  "kill", "rt_sigaction", "mmap2", "preadv"}
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
FILES = 20
RECORD_BYTES = 104
SYSCALLS_H = ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm-generic/unistd.h")
VICTIM = "looks around"
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


class Faults:
    def __init__(self, folder, object_path, refuse, victim, sources):
        self.checks = Checks()
        self.folder = folder
        self.object = os.path.abspath(object_path)
        self.refuse = os.path.abspath(refuse)
        self.sources = sources
        self.victim = shutil.copy(victim, folder)
        self.names = call_names()
        self.numbers = {name: number for number, name in self.names.items()}
        self.marker = f"/tmp/.coldboost-{path_hash(self.victim):016x}"
        self.table = {}  # (call, error): runs
        self.seen = set()
        paths = []
        for i in range(FILES):
            paths.append(f"{folder}/data{i}")
            with open(paths[-1], "wb") as out:
                out.write(bytes(65536))
        profile = Profile()
        directory = (profile.file(folder, kind=1, size=0, mtime_ns=0), 0, 0, 0)
        profile.section(os.path.realpath(self.victim), [directory] + profile.whole_files(paths))
        with_profile = {"COLDBOOST_PROFILE": profile.write(f"{folder}/faults.cbp"), "COLDBOOST_VERBOSE": "1"}
        forced = {**with_profile, "COLDBOOST": "force"}
        self.starts = {"no profile": {"COLDBOOST": "force", "COLDBOOST_VERBOSE": "1"}, "unforced": with_profile}
        for mode in ("process", "thread", "sync"):
            self.starts[mode] = {**forced, "COLDBOOST_MODE": mode}
        self.starts["before Linux 5.9"] = forced
        self.starts["silent"] = {"COLDBOOST": "force", "COLDBOOST_PROFILE": forced["COLDBOOST_PROFILE"]}
        self.starts["telemetry"] = {**forced, "COLDBOOST_TELEMETRY": "telemetry"}
        self.starts["holdout"] = {**with_profile, "COLDBOOST_HOLDOUT": "50"}
        self.starts["Lambda"] = {**forced, "COLDBOOST_TELEMETRY": "emf", "LAMBDA_TASK_ROOT": "/nowhere",
                                 "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"}
        self.starts["full disk"] = self.starts["telemetry"]
        # Calls that are made only where others fail.
        self.always = {"before Linux 5.9": "close_range:ENOSYS:all", "full disk": "write:EFBIG:all"}
        self.cwd = f"{folder}/cwd"
        os.mkdir(self.cwd)

    def refusals(self, *words):
        found = []
        for word in filter(None, words):
            name, error, which = word.split(":")
            found.append(f"{self.numbers.get(name, name)}:{getattr(errno, error)}:{which}")
        return ",".join(found)

    def run(self, settings, place, refusals, verb=VICTIM):
        environment = plain_environment("/")
        for name, value in settings.items():
            environment[f"REFUSE_{name}"] = value
        return run([self.refuse, *place, refusals, self.victim, verb], environment, cwd=self.cwd, timeout=60)

    def preloaded(self, start, place, refusals):
        return self.run({**self.starts[start], "LD_PRELOAD": self.object}, place, refusals)

    def plain(self, start):
        others = {name: value for name, value in self.starts[start].items() if "COLDBOOST" not in name}
        return self.run(others, ("0", "0"), "list")

    def telemetry_is_intact(self):
        with open(f"{self.cwd}/telemetry", "rb") as log:
            content = log.read()
        for at in range(0, len(content), RECORD_BYTES):
            record = content[at : at + RECORD_BYTES]
            good = zlib.crc32(record[:-4]) == int.from_bytes(record[-4:], "little")
            self.checks.check(good, f"a record of {len(record)} bytes is not intact")
        print(f"{len(content) // RECORD_BYTES} records of telemetry, all intact")

    def find_object(self):
        """Where our code is: with randomisation off, the same in every run."""
        maps = self.run({"LD_PRELOAD": self.object}, ("0", "0"), "list", "maps").stdout.decode()
        found = re.findall(rf"(?m)^(\w+)-(\w+) r-xp .* {re.escape(self.object)}$", maps)
        self.checks.equal(len(found), 1, f"executable mappings of ours in {maps}")
        return found[0] if found else ("0", "0")

    def take_report(self, outcome):
        """Away from what the program says; what it says itself. One line at most, or two in Lambda."""
        line = REPORT.search(outcome.stderr)
        outcome.stderr = REPORT.sub(b"", outcome.stderr, 1)
        emf = re.search(rb'(?m)^\{"_aws".*\}\n', outcome.stderr)
        if emf:
            json.loads(emf[0])
            outcome.stderr = outcome.stderr.replace(emf[0], b"", 1)
        return line[0].decode() if line else ""

    def compare(self, plain, place, start, name, error, which):
        always = self.always.get(start, "")
        outcome = self.preloaded(start, place, self.refusals(always, f"{name}:{error}:{which}"))
        report = self.take_report(outcome)
        if name == "munmap":
            outcome.stdout = re.sub(rb"(?m)(?<= tasks, )\d+(?= KiB$)", self.without_mapping, outcome.stdout)
        found = "; ".join(plain.differences(outcome))
        says = SAYS.get(name, {}).get(start)
        if which == "all" and says and not found and not re.search(says, report):
            found = f"the report says {report!r}, not {says}"
        what = f"{start}, {which} calls of {name} fail with {error}"
        return self.checks.check(not found, f"{what}: {found}")

    @staticmethod
    def without_mapping(kib):
        return kib[0] if int(kib[0]) > MAPPING_KIB else b"0"

    def jobs(self, place):
        """Every failure of every call of every start."""
        for start in self.starts:
            listed = self.preloaded(start, place, "list," + self.refusals(self.always.get(start)))
            if listed.status == 77:
                self.checks.skip("refused calls", "no seccomp listener on this kernel")
                return
            names = [self.names.get(int(n), n.decode()) for n in re.findall(rb"call (\d+)", listed.stderr)]
            print(f"{start}: {' '.join(names)}")
            self.seen.update(names)
            for name in names:
                if name in CANNOT_FAIL or name in self.always.get(start, ""):
                    continue
                for error in (*ERRORS.get(name, ()), *FILTERED):
                    yield start, name, error, "all"
                # A mask that could be set can be set back.
                for which in ("first", "later")[: 1 if name == "rt_sigprocmask" else 2]:
                    for error in [error for error in SINGLY if error in ERRORS.get(name, ())][:2]:
                        yield start, name, error, which

    def show(self):
        calls = sorted({name for name, _ in self.table})
        errors = sorted({error for _, error in self.table})
        width = max(map(len, calls))
        for at in range(0, len(errors), 13):
            some = errors[at : at + 13]
            print(" " * width, *(error.rjust(10) for error in some))
            for name in calls:
                row = [str(self.table.get((name, error), "")).rjust(10) for error in some]
                if any(cell.strip() for cell in row):
                    print(name.ljust(width), *row)

    def work(self):
        place = self.find_object()
        plain = {start: self.plain(start) for start in self.starts}
        self.checks.equal({outcome.status for outcome in plain.values()}, {0}, "the victim without us")
        jobs = list(self.jobs(place))
        if not jobs:
            return
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            done = {pool.submit(self.compare, plain[job[0]], place, *job): job for job in jobs}
            for future in concurrent.futures.as_completed(done):
                _, name, error, _ = done[future]
                if future.result():
                    self.table[name, error] = self.table.get((name, error), 0) + 1
        if os.path.exists(self.marker):
            os.remove(self.marker)
        self.show()
        self.telemetry_is_intact()
        if self.names:
            untested = names_in_sources(self.sources) - set(ERRORS) - CANNOT_FAIL - NOT_OF_A_START
            self.checks.equal(untested, set(), "calls in the sources without plausible errors here")
            unseen = set(ERRORS) - self.seen
            self.checks.equal(unseen, set(), "calls that no start made")
        print(f"{len(jobs)} runs with a call refused, {self.checks.failed} differences")


def main():
    with tempfile.TemporaryDirectory(prefix="coldboost-faults-") as folder:
        faults = Faults(os.path.realpath(folder), *sys.argv[1:5])
        faults.work()
        return faults.checks.exit_code()


sys.exit(main())
