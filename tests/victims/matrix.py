"""The victim matrix: programs that a guest could disturb, with libcoldboost.so and without.

Usage: matrix.py ARCH OBJECT LIBCS [CASE…]      in the folder of the programs, LIBC-victims and others

LIBCS is one word, "glibc musl". A case is a victim and a libc ("looks around, glibc"), a row of
victims_rows.py. It runs once as it is and then in each mode with a profile that names it and a few hundred
files that are not in memory, so that the replay is under way while the victim acts. Output, exit status
and what main.c sees of the process afterwards must not differ in a byte.
"""

import contextlib
import difflib
import glob
import os
import queue
import re
import resource
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
import matrix_table  # noqa: E402
import victims_rows  # noqa: E402
from coldboost_support import emulator, plain_environment, run  # noqa: E402
from victims_bench import MODES, PARTS, Bench  # noqa: E402

ARCH, OBJECT, LIBCS = cases.take("ARCH OBJECT LIBCS")
LIBCS = LIBCS.split()

# What coldboost(1) says of a start that a guest can change. Where a mode is named here it may differ,
# as it does or not with the timing; in every other mode nothing may.
SINGLE_THREAD = "the kernel allows it to a process of one thread, and it does not go by libc's name"
ALL_THREADS = "a filter that kills is put on all threads"
FORKS = "the first of two forks is waited for"
FOLLOWED = "valgrind looks at what the loader frees of an auditor, too"
KNOWN = {
    "unshare user": {"thread": SINGLE_THREAD},
    "unshare user before main": {"thread": SINGLE_THREAD},
    "unshare threads": {"thread": SINGLE_THREAD},
    "setns": {"thread": SINGLE_THREAD},
    "setns user": {"thread": SINGLE_THREAD},
    "seccomp kills all threads": {"thread": ALL_THREADS},
    "seccomp kills each thread": {"thread": ALL_THREADS},
    "seccomp traps all threads": {"thread": ALL_THREADS},
    "time of children": {"process": FORKS, "auditor": FORKS, "recorded": FORKS},
    "valgrind, looks around": {"auditor": FOLLOWED},
    "valgrind, wait for anybody": {"auditor": FOLLOWED},
}


def differences(plain, boosted):
    """The lines that only one of them has."""
    found = [] if plain.status == boosted.status else [f"status {plain.status} became {boosted.status}"]
    for name in ("stdout", "stderr"):
        one, other = (getattr(outcome, name).splitlines() for outcome in (plain, boosted))
        for tag, *at in difflib.SequenceMatcher(None, one, other, False).get_opcodes():
            if tag != "equal":
                found.append(f"{name}: {one[at[0]:at[1]]} became {other[at[2]:at[3]]}")
    return "; ".join(found)


