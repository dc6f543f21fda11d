"""A guest with manners: a program finds descriptors, errno, signals, children, threads and memory
as they would be without libcoldboost.so, at once, under tight limits, and while a replay runs.

Usage: manners.py ARCH OBJECT VICTIM FREEZE

victim.c prints what it sees; freeze.c holds the replay still, so that "while it runs" needs no
timing. Each run with us is compared with one without.
"""

import ctypes
import glob
import os
import re
import resource
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
from coldboost_support import Checks, Profile, plain_environment, run  # noqa: E402

NOBODY = 65534
PR_SET_CHILD_SUBREAPER = 36
ADDR_NO_RANDOMIZE = 0x0040000
LIBC = ctypes.CDLL(None)

REPORT = re.compile(
    rb"coldboost: role=(other|runtime|extension) start=(cold|warm|unknown) plan=(\w+)"
    rb"( mode=\w+)? ranges=\d+(/\d+)? bytes=\d+[^\n]* us=\d+[^\n]*\n"
)


class Manners:
    def __init__(self, folder, object_path, victim, freeze):
        self.checks = Checks()
        self.folder = folder
        os.chmod(folder, 0o755)  # some victims are nobody's
        self.object = shutil.copy(object_path, folder)
        self.victim = shutil.copy(victim, folder)
        self.freeze = os.path.abspath(freeze)
        self.environment = plain_environment("/")
        files = []
        for i in range(300):
            files.append(f"{folder}/data{i}")
            with open(files[-1], "wb") as out:
                out.write(os.urandom(4096) * 16)
        profile = Profile()
        ranges = []
        for epoch, path in enumerate(files):
            ranges += [(profile.file(path), page, 2, epoch) for page in (0, 12)]
        profile.section(os.path.realpath(self.victim), ranges)
        self.range_count = len(ranges)
        self.profile = profile.write(f"{folder}/victim.cbp")

    def boosted(self, mode, **more):
        return {
            "LD_PRELOAD": self.object,
            "COLDBOOST": "force",
            "COLDBOOST_PROFILE": self.profile,
            "COLDBOOST_MODE": mode,
            **more,
        }

    def compare(self, name, arguments, modes=("process", "thread", "sync"), times=3, prefix=(), **how):
        """With and without us, in every mode, a few times over: what races may show."""
        extra = how.pop("environment", {})
        command = [*prefix, self.victim, *arguments]
        plain = run(command, {**self.environment, **extra}, cwd="/", **how)
        settings = {mode: self.boosted(mode) for mode in modes}
        settings["16 workers"] = self.boosted("thread", COLDBOOST_WORKERS="16")
        settings["no profile"] = {"LD_PRELOAD": self.object}
        settings["off"] = {"LD_PRELOAD": self.object, "COLDBOOST": "off"}
        for mode, variables in settings.items():
            for _ in range(times):
                boosted = run(command, {**self.environment, **extra, **variables}, cwd="/", **how)
                boosted.stderr = re.sub(rb"(?m)^ERROR: ld.so: object.*\n", b"", boosted.stderr)
                found = "; ".join(plain.differences(boosted))
                self.checks.check(not found, f"{name}, {mode}: {found}")
        return plain

    def at_once(self):
        """Races between the program's first steps and the replay."""
        everything = ["errno", "state", "children", "wait", "state", "leftovers", "spawns"]
        plain = self.compare("all at once", everything)
        self.checks.check(b"errno: 0\n" in plain.stdout, f"the victim is broken: {plain.stdout}")
        self.compare("leaves at once", ["leave"], times=10)
        self.compare("crashes at once", ["crash"], times=5)
        self.compare("returns at once", ["errno"], times=10)
        self.compare("waits for anybody at once", ["children"], times=5)
        self.compare("becomes itself", ["exec", "errno", "exec", "state", "exec", "state"])
        self.compare("main thread leaves", ["main-leaves"])
        early = {"VICTIM_FORKS_EARLY": "1"}
        self.compare("forks before main", ["errno", "children"], environment=early)

    def data_limit(self, limited):
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
                self.checks.check(starts(enough, mode), f"{enough} KiB of data are not enough with {mode}")

    def under_limits(self):
        """Where descriptors, memory, processes or stack are short, or the environment is odd."""
        see = ["errno", "state", "children"]

        def limited(kind, amount):
            return lambda: resource.setrlimit(kind, (amount, amount))

        for count in range(0, 9):
            how = {"preexec_fn": limited(resource.RLIMIT_NOFILE, count)}
            self.compare(f"{count} descriptors", see, times=1, **how)
        for mib in (8, 16, 32, 64):
            how = {"preexec_fn": limited(resource.RLIMIT_AS, mib << 20)}
            self.compare(f"{mib} MiB of address space", see, times=1, **how)

        self.data_limit(limited)

        def small_stack():
            # Where the stack begins is random by 8 KiB: the loader alone may then overflow it.
            LIBC.personality(ADDR_NO_RANDOMIZE)
            resource.setrlimit(resource.RLIMIT_STACK, (16 << 10, 16 << 10))

        self.compare("16 KiB of stack", see, times=1, preexec_fn=small_stack)
        how = {"preexec_fn": limited(resource.RLIMIT_FSIZE, 0)}
        self.compare("no file may be written", see, times=1, **how)
        if os.getuid() == 0:
            how = {"preexec_fn": limited(resource.RLIMIT_NPROC, 0), "user": NOBODY, "group": NOBODY,
                   "extra_groups": []}
            self.compare("no process allowed", ["errno", "state", "wait", "leftovers"], **how)
        else:
            self.checks.skip("RLIMIT_NPROC", "it needs root, to become a user with no process")

        def closed(*descriptors):
            return lambda: [os.close(fd) for fd in descriptors]

        self.compare("stdin closed", see, preexec_fn=closed(0))
        self.compare("stdin and stderr closed", see, preexec_fn=closed(0, 2))
        large = {f"LARGE_{i}": "x" * 100000 for i in range(10)}
        self.compare("1 MiB of environment", see, environment=large)
        self.compare("argv[0] is NULL", ["exec-without-arguments"])

    def empty_environment(self):
        loaders = glob.glob("/lib64/ld-linux*.so.?") + glob.glob("/lib/ld-linux*.so.?")
        if not loaders:
            self.checks.skip("empty environment", "no loader to preload by option")
            return
        see = [self.victim, "errno", "state", "children", "spawns"]
        plain = run([loaders[0], *see], {}, cwd="/")
        boosted = run([loaders[0], "--preload", self.object, *see], {}, cwd="/")
        found = "; ".join(plain.differences(boosted))
        self.checks.check(not found and plain.status == 0, f"empty environment: {found}")

    def adopters(self):
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
            self.checks.skip("process 1", "no new PID namespace here (unshare as root)")

    def frozen(self, name, arguments, modes=("process", "thread"), **settings):
        plain = run([self.victim, *arguments], self.environment, b"g", cwd="/")
        for mode in modes:
            variables = self.boosted(mode, **settings)
            variables["FREEZE_LD_PRELOAD"] = variables.pop("LD_PRELOAD")
            frozen = run(
                [self.freeze, self.victim, *arguments], {**self.environment, **variables}, cwd="/"
            )
            if frozen.status == 77:
                self.checks.skip(name, "no seccomp listener on this kernel")
                return
            if plain.status < 0:
                plain.status = 128 - plain.status
            if "COLDBOOST_VERBOSE" in settings:
                self.one_line(f"{name}, frozen, {mode}", frozen)
                frozen.stderr = b""
            found = "; ".join(plain.differences(frozen))
            self.checks.check(not found, f"{name} while the replay runs, {mode}: {found}")

    def while_it_runs(self):
        # Its output ends although the replay goes on: nobody else holds the pipe.
        self.frozen("looks around", ["go", "errno", "state", "children", "close", "hold"])
        self.frozen("starts others", ["go", "spawns", "close", "hold"])
        self.frozen("becomes itself", ["go", "exec", "errno", "state", "close", "hold"])
        self.frozen("leaves", ["go", "leave"])
        self.frozen("crashes", ["go", "crash"])
        self.frozen("returns", ["go", "errno"])
        if shutil.which("gdb"):
            self.frozen("gdb attaches", ["go", "gdb", "errno", "close", "hold"])
        else:
            self.checks.skip("gdb attaches", "gdb is not installed")
        self.frozen("main thread leaves", ["go", "main-leaves"])
        self.frozen("returns before the report", ["go", "errno"], COLDBOOST_VERBOSE="1")

    def one_line(self, name, outcome):
        self.checks.check(
            outcome.stderr.count(b"coldboost") == 1 and REPORT.fullmatch(outcome.stderr),
            f"{name}: not one line of report: {outcome.stderr}",
        )

    def reports(self):
        """One line when asked for, in every mode and for every plan; otherwise none."""
        for mode in ("process", "thread", "sync"):
            outcome = run(
                [self.victim, "wait"], {**self.environment, **self.boosted(mode, COLDBOOST_VERBOSE="1")}
            )
            self.one_line(f"report of {mode}", outcome)
            expected = f" ranges={self.range_count}/{self.range_count} ".encode()
            self.checks.check(
                expected in outcome.stderr and b"state=done" in outcome.stderr,
                f"report of {mode} says {outcome.stderr}",
            )
            outcome = run(
                [self.victim, "errno"], {**self.environment, **self.boosted(mode, COLDBOOST_VERBOSE="1")}
            )
            self.one_line(f"report of {mode}, ends at once", outcome)
        verbose = {**self.environment, "LD_PRELOAD": self.object, "COLDBOOST_VERBOSE": "1"}
        plans = {
            "no profile": ({}, b"plan=blind"),
            "not in the profile": ({"COLDBOOST_PROFILE": self.other_profile()}, b"plan=none"),
            "damaged profile": ({"COLDBOOST_PROFILE": self.victim}, b"plan=blind"),
            "Lambda runtime": (
                {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1", "LAMBDA_TASK_ROOT": "/nowhere"},
                b"role=runtime",
            ),
            "Lambda extension": ({"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"}, b"role=extension"),
        }
        for name, (variables, expected) in plans.items():
            outcome = run([self.victim, "errno"], {**verbose, **variables})
            self.one_line(f"report, {name}", outcome)
            self.checks.check(expected in outcome.stderr, f"report, {name}: {outcome.stderr}")
        for value in ("COLDBOOST_MODE=often", "COLDBOOST_BUDGET=64 k", "COLDBOOST=sometimes"):
            said = b"coldboost: " + value.encode() + b": not understood; the default stands\n"
            for settings in ({}, self.boosted("sync", COLDBOOST_VERBOSE="1")):
                outcome = run([self.victim, "errno"], {**verbose, **settings, **dict([value.split("=")])})
                self.checks.equal(outcome.stderr.count(said), 1, f"{value}: {outcome.stderr}")
                outcome.stderr = outcome.stderr.replace(said, b"")
                self.one_line(f"report, {value}", outcome)
        outcome = run([self.victim, "errno"], {**verbose, "COLDBOOST": "off"})
        self.checks.equal(outcome.stderr, b"", "report although it is off")

    def other_profile(self):
        profile = Profile()
        profile.section("/nowhere/program", profile.whole_files([self.profile]))
        return profile.write(f"{self.folder}/other.cbp")


def main():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory(prefix="coldboost-manners-") as folder:
        manners = Manners(os.path.realpath(folder), *sys.argv[2:5])
        manners.at_once()
        manners.under_limits()
        manners.empty_environment()
        manners.adopters()
        if sys.argv[1] == "generic":
            manners.checks.skip("while the replay runs", "portable code replays before the program")
        else:
            manners.while_it_runs()
        manners.reports()
        return manners.checks.exit_code()


sys.exit(main())
