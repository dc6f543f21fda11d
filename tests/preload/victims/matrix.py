"""The victim matrix: programs that a guest could disturb, with libcoldboost.so and without.

Usage: matrix.py ARCH OBJECT LIBC...      in the folder of the programs, LIBC-victims and others
       matrix.py show FILE...             prints as one what several runs have left in matrix.tsv

Each victim runs once as it is and then in each mode with a profile that names it and a few hundred
files that are not in memory, so that the replay is under way while the victim acts. Output, exit
status and what main.c sees of the process afterwards must not differ in a byte.
"""

import concurrent.futures
import contextlib
import ctypes
import difflib
import glob
import mmap
import os
import queue
import re
import resource
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
from coldboost_support import (  # noqa: E402
    PAGE_BYTES,
    Checks,
    Outcome,
    Profile,
    emulator,
    plain_environment,
    run,
    wrapped,
)

FILES, FILE_PAGES = 240, 16
PATIENCE_S = 60
# How many times each. The emulator knows no child that sends no signal at its end. "auditor" is both
# preloaded and an auditor, and has the replay in a process of its own as "process" has.
MODES = {"thread": 1, "sync": 1} if emulator() else {"thread": 2, "process": 1, "sync": 1, "auditor": 1}
NOBODY = 65534
CAPABILITY_2_EFFECTIVE, CAPABILITY_RAW = 0x02000001, 1 << 13  # of linux/capability.h
BEFORE_MAIN = 1
PR_SET_CHILD_SUBREAPER = 36
LIBC = ctypes.CDLL(None)

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
    "time of children": {"process": FORKS, "auditor": FORKS},
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


def limit(kind, amount):
    return lambda: resource.setrlimit(kind, (amount, amount))


def in_new_mounts(script):
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script + ' && exec "$@"', "sh"]


# Circumstances that are there before the program is: a command or a function that makes them, or
# variables. Tried with a victim that looks around and one that waits for anybody.
CIRCUMSTANCES = {
    "process 1": {"prefix": ["unshare", "--pid", "--fork", "--kill-child"]},
    "child subreaper": {"before": lambda: LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)},
    "SIGCHLD ignored from the start": {"before": lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN)},
    "signals blocked from the start": {
        "before": lambda: signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    },
    "no /proc": {"prefix": in_new_mounts("mount -t tmpfs none /proc")},
    "everything read-only": {"prefix": in_new_mounts("mount -o remount,bind,ro /")},
    "full /tmp": {
        "prefix": in_new_mounts("mount -t tmpfs -o size=4k none /tmp && head -c 4096 /dev/zero > /tmp/full")
    },
    "later clock": {"prefix": ["unshare", "--time", "--monotonic", "10000000", "--fork"]},
    "1 MiB of environment": {"variables": {f"LARGE_{i}": "x" * 100000 for i in range(10)}},
    "64 KiB of stack": {"before": limit(resource.RLIMIT_STACK, 64 << 10)},
    "no file may be written": {"before": limit(resource.RLIMIT_FSIZE, 0)},
    "bound at once": {"variables": {"LD_BIND_NOW": "1"}},
    "somebody else's auditor": {"variables": {"LD_AUDIT": "PLUGIN"}},
}


