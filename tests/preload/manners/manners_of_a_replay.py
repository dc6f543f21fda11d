"""While a replay runs, a program finds everything as it would be without; and what a replay reports.

Usage: manners_of_a_replay.py ARCH OBJECT VICTIM FREEZE [CASE…]

freeze.c holds the replay still, so that "while it runs" needs no timing.
"""

import os
import re
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
import cases  # noqa: E402
from coldboost_support import run  # noqa: E402
from manners_case import ARCH, FREEZE, MannersCase  # noqa: E402
from profiles import Profile  # noqa: E402

REPORT = re.compile(
    rb"coldboost: role=(other|runtime|extension) start=(cold|warm|unknown) plan=(\w+)"
    rb"( mode=\w+)? ranges=\d+(/\d+)? bytes=\d+[^\n]* us=\d+[^\n]*\n"
)


class MannersOfAReplay(MannersCase):
    def frozen(self, name, arguments, modes=("process", "thread"), **settings):
        plain = run([self.victim, *arguments], self.environment, b"g", cwd="/")
        for mode in modes:
            variables = self.boosted(mode, **settings)
            variables["FREEZE_LD_PRELOAD"] = variables.pop("LD_PRELOAD")
            frozen = run(
                [os.path.abspath(FREEZE), self.victim, *arguments], {**self.environment, **variables}, cwd="/"
            )
            if frozen.status == 77:
                self.skip(name, "no seccomp listener on this kernel")
                return
            if plain.status < 0:
                plain.status = 128 - plain.status
            if "COLDBOOST_VERBOSE" in settings:
                self.one_line(f"{name}, frozen, {mode}", frozen)
                frozen.stderr = b""
            found = "; ".join(plain.differences(frozen))
            self.check(not found, f"{name} while the replay runs, {mode}: {found}")

    def test_while_it_runs(self):
        if ARCH == "generic":
            self.skipTest("portable code replays before the program")
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
            self.skip("gdb attaches", "gdb is not installed")
        self.frozen("main thread leaves", ["go", "main-leaves"])
        self.frozen("returns before the report", ["go", "errno"], COLDBOOST_VERBOSE="1")

    def one_line(self, name, outcome):
        self.check(
            outcome.stderr.count(b"coldboost") == 1 and REPORT.fullmatch(outcome.stderr),
            f"{name}: not one line of report: {outcome.stderr}",
        )

    def test_reports(self):
        """One line when asked for, in every mode and for every plan; otherwise none."""
        for mode in ("process", "thread", "sync"):
            outcome = run(
                [self.victim, "wait"], {**self.environment, **self.boosted(mode, COLDBOOST_VERBOSE="1")}
            )
            self.one_line(f"report of {mode}", outcome)
            expected = f" ranges={self.range_count}/{self.range_count} ".encode()
            self.check(
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
            self.check(expected in outcome.stderr, f"report, {name}: {outcome.stderr}")
        for value in ("COLDBOOST_MODE=often", "COLDBOOST_BUDGET=64 k", "COLDBOOST=sometimes"):
            said = b"coldboost: " + value.encode() + b": not understood; the default stands\n"
            for settings in ({}, self.boosted("sync", COLDBOOST_VERBOSE="1")):
                outcome = run([self.victim, "errno"], {**verbose, **settings, **dict([value.split("=")])})
                self.equal(outcome.stderr.count(said), 1, f"{value}: {outcome.stderr}")
                outcome.stderr = outcome.stderr.replace(said, b"")
                self.one_line(f"report, {value}", outcome)
        outcome = run([self.victim, "errno"], {**verbose, "COLDBOOST": "off"})
        self.equal(outcome.stderr, b"", "report although it is off")

    def other_profile(self):
        profile = Profile()
        profile.section("/nowhere/program", profile.whole_files([self.profile]))
        return profile.write(f"{self.folder}/other.cbp")


cases.main()
