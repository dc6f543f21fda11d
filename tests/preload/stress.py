"""Thousands of starts beside each other and under load, with a profile and without: what they print,
how they end, what they leave behind, and what they cost. Then every exported name, called from eight
threads for long.

Usage: stress.py OBJECT DLSYM COLDBOOST EMPTY STARTS CALLS [CASE…]

STARTS are those with a profile; as many without are their pairs. Half of them have the profile that was
recorded, whose files stay in memory, and their pairs the empty object: that is what a warm start costs.
The others name files that somebody evicts all the time, some are replayed by force, some in a process of
their own. One CPU computes. As root the run has a /tmp, /dev/shm and shared memory of its own, so that
nobody else's leftovers count.
"""

import ctypes
import os
import random
import shutil
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import PR_SET_CHILD_SUBREAPER, plain_environment  # noqa: E402
from profiles import Profile  # noqa: E402

OBJECT, DLSYM, COLDBOOST, EMPTY, STARTS, CALLS = cases.take("OBJECT DLSYM COLDBOOST EMPTY STARTS CALLS")
OBJECT, DLSYM, COLDBOOST, EMPTY = map(os.path.abspath, (OBJECT, DLSYM, COLDBOOST, EMPTY))
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWIPC = 0x20000, 0x8000000
MS_REC_PRIVATE = 0x44000
AT_ONCE = 4
FILES, FILE_BYTES = 40, 64 << 10
PATIENCE_S = 20
# How often in a hundred starts, and what.
PROGRAMS = {
    "true": (40, ["true"]),
    "sh": (25, ["sh", "-c", "for i in 1 2 3; do echo $i | cat; done; echo end >&2; exit 3"]),
    "perl": (15, ["perl", "-e", "print join ',', map { $_ ** 2 } 1 .. 50; exit 7"]),
    "git": (12, ["git", "hash-object", "/etc/passwd"]),
    "python3": (7, ["/usr/bin/python3", "-S", "-c", "import zlib; print(zlib.crc32(b'x' * 99999))"]),
    "node": (1, ["node", "-e", "console.log([3, 1, 2].sort().join())"]),
}


def own_namespaces():
    """True if nobody else can leave anything where we look for leftovers."""
    if os.getuid() != 0 or LIBC.unshare(CLONE_NEWNS | CLONE_NEWIPC) != 0:
        return False
    LIBC.mount(b"none", b"/", None, MS_REC_PRIVATE, None)
    return all(LIBC.mount(b"none", folder, b"tmpfs", 0, None) == 0 for folder in (b"/tmp", b"/dev/shm"))


def leftovers():
    """What could be left of a start, by kind."""
    with open("/proc/sysvipc/shm", encoding="utf-8") as table:
        segments = len(table.readlines()) - 1
    names = []
    for folder in ("/tmp", "/dev/shm"):
        for _, folders, files in os.walk(folder):
            names += folders + files
    return {"files": len(names), "shared memory": segments, "descriptors": len(os.listdir("/proc/self/fd"))}


def read_to_end(fd):
    pieces = []
    while piece := os.read(fd, 65536):
        pieces.append(piece)
    os.close(fd)
    return b"".join(pieces)


def start(command, environment):
    """(status, stdout, stderr), seconds."""
    out, out_end = os.pipe()
    err, err_end = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, out_end, 1), (os.POSIX_SPAWN_DUP2, err_end, 2)]
    begun = time.perf_counter()
    pid = os.posix_spawn(command[0], command, environment, file_actions=actions)
    os.close(out_end)
    os.close(err_end)
    stdout, stderr = read_to_end(out), read_to_end(err)
    _, status = os.waitpid(pid, 0)
    return (status, stdout, stderr), time.perf_counter() - begun


