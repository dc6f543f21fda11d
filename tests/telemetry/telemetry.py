"""What real starts leave behind, and what `coldboost report` makes of it.

Usage: telemetry.py COLDBOOST OBJECT VICTIM

Records are decoded here from the description in src/start/telemetry.h, with Python's own CRC-32: two
readings of one format that have to agree.
"""

import collections
import ctypes
import json
import os
import random
import re
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.path.insert(0, HERE)
import emf  # noqa: E402
from coldboost_support import Checks, Profile, path_hash, plain_environment, run  # noqa: E402

MAGIC = b"\xcbTR\0"
LAYOUT = struct.Struct("<4sHHQQQQIIIIIII11B21sI")
FIELDS = (
    "magic version size time_ns elapsed_ns bytes_asked bytes_resident profile_id process_id ranges"
    " ranges_total stale_files major_faults memory_mib event start role init_type plan method state"
    " arm budget_hits workers holdout program crc32"
).split()
START, END = 1, 2
UNKNOWN, COLD, WARM, RESTART = range(4)
OTHER, RUNTIME, EXTENSION, SHELL, CHILD = range(5)
NONE, ON_DEMAND, PROVISIONED, SNAP_START, MANAGED = range(5)
NO_PLAN, PROFILE, BLIND = range(3)
NO_METHOD, THREAD, PROCESS, SYNC, RUN = range(5)
NO_STATE, DONE, SKIPPED, BUDGET, UNFINISHED, BAD_PROFILE = range(6)
BOOSTED, HOLDOUT = 1, 2
PR_SET_CHILD_SUBREAPER = 36
WALL = 0x40000000


def wait_for_orphans():
    """A replay in a process of its own may outlive its program, and writes its record at its end."""
    try:
        while True:
            os.waitpid(-1, WALL)
    except ChildProcessError:
        pass


class Record:
    def __init__(self, raw):
        self.__dict__.update(zip(FIELDS, LAYOUT.unpack(raw)))
        assert (self.magic, self.version, self.size) == (MAGIC, 1, LAYOUT.size), raw
        assert self.crc32 == zlib.crc32(raw[:-4]), raw
        self.program = self.program.rstrip(b"\0").decode()

    def __repr__(self):
        return str(self.__dict__)


def encode(**fields):
    """The bytes of a record; what is not given is as in a boosted cold start."""
    values = {name: 0 for name in FIELDS}
    values.update(magic=MAGIC, version=1, size=LAYOUT.size, event=START, start=COLD, plan=PROFILE)
    values.update(method=THREAD, state=DONE, arm=BOOSTED, program=b"app")
    values.update(fields)
    raw = LAYOUT.pack(*(values[name] for name in FIELDS))
    return raw[:-4] + struct.pack("<I", zlib.crc32(raw[:-4]))