class Victims(cases.Case):
    rows = []  # theme, name, libc, verdict, why
    benches = []
    recordings = 0

    @classmethod
    def setUpClass(cls):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        cls.addClassCleanup(remove_faketime_memory)
        remove_faketime_memory()
        base = cls.shared_folder(dir="/var/tmp")  # not in /tmp, which some victims find full
        os.chmod(base, 0o755)
        for part in PARTS:
            with contextlib.suppress(FileNotFoundError):  # some builds have the library alone
                shutil.copy(f"{os.path.dirname(OBJECT)}/../{part}", base)
        cls.environment = plain_environment("/")
        cls.benches = [Bench(base, libc, cls.environment) for libc in LIBCS for _ in range(os.cpu_count())]
        cls.free = {libc: queue.Queue() for libc in LIBCS}
        for bench in cls.benches:
            cls.free[bench.libc].put(bench)
        if emulator():
            words = emulator()
            words[0] = shutil.which(words[0])
            cls.environment["VICTIM_EMULATOR"] = " ".join(words)
            outcome = cls.benches[0].start([cls.benches[0].program("victims"), "tasks"], None)
            cls.environment["VICTIM_TASKS"] = outcome.stdout.decode().strip()

    @classmethod
    def tearDownClass(cls):
        Victims.recordings = sum(bench.recordings() for bench in cls.benches)
        if not cases.chosen:
            with open("matrix.tsv", "w", encoding="utf-8") as table:
                table.writelines("\t".join(row) + "\n" for row in cls.rows)
        matrix_table.show(cls.rows, reasons=["known"])  # each case has said why it was skipped

    @contextlib.contextmanager
    def bench(self, libc):
        bench = self.free[libc].get()
        try:
            yield bench
        finally:
            self.free[libc].put(bench)

    def note(self, theme, name, libc, verdict, why=""):
        self.rows.append((theme, name, f"{ARCH} {libc}", verdict, why))

    def leave_out(self, theme, name, libc, why):
        self.note(theme, name, libc, "skip", why)
        self.skipTest(why)

    def judge(self, theme, name, libc, command_of=None, modes=None, skip=None, **how):
        """command_of: what to run, given a bench. A row of the matrix."""
        if skip:
            self.leave_out(theme, name, libc, skip)
        with self.bench(libc) as bench:
            command = command_of(bench)
            plain = bench.start(command, None, **how)
            if plain.status == 77:
                self.leave_out(theme, name, libc, plain.stdout.decode().strip().splitlines()[-1])
            verdict, why = "ok", ""
            known = KNOWN.get(name, {}) if theme != "by name" else {}
            for mode, count in (modes or MODES).items():
                if mode == "auditor" and libc != "glibc":
                    continue  # others know none
                for _ in range(count):
                    boosted = bench.start(command, mode, **how)
                    found = differences(plain, boosted)
                    if found and mode in known:
                        verdict, why = "known", f"{mode}: {known[mode]}"
                    elif not self.check(not found, f"{name}, {libc}, {mode}: {found}"):
                        verdict, why = "DIFFERS", mode
                        break
        self.note(theme, name, libc, verdict, why)

    def empty_environment(self, libc):
        """Preloaded by the loader's own option: there is no variable to say so."""
        loaders = {"glibc": "ld-linux*.so.*", "musl": "ld-musl-*.so.1"}[libc]
        roots = emulator()[-1:] if emulator() else []
        found = [path for root in roots + [""] for folder in ("/lib64", "/lib")
                 for path in glob.glob(f"{root}{folder}/{loaders}")]
        if not found:
            self.leave_out("kinds", "empty environment", libc, "no loader found")
        with self.bench(libc) as bench:
            see = [bench.program("victims"), "looks around"]
            tasks = {"VICTIM_TASKS": self.environment["VICTIM_TASKS"]} if emulator() else {}
            outcomes = [run([*emulator(), found[0], *option, *see], tasks, cwd="/")
                        for option in ([], ["--preload", bench.object])]
        found = differences(*outcomes)
        fine = self.check(not found, f"empty environment, {libc}: {found}")
        self.note("kinds", "empty environment", libc, "ok" if fine else "DIFFERS")

    def core(self, libc):
        """The core of a crash names the same functions."""
        with open("/proc/sys/kernel/core_pattern", encoding="utf-8") as pattern:
            usual = "/" not in pattern.read()
        if not usual or not shutil.which("gdb"):
            self.leave_out("kinds", "core", libc, "no gdb, or cores go elsewhere")
        traces = {}
        with self.bench(libc) as bench:
            program = bench.program("victims")
            for mode in (None, *MODES):
                folder = tempfile.mkdtemp(dir=bench.folder)
                bench.evict()
                environment = {**self.environment, **bench.settings(mode), "VICTIM_CORE": "1"}
                run([program, "crash"], environment, cwd=folder,
                    preexec_fn=victims_rows.limit(resource.RLIMIT_CORE, resource.RLIM_INFINITY))
                cores = glob.glob(f"{folder}/core*")
                trace = run(["gdb", "-q", "-batch", "-nx", "-ex", "bt", program, *cores], self.environment)
                trace = re.sub(rb"0x[0-9a-f]+", b"", trace.stdout)
                traces[mode] = re.findall(rb"(?m)^#\d+ .*", trace)
                shutil.rmtree(folder)
        good = all(trace == traces[None] and any(b"crash" in line for line in trace) for trace in traces.values())
        self.check(good, f"core, {libc}: {traces}")
        self.note("kinds", "core", libc, "ok" if good else "DIFFERS")


class Proof(cases.Case):
    def test_that_replays_were_under_way(self):
        """Behind all of the victims, for nothing was proved without."""
        if not Victims.benches:
            self.skipTest("no victim was started")
        begun, under_way, runs = (sum(getattr(bench, name) for bench in Victims.benches)
                                  for name in ("begun", "under_way", "runs"))
        print(f"{runs} preloaded runs: the replay had begun in {begun} and was under way at the end of {under_way}")
        self.check(begun > runs // 2, "hardly any replay ran: this proves nothing")

    def test_that_starts_were_recorded(self):
        runs = sum(bench.recorded_runs for bench in Victims.benches)
        if not runs:
            self.skipTest("no victim was started to be recorded")
        print(f"{runs} starts with an empty store: {Victims.recordings} of them were recorded")
        self.check(Victims.recordings > runs // 2, "hardly any start was recorded: this proves nothing")


def remove_faketime_memory():
    """Has a process's number for a name, stays behind when that is killed or executes another program, and
    keeps the next process of that number from its own."""
    for path in glob.glob("/dev/shm/*faketime_s[eh]m_*"):
        if not os.path.exists("/proc/" + path.rpartition("_")[2]):
            with contextlib.suppress(OSError):
                os.unlink(path)


for theme, name, libc, how in victims_rows.rows(LIBCS):
    title = f"{name}, by name" if theme == "by name" else name
    Victims.add(f"{title}, {libc}", lambda case, row=(theme, name, libc), how=how: case.judge(*row, **how))
for libc in LIBCS:
    Victims.add(f"empty environment, {libc}", lambda case, libc=libc: case.empty_environment(libc))
    if not emulator():
        Victims.add(f"core, {libc}", lambda case, libc=libc: case.core(libc))

cases.main(os.cpu_count())
