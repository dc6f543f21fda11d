"""Every system call that libcoldboost.so makes in a start fails in turn; the program does not notice,
and the report says what could not be done.

Usage: faults.py OBJECT REFUSE VICTIM FOLDER-OF-SOURCES [CASE…]

A case is a kind of start. refuse.c first lists its calls, and then lets each fail in every plausible
way: all of them, the first, all but the first. What the victim sees must be what it sees without
us. Prints a table of calls and errors: how many runs with that failure were as without it.
"""

import collections
import errno
import json
import os
import re
import shutil
import sys
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import plain_environment, run  # noqa: E402
from profiles import Profile, path_hash  # noqa: E402
from refusals import (  # noqa: E402
    CANNOT_FAIL, ERRORS, FILTERED, MAPPING_KIB, NOT_OF_A_START, REPORT, SAYS, SINGLY, call_names, names_in_sources,
)

OBJECT, REFUSE, VICTIM, SOURCES = map(os.path.abspath, cases.take("OBJECT REFUSE VICTIM FOLDER-OF-SOURCES"))
STARTS = ("no profile", "unforced", "process", "thread", "sync", "before Linux 5.9", "silent", "telemetry", "holdout",
          "Lambda", "full disk")
FILES = 20
RECORD_BYTES = 104


class Faults(cases.Case):
    @classmethod
    def setUpClass(cls):
        cls.folder = cls.shared_folder()
        cls.object = os.path.abspath(OBJECT)
        cls.victim = shutil.copy(VICTIM, cls.folder)
        cls.names = call_names()
        cls.numbers = {name: number for number, name in cls.names.items()}
        cls.good = []  # (call, error) of each run that was as without us
        cls.seen = set()
        paths = []
        for i in range(FILES):
            paths.append(f"{cls.folder}/data{i}")
            with open(paths[-1], "wb") as out:
                out.write(bytes(65536))
        profile = Profile()
        directory = (profile.file(cls.folder, kind=1, size=0, mtime_ns=0), 0, 0, 0)
        profile.section(os.path.realpath(cls.victim), [directory] + profile.whole_files(paths))
        with_profile = {"COLDBOOST_PROFILE": profile.write(f"{cls.folder}/faults.cbp"), "COLDBOOST_VERBOSE": "1"}
        forced = {**with_profile, "COLDBOOST": "force"}
        cls.starts = {"no profile": {"COLDBOOST": "force", "COLDBOOST_VERBOSE": "1"}, "unforced": with_profile}
        for mode in ("process", "thread", "sync"):
            cls.starts[mode] = {**forced, "COLDBOOST_MODE": mode}
        cls.starts["before Linux 5.9"] = forced
        cls.starts["silent"] = {"COLDBOOST": "force", "COLDBOOST_PROFILE": forced["COLDBOOST_PROFILE"]}
        cls.starts["telemetry"] = {**forced, "COLDBOOST_TELEMETRY": "telemetry"}
        cls.starts["holdout"] = {**with_profile, "COLDBOOST_HOLDOUT": "50"}
        cls.starts["Lambda"] = {**forced, "COLDBOOST_TELEMETRY": "emf", "LAMBDA_TASK_ROOT": "/nowhere",
                                "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"}
        cls.starts["full disk"] = {**forced, "COLDBOOST_TELEMETRY": "telemetry on a full disk"}
        # Calls that are made only where others fail.
        cls.always = {"before Linux 5.9": "close_range:ENOSYS:all", "full disk": "write:EFBIG:all"}
        cls.cwd = f"{cls.folder}/cwd"
        os.mkdir(cls.cwd)
        cls.place = cls.find_object()

    @classmethod
    def tearDownClass(cls):
        marker = f"/tmp/.coldboost-{path_hash(cls.victim):016x}"
        if os.path.exists(marker):
            os.remove(marker)
        show(collections.Counter(cls.good))

    def refusals(self, *words):
        found = []
        for word in filter(None, words):
            name, error, which = word.split(":")
            found.append(f"{self.numbers.get(name, name)}:{getattr(errno, error)}:{which}")
        return ",".join(found)

    @classmethod
    def run_victim(cls, settings, place, refusals, verb="looks around"):
        environment = plain_environment("/")
        for name, value in settings.items():
            environment[f"REFUSE_{name}"] = value
        return run([REFUSE, *place, refusals, cls.victim, verb], environment, cwd=cls.cwd, timeout=60)

    def preloaded(self, start, refusals):
        return self.run_victim({**self.starts[start], "LD_PRELOAD": self.object}, self.place, refusals)

    def plain(self, start):
        others = {name: value for name, value in self.starts[start].items() if "COLDBOOST" not in name}
        return self.run_victim(others, ("0", "0"), "list")

    @classmethod
    def find_object(cls):
        """Where our code is: with randomisation off, the same in every run."""
        maps = cls.run_victim({"LD_PRELOAD": cls.object}, ("0", "0"), "list", "maps").stdout.decode()
        found = re.findall(rf"(?m)^(\w+)-(\w+) r-xp .* {re.escape(cls.object)}$", maps)
        assert len(found) == 1, f"executable mappings of ours in {maps}"
        return found[0]

    def take_report(self, outcome):
        """Away from what the program says; what it says itself. One line at most, or two in Lambda."""
        line = REPORT.search(outcome.stderr)
        outcome.stderr = REPORT.sub(b"", outcome.stderr, 1)
        emf = re.search(rb'(?m)^\{"_aws".*\}\n', outcome.stderr)
        if emf:
            json.loads(emf[0])
            outcome.stderr = outcome.stderr.replace(emf[0], b"", 1)
        return line[0].decode() if line else ""

    def compare(self, plain, start, name, error, which):
        always = self.always.get(start, "")
        outcome = self.preloaded(start, self.refusals(always, f"{name}:{error}:{which}"))
        report = self.take_report(outcome)
        if name == "munmap":
            outcome.stdout = re.sub(rb"(?m)(?<= tasks, )\d+(?= KiB$)", self.without_mapping, outcome.stdout)
        found = "; ".join(plain.differences(outcome))
        says = SAYS.get(name, {}).get(start)
        if which == "all" and says and not found and not re.search(says, report):
            found = f"the report says {report!r}, not {says}"
        what = f"{start}, {which} calls of {name} fail with {error}"
        return self.check(not found, f"{what}: {found}")

    @staticmethod
    def without_mapping(kib):
        return kib[0] if int(kib[0]) > MAPPING_KIB else b"0"

    def telemetry_is_intact(self, name):
        with open(f"{self.cwd}/{name}", "rb") as log:
            content = log.read()
        for at in range(0, len(content), RECORD_BYTES):
            record = content[at : at + RECORD_BYTES]
            good = zlib.crc32(record[:-4]) == int.from_bytes(record[-4:], "little")
            self.check(good, f"a record of {len(record)} bytes is not intact")
        print(f"{len(content) // RECORD_BYTES} records of telemetry, all intact")

    def jobs(self, start):
        """Every failure of every call of a start."""
        listed = self.preloaded(start, "list," + self.refusals(self.always.get(start)))
        if listed.status == 77:
            self.skipTest("no seccomp listener on this kernel")
        names = [self.names.get(int(n), n.decode()) for n in re.findall(rb"call (\d+)", listed.stderr)]
        print(f"{start}: {' '.join(names)}")
        self.seen.update(names)
        for name in names:
            if name in CANNOT_FAIL or name in self.always.get(start, ""):
                continue
            for error in (*ERRORS.get(name, ()), *FILTERED):
                yield name, error, "all"
            # A mask that could be set can be set back.
            for which in ("first", "later")[: 1 if name == "rt_sigprocmask" else 2]:
                for error in [error for error in SINGLY if error in ERRORS.get(name, ())][:2]:
                    yield name, error, which

    def refuse_each(self, start):
        plain = self.plain(start)
        self.equal(plain.status, 0, "the victim without us")
        for name, error, which in self.jobs(start):
            if self.compare(plain, start, name, error, which):
                self.good.append((name, error))
        if "telemetry" in self.starts[start].get("COLDBOOST_TELEMETRY", ""):
            self.telemetry_is_intact(self.starts[start]["COLDBOOST_TELEMETRY"])


class Proof(cases.Case):
    """Behind all of them, for nothing was proved without."""

    def setUp(self):
        if not getattr(Faults, "good", None):
            self.skipTest("no call was refused")

    def test_that_every_call_was_refused(self):
        if Faults.names:
            untested = names_in_sources(SOURCES) - set(ERRORS) - CANNOT_FAIL - NOT_OF_A_START
            self.equal(untested, set(), "calls in the sources without plausible errors here")
            self.equal(set(ERRORS) - Faults.seen, set(), "calls that no start made")


def show(table):
    calls = sorted({name for name, _ in table})
    errors = sorted({error for _, error in table})
    width = max(map(len, calls))
    for at in range(0, len(errors), 13):
        some = errors[at : at + 13]
        print(" " * width, *(error.rjust(10) for error in some))
        for name in calls:
            row = [str(table.get((name, error), "")).rjust(10) for error in some]
            if any(cell.strip() for cell in row):
                print(name.ljust(width), *row)


for start in STARTS:
    Faults.add(start, lambda case, start=start: case.refuse_each(start))

cases.main(os.cpu_count())
