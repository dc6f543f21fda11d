"""One round of one small program of the suite in one condition, really started.

Usage: suite_test.py SUITE BUILD CONDITION [CASE…]

Needs root, and drops the page cache.
"""

import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402

SUITE, BUILD, CONDITION = cases.take("SUITE BUILD CONDITION")
SUITE = os.path.abspath(SUITE)
COLD = {"cold", "preload", "audit", "run", "blind", "vmtouch", "cat", "elf", "floor", "ctor"}
WARM = {"warm", "w+pre", "w+aud", "empty", "wctor"}


class OneRound(cases.Case):
    def setUp(self):
        if os.geteuid():
            self.skipTest("needs root, to drop the page cache")
        if CONDITION.startswith("slow") and not os.access("/dev/fuse", os.R_OK | os.W_OK):
            self.skipTest("no /dev/fuse here")
        if CONDITION.endswith("256M") and not os.access("/sys/fs/cgroup", os.W_OK):
            self.skipTest("no control groups to make here")

    def test_condition(self):
        condition = CONDITION
        with tempfile.TemporaryDirectory(prefix="coldboost-suite-test-", dir="/var/tmp") as folder:
            subprocess.run(
                [SUITE, "--build", BUILD, "--cache", f"{folder}/cache", "--condition", condition, "-n", "1",
                 "--latency-us", "40000", "--json", f"{folder}/out.json", "git", "true"],
                stdout=subprocess.DEVNULL, check=False)
            with open(f"{folder}/out.json", encoding="utf-8") as file:
                shown = json.load(file)
        programs = shown["conditions"][condition]["programs"]
        self.equal(sorted(programs), ["git", "true"], "programs")
        variants = programs["git"]["variants"]
        expected = COLD | WARM if os.path.exists("/usr/bin/vmtouch") else (COLD | WARM) - {"vmtouch"}
        self.equal(sorted(variants), sorted(expected), "variants of a program")
        self.equal(sorted(programs["true"]["variants"]), sorted(WARM), "variants of true")
        for name, figures in variants.items():
            self.equal(figures["failed"], 0, f"failed starts of {name}")
            self.check(figures["median_ms"] > 0, f"time of {name}")
        self.check(variants["ctor"]["median_ms"] < variants["cold"]["median_ms"],
                     "the constructor runs before the end")
        # libc, ld.so and zlib, which somebody always has mapped, are more than a third of it.
        kept, recorded = programs["git"]["kept_bytes"], programs["git"]["bytes"]
        self.check(kept < recorded / 5, f"{kept} of {recorded} bytes were not dropped")
        if condition.startswith("slow"):
            # Half a dozen files one after the other take 40 ms each: this is no close call.
            self.equal(programs["git"]["kept_bytes"], 0, "bytes that a fresh file system keeps")
            self.check(variants["cold"]["median_ms"] > variants["warm"]["median_ms"] + 150,
                         "a slow store is slow")
        if condition.endswith("256M"):
            used = shown["conditions"][condition]["peak_bytes"]
            self.check(1 << 20 < used <= 256 << 20, f"memory used in the group: {used}")


cases.main()
