"""LD_AUDIT=libcoldboost.so: the replay begins before the program is mapped, and nothing is left of us.

Usage: audit.py OBJECT AUDITED COLDBOOST EMPTY
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
from coldboost_support import PAGE_BYTES, Checks, Profile, plain_environment, run  # noqa: E402

# What the loader itself has allocated for an auditor that it forgets: our object is larger.
LOADER_KIB = 16
FILES, FILE_PAGES = 20, 16
PATIENCE_S = 20


class Audit:
    def __init__(self, folder, object_path, audited, coldboost, empty):
        self.checks = Checks()
        self.folder = folder
        self.object = os.path.abspath(object_path)
        self.coldboost = os.path.abspath(coldboost)
        self.empty = os.path.abspath(empty)
        self.audited = shutil.copy(audited, folder)
        profile, ranges = Profile(), []
        for i in range(FILES):
            path = f"{folder}/data{i}"
            with open(path, "wb") as out:
                out.write(os.urandom(FILE_PAGES * PAGE_BYTES))
            ranges.append((profile.file(path), 0, FILE_PAGES, i))
        profile.section(self.audited, ranges)
        self.profile = profile.write(f"{folder}/app.cbp")

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
        self.checks.equal(outcome.status, 0, f"{settings}: {outcome.stderr}")
        # The replay is nobody's child: its pipe to us closes when it is over, and so this has waited.
        reports = [dict(re.findall(r"(\w+)=(\S+)", line)) for line in outcome.stderr.decode().splitlines()]
        return dict(re.findall(r"(?m)^(\w+)=(.*)$", outcome.stdout.decode())), reports

    def records(self):
        shown = subprocess.run([self.coldboost, "report", f"{self.folder}/telemetry"], capture_output=True, check=False)
        return shown.stdout.decode() + shown.stderr.decode()

    def alone(self):
        """The replay is done, and the program is as if we had never been there."""
        plain, none = self.start()
        self.checks.equal(none, [], "nobody of us")
        seen, reports = self.start(audit=self.object)
        self.checks.equal(len(reports), 1, f"reports: {reports}")
        self.checks.equal(reports[0].get("mode"), "process", "who replays")
        self.checks.equal(reports[0].get("ranges"), f"{FILES}/{FILES}", "ranges")
        self.checks.equal(seen.pop("LD_AUDIT"), self.object, "LD_AUDIT")
        plain.pop("LD_AUDIT")
        more = int(seen.pop("KiB")) - int(plain.pop("KiB"))
        self.checks.check(more <= LOADER_KIB, f"{more} KiB are left in the program")
        self.checks.equal(seen, plain, "what is left in the program")

    def misunderstood(self):
        """What was meant by a variable is asked for once, whoever of ours comes first."""
        said = "coldboost: COLDBOOST_BUDGET=many: not understood; the default stands"
        for preload in (None, self.object):
            environment = {**plain_environment("/"), "LD_AUDIT": self.object, "COLDBOOST_VERBOSE": "1",
                           "COLDBOOST_BUDGET": "many", **({"LD_PRELOAD": preload} if preload else {})}
            outcome = run([self.audited], environment)
            self.checks.equal(outcome.stderr.decode().count(said), 1, f"preload {preload}: {outcome.stderr}")

    def with_preload(self):
        """The functions are there, and the constructor replays nothing for the second time."""
        seen, reports = self.start(audit=self.object, preload=self.object)
        plans = sorted(report.get("plan") for report in reports)
        self.checks.equal(plans, ["profile", "started"], "reports")
        self.checks.equal((seen["functions"], seen["in_place"], seen["LD_AUDIT"]), ("1", "1", self.object), "seen")
        without, _ = self.start(preload=self.object, COLDBOOST="off")
        more = int(seen["KiB"]) - int(without["KiB"])
        self.checks.check(more <= LOADER_KIB, f"{more} KiB are left by the auditor")

    def kind(self):
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
            self.checks.equal((seen["kind"], states), ("2", {"skipped", None}), f"warm, {command}")
            os.sync()
            with open(f"{self.folder}/data0", "rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            seen, reports = self.start(command, audit, self.object, **settings)
            states = {report.get("state") for report in reports}
            self.checks.equal((seen["kind"], states), ("1", {"done", None}), f"cold, {command}")

    def other_auditors(self):
        """Ours is one of several, and what stands around it stays."""
        for audit in (f"{self.empty}:{self.object}", f"{self.object}:{self.empty}"):
            seen, reports = self.start(audit=audit, preload=self.object)
            replayed = [report for report in reports if report.get("mode") == "process"]
            self.checks.equal((len(replayed), seen["LD_AUDIT"], seen["in_place"]), (1, audit, "1"), f"{audit}: {reports}")

    def once(self):
        """Whoever comes first replays: coldboost run, then nobody; the next program of a process, again."""
        environment = {"LD_AUDIT": self.object}
        seen, reports = self.start([self.coldboost, "run", "--", self.audited], **environment)
        plans = sorted((report.get("role"), report.get("plan")) for report in reports)
        self.checks.equal(plans, [("other", "started"), ("run", "profile")], "coldboost run with an auditor")
        self.checks.equal(seen["functions"], "1", "preloaded by coldboost run")
        _, reports = self.start([self.audited, "again"], audit=self.object)
        self.checks.equal([report.get("mode") for report in reports], ["process", "process"], "two programs of a process")

    def not_asked(self):
        for settings in ({"COLDBOOST": "off"}, {"COLDBOOST_PROFILE": f"{self.folder}/missing.cbp"},
                         {"COLDBOOST_PROFILE": "/dev/zero"}, {"COLDBOOST_PROFILE": self.audited}):
            seen, reports = self.start(audit=self.object, **settings)
            self.checks.equal((reports, seen["mapped"], seen["in_place"]), ([], "0", "1"), f"{settings}")

    def holdout(self):
        """The arm is drawn once, for the auditor and the constructor: one start, and its end."""
        for percent, arm in ((100, "holdout"), (0, "boosted")):
            settings = {"COLDBOOST_HOLDOUT": str(percent), "COLDBOOST_TELEMETRY": f"{self.folder}/telemetry"}
            _, reports = self.start(audit=self.object, preload=self.object, **settings)
            replayed = [report for report in reports if report.get("mode") == "process"]
            self.checks.equal(len(replayed), 0 if percent else 1, f"replays of {arm}: {reports}")
            text = ""
            for _ in range(PATIENCE_S * 10):  # the replay writes its record beside the program
                text = self.records()
                if re.search(rf"(?m)^.*\b{arm}\b.*$", text):
                    break
                time.sleep(0.1)
            self.checks.check(re.search(rf"\b{arm}\b", text) is not None, f"{arm}: {text}")

    def adopted(self):
        """In process 1 the replay would stay a zombie: it is over before the loader goes on."""
        if os.getuid() != 0:
            self.checks.skip("process 1", "needs root")
            return
        command = ["unshare", "--pid", "--fork", "--kill-child", "env", f"LD_AUDIT={self.object}",
                   f"LD_PRELOAD={self.object}", self.audited]
        seen, reports = self.start(command)
        self.checks.equal([report.get("mode") for report in reports], ["sync", None], f"{reports}")
        self.checks.equal((seen["in_place"], seen["functions"]), ("1", "1"), "process 1")


def main():
    with tempfile.TemporaryDirectory(prefix="coldboost-audit-") as folder:
        audit = Audit(os.path.realpath(folder), *sys.argv[1:5])
        for case in (audit.alone, audit.misunderstood, audit.with_preload, audit.kind, audit.other_auditors, audit.once,
                     audit.not_asked, audit.holdout, audit.adopted):
            case()
        return audit.checks.exit_code()


sys.exit(main())