class Bench:
    """A folder with the programs of one libc, files that can be evicted, and a profile."""

    def __init__(self, base, libc, object_path):
        self.libc = libc
        self.object = object_path
        self.folder = tempfile.mkdtemp(dir=base)
        os.chmod(self.folder, 0o755)
        self.programs = {}
        for path in glob.glob(f"{libc}-*"):
            name = path[len(libc) + 1 :]
            if os.path.isfile(path) and not name.endswith(".p"):
                self.programs[name] = shutil.copy(path, self.folder)
        self.descriptors = []
        profile, ranges = Profile(), []
        for i in range(FILES):
            path = f"{self.folder}/data{i}"
            fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            os.write(fd, os.urandom(PAGE_BYTES) * FILE_PAGES)
            os.fsync(fd)
            self.descriptors.append(fd)
            ranges += [(profile.file(path), page, 2, i) for page in (0, 12)]
        for path in self.programs.values():
            profile.section(path, ranges)
        self.profile = profile.write(f"{self.folder}/victims.cbp")

    def program(self, name):
        return self.programs[name]

    def evict(self):
        for fd in self.descriptors:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def is_resident(self, index):
        """Of a file of one's own, mincore tells the truth."""
        with mmap.mmap(self.descriptors[index], PAGE_BYTES) as view:
            address = ctypes.c_char.from_buffer(view)
            vector = (ctypes.c_ubyte * 1)()
            LIBC.mincore(ctypes.c_void_p(ctypes.addressof(address)), ctypes.c_size_t(PAGE_BYTES), vector)
            del address
        return bool(vector[0] & 1)

    def settings(self, mode):
        if mode is None:
            return {}
        settings = {"LD_PRELOAD": self.object, "COLDBOOST": "force", "COLDBOOST_PROFILE": self.profile}
        if mode == "auditor":
            return {**settings, "LD_AUDIT": self.object}
        return {**settings, "COLDBOOST_MODE": mode}