class Stress(cases.Case):
    def test_exports(self):
        environment = {**plain_environment("/"), "LD_PRELOAD": OBJECT}
        begun = time.monotonic()
        done = subprocess.run([DLSYM, "long", CALLS], env=environment, capture_output=True, check=False)
        self.equal((done.returncode, done.stdout, done.stderr), (0, b"", b""), "every name, from 8 threads")
        print(f"{CALLS} calls of every exported name from each of 8 threads, in {time.monotonic() - begun:.1f} s: "
              f"{'all right' if done.returncode == 0 else 'wrong'}")

    def prepare(self):
        self.folder = self.new_folder(dir="/var/tmp")
        self.object, self.empty = shutil.copy(OBJECT, self.folder), shutil.copy(EMPTY, self.folder)
        self.environment = plain_environment("/")
        self.commands = {}
        for name, (_, command) in PROGRAMS.items():
            path = shutil.which(command[0], path=self.environment["PATH"])
            if path:
                self.commands[name] = [path, *command[1:]]
            else:
                self.skip(name, "not installed")
        self.descriptors = []
        self.warm, self.cold = self.record(), self.make_profile()
        self.expected = {name: start(command, self.environment)[0] for name, command in self.commands.items()}
        self.lock = threading.Lock()
        self.times = {name: [] for name in self.commands}  # of pairs: without, with
        self.counts = {"warm": 0, "cold": 0, "forced": 0, "forked": 0}
        self.differences = 0

    def record(self):
        """One profile of all the programs, as they are."""
        profiles = [f"{self.folder}/{name}.cbp" for name in self.commands]
        for profile, command in zip(profiles, self.commands.values()):
            subprocess.run([COLDBOOST, "record", "-o", profile, "--", *command], env=self.environment,
                           capture_output=True, check=False)
        warm = f"{self.folder}/warm.cbp"
        subprocess.run([COLDBOOST, "merge", "-o", warm, *profiles], capture_output=True, check=True)
        return warm

    def make_profile(self):
        profile, ranges = Profile(), []
        for i in range(FILES):
            path = f"{self.folder}/{i}"
            self.descriptors.append(os.open(path, os.O_RDWR | os.O_CREAT))
            os.write(self.descriptors[-1], os.urandom(FILE_BYTES))
            os.fsync(self.descriptors[-1])
            ranges.append((profile.file(path), 0, FILE_BYTES >> 12, i))
        for command in self.commands.values():
            profile.section(os.path.realpath(command[0]), ranges)
        return profile.write(f"{self.folder}/cold.cbp")

    def settings(self, i):
        if i % 2:
            return "warm", {"LD_PRELOAD": self.object, "COLDBOOST_PROFILE": self.warm}
        variables = {"LD_PRELOAD": self.object, "COLDBOOST_PROFILE": self.cold}
        if i % 10 == 0:
            return "forked", {**variables, "COLDBOOST": "force", "COLDBOOST_MODE": "process"}
        if i % 10 < 5:
            return "forced", {**variables, "COLDBOOST": "force"}
        return "cold", variables

    def pair(self, name, i):
        how, variables = self.settings(i)
        boosted = {**self.environment, **variables}
        plain = {**self.environment, "LD_PRELOAD": self.empty} if how == "warm" else self.environment
        plain_first = i // 2 % 2
        order = (plain, boosted) if plain_first else (boosted, plain)
        outcomes = [start(self.commands[name], environment) for environment in order]
        if not plain_first:
            outcomes.reverse()
        wrong = [outcome for outcome, _ in outcomes if outcome != self.expected[name]]
        with self.lock:
            self.counts[how] += 1
            if how == "warm":
                self.times[name].append([seconds for _, seconds in outcomes])
            if wrong:
                self.differences += 1
                print(f"{name}, {how}: {wrong[0]}, not {self.expected[name]}")

    def starts(self, count):
        names = [name for name in self.commands for _ in range(PROGRAMS[name][0])]
        jobs = random.Random(1).choices(names, k=count)
        turn = iter(enumerate(jobs))
        over = threading.Event()

        def work():
            while True:
                with self.lock:
                    i, name = next(turn, (None, None))
                if name is None:
                    return
                self.pair(name, i)

        def evict():
            while not over.wait(0.05):
                for fd in self.descriptors:
                    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)

        with subprocess.Popen(["sh", "-c", "while :; do :; done"]) as load:
            evictor = threading.Thread(target=evict)
            workers = [threading.Thread(target=work) for _ in range(AT_ONCE)]
            for thread in [evictor, *workers]:
                thread.start()
            for thread in workers:
                thread.join()
            over.set()
            evictor.join()
            load.kill()

    def wait_for_orphans(self):
        """What replays in processes of their own: we are their parent now. How many do not end."""
        for _ in range(PATIENCE_S * 100):
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                return 0
            time.sleep(0.01)
        with open("/proc/self/task/{0}/children".format(os.getpid()), encoding="utf-8") as children:
            return len(children.read().split())

    def test_starts(self):
        self.prepare()
        if not own_namespaces():
            print("others may leave something in /tmp meanwhile: namespaces take root")
        os.chdir("/")
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        before = leftovers()
        begun = time.monotonic()
        self.starts(int(STARTS))
        seconds = time.monotonic() - begun
        stay = self.wait_for_orphans()
        after = leftovers()
        left = {kind: after[kind] - before[kind] for kind in before}
        left["replays and zombies"] = stay
        how = ", ".join(f"{number} {name}" for name, number in self.counts.items())
        print(f"{STARTS} starts with a profile ({how}) and {STARTS} without, {AT_ONCE} at a time, "
              f"in {seconds:.0f} s: {self.differences} differences")
        print("left over:", ", ".join(f"{number} {kind}" for kind, number in left.items()))
        self.equal(self.differences, 0, "differences")
        self.equal(set(left.values()), {0}, f"leftovers {left}")
        print(f"{'program':10} {'pairs':>6} {'empty':>8} {'with':>8} {'ratio':>6}"
              "   warm: medians, ms; of paired ratios")
        for name, pairs in self.times.items():
            if pairs:
                without, boosted = (statistics.median(column) * 1000 for column in zip(*pairs))
                ratio = statistics.median(b / a for a, b in pairs)
                print(f"{name:10} {len(pairs):6} {without:8.2f} {boosted:8.2f} {ratio:6.3f}")


cases.main()
