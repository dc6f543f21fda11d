"""The suite measures what it says, and its figures are what its samples give.

Usage: suite_test.py SUITE BUILD [CONDITION]

Without CONDITION: the arithmetic, on samples made up here, through --show. With it: one round of one
small program in that condition, really started; needs root, and drops the page cache.
"""

import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from coldboost_support import Checks  # noqa: E402

COLD = {"cold", "preload", "audit", "run", "blind", "vmtouch", "cat", "elf", "floor", "ctor"}
WARM = {"warm", "w+pre", "w+aud", "empty", "wctor"}


def program(**samples):
    """As a measured program of 200 ms cold and 100 ms warm, but for what is named."""
    defaults = {"cold": [200, 220, 180], "preload": [130, 140, 120], "audit": [110, 120, 100], "run": [110, 120, 100],
                "blind": [198, 217, 178], "vmtouch": [240, 250, 230], "cat": [260, 250, 230],
                "elf": [210, 250, 230], "warm": [100, 101, 99], "w+pre": [100, 101, 99], "w+aud": [100, 101, 99],
                "empty": [100, 101, 99], "floor": [50, 51, 49], "ctor": [10, 11, 9],
                "wctor": [5, 6, 4]}
    defaults.update({name.replace("_", "+"): values for name, values in samples.items()})
    return {"command": ["x"], "files": 1, "bytes": 1000, "whole_bytes": 2000, "kept_bytes": 100,
            "samples_ms": defaults}


def document(**conditions):
    return {"version": 1, "date": "2026-01-02", "machine": {"cpu": "x", "cpus": 2, "kernel": "6",
                                                            "memory_bytes": 1},
            "read_ahead_kb": 128, "latency_us": 3000,
            "conditions": {name.replace("_", "-"): {"oom_kills": 0, "peak_bytes": 0, "programs": programs}
                           for name, programs in conditions.items()}}


