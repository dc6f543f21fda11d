"""Situations in which users found the answers of coldboost bench wrong, each with its story.

Usage: bench_situations.py COLDBOOST OBJECT PRINT_ARGUMENTS PRINT_ARGUMENTS_STATIC COMPILER [CASE…]
"""

import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from profiles import Profile  # noqa: E402
from situation_case import SituationCase  # noqa: E402


class BenchSituations(SituationCase):
    def test_installed_at_a_path_that_cannot_be_named(self):
        """LD_PRELOAD is a list with spaces and colons between its names, and $LIB in it is replaced.
        Installed in such a folder, `record` blamed the program, `inspect` said that preloading works, and
        `bench` advised by starts in which the object was never loaded, with a line of ld.so in each."""
        for name in ("with space", "with:colon", "with$LIB", "with${ORIGIN}"):
            tool = self.install(name)
            reason = rb"libcoldboost.so is in .*" + re.escape(name.encode()) + rb".*LD_PRELOAD"
            outcome = self.answers(0, "run", "-p", self.profile, "--", self.printer, "x", tool=tool, stderr=b"",
                                   stdout=rb"^\[x\]\nLD_PRELOAD=\n.*mapped=0")
            facts = json.loads(self.answers(0, "inspect", "--json", self.printer, tool=tool).stdout)
            self.check(re.search(reason, (facts["obstacle"] or "").encode()), f"{name}: {facts['obstacle']}")
            outcome = self.answers(0, "record", "-o", f"{self.folder}/recorded.cbp", "--", self.printer, tool=tool,
                                   stderr=reason)
            self.equal(outcome.stderr.count(b"LD_PRELOAD"), 1, f"{name}: reasons of record: {outcome.stderr}")
            document = self.measured("-p", self.profile, "--", self.printer, tool=tool)
            found = {name: value is not None for name, value in document["variants"].items()}
            self.equal(found, {"cold": True, "preload": False, "audit": False, "run": True, "warm": True,
                               "warm_preload": False}, f"{name}: what bench measures")
            bench = ["bench", "-n", "6", "-p", self.profile, self.printer]
            table = self.answers(0, *bench, tool=tool, stdout=reason).stdout
            self.equal(len(re.findall(reason, table)), 1, f"{name}: reasons of bench: {table}")
            self.check(not re.search(rb"LD_(PRELOAD|AUDIT)=", table), f"{name}: advice of bench: {table}")
        for name in ("with$dollar", "with,comma"):
            tool = self.install(name)
            self.answers(0, "run", "--", self.printer, tool=tool, stdout=rb"mapped=1")
            self.answers(0, "inspect", self.printer, tool=tool, stdout=rb"preloading +works")

    def test_rows_without_the_object(self):
        """No constructor runs where the loader is only asked for its list: there is nothing to compare."""
        loader = json.loads(self.coldboost("inspect", "--json", self.printer).stdout)["loader"]
        document = self.measured("--", loader, "--list", self.printer)
        for name in ("preload", "warm_preload", "audit", "constructor_ms"):
            self.equal(document["variants"].get(name) or document.get(name), None, f"{name} of a loader's list")
        self.check("not loaded" in (document.get("preload_obstacle") or ""), f"no reason: {document}")

    def test_scripts_of_the_shell(self):
        """A script without "#!" runs everywhere, but bench said "Exec format error", and inspect that it was
        no ELF file."""
        script = self.script("headless", f"{self.printer} child\n")
        self.answers(0, "inspect", script, stdout=rb"/bin/sh")
        profile = Profile()
        profile.section(os.path.realpath("/bin/sh"), profile.whole_files([self.printer]))
        document = self.measured("-p", profile.write(f"{self.folder}/sh.cbp"), "--", script, "a")
        self.check("cold" in document["variants"], f"bench of a script without #!: {document}")

    def test_bench_of_static_programs(self):
        """bench had nothing to say about Go programs, which `coldboost run` reads ahead of all the same."""
        profile = self.profile_of(self.static)
        document = self.measured("-p", profile, "--", self.static)
        found = [name for name, value in document["variants"].items() if value]
        self.equal(found, ["cold", "run", "warm"], "what is measured of a static program")
        self.check("statically linked" in (document.get("preload_obstacle") or ""), f"no reason: {document}")
        self.answers(0, "bench", "-n", "6", "-p", profile, self.static,
                     stdout=rb"LD_PRELOAD +left out: [^\n]*statically linked.*With coldboost run a cold start "
                     rb"[^;]*; so it is best started (as it is|with coldboost run)")

    def test_bench_of_failures(self):
        """A command that fails on purpose could not be measured, and what it said of its failure was lost."""
        command = [self.script("failing", "#!/bin/sh\necho \"cannot open the öther file\" >&2\nexit 3\n")]
        self.answers(1, "bench", "-n", "1", "--", *command,
                     stderr="cannot open the öther file\ncoldboost: .*exit status 3.*-i".encode())
        for flag in ("-i", "--ignore-failure"):
            document = self.measured(flag, "--", *command)
            self.check(document["variants"].get("preload"), f"{flag}: not measured")
        # With the object it fails in another way: that is no measurement of the same thing.
        script = self.script(
            "differs", "#!/bin/sh\ncase $LD_PRELOAD in *libcoldboost*) echo no >&2; exit 4;; esac\nexit 3\n")
        self.answers(1, "bench", "-n", "1", "-i", "--", script, stderr=rb"no\ncoldboost: .*exit status 4, not 3")


cases.main()
