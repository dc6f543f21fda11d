"""A guest with manners: a program finds descriptors, errno, signals, children, threads and memory as they
would be without libcoldboost.so, at once, and under tight limits.

Usage: manners.py ARCH OBJECT VICTIM FREEZE [CASE…]
"""

import glob
import os
import resource
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
import cases  # noqa: E402
from coldboost_support import AS_NOBODY, PR_SET_CHILD_SUBREAPER, run  # noqa: E402
from manners_case import LIBC, MannersCase  # noqa: E402

ADDR_NO_RANDOMIZE = 0x0040000


def limited(kind, amount):
    return lambda: resource.setrlimit(kind, (amount, amount))


class Manners(MannersCase):
    def test_at_once(self):
        """Races between the program's first steps and the replay."""
        everything = ["errno", "state", "children", "wait", "state", "leftovers", "spawns"]
        plain = self.compare("all at once", everything)
        self.check(b"errno: 0\n" in plain.stdout, f"the victim is broken: {plain.stdout}")
        self.compare("leaves at once", ["leave"], times=10)
        self.compare("crashes at once", ["crash"], times=5)
        self.compare("returns at once", ["errno"], times=10)
        self.compare("waits for anybody at once", ["children"], times=5)
        self.compare("becomes itself", ["exec", "errno", "exec", "state", "exec", "state"])
        self.compare("main thread leaves", ["main-leaves"])
        early = {"VICTIM_FORKS_EARLY": "1"}
        self.compare("forks before main", ["errno", "children"], environment=early)

    def test_data_limit(self):
        """With what the program and an idle object need, and no page more: the replay's own memory counted,
        too, and made the program's next allocation fail."""
        def starts(kib, mode, **more):
            variables = {**self.environment, **self.boosted(mode, **more)}
            how = limited(resource.RLIMIT_DATA, kib << 10)
            return run([self.victim, "take"], variables, cwd="/", preexec_fn=how).status == 0

        enough, short = 1 << 20, 0
        while enough - short > 4:
            middle = (enough + short) // 2
            enough, short = (middle, short) if starts(middle, "process", COLDBOOST="off") else (enough, middle)
        for mode in ("process", "thread", "sync"):
            for _ in range(10):
                self.check(starts(enough, mode), f"{enough} KiB of data are not enough with {mode}")

    def test_under_limits(self):
        """Where descriptors, memory, processes or stack are short, or the environment is odd."""
        see = ["errno", "state", "children"]

        for count in range(0, 9):
            how = {"preexec_fn": limited(resource.RLIMIT_NOFILE, count)}
            self.compare(f"{count} descriptors", see, times=1, **how)
        for mib in (8, 16, 32, 64):
            how = {"preexec_fn": limited(resource.RLIMIT_AS, mib << 20)}
            self.compare(f"{mib} MiB of address space", see, times=1, **how)

        def small_stack():
            # Where the stack begins is random by 8 KiB: the loader alone may then overflow it.
            LIBC.personality(ADDR_NO_RANDOMIZE)
            resource.setrlimit(resource.RLIMIT_STACK, (16 << 10, 16 << 10))

        self.compare("16 KiB of stack", see, times=1, preexec_fn=small_stack)
        how = {"preexec_fn": limited(resource.RLIMIT_FSIZE, 0)}
        self.compare("no file may be written", see, times=1, **how)
        if os.getuid() == 0:
            how = {"preexec_fn": limited(resource.RLIMIT_NPROC, 0), **AS_NOBODY}
            self.compare("no process allowed", ["errno", "state", "wait", "leftovers"], **how)
        else:
            self.skip("RLIMIT_NPROC", "it needs root, to become a user with no process")

        def closed(*descriptors):
            return lambda: [os.close(fd) for fd in descriptors]

        self.compare("stdin closed", see, preexec_fn=closed(0))
        self.compare("stdin and stderr closed", see, preexec_fn=closed(0, 2))
        large = {f"LARGE_{i}": "x" * 100000 for i in range(10)}
        self.compare("1 MiB of environment", see, environment=large)
        self.compare("argv[0] is NULL", ["exec-without-arguments"])

    def test_empty_environment(self):
        loaders = glob.glob("/lib64/ld-linux*.so.?") + glob.glob("/lib/ld-linux*.so.?")
        if not loaders:
            self.skip("empty environment", "no loader to preload by option")
            return
        see = [self.victim, "errno", "state", "children", "spawns"]
        plain = run([loaders[0], *see], {}, cwd="/")
        boosted = run([loaders[0], "--preload", self.object, *see], {}, cwd="/")
        found = "; ".join(plain.differences(boosted))
        self.check(not found and plain.status == 0, f"empty environment: {found}")

    def test_adopters(self):
        """Programs that inherit other people's orphans would inherit ours."""
        see = ["errno", "children", "wait", "children"]
        adopt = {"preexec_fn": lambda: LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)}
        self.compare("subreaper", see, times=5, **adopt)
        unshare = ["unshare", "--pid", "--fork", "--kill-child"]
        try:
            usable = run([*unshare, "true"], self.environment).status == 0
        except FileNotFoundError:
            usable = False
        if usable:
            self.compare("process 1", see, prefix=unshare, times=5)
        else:
            self.skip("process 1", "no new PID namespace here (unshare as root)")


cases.main()