class Matrix:
    def __init__(self, arch, object_path, libcs, base):
        self.checks = Checks()
        self.arch = arch
        self.libcs = libcs
        self.rows = []  # theme, name, libc, verdict, why
        self.runs = self.begun = self.under_way = 0
        object_path = shutil.copy(object_path, base)
        self.benches = {libc: queue.Queue() for libc in libcs}
        for libc in libcs:
            for _ in range(os.cpu_count()):
                self.benches[libc].put(Bench(base, libc, object_path))
        self.environment = plain_environment("/")
        if emulator():
            words = emulator()
            words[0] = shutil.which(words[0])
            self.environment["VICTIM_EMULATOR"] = " ".join(words)
            with_one = self.benches[libcs[0]].get()
            outcome = self.start(with_one, [with_one.program("victims"), "tasks"], None)
            self.benches[libcs[0]].put(with_one)
            self.environment["VICTIM_TASKS"] = outcome.stdout.decode().strip()

    def start(self, bench, command, mode, variables=None, prefix=(), before=None, first="", last="", output=None,
              memory_varies=False, **more):
        """first and last: what else is preloaded, before and after us."""
        plugin = bench.program("plugin.so")
        environment = {**self.environment, **(variables or {}), **bench.settings(mode), "VICTIM_PLUGIN": plugin}
        environment = {name: value.replace("PLUGIN", plugin) for name, value in environment.items()}
        preloads = [path for path in (first, environment.get("LD_PRELOAD", ""), last) if path]
        if preloads:
            environment["LD_PRELOAD"] = ":".join(preloads)
        command = [word.replace("OURS", environment.get("LD_PRELOAD", "")) for word in command]
        if prefix and not emulator():
            # Only the program is preloaded into, not what makes the circumstances.
            names = [name for name in environment if name.startswith(("COLDBOOST", "LD_"))]
            command = ["env", *(f"{name}={environment.pop(name)}" for name in names), *command]
        command, environment = wrapped(emulator(), environment, command)
        bench.evict()
        try:
            outcome = run([*prefix, *command], environment, cwd="/", timeout=PATIENCE_S, preexec_fn=before, **more)
        except subprocess.TimeoutExpired as expired:
            outcome = Outcome("no end", expired.stdout or b"", expired.stderr or b"")
        if output:
            with open(f"{bench.folder}/{output}", "rb") as written:
                outcome.stdout = written.read()
            outcome.stderr = b""
        self.tidy(outcome, memory_varies)
        if mode:
            self.runs += 1
            self.begun += bench.is_resident(0)
            self.under_way += bench.is_resident(0) and not bench.is_resident(FILES - 1)
        return outcome

    @staticmethod
    def tidy(outcome, memory_varies):
        """The loader complains where it cannot preload, which is its own business; heaps of several
        threads, and of those who replace malloc, are of another size each time; so are addresses."""
        outcome.stderr = re.sub(rb"(?m)^ERROR: ld.so: object.*\n", b"", outcome.stderr)
        # strace, of a thread that it has attached to within a system call.
        outcome.stderr = re.sub(rb"(?m)^strace: pid \d+: entering, ptrace_syscall_info.*\n", b"", outcome.stderr)
        outcome.stderr = re.sub(rb"==\d+==|0x[0-9a-f]+|(?<=/proc/)\d+", b"#", outcome.stderr)
        if memory_varies:
            outcome.stdout = re.sub(rb"(?m)^(leftovers: \d+ tasks), \d+ KiB$", rb"\1", outcome.stdout)

    def note(self, theme, name, libc, verdict, why=""):
        self.rows.append((theme, name, f"{self.arch} {libc}", verdict, why))

    def judge(self, theme, name, libc, command_of, times=1, modes=None, **how):
        """command_of: what to run, given a bench. A row of the matrix."""
        bench = self.benches[libc].get()
        try:
            command = command_of(bench)
            plain = self.start(bench, command, None, **how)
            if plain.status == 77:
                why = plain.stdout.decode().strip().splitlines()[-1]
                self.note(theme, name, libc, "skip", why)
                return
            verdict, why = "ok", ""
            known = KNOWN.get(name, {}) if theme != "by name" else {}
            for mode, count in (modes or MODES).items():
                if mode == "auditor" and libc != "glibc":
                    continue  # others know none
                for _ in range(count * times):
                    boosted = self.start(bench, command, mode, **how)
                    found = differences(plain, boosted)
                    if found and mode in known:
                        verdict, why = "known", f"{mode}: {known[mode]}"
                    elif not self.checks.check(not found, f"{name}, {libc}, {mode}: {found}"):
                        verdict, why = "DIFFERS", mode
                        break
            self.note(theme, name, libc, verdict, why)
        finally:
            self.benches[libc].put(bench)

    def jobs(self):
        """Every row: theme, name, libc and what judge() wants to know."""
        for libc in self.libcs:
            yield from self.victims(libc)
            yield from self.circumstances(libc)
            yield from self.other_kinds(libc)
            yield from self.own_names(libc)
            if not emulator():
                yield from self.tools(libc)
        if "glibc" in self.libcs and not emulator():
            yield from self.with_other_preloads()
            yield from self.sanitized()

    def victims(self, libc):
        bench = self.benches[libc].get()
        listed = self.start(bench, [bench.program("victims"), "list"], None).stdout.decode()
        self.benches[libc].put(bench)
        for line in listed.splitlines():
            theme, flags, name = line.split("\t")
            early = {"VICTIM": name} if int(flags) & BEFORE_MAIN else {}
            how = {"variables": early, "memory_varies": "thread" in name}
            yield theme, name, libc, {"command_of": self.victim(name), **how}
            if theme == "identity" and re.search("unshare|setns", name):
                # The same, called by libc's names: who can see that beforehand takes another mode.
                yield "by name", name, libc, {"command_of": self.victim(name, "by-name"), **how}

    @staticmethod
    def victim(name, program="victims"):
        return lambda bench: [bench.program(program), name]

    def circumstances(self, libc):
        for name, how in CIRCUMSTANCES.items():
            how = dict(how)
            if emulator() and ("prefix" in how or "before" in how):
                continue  # they would be the emulator's, too
            why = self.missing(how.get("prefix"))
            if why:
                self.note("circumstances", name, libc, "skip", why)
                continue
            for what in ("looks around", "wait for anybody"):
                yield "circumstances", f"{name}, {what}", libc, {"command_of": self.victim(what), **how}

    def missing(self, prefix):
        """Why a command cannot be put in front, or None."""
        if not prefix:
            return None
        if not shutil.which(prefix[0]):
            return f"{prefix[0]} is not installed"
        outcome = run([*prefix, "true"], self.environment)
        return outcome.stderr.decode().strip() if outcome.status else None

    def other_kinds(self, libc):
        """Programs that cannot be preloaded into, and their children."""
        for kind in ("static", "static-pie", "32-bit"):
            for what in ("looks around", "fork and exec", "posix_spawn", "crash"):
                if os.path.exists(f"{libc}-{kind}"):
                    yield "kinds", f"{kind}, {what}", libc, {"command_of": self.victim(what, kind)}
                elif libc == "glibc" and not emulator():
                    self.note("kinds", f"{kind}, {what}", libc, "skip", f"no compiler for {kind}")
        if emulator():
            return
        if os.getuid() == 0:
            somebody = {"user": NOBODY - 1, "group": NOBODY, "extra_groups": []}
            yield "kinds", "set-uid", libc, {"command_of": self.set_uid, **somebody}
            yield "kinds", "file capabilities", libc, {"command_of": self.with_capability, **somebody}
            how = {"before": limit(resource.RLIMIT_NPROC, 0), "user": NOBODY, "group": NOBODY,
                   "extra_groups": []}
            yield "kinds", "a user without processes", libc, {"command_of": self.victim("looks around"), **how}
        else:
            self.note("kinds", "set-uid", libc, "skip", "needs root")

    @staticmethod
    def set_uid(bench):
        path = f"{bench.folder}/set-uid"
        shutil.copy(bench.program("victims"), path)
        os.chown(path, NOBODY, NOBODY)
        os.chmod(path, stat.S_ISUID | 0o755)
        return [path, "looks around"]

    @staticmethod
    def with_capability(bench):
        """To whom the loader is as careful: the program may use raw sockets."""
        path = f"{bench.folder}/capability"
        shutil.copy(bench.program("victims"), path)
        os.chmod(path, 0o755)
        os.setxattr(path, "security.capability", struct.pack("<5I", CAPABILITY_2_EFFECTIVE, CAPABILITY_RAW, 0, 0, 0))
        return [path, "looks around"]

    def own_names(self, libc):
        """Functions of our names in the program, in a library, in a plugin."""
        yield "own names", "in the program", libc, {"command_of": lambda bench: [bench.program("own")]}
        for what in ("foreign", "nine"):
            for scope in ("local", "global", "deep"):
                def command_of(bench, what=what, scope=scope):
                    plugin = bench.program(f"{what}.so")
                    return [bench.program("loader"), f"{scope}={plugin}", "use", "use_tail", "close"]

                yield "own names", f"{what} plugin, {scope}", libc, {"command_of": command_of}

        def storm(bench):
            other = bench.program("nine.so")
            return [bench.program("loader"), "local=" + bench.program("foreign.so"), "use", f"storm={other}"]

        yield "own names", "plugins come and go", libc, {"command_of": storm}

    def tools(self, libc):
        """Under tools that look at every step of a program. What they say themselves goes elsewhere."""
        few = ["looks around", "wait for anybody", "fork and exec", "crash", "_exit"]
        commands = {
            "strace": lambda bench: ["strace", "-f", "-qq", "-o", f"{bench.folder}/strace.out"],
            "gdb": lambda bench: [
                "gdb", "-q", "-batch", "-nx", "-return-child-result",
                "-ex", f"run >{bench.folder}/out 2>&1", "--args",
            ],
            "valgrind": lambda bench: ["valgrind", "-q", "--error-exitcode=9", "--leak-check=no"],
        }
        for tool, prefix_of in commands.items():
            if not shutil.which(tool):
                self.note("tools", tool, libc, "skip", f"{tool} is not installed")
                continue
            for what in few:
                if tool == "valgrind" and (libc != "glibc" or what not in few[:2]):
                    continue  # it knows one libc, and takes its time

                def command_of(bench, prefix_of=prefix_of, what=what):
                    return [*prefix_of(bench), bench.program("victims"), what]

                yield "tools", f"{tool}, {what}", libc, {
                    "command_of": command_of, "output": "out" if tool == "gdb" else None,
                    "modes": {mode: 1 for mode in MODES}, "memory_varies": True,
                }

    def with_other_preloads(self):
        found = {
            "jemalloc": glob.glob("/usr/lib/*/libjemalloc.so.2"),
            "faketime": glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1"),
        }
        variables_of = {
            # Debian 12's does not know the last one: remove_faketime_memory().
            "faketime": {"FAKETIME": "@2000-01-01 00:00:00 x5", "FAKETIME_NO_CACHE": "1",
                         "FAKETIME_DISABLE_SHM": "1"},
            # Whoever the auditor is, glibc has too little room left for jemalloc's thread-local data.
            "jemalloc": {"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=8192"},
        }
        few = ["looks around", "start from many threads", "dlopen storm in threads", "clocks run forward",
               "threads before main", "exec"]
        for name, paths in found.items():
            if not paths:
                self.note("other preloads", name, "glibc", "skip", f"lib{name} is not installed")
                continue
            for what in few:
                for place in ("first", "last"):
                    how = {"command_of": self.victim(what), "variables": variables_of[name], place: paths[0],
                           "memory_varies": True}
                    yield "other preloads", f"{name} {place}, {what}", "glibc", how
        if not shutil.which("fakeroot"):
            self.note("other preloads", "fakeroot", "glibc", "skip", "fakeroot is not installed")
            return
        script = "touch f; chown 3:4 f; stat -c %u:%g f; id -u; rm f"
        orders = {"first": "fakeroot sh -c '{}'", "last": "fakeroot sh -c \"LD_PRELOAD=OURS:\\$LD_PRELOAD; {}\""}
        for place, order in orders.items():
            def command_of(bench, order=order):
                return ["sh", "-c", f"cd {bench.folder}; " + order.format(script)]

            yield "other preloads", f"fakeroot {place}", "glibc", {"command_of": command_of}

    def sanitized(self):
        if not os.path.exists("glibc-address-sanitizer"):
            self.note("sanitizers", "AddressSanitizer", "glibc", "skip", "no compiler for it")
            return
        for what in ("looks around", "start from many threads", "wait for anybody", "exec", "crash"):
            yield "sanitizers", f"AddressSanitizer, {what}", "glibc", {
                "command_of": self.victim(what, "address-sanitizer"), "memory_varies": True
            }

    def empty_environment(self, libc):
        """Preloaded by the loader's own option: there is no variable to say so."""
        loaders = {"glibc": "ld-linux*.so.*", "musl": "ld-musl-*.so.1"}[libc]
        roots = emulator()[-1:] if emulator() else []
        found = [path for root in roots + [""] for folder in ("/lib64", "/lib")
                 for path in glob.glob(f"{root}{folder}/{loaders}")]
        if not found:
            self.note("kinds", "empty environment", libc, "skip", "no loader found")
            return
        bench = self.benches[libc].get()
        see = [bench.program("victims"), "looks around"]
        outcomes = []
        for option in ([], ["--preload", bench.object]):
            tasks = {"VICTIM_TASKS": self.environment["VICTIM_TASKS"]} if emulator() else {}
            outcomes.append(run([*emulator(), found[0], *option, *see], tasks, cwd="/"))
        self.benches[libc].put(bench)
        found = differences(*outcomes)
        fine = self.checks.check(not found, f"empty environment, {libc}: {found}")
        self.note("kinds", "empty environment", libc, "ok" if fine else "DIFFERS")

    def core(self, libc):
        """The core of a crash names the same functions."""
        with open("/proc/sys/kernel/core_pattern", encoding="utf-8") as pattern:
            usual = "/" not in pattern.read()
        if not usual or not shutil.which("gdb"):
            self.note("kinds", "core", libc, "skip", "no gdb, or cores go elsewhere")
            return
        bench = self.benches[libc].get()
        program = bench.program("victims")
        traces = {}
        for mode in (None, *MODES):
            folder = tempfile.mkdtemp(dir=bench.folder)
            bench.evict()
            environment = {**self.environment, **bench.settings(mode), "VICTIM_CORE": "1"}
            run([program, "crash"], environment, cwd=folder,
                preexec_fn=limit(resource.RLIMIT_CORE, resource.RLIM_INFINITY))
            cores = glob.glob(f"{folder}/core*")
            trace = run(["gdb", "-q", "-batch", "-nx", "-ex", "bt", program, *cores], self.environment)
            trace = re.sub(rb"0x[0-9a-f]+", b"", trace.stdout)
            traces[mode] = re.findall(rb"(?m)^#\d+ .*", trace)
            shutil.rmtree(folder)
        self.benches[libc].put(bench)
        good = all(trace == traces[None] and any(b"crash" in line for line in trace) for trace in traces.values())
        self.checks.check(good, f"core, {libc}: {traces}")
        self.note("kinds", "core", libc, "ok" if good else "DIFFERS")

    def work(self):
        jobs = list(self.jobs())
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            done = [pool.submit(self.judge, *row, **how) for *row, how in jobs]
            for libc in self.libcs:
                done.append(pool.submit(self.empty_environment, libc))
                if not emulator():
                    done.append(pool.submit(self.core, libc))
            for job in done:
                job.result()