class Telemetry:
    def __init__(self, folder, tool, object_path, victim):
        self.checks = Checks()
        self.folder = folder
        os.chmod(folder, 0o777)
        self.tool = os.path.abspath(tool)
        self.object = shutil.copy(object_path, folder)
        self.victim = shutil.copy(victim, folder)
        self.shell = shutil.copy("/bin/bash", f"{folder}/bash")
        self.environment = plain_environment("/")
        self.data = f"{folder}/data"
        with open(self.data, "wb") as out:
            out.write(os.urandom(64 * 4096))
        profile = Profile()
        ranges = [(profile.file(self.data), page, 2, 0) for page in range(0, 64, 16)]
        self.programs = [os.path.realpath(path) for path in (self.victim, self.shell)]
        for program in self.programs:
            profile.section(program, ranges)
        self.profile = profile.write(f"{folder}/profile.cbp")
        with open(self.profile, "rb") as content:
            self.profile_id = struct.unpack("<12xI", content.read(16))[0]
        self.records_path = f"{folder}/records"

    def forget_markers(self):
        for program in self.programs:
            marker = f"/tmp/.coldboost-{path_hash(program):016x}"
            if os.path.lexists(marker):
                os.remove(marker)

    def start(self, *arguments, command=None, how=None, **settings):
        """Runs the victim boosted; its outcome and the records that it leaves."""
        environment = {
            **self.environment,
            "LD_PRELOAD": self.object,
            "COLDBOOST": "force",
            "COLDBOOST_PROFILE": self.profile,
            "COLDBOOST_TELEMETRY": self.records_path,
            **settings,
        }
        environment = {name: value for name, value in environment.items() if value is not None}
        if os.path.exists(self.records_path):
            os.remove(self.records_path)
        outcome = run([*(command or [self.victim]), *arguments], environment, cwd="/", **(how or {}))
        wait_for_orphans()
        records = []
        if os.path.exists(self.records_path):
            with open(self.records_path, "rb") as content:
                raw = content.read()
            self.checks.equal(len(raw) % LAYOUT.size, 0, f"size of the records of {settings}")
            records = [
                Record(raw[at : at + LAYOUT.size])
                for at in range(0, len(raw) - LAYOUT.size + 1, LAYOUT.size)
            ]
        return outcome, records

    def expect(self, name, records, *expected):
        """Each expected: the fields that a record must have."""
        if not self.checks.equal(len(records), len(expected), f"{name}: records {records}"):
            return
        for record, fields in zip(records, expected):
            found = {field: getattr(record, field) for field in fields}
            self.checks.equal(found, fields, name)

    def boosted(self):
        common = {"role": OTHER, "init_type": NONE, "arm": BOOSTED, "program": "victim", "holdout": 0}
        for mode, method in (("thread", THREAD), ("process", PROCESS), ("sync", SYNC)):
            outcome, records = self.start("wait", "errno", COLDBOOST_MODE=mode, COLDBOOST_WORKERS="4")
            self.checks.equal(outcome.stderr, b"", f"stderr of {mode}")
            records.sort(key=lambda record: record.event)
            self.expect(
                mode,
                records,
                {**common, "event": START, "start": COLD, "plan": PROFILE, "method": method,
                 "state": DONE, "ranges": 4, "ranges_total": 4, "bytes_asked": 8 * 4096,
                 "profile_id": self.profile_id, "stale_files": 0, "workers": 4, "memory_mib": 0,
                 "bytes_resident": 8 * 4096},
                {**common, "event": END, "method": method, "profile_id": self.profile_id},
            )
            for record in records:
                known = record.event == END or method != PROCESS
                self.checks.equal(record.major_faults != 0xFFFFFFFF, known, f"faults of {mode}")
                self.checks.check(0 < record.elapsed_ns < 60e9, f"{mode} took {record.elapsed_ns} ns")
        outcome, records = self.start(
            "wait", "errno", command=[self.tool, "run", "-p", self.profile, self.victim], LD_PRELOAD=None
        )
        records.sort(key=lambda record: record.event)
        self.expect(
            "run", records,
            {**common, "event": START, "method": RUN, "state": DONE, "ranges": 4},
            {**common, "event": END, "method": RUN, "start": COLD},
        )
        if len(records) == 2:
            pids = {record.process_id for record in records}
            self.checks.equal(len(pids), 1, "process ids of run")

    def evicted(self):
        """What is read from storage is not resident."""
        fd = os.open(self.data, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)
        _, records = self.start("wait", COLDBOOST_MODE="sync")
        resident = [record.bytes_resident for record in records if record.event == START]
        self.checks.check(resident and resident[0] <= 4 * 4096, f"resident of an evicted file: {resident}")

    def not_boosted(self):
        """Starts without a replay leave a record too; those that are none of ours leave nothing."""
        _, records = self.start("wait", COLDBOOST="auto", COLDBOOST_MODE="thread")
        self.expect(
            "warm", sorted(records, key=lambda record: record.event),
            {"event": START, "start": WARM, "state": SKIPPED, "bytes_asked": 0, "method": THREAD},
            {"event": END, "start": WARM},
        )
        _, records = self.start("errno", COLDBOOST_HOLDOUT="100")
        self.expect(
            "holdout", records,
            {"event": START, "method": NO_METHOD, "arm": HOLDOUT, "holdout": 100, "bytes_asked": 0,
             "plan": PROFILE, "profile_id": self.profile_id},
            {"event": END, "arm": HOLDOUT, "method": NO_METHOD},
        )
        _, records = self.start(
            "errno", command=[self.tool, "run", "-p", self.profile, self.victim],
            COLDBOOST_HOLDOUT="100", LD_PRELOAD=None,
        )
        self.expect(
            "holdout of run", records,
            {"event": START, "method": NO_METHOD, "arm": HOLDOUT},
            {"event": END, "arm": HOLDOUT},
        )
        _, records = self.start("errno", COLDBOOST_PROFILE="/nowhere")
        self.expect(
            "no profile", records,
            {"event": START, "plan": BLIND, "profile_id": 0, "arm": BOOSTED}, {"event": END},
        )
        _, records = self.start("errno", COLDBOOST_PROFILE="/nowhere", COLDBOOST_HOLDOUT="100")
        self.expect(
            "no profile, holdout", records,
            {"event": START, "method": NO_METHOD, "arm": HOLDOUT, "bytes_asked": 0},
            {"event": END, "arm": HOLDOUT},
        )
        other = shutil.copy(self.victim, f"{self.folder}/other")
        _, records = self.start("errno", command=[other])
        self.expect("not in the profile", records)
        _, records = self.start("errno", COLDBOOST="off")
        self.expect("off", records)

    def programs_that_leave(self):
        """_exit and signals leave no end, a fork leaves none of its own; a replay that the program
        has outrun is still recorded."""
        for what in ("leave", "crash"):
            _, records = self.start("wait", what)
            self.expect(what, records, {"event": START, "state": DONE})
        _, records = self.start("wait", "children", "spawns")
        ends = [record.event for record in records if record.event == END]
        own = [record for record in records if record.process_id == records[0].process_id]
        self.checks.equal([record.event for record in own], [START, END], "forks")
        self.checks.check(len(ends) > 1, "programs that were spawned")
        for _ in range(20):
            _, records = self.start("errno", COLDBOOST_WORKERS="1")
            self.checks.equal(sorted(record.event for record in records), [START, END], "at once")

    def hostile_targets(self):
        """Whatever stands at the path, the program is as it would be."""
        plain = run([self.victim, "errno", "state"], self.environment, cwd="/")
        os.mkfifo(f"{self.folder}/fifo")
        os.symlink(f"{self.folder}/linked", f"{self.folder}/link")
        targets = [f"{self.folder}/fifo", f"{self.folder}/link", self.folder, "/dev/full", "/dev/stdout",
                   "/no/such/folder/file", "/proc/self/mem", "x" * 5000, "/" + "x" * 300]
        for target in targets:
            for settings in ({}, {"COLDBOOST_HOLDOUT": "100"}, {"COLDBOOST_MODE": "sync"}):
                outcome, _ = self.start("errno", "state", COLDBOOST_TELEMETRY=target, **settings)
                found = "; ".join(plain.differences(outcome))
                self.checks.check(not found, f"{target[:60]}, {settings}: {found}")
        self.checks.check(not os.path.lexists(f"{self.folder}/linked"), "a link was followed")
        limit = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))}
        for settings in ({}, {"COLDBOOST_HOLDOUT": "100"}, {"COLDBOOST_MODE": "process"}):
            outcome, _ = self.start("errno", "state", how=limit, **settings)
            found = "; ".join(plain.differences(outcome))
            self.checks.check(not found, f"no file may be written, {settings}: {found}")

    def together(self):
        """Many at a time into one file: every record is whole."""
        environment = {
            **self.environment, "LD_PRELOAD": self.object, "COLDBOOST_PROFILE": self.profile,
            "COLDBOOST_TELEMETRY": self.records_path, "COLDBOOST_HOLDOUT": "50",
        }
        os.remove(self.records_path)
        for _ in range(10):
            starts = [
                subprocess.Popen([self.victim, "wait"], env=environment) for _ in range(20)
            ]
            for start in starts:
                start.wait()
        outcome = run([self.tool, "report", "--json", self.records_path], self.environment)
        self.checks.equal((outcome.status, outcome.stderr), (0, b""), "report of many")
        (program,) = json.loads(outcome.stdout)["programs"]
        counts = [program[arm]["starts"] for arm in ("boosted", "holdout")]
        ends = [program[arm]["measures"]["life_ms"]["n"] for arm in ("boosted", "holdout")]
        self.checks.equal((sum(counts), counts), (200, ends), "starts and ends of many")
        # Seven standard deviations of 200 throws.
        self.checks.check(all(50 <= count <= 150 for count in counts), f"arms of many: {counts}")

    def in_lambda(self, role=RUNTIME, init_type=None):
        settings = {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1", "LAMBDA_TASK_ROOT": "/var/task"}
        if role == EXTENSION:
            settings.pop("LAMBDA_TASK_ROOT")
        if init_type:
            settings["AWS_LAMBDA_INITIALIZATION_TYPE"] = init_type
        return {**settings, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256"}

    def restarts(self):
        """The second process of a program in a sandbox is no cold start."""
        for init_type, kind, again in (
            (None, ON_DEMAND, (PROCESS, DONE, 8 * 4096)),
            ("provisioned-concurrency", PROVISIONED, (PROCESS, DONE, 8 * 4096)),
            ("snap-start", SNAP_START, (SYNC, DONE, 8 * 4096)),
            ("lambda-managed-instances", MANAGED, (NO_METHOD, NO_STATE, 0)),
        ):
            self.forget_markers()
            settings = self.in_lambda(init_type=init_type)
            common = {"role": RUNTIME, "init_type": kind, "memory_mib": 256}
            name = init_type or "on-demand"
            _, records = self.start("wait", "leave", **settings)
            method = SYNC if kind == SNAP_START else PROCESS
            self.expect(name, records, {**common, "start": COLD, "state": DONE, "method": method})
            gentle = [record.workers == 1 for record in records]
            self.checks.equal(gentle, [kind == PROVISIONED], f"{name} has one worker")
            _, records = self.start("wait", "leave", **settings)
            found = [(record.method, record.state, record.bytes_asked) for record in records]
            self.checks.equal(found, [again], f"{name}, again")
            self.expect(f"{name}, again", records, {**common, "start": RESTART})
            outcome, _ = self.start("wait", COLDBOOST_VERBOSE="1", **settings)
            self.checks.check(b" start=restart " in outcome.stderr, f"{name}: {outcome.stderr}")
        self.forget_markers()
        for role in (EXTENSION, OTHER):
            settings = self.in_lambda(role) if role == EXTENSION else {}
            kinds = [self.start("wait", "leave", **settings)[1][0].start for _ in range(2)]
            self.checks.equal(kinds, [COLD, RESTART if role == EXTENSION else COLD], f"role {role}")
        self.forget_markers()

    def without_tmp(self):
        """No /tmp, one that is read-only, or somebody's traps in it: the start goes on."""
        marker = f"/tmp/.coldboost-{path_hash(self.programs[0]):016x}"
        target = f"{self.folder}/precious"
        with open(target, "w", encoding="utf-8") as out:
            out.write("precious")
        plain = run([self.victim, "errno", "state"], self.environment, cwd="/")
        for trap in (os.symlink, os.link, lambda _, path: os.mkfifo(path)):
            trap(target, marker)
            outcome, records = self.start("errno", "state", **self.in_lambda())
            found = "; ".join(plain.differences(outcome)).replace("variables", "")
            self.checks.equal(outcome.status, 0, f"a trap in /tmp: {found}")
            self.checks.check(all(record.start == RESTART for record in records), f"a trap: {records}")
            os.remove(marker)
        with open(target, encoding="utf-8") as content:
            self.checks.equal(content.read(), "precious", "a file behind a trap")
        if os.getuid() != 0:
            self.checks.skip("other forms of /tmp", "they need root")
            return
        for name, mount in (
            ("read-only /tmp", "mount -t tmpfs -o ro none /tmp"),
            ("full /tmp", "mount -t tmpfs -o nr_inodes=1 none /tmp"),
            ("/tmp of a foreign user", "mount -t tmpfs -o mode=700,uid=1 none /tmp"),
            ("no /tmp", "mount --bind /proc /tmp"),
        ):
            # Not in /tmp itself, which is about to be covered.
            files = "/var/tmp" if self.folder.startswith("/tmp") else self.folder
            with tempfile.TemporaryDirectory(prefix="coldboost-telemetry-", dir=files) as folder:
                os.chmod(folder, 0o777)
                copies = [shutil.copy(path, folder) for path in (self.object, self.victim, self.data)]
                profile = Profile()
                profile.section(os.path.realpath(copies[1]), profile.whole_files([copies[2]]))
                records = self.records_path
                self.records_path = f"{folder}/records"
                script = f'{mount} && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"'
                inside = [f"{key}={value}" for key, value in self.in_lambda().items()]
                outcome, found = self.start(
                    "wait", "leave",
                    command=["unshare", "-m", "sh", "-c", script, "sh", "env",
                             f"LD_PRELOAD={copies[0]}", *inside, copies[1]],
                    LD_PRELOAD=None, COLDBOOST_PROFILE=profile.write(f"{folder}/profile.cbp"),
                )
                self.records_path = records
                self.checks.equal(outcome.status, 3, f"{name}: {outcome.stderr}")
                self.expect(name, found, {"start": COLD, "role": RUNTIME, "state": DONE})

    def shell_and_children(self):
        """A bootstrap script is a shell with children; each program of it is replayed once."""
        self.forget_markers()
        script = f'for i in 1 2 3; do "{self.victim}" wait errno; done; exec "{self.victim}" wait leave'
        _, records = self.start("-c", script, command=[self.shell], **self.in_lambda())
        # The shell's own comes when its replay is done, perhaps after its first child's.
        starts = collections.Counter(
            (record.role, record.program, record.start, record.method)
            for record in records if record.event == START
        )
        expected = [(SHELL, "bash", COLD, PROCESS), (CHILD, "victim", COLD, PROCESS),
                    (CHILD, "victim", RESTART, NO_METHOD), (CHILD, "victim", RESTART, NO_METHOD),
                    (RUNTIME, "victim", RESTART, PROCESS)]
        self.checks.equal(starts, collections.Counter(expected), "a bootstrap script")
        self.forget_markers()
        _, records = self.start(
            "-c", f'"{self.victim}" wait errno; true', command=[self.shell],
            **self.in_lambda(init_type="snap-start"),
        )
        self.checks.equal({record.role for record in records}, {SHELL}, "children and snap-start")
        self.forget_markers()
        without_profile = {**self.in_lambda(), "COLDBOOST_PROFILE": "/nowhere"}
        _, records = self.start("-c", f'"{self.victim}" errno; true', command=[self.shell], **without_profile)
        self.checks.equal({record.role for record in records}, {SHELL}, "children without a profile")

    def emf_lines(self):
        """One valid line, from the runtime alone."""
        settings = {
            **self.in_lambda(), "COLDBOOST_TELEMETRY": "emf", "AWS_LAMBDA_FUNCTION_NAME": "my-function",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        }
        for mode in ("process", "thread", "sync"):
            self.forget_markers()
            outcome, records = self.start("wait", "leave", COLDBOOST_MODE=mode, **settings)
            self.expect("emf", records)
            document = self.emf_document(mode, outcome)
            expected = {
                "FunctionName": "my-function", "FunctionVersion": "$LATEST", "Arm": "boosted",
                "Start": "cold", "InitType": "on-demand", "Program": "victim", "Method": mode,
                "State": "done", "Starts": 1, "BytesAsked": 8 * 4096, "BytesResident": 8 * 4096,
                "BudgetHits": 0, "Plan": "profile", "ProfileId": self.profile_id,
            }
            found = {name: document.get(name) for name in expected}
            self.checks.equal(found, expected, f"members of the line, {mode}")
            self.checks.equal("MajorFaults" in document, mode != "process", f"faults in the line, {mode}")
        outcome, _ = self.start("errno", COLDBOOST_HOLDOUT="100", **settings)
        document = self.emf_document("holdout", outcome)
        self.checks.equal(document.get("Arm"), "holdout", "arm in the line")
        self.checks.check("ReplayTime" not in document, "a replay's time without a replay")
        outcome, _ = self.start(
            "wait", "leave", command=[self.tool, "run", "-p", self.profile, self.victim],
            **{**settings, "LD_PRELOAD": None},
        )
        self.checks.equal(self.emf_document("run", outcome).get("Method"), "run", "method in the line")
        # What is no UTF-8 becomes U+FFFD; all else stays, and is not cut within a character.
        for name in ('"quoted" \\ \t\n\x01\x7f', "\udcff\udc80grün€🎈", "n" + "ü" * 40, "n" * 64, "n" * 3000,
                     "\x01" * 3000):
            outcome, _ = self.start(
                "wait", "leave",
                **{**settings, "AWS_LAMBDA_FUNCTION_NAME": name, "AWS_LAMBDA_FUNCTION_VERSION": name},
            )
            document = self.emf_document(repr(name[:20]), outcome)
            shown = document.get("FunctionName", "")
            kept = name
            while len(kept.encode("utf-8", "surrogateescape")) > 64:
                kept = kept[:-1]
            self.checks.equal(shown, re.sub("[\udc80-\udcff]", "\ufffd", kept), "a function's name in the line")
        quiet = [
            {"AWS_LAMBDA_RUNTIME_API": None, "LAMBDA_TASK_ROOT": None},
            {"LAMBDA_TASK_ROOT": None},
            {"COLDBOOST": "off"},
        ]
        for fewer in quiet:
            self.forget_markers()
            outcome, _ = self.start("wait", "errno", **{**settings, **fewer})
            self.checks.equal(outcome.stderr, b"", f"a line of {fewer}")
        self.forget_markers()
        outcome, _ = self.start("-c", f'"{self.victim}" wait errno; true', command=[self.shell], **settings)
        self.checks.equal(outcome.stderr, b"", "a line of a shell and its child")
        self.forget_markers()

    def emf_document(self, name, outcome):
        line = outcome.stderr
        self.checks.check(
            line.endswith(b"\n") and line.count(b"\n") == 1 and len(line) <= 4096, f"emf, {name}: {line}"
        )
        try:
            document = json.loads(line.decode("utf-8"))
        except ValueError as error:
            self.checks.check(False, f"emf, {name}: {error}: {line}")
            return {}
        found = list(emf.problems(document))
        self.checks.equal(found, [], f"emf, {name}")
        return document

    def emf_rules(self):
        """The rules accept the specification's kind of document and refuse each that breaks one."""
        self.checks.equal(list(emf.problems(emf.example())), [], "a valid document")
        for document in emf.spoilt():
            self.checks.check(list(emf.problems(document)), f"rules that accept {document}")

    def report(self, content, *options):
        path = f"{self.folder}/report"
        with open(path, "wb") as out:
            out.write(content)
        outcome = run([self.tool, "report", *options, path], self.environment, cwd=self.folder)
        return outcome, path.encode()

    def flipped(self):
        """Every bit of a record, alone and between others: reported, and the others are read."""
        before, victim, behind = encode(ranges=1), encode(ranges=2), encode(ranges=3)
        for bit in range(8 * LAYOUT.size):
            changed = bytearray(victim)
            changed[bit // 8] ^= 1 << bit % 8
            outcome, path = self.report(before + changed + behind, "--json")
            document = json.loads(outcome.stdout)
            lost = document["damaged"] + document["truncated"] + document["unknown_version"]
            self.checks.equal((outcome.status, document["records"], lost), (1, 2, 1), f"bit {bit}")
            self.checks.check(
                outcome.stderr.startswith(b"coldboost: " + path + b": at offset 104: ")
                and outcome.stderr.count(b"\n") == 1,
                f"bit {bit}: {outcome.stderr}",
            )

    def truncated(self):
        record = encode()
        for size in (1, 4, 7, 8, 50, 103):
            outcome, path = self.report(record + record[:size])
            self.checks.equal(outcome.status, 1, f"cut to {size}")
            expected = path + b": at offset 104: a truncated record"
            self.checks.check(expected in outcome.stderr, f"cut to {size}: {outcome.stderr}")
            outcome, _ = self.report(record[:size] + record, "--json")
            document = json.loads(outcome.stdout)
            self.checks.equal((outcome.status, document["records"]), (1, 1), f"begins with {size}")
            self.checks.equal(document["truncated"], 1 if size > 7 else document["truncated"], f"{size}")
        outcome, _ = self.report(b"")
        self.checks.equal(outcome.status, 0, "an empty file")
        outcome, _ = self.report(b"some text\n" * 100, "--json")
        self.checks.equal(outcome.status, 1, "a file of text")

    def other_versions(self):
        body = struct.pack("<4sHH", MAGIC, 9, 40) + bytes(28)
        newer = body + struct.pack("<I", zlib.crc32(body))
        outcome, path = self.report(encode() + newer + encode(), "--json")
        document = json.loads(outcome.stdout)
        self.checks.equal(
            (outcome.status, document["records"], document["unknown_version"], document["damaged"]),
            (1, 2, 1, 0), "a newer version",
        )
        self.checks.check(b"offset 104" in outcome.stderr and b"version 9" in outcome.stderr, outcome.stderr)

    def noise(self):
        """Garbage of any kind: no crash, every intact record is found."""
        chance = random.Random(5)
        for _ in range(100):
            pieces, records = [], 0
            for _ in range(20):
                if chance.random() < 0.5:
                    pieces.append(encode(ranges=chance.randrange(1000)))
                    records += 1
                else:
                    pieces.append(chance.choice([chance.randbytes(chance.randrange(1, 300)), MAGIC, b"\0" * 50,
                                                 encode()[: chance.randrange(1, 104)]]))
            outcome, _ = self.report(b"".join(pieces), "--json")
            self.checks.equal(json.loads(outcome.stdout)["records"], records, "records among noise")
            self.checks.check(outcome.status in (0, 1), f"status {outcome.status} among noise")

    def figures(self):
        """Percentiles and intervals of samples whose answers are known."""
        chance = random.Random(7)

        def sample(mean, arm, count, **more):
            return b"".join(
                encode(event=END, arm=arm, elapsed_ns=int(1e6 * chance.gauss(mean, 10)), major_faults=9, **more)
                for _ in range(count)
            )

        different = sample(200, BOOSTED, 400) + sample(300, HOLDOUT, 100)
        same = sample(200, BOOSTED, 400) + sample(200, HOLDOUT, 100)
        outcome, _ = self.report(different, "--json")
        (program,) = json.loads(outcome.stdout)["programs"]
        life = program["boosted"]["measures"]["life_ms"]
        self.checks.check(abs(life["p50"] - 200) < 3 and abs(life["p90"] - 212.8) < 4, f"percentiles {life}")
        median = program["boosted_minus_holdout"]["life_ms"]["p50"]
        self.checks.check(median["low"] < -100 < median["high"], f"the interval {median}")
        width = median["high"] - median["low"]
        # The medians' standard errors are 1.25 * 10 / sqrt(n): 4 of their sum's wide, or so.
        self.checks.check(3 < width < 10, f"the interval is {width} ms wide")
        outcome, _ = self.report(same, "--json")
        (program,) = json.loads(outcome.stdout)["programs"]
        median = program["boosted_minus_holdout"]["life_ms"]["p50"]
        self.checks.check(median["low"] < 0 < median["high"], f"no difference: {median}")
        self.checks.check(b"may be chance" in self.report(same)[0].stdout, "chance is named")
        self.checks.check(b"boosted minus holdout, life" in self.report(different)[0].stdout, "text")
        restarts = sample(9000, BOOSTED, 50, start=RESTART)
        outcome, _ = self.report(different + restarts, "--json")
        (program,) = json.loads(outcome.stdout)["programs"]
        self.checks.equal(program["boosted"]["measures"]["life_ms"]["n"], 400, "restarts are left out")
        small = encode(event=END, elapsed_ns=10**6) + encode(event=END, elapsed_ns=2 * 10**6)
        outcome, _ = self.report(small, "--json")
        (program,) = json.loads(outcome.stdout)["programs"]
        self.checks.equal(program["boosted"]["measures"]["life_ms"],
                          {"n": 2, "p50": 1.5, "p90": 1.9, "p99": 1.99}, "two values")
        self.checks.equal(program["boosted_minus_holdout"], {}, "one arm alone")
        hostile = encode(program=b"\x1b[31m\"\\\xff", event=END)
        outcome, _ = self.report(hostile)
        self.checks.check(b"\x1b" not in outcome.stdout, "an escape sequence from a file")
        outcome, _ = self.report(hostile, "--json")
        json.loads(outcome.stdout)

    def intervals_cover(self):
        """Nineteen of twenty intervals hold the true difference, here 0: exact enough for 60."""
        chance, covered = random.Random(11), 0
        for _ in range(60):
            content = b"".join(
                encode(event=END, arm=arm, elapsed_ns=int(1e6 * chance.expovariate(0.01)))
                for arm in (BOOSTED, HOLDOUT) for _ in range(60)
            )
            outcome, _ = self.report(content, "--json")
            (program,) = json.loads(outcome.stdout)["programs"]
            median = program["boosted_minus_holdout"]["life_ms"]["p50"]
            covered += median["low"] <= 0 <= median["high"]
        self.checks.check(50 <= covered <= 60, f"{covered} of 60 intervals hold the true difference")

    def missing_file(self):
        missing = run([self.tool, "report", "/no/such/file"], self.environment)
        self.checks.check(missing.status == 1 and b"/no/such/file: " in missing.stderr, missing.stderr)


def main():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory(prefix="coldboost-telemetry-") as folder:
        telemetry = Telemetry(os.path.realpath(folder), *sys.argv[1:4])
        telemetry.forget_markers()
        telemetry.boosted()
        telemetry.evicted()
        telemetry.not_boosted()
        telemetry.programs_that_leave()
        telemetry.hostile_targets()
        telemetry.together()
        telemetry.restarts()
        telemetry.without_tmp()
        telemetry.shell_and_children()
        telemetry.emf_rules()
        telemetry.emf_lines()
        telemetry.flipped()
        telemetry.truncated()
        telemetry.other_versions()
        telemetry.noise()
        telemetry.figures()
        telemetry.intervals_cover()
        telemetry.missing_file()
        return telemetry.checks.exit_code()


sys.exit(main())
