"""What real starts leave behind: a record of the start, and one of the end.

Usage: starts.py COLDBOOST OBJECT VICTIM [CASE…]
"""

import json
import os
import resource
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import run  # noqa: E402
from page_cache import evict  # noqa: E402
from profiles import Profile  # noqa: E402
from telemetry_case import TelemetryCase  # noqa: E402
from telemetry_records import (  # noqa: E402
    BLIND, BOOSTED, COLD, DONE, END, HOLDOUT, NO_METHOD, NONE, OTHER, PROCESS, PROFILE, RUN, SKIPPED, START, SYNC,
    THREAD, WARM,
)


class Starts(TelemetryCase):
    def test_boosted(self):
        common = {"role": OTHER, "init_type": NONE, "arm": BOOSTED, "program": "victim", "holdout": 0}
        for mode, method in (("thread", THREAD), ("process", PROCESS), ("sync", SYNC)):
            outcome, records = self.start("wait", "errno", COLDBOOST_MODE=mode, COLDBOOST_WORKERS="4")
            self.equal(outcome.stderr, b"", f"stderr of {mode}")
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
                self.equal(record.major_faults != 0xFFFFFFFF, known, f"faults of {mode}")
                self.check(0 < record.elapsed_ns < 60e9, f"{mode} took {record.elapsed_ns} ns")
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
            self.equal(len(pids), 1, "process ids of run")

    def test_few(self):
        """What the program asks for itself, it asks for alone."""
        profile, seen = Profile(), set()
        profile.section(self.victim, [(profile.file(self.victim), 0, 1, 0), (profile.file(self.data), 0, 4, 1)])
        path = profile.write(f"{self.folder}/few.cbp")
        for _ in range(5):  # a machine may stop for longer than the program asks
            evict(self.data)
            _, records = self.start("wait", "errno", COLDBOOST="auto", COLDBOOST_PROFILE=path)
            records.sort(key=lambda record: record.event)
            self.expect("few", records, {"event": START, "start": COLD, "state": DONE, "ranges": 2}, {"event": END})
            seen |= {(record.method, record.workers) for record in records if record.event == START}
        others = seen - {(SYNC, 1)}
        self.check(others < seen and others <= {(SYNC, 8), (PROCESS, 8)}, f"few: methods and workers: {seen}")

    def test_evicted(self):
        """What is read from storage is not resident."""
        fd = os.open(self.data, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)
        _, records = self.start("wait", COLDBOOST_MODE="sync")
        resident = [record.bytes_resident for record in records if record.event == START]
        self.check(resident and resident[0] <= 4 * 4096, f"resident of an evicted file: {resident}")

    def test_not_boosted(self):
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

    def test_programs_that_leave(self):
        """_exit and signals leave no end, a fork leaves none of its own; a replay that the program
        has outrun is still recorded."""
        for what in ("leave", "crash"):
            _, records = self.start("wait", what)
            self.expect(what, records, {"event": START, "state": DONE})
        _, records = self.start("wait", "children", "spawns")
        ends = [record.event for record in records if record.event == END]
        own = [record for record in records if record.process_id == records[0].process_id]
        self.equal([record.event for record in own], [START, END], "forks")
        self.check(len(ends) > 1, "programs that were spawned")
        for _ in range(20):
            _, records = self.start("errno", COLDBOOST_WORKERS="1")
            self.equal(sorted(record.event for record in records), [START, END], "at once")

    def test_hostile_targets(self):
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
                self.check(not found, f"{target[:60]}, {settings}: {found}")
        self.check(not os.path.lexists(f"{self.folder}/linked"), "a link was followed")
        limit = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))}
        for settings in ({}, {"COLDBOOST_HOLDOUT": "100"}, {"COLDBOOST_MODE": "process"}):
            outcome, _ = self.start("errno", "state", how=limit, **settings)
            found = "; ".join(plain.differences(outcome))
            self.check(not found, f"no file may be written, {settings}: {found}")

    def test_together(self):
        """Many at a time into one file: every record is whole."""
        environment = {
            **self.environment, "LD_PRELOAD": self.object, "COLDBOOST_PROFILE": self.profile,
            "COLDBOOST_TELEMETRY": self.records_path, "COLDBOOST_HOLDOUT": "50",
        }
        for _ in range(10):
            starts = [
                subprocess.Popen([self.victim, "wait"], env=environment) for _ in range(20)
            ]
            for start in starts:
                start.wait()
        outcome = run([self.tool, "report", "--json", self.records_path], self.environment)
        self.equal((outcome.status, outcome.stderr), (0, b""), "report of many")
        (program,) = json.loads(outcome.stdout)["programs"]
        counts = [program[arm]["starts"] for arm in ("boosted", "holdout")]
        ends = [program[arm]["measures"]["life_ms"]["n"] for arm in ("boosted", "holdout")]
        self.equal((sum(counts), counts), (200, ends), "starts and ends of many")
        # Seven standard deviations of 200 throws.
        self.check(all(50 <= count <= 150 for count in counts), f"arms of many: {counts}")


cases.main()