def show(rows):
    """The matrix: a line for each victim, a column for each architecture and libc."""
    columns = sorted({row[2] for row in rows})
    cells = {}
    for theme, name, column, verdict, _ in rows:
        cells.setdefault((theme, name), {})[column] = verdict
    width = max(len(name) for _, name in cells)
    print(" " * width, *columns, sep="  ")
    theme_before = None
    for (theme, name), verdicts in sorted(cells.items(), key=lambda item: item[0][0]):
        if theme != theme_before:
            print(f"{theme}:")
        theme_before = theme
        print(name.ljust(width), *(verdicts.get(column, "-").ljust(len(column)) for column in columns), sep="  ")
    for wanted, title in (("known", "known to differ, as coldboost(1) says"), ("skip", "skipped")):
        for why in sorted({f"{name}: {why}" for _, name, _, verdict, why in rows if verdict == wanted}):
            print(f"{title}: {why}")
    count = {verdict: sum(row[3] == verdict for row in rows) for verdict in ("ok", "DIFFERS", "known", "skip")}
    print(f"{len(cells)} victims, {len(columns)} columns: {count['ok']} as without us, {count['DIFFERS']} differ, "
          f"{count['known']} known to, {count['skip']} skipped")


def remove_faketime_memory():
    """Has a process's number for a name, stays behind when that is killed or executes another program, and
    keeps the next process of that number from its own."""
    for path in glob.glob("/dev/shm/*faketime_s[eh]m_*"):
        if not os.path.exists("/proc/" + path.rpartition("_")[2]):
            with contextlib.suppress(OSError):
                os.unlink(path)


def main():
    if sys.argv[1] == "show":
        rows = []
        for path in sys.argv[2:]:
            with open(path, encoding="utf-8") as table:
                rows += [tuple(line.rstrip("\n").split("\t")) for line in table]
        show(rows)
        return 0
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    remove_faketime_memory()
    # Not in /tmp, which some victims find full.
    with tempfile.TemporaryDirectory(prefix="coldboost-victims-", dir="/var/tmp") as base:
        os.chmod(base, 0o755)
        matrix = Matrix(sys.argv[1], os.path.abspath(sys.argv[2]), sys.argv[3:], os.path.realpath(base))
        matrix.work()
    remove_faketime_memory()
    with open("matrix.tsv", "w", encoding="utf-8") as table:
        table.writelines("\t".join(row) + "\n" for row in matrix.rows)
    show(matrix.rows)
    print(f"{matrix.runs} preloaded runs: the replay had begun in {matrix.begun} "
          f"and was under way at the end of {matrix.under_way}")
    matrix.checks.check(matrix.begun > matrix.runs // 2, "hardly any replay ran: this proves nothing")
    return matrix.checks.exit_code()


sys.exit(main())
