"""Every system call that libcoldboost.so makes fails in turn; the program does not notice.

Usage: faults.py OBJECT REFUSE VICTIM

refuse.c first lists the calls that a start makes in each mode, and then lets each fail in every
plausible way: all of them, the first, all but the first. What the victim sees must be what it sees
without us. Prints the calls and how many runs were the same.
"""

import concurrent.futures
import errno
import os
import re
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
from coldboost_support import Checks, Profile, plain_environment, run  # noqa: E402

ERRORS = ("EPERM", "EINTR", "EAGAIN", "ENOMEM", "EIO", "EINVAL", "EMFILE", "ENOSYS")
WHICH = {"all": ERRORS, "first": ("EINTR", "EIO"), "later": ("EINTR", "EIO")}
# What does not fail where the program itself goes on: the descriptor is closed whatever close()
# answers, and who is refused wait4() does not see a child that is left.
CANNOT_FAIL = {"exit", "exit_group", "close", "wait4"}
# What the kernel does not take back stays, and nobody can do anything about it: the one mapping of a
# replay, which is 16 stacks of 32 KiB, its state of 11 KiB and a copy of the profile, here 3 KiB. More
# than that, or anything else that differs, would be a fault.
MAPPING_KIB = 16 * 32 + 16
FILES = 20
SYSCALLS_H = ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm-generic/unistd.h")
VICTIM = "looks around"


def call_names():
    """Names of system calls by number."""
    for path in SYSCALLS_H:
        if os.path.exists(path):
            with open(path, encoding="utf-8") as header:
                found = re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)", header.read())
            return {int(number): name for name, number in found}
    return {}


class Faults:
    def __init__(self, folder, object_path, refuse, victim):
        self.checks = Checks()
        self.object = os.path.abspath(object_path)
        self.refuse = os.path.abspath(refuse)
        self.victim = shutil.copy(victim, folder)
        self.names = call_names()
        paths = []
        for i in range(FILES):
            paths.append(f"{folder}/data{i}")
            with open(paths[-1], "wb") as out:
                out.write(bytes(65536))
        profile = Profile()
        directory = (profile.file(folder, kind=1, size=0, mtime_ns=0), 0, 0, 0)
        profile.section(os.path.realpath(self.victim), [directory] + profile.whole_files(paths))
        with_profile = {"COLDBOOST_PROFILE": profile.write(f"{folder}/faults.cbp")}
        self.starts = {"no profile": {"COLDBOOST": "force"}, "unforced": with_profile}
        for mode in ("thread", "fork", "sync"):
            self.starts[mode] = {**with_profile, "COLDBOOST": "force", "COLDBOOST_MODE": mode}

    def run(self, settings, *how, verb=VICTIM):
        environment = {**plain_environment("/"), **settings}
        if settings:
            environment["REFUSE_LD_PRELOAD"] = self.object
        return run([self.refuse, *how, self.victim, verb], environment, cwd="/", timeout=60)

    def find_object(self):
        """Where our code is: with randomisation off, the same in every run."""
        maps = self.run({"COLDBOOST": "auto"}, "0", "0", "list", verb="maps").stdout.decode()
        found = re.findall(rf"(?m)^(\w+)-(\w+) r-xp .* {re.escape(self.object)}$", maps)
        self.checks.equal(len(found), 1, f"executable mappings of ours in {maps}")
        return found[0] if found else ("0", "0")

    def compare(self, plain, place, start, number, error, which):
        outcome = self.run(self.starts[start], *place, str(number), str(getattr(errno, error)), which)
        name = self.names.get(number, number)
        if name == "munmap":
            outcome.stdout = re.sub(rb"(?m)(?<= tasks, )\d+(?= KiB$)", self.without_mapping, outcome.stdout)
        found = "; ".join(plain.differences(outcome))
        self.checks.check(not found, f"{start}, {which} calls of {name} fail with {error}: {found}")

    @staticmethod
    def without_mapping(kib):
        return kib[0] if int(kib[0]) > MAPPING_KIB else b"0"

    def work(self):
        place = self.find_object()
        plain = self.run({}, "0", "0", "list")
        self.checks.equal(plain.status, 0, f"the victim: {plain.stderr}")
        jobs = []
        for start, settings in self.starts.items():
            listed = self.run(settings, *place, "list")
            if listed.status == 77:
                self.checks.skip("refused calls", "no seccomp listener on this kernel")
                return
            numbers = [int(n) for n in re.findall(rb"call (\d+)", listed.stderr)]
            names = [self.names.get(number, str(number)) for number in numbers]
            print(f"{start}: {' '.join(names)}")
            expected = {"no profile": "madvise", "unforced": "preadv2"}.get(start, "readahead")
            self.checks.check(expected in names or not self.names, f"{start}: no {expected} was called")
            for number, name in zip(numbers, names):
                if name in CANNOT_FAIL:
                    continue
                for which, errors in WHICH.items():
                    # A mask that could be set can be set back.
                    if (name, which) != ("rt_sigprocmask", "later"):
                        jobs += [(start, number, error, which) for error in errors]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for job in [pool.submit(self.compare, plain, place, *job) for job in jobs]:
                job.result()
        print(f"{len(jobs)} runs with a call refused, {self.checks.failed} differences")


def main():
    with tempfile.TemporaryDirectory(prefix="coldboost-faults-") as folder:
        faults = Faults(os.path.realpath(folder), *sys.argv[1:4])
        faults.work()
        return faults.checks.exit_code()


sys.exit(main())