def show(checks, suite, *documents, status):
    """What the suite makes of JSON files: the merged document and the text."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, content in enumerate(documents):
            paths.append(f"{folder}/{number}.json")
            with open(paths[-1], "w", encoding="utf-8") as out:
                json.dump(content, out)
        result = subprocess.run(
            [suite, "--json", f"{folder}/out.json", "--svg", f"{folder}/out.svg", "--show", *paths],
            stdout=subprocess.PIPE, text=True, check=False)
        checks.equal(result.returncode, status, "exit status")
        xml.etree.ElementTree.parse(f"{folder}/out.svg")
        with open(f"{folder}/out.json", encoding="utf-8") as file:
            return json.load(file), result.stdout


def missed(shown):
    return [promise["what"] for promise in shown["promises"] if not promise["met"]]


def test_figures(checks, suite):
    shown, text = show(checks, suite, document(local={"one": program()}), status=0)
    one = shown["conditions"]["local"]["programs"]["one"]
    checks.equal(one["variants"]["preload"]["median_ms"], 130, "median")
    checks.equal(one["variants"]["preload"]["ratio"], 0.65, "ratio to cold")  # of .65, .636, .667
    checks.equal(one["variants"]["preload"]["efficiency"], 0.7, "efficiency of 200, 130 and 100")
    checks.equal(one["preload_bound_ms"], 105, "bound of LD_PRELOAD")
    checks.equal(missed(shown), [], "missed promises")
    checks.check("10%" in text, "the share that stayed in memory is shown")

    # Where reading takes longer than the warm start, the floor is what can be reached.
    shown, _ = show(checks, suite, document(local={"one": program(floor=[120, 120, 120])}), status=0)
    checks.equal(shown["conditions"]["local"]["programs"]["one"]["variants"]["preload"]["efficiency"],
                 0.875, "efficiency above the floor")


def test_promises(checks, suite):
    cases = [
        ("local", {"preload": [190, 210, 170]}, "local, preload: no program under 0.45"),
        ("local", {"run": [150, 150, 150]}, "local, run: no program under 0.6"),
        ("local", {"run": [250, 250, 250]}, "local, run against vmtouch: faster on every program"),
        ("local", {"blind": [206, 227, 186]}, "local, blind: no program over 1.02 of cold"),
        ("local", {"audit": [150, 150, 150]}, "local, audit: no program under 0.6"),
        ("local", {"w_aud": [103, 104, 102]}, "local, w+aud: <= 1.02 of warm, programs of 50 ms and more"),
        ("local", {"w_pre": [103, 104, 102]},
         "local, w+pre: <= 1.02 of warm, programs of 50 ms and more"),
        ("slow", {"preload": [110, 120, 100]}, "slow, preload: median cold time cut >= 50%"),
        ("slow", {"blind": [201, 221, 181]}, "slow, blind: gains"),
        ("local_1cpu", {"preload": [201, 221, 181]}, "local-1cpu, preload: a gain on every program"),
    ]
    for condition, samples, expected in cases:
        shown, _ = show(checks, suite, document(**{condition: {"one": program(**samples)}}), status=1)
        checks.check(expected in missed(shown), f"{expected} is not missed by {samples}")

    killed = document(local_256M={"one": program()})
    killed["conditions"]["local-256M"]["oom_kills"] = 1
    shown, _ = show(checks, suite, killed, status=1)
    checks.equal(missed(shown), ["local-256M: nothing killed for want of memory"], "a kill")

    true = {"command": ["true"], "files": 1, "bytes": 1, "whole_bytes": 1, "kept_bytes": 0,
            "samples_ms": {"warm": [1.0], "w+pre": [1.2], "empty": [1.0]}}
    shown, _ = show(checks, suite, document(local={"true": true}), status=1)
    checks.equal(missed(shown), ["local, w+pre: true <= 1.10 of an empty object"], "a slow true")


def test_merge(checks, suite):
    """Samples of runs with different variants stay beside those of their own rounds."""
    without = program()
    del without["samples_ms"]["vmtouch"]
    second = program(cold=[300], preload=[150], vmtouch=[100])
    for name, values in second["samples_ms"].items():
        second["samples_ms"][name] = values[:1]
    shown, _ = show(checks, suite, document(local={"one": without}),
                    document(local={"one": second, "two": program()}), status=1)
    programs = shown["conditions"]["local"]["programs"]
    checks.equal(sorted(programs), ["one", "two"], "programs of both")
    checks.equal(programs["one"]["samples_ms"]["cold"], [200, 220, 180, 300], "samples of both")
    checks.equal(programs["one"]["samples_ms"]["vmtouch"], [None, None, None, 100], "places kept")
    checks.equal(programs["one"]["variants"]["vmtouch"]["ratio"], round(100 / 300, 4), "its round's cold")


def test_start(checks, suite, build, condition):
    with tempfile.TemporaryDirectory(prefix="coldboost-suite-test-", dir="/var/tmp") as folder:
        subprocess.run(
            [suite, "--build", build, "--cache", f"{folder}/cache", "--condition", condition, "-n", "1",
             "--latency-us", "40000", "--json", f"{folder}/out.json", "git", "true"],
            stdout=subprocess.DEVNULL, check=False)
        with open(f"{folder}/out.json", encoding="utf-8") as file:
            shown = json.load(file)
    programs = shown["conditions"][condition]["programs"]
    checks.equal(sorted(programs), ["git", "true"], "programs")
    variants = programs["git"]["variants"]
    expected = COLD | WARM if os.path.exists("/usr/bin/vmtouch") else (COLD | WARM) - {"vmtouch"}
    checks.equal(sorted(variants), sorted(expected), "variants of a program")
    checks.equal(sorted(programs["true"]["variants"]), sorted(WARM), "variants of true")
    for name, figures in variants.items():
        checks.equal(figures["failed"], 0, f"failed starts of {name}")
        checks.check(figures["median_ms"] > 0, f"time of {name}")
    checks.check(variants["ctor"]["median_ms"] < variants["cold"]["median_ms"],
                 "the constructor runs before the end")
    # libc, ld.so and zlib, which somebody always has mapped, are more than a third of it.
    kept, recorded = programs["git"]["kept_bytes"], programs["git"]["bytes"]
    checks.check(kept < recorded / 5, f"{kept} of {recorded} bytes were not dropped")
    if condition.startswith("slow"):
        # Half a dozen files one after the other take 40 ms each: this is no close call.
        checks.equal(programs["git"]["kept_bytes"], 0, "bytes that a fresh file system keeps")
        checks.check(variants["cold"]["median_ms"] > variants["warm"]["median_ms"] + 150,
                     "a slow store is slow")
    if condition.endswith("256M"):
        used = shown["conditions"][condition]["peak_bytes"]
        checks.check(1 << 20 < used <= 256 << 20, f"memory used in the group: {used}")


def main():
    suite, build = os.path.abspath(sys.argv[1]), sys.argv[2]
    checks = Checks()
    if len(sys.argv) == 3:
        test_figures(checks, suite)
        test_promises(checks, suite)
        test_merge(checks, suite)
    elif os.geteuid():
        checks.skip("suite", "needs root, to drop the page cache")
    elif sys.argv[3].startswith("slow") and not os.access("/dev/fuse", os.R_OK | os.W_OK):
        checks.skip("suite", "no /dev/fuse here")
    elif sys.argv[3].endswith("256M") and not os.access("/sys/fs/cgroup", os.W_OK):
        checks.skip("suite", "no control groups to make here")
    else:
        test_start(checks, suite, build, sys.argv[3])
    return checks.exit_code()


if __name__ == "__main__":
    sys.exit(main())
