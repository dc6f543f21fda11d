"""A folder with the programs of one libc, files that can be evicted, and a profile of both: a victim runs
here as it is and in each mode, while a replay of a few hundred files that are not in memory is under way.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from coldboost_support import Outcome, emulator, run, wrapped  # noqa: E402
from page_cache import resident_pages  # noqa: E402
from profiles import PAGE_BYTES, Profile  # noqa: E402

FILES, FILE_PAGES = 240, 16
PATIENCE_S = 60
# How many times each. The emulator knows no child that sends no signal at its end. "auditor" is both
# preloaded and an auditor, and has the replay in a process of its own as "process" has. "recorded" finds
# an empty store, and is executed again to be recorded.
MODES = {"thread": 1, "sync": 1} if emulator() else \
    {"thread": 2, "process": 1, "sync": 1, "auditor": 1, "recorded": 1}
# Of an installation, beside each other.
PARTS = ["preload/libcoldboost.so", "preload/libcoldboost-record.so", "tools/coldboost", "tools/coldboost-tool"]


def victim(name, program="victims"):
    """What to run, given a bench."""
    return lambda bench: [bench.program(program), name]


class Bench:
    def __init__(self, base, libc, environment):
        self.libc = libc
        self.object = f"{base}/libcoldboost.so"
        self.environment = environment
        self.runs = self.begun = self.under_way = self.recorded_runs = 0
        self.folder = tempfile.mkdtemp(dir=base)
        os.chmod(self.folder, 0o755)
        self.programs = {}
        for path in glob.glob(f"{libc}-*"):
            name = path[len(libc) + 1 :]
            if os.path.isfile(path) and not name.endswith(".p"):
                self.programs[name] = shutil.copy(path, self.folder)
        self.paths, self.descriptors = [], []
        profile, ranges = Profile(), []
        for i in range(FILES):
            path = f"{self.folder}/data{i}"
            fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            os.write(fd, os.urandom(PAGE_BYTES) * FILE_PAGES)
            os.fsync(fd)
            self.paths.append(path)
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

    def evict_programs(self):
        """A start is recorded if it is cold."""
        for path in self.programs.values():
            with open(path, "rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def new_store(self):
        self.recorded_runs += 1
        return f"{self.folder}/store{self.recorded_runs}"

    def recordings(self):
        """How many starts have left something in their store."""
        return len(glob.glob(f"{self.folder}/store*/*.cbp") + glob.glob(f"{self.folder}/store*/*.trace"))

    def is_resident(self, index):
        return 0 in resident_pages(self.paths[index])

    def settings(self, mode):
        if mode is None:
            return {}
        if mode == "recorded":
            return {"LD_PRELOAD": self.object, "COLDBOOST_STORE": self.new_store()}
        settings = {"LD_PRELOAD": self.object, "COLDBOOST": "force", "COLDBOOST_PROFILE": self.profile}
        if mode == "auditor":
            return {**settings, "LD_AUDIT": self.object}
        return {**settings, "COLDBOOST_MODE": mode}

    def start(self, command, mode, variables=None, prefix=(), before=None, first="", last="", output=None,
              memory_varies=False, **more):
        """first and last: what else is preloaded, before and after us."""
        plugin = self.program("plugin.so")
        environment = {**self.environment, **(variables or {}), **self.settings(mode), "VICTIM_PLUGIN": plugin}
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
        self.evict()
        if mode == "recorded":
            self.evict_programs()
        try:
            outcome = run([*prefix, *command], environment, cwd="/", timeout=PATIENCE_S, preexec_fn=before, **more)
        except subprocess.TimeoutExpired as expired:
            outcome = Outcome("no end", expired.stdout or b"", expired.stderr or b"")
        if output:
            with open(f"{self.folder}/{output}", "rb") as written:
                outcome.stdout = written.read()
            outcome.stderr = b""
        self.tidy(outcome, memory_varies)
        if mode and mode != "recorded":
            self.runs += 1
            self.begun += self.is_resident(0)
            self.under_way += self.is_resident(0) and not self.is_resident(FILES - 1)
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
