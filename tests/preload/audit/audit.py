"""LD_AUDIT=libcoldboost.so: the replay begins before the program is mapped, and nothing is left of us.

Usage: audit.py OBJECT AUDITED COLDBOOST EMPTY [CASE…]
"""

import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
import cases  # noqa: E402
from coldboost_support import plain_environment, run  # noqa: E402
from profiles import PAGE_BYTES, Profile  # noqa: E402

OBJECT, AUDITED, COLDBOOST, EMPTY = map(os.path.abspath, cases.take("OBJECT AUDITED COLDBOOST EMPTY"))
# What the loader itself has allocated for an auditor that it forgets: our object is larger.
LOADER_KIB = 16
FILES, FILE_PAGES = 20, 16
PATIENCE_S = 20


class Audit(cases.Case):
    object, coldboost, empty = OBJECT, COLDBOOST, EMPTY

    def setUp(self):
        self.folder = self.new_folder()
        self.audited = shutil.copy(AUDITED, self.folder)
        profile, ranges = Profile(), []
        for i in range(FILES):
            path = f"{self.folder}/data{i}"
            with open(path, "wb") as out:
                out.write(os.urandom(FILE_PAGES * PAGE_BYTES))
            ranges.append((profile.file(path), 0, FILE_PAGES, i))
        profile.section(self.audited, ranges)
        self.profile = profile.write(f"{self.folder}/app.cbp")

    def start(self, command=None, audit=None, preload=None, **settings):
        """What the program prints, as a dictionary, and the lines of ours."""
        log = f"{self.folder}/telemetry"
        if os.path.exists(log):
            os.remove(log)
        environment = {
            **plain_environment("/"),
            "COLDBOOST_PROFILE": self.profile,
            "COLDBOOST": "force",
            "COLDBOOST_VERBOSE": "1",
            **settings,
        }
        if audit:
            environment["LD_AUDIT"] = audit
        if preload:
            environment["LD_PRELOAD"] = preload
        outcome = run(command or [self.audited], environment)
        self.equal(outcome.status, 0, f"{settings}: {outcome.stderr}")
        # The replay is nobody's child: its pipe to us closes when it is over, and so this has waited.
        reports = [dict(re.findall(r"(\w+)=(\S+)", line)) for line in outcome.stderr.decode().splitlines()]
        return dict(re.findall(r"(?m)^(\w+)=(.*)$", outcome.stdout.decode())), reports

    def records(self):
        shown = subprocess.run([self.coldboost, "report", f"{self.folder}/telemetry"], capture_output=True, check=False)
        return shown.stdout.decode() + shown.stderr.decode()

    def test_alone(self):
        """The replay is done, and the program is as if we had never been there."""
        plain, none = self.start()
        self.equal(none, [], "nobody of us")
        seen, reports = self.start(audit=self.object)
        self.equal(len(reports), 1, f"reports: {reports}")
        self.equal(reports[0].get("mode"), "process", "who replays")
        self.equal(reports[0].get("ranges"), f"{FILES}/{FILES}", "ranges")
        self.equal(seen.pop("LD_AUDIT"), self.object, "LD_AUDIT")
        plain.pop("LD_AUDIT")
        more = int(seen.pop("KiB")) - int(plain.pop("KiB"))
        self.check(more <= LOADER_KIB, f"{more} KiB are left in the program")
        self.equal(seen, plain, "what is left in the program")

    def test_misunderstood(self):
        """What was meant by a variable is asked for once, whoever of ours comes first."""
        said = "coldboost: COLDBOOST_BUDGET=many: not understood; the default stands"
        for preload in (None, self.object):
            environment = {**plain_environment("/"), "LD_AUDIT": self.object, "COLDBOOST_VERBOSE": "1",
                           "COLDBOOST_BUDGET": "many", **({"LD_PRELOAD": preload} if preload else {})}
            outcome = run([self.audited], environment)
            self.equal(outcome.stderr.decode().count(said), 1, f"preload {preload}: {outcome.stderr}")

    def test_with_preload(self):
        """The functions are there, and the constructor replays nothing for the second time."""
        seen, reports = self.start(audit=self.object, preload=self.object)
        plans = sorted(report.get("plan") for report in reports)
        self.equal(plans, ["profile", "started"], "reports")
        self.equal((seen["functions"], seen["in_place"], seen["LD_AUDIT"]), ("1", "1", self.object), "seen")
        without, _ = self.start(preload=self.object, COLDBOOST="off")
        more = int(seen["KiB"]) - int(without["KiB"])
        self.check(more <= LOADER_KIB, f"{more} KiB are left by the auditor")

    def test_kind(self):
        """What the auditor and coldboost run have seen of a short program's files, the program knows."""
        profile = Profile()
        profile.section(self.audited, [(profile.file(self.audited), 0, 1, 0),
                                       (profile.file(f"{self.folder}/data0"), 0, FILE_PAGES, 1)])
        settings = {"COLDBOOST_PROFILE": profile.write(f"{self.folder}/small.cbp"), "COLDBOOST": "auto"}
        for command, audit in ((None, self.object), ([self.coldboost, "run", "--", self.audited], None)):
            with open(f"{self.folder}/data0", "rb") as file:
                file.read()
            seen, reports = self.start(command, audit, self.object, **settings)
            states = {report.get("state") for report in reports}
            self.equal((seen["kind"], states), ("2", {"skipped", None}), f"warm, {command}")
            os.sync()
            with open(f"{self.folder}/data0", "rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            seen, reports = self.start(command, audit, self.object, **settings)
            states = {report.get("state") for report in reports}
            self.equal((seen["kind"], states), ("1", {"done", None}), f"cold, {command}")

    def test_other_auditors(self):
        """Ours is one of several, and what stands around it stays."""
        for audit in (f"{self.empty}:{self.object}", f"{self.object}:{self.empty}"):
            seen, reports = self.start(audit=audit, preload=self.object)
            replayed = [report for report in reports if report.get("mode") == "process"]
            self.equal((len(replayed), seen["LD_AUDIT"], seen["in_place"]), (1, audit, "1"), f"{audit}: {reports}")

    def test_once(self):
        """Whoever comes first replays: coldboost run, then nobody; the next program of a process, again."""
        environment = {"LD_AUDIT": self.object}
        seen, reports = self.start([self.coldboost, "run", "--", self.audited], **environment)
        plans = sorted((report.get("role"), report.get("plan")) for report in reports)
        self.equal(plans, [("other", "started"), ("run", "profile")], "coldboost run with an auditor")
        self.equal(seen["functions"], "1", "preloaded by coldboost run")
        _, reports = self.start([self.audited, "again"], audit=self.object)
        self.equal([report.get("mode") for report in reports], ["process", "process"], "two programs of a process")

    def test_not_asked(self):
        for settings in ({"COLDBOOST": "off"}, {"COLDBOOST_PROFILE": f"{self.folder}/missing.cbp"},
                         {"COLDBOOST_PROFILE": "/dev/zero"}, {"COLDBOOST_PROFILE": self.audited}):
            seen, reports = self.start(audit=self.object, **settings)
            self.equal((reports, seen["mapped"], seen["in_place"]), ([], "0", "1"), f"{settings}")

    def test_holdout(self):
        """The arm is drawn once, for the auditor and the constructor: one start, and its end."""
        for percent, arm in ((100, "holdout"), (0, "boosted")):
            settings = {"COLDBOOST_HOLDOUT": str(percent), "COLDBOOST_TELEMETRY": f"{self.folder}/telemetry"}
            _, reports = self.start(audit=self.object, preload=self.object, **settings)
            replayed = [report for report in reports if report.get("mode") == "process"]
            self.equal(len(replayed), 0 if percent else 1, f"replays of {arm}: {reports}")
            text = ""
            for _ in range(PATIENCE_S * 10):  # the replay writes its record beside the program
                text = self.records()
                if re.search(rf"(?m)^.*\b{arm}\b.*$", text):
                    break
                time.sleep(0.1)
            self.check(re.search(rf"\b{arm}\b", text) is not None, f"{arm}: {text}")

    def test_adopted(self):
        """In process 1 the replay would stay a zombie: it is over before the loader goes on."""
        if os.getuid() != 0:
            self.skipTest("needs root")
        command = ["unshare", "--pid", "--fork", "--kill-child", "env", f"LD_AUDIT={self.object}",
                   f"LD_PRELOAD={self.object}", self.audited]
        seen, reports = self.start(command)
        self.equal([report.get("mode") for report in reports], ["sync", None], f"{reports}")
        self.equal((seen["in_place"], seen["functions"]), ("1", "1"), "process 1")


cases.main()
