"""The suite's figures are what its samples give: the arithmetic, on samples made up here, through --show.

Usage: suite_figures.py SUITE [CASE…]
"""

import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402

SUITE = os.path.abspath(cases.take("SUITE"))


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


def missed(shown):
    return [promise["what"] for promise in shown["promises"] if not promise["met"]]


class Figures(cases.Case):
    def show(self, *documents, status):
        """What the suite makes of JSON files: the merged document and the text."""
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for number, content in enumerate(documents):
                paths.append(f"{folder}/{number}.json")
                with open(paths[-1], "w", encoding="utf-8") as out:
                    json.dump(content, out)
            result = subprocess.run(
                [SUITE, "--json", f"{folder}/out.json", "--svg", f"{folder}/out.svg", "--show", *paths],
                stdout=subprocess.PIPE, text=True, check=False)
            self.equal(result.returncode, status, "exit status")
            xml.etree.ElementTree.parse(f"{folder}/out.svg")
            with open(f"{folder}/out.json", encoding="utf-8") as file:
                return json.load(file), result.stdout

    def test_figures(self):
        shown, text = self.show(document(local={"one": program()}), status=0)
        one = shown["conditions"]["local"]["programs"]["one"]
        self.equal(one["variants"]["preload"]["median_ms"], 130, "median")
        self.equal(one["variants"]["preload"]["ratio"], 0.65, "ratio to cold")  # of .65, .636, .667
        self.equal(one["variants"]["preload"]["efficiency"], 0.7, "efficiency of 200, 130 and 100")
        self.equal(one["preload_bound_ms"], 105, "bound of LD_PRELOAD")
        self.equal(missed(shown), [], "missed promises")
        self.check("10%" in text, "the share that stayed in memory is shown")

        # Where reading takes longer than the warm start, the floor is what can be reached.
        shown, _ = self.show(document(local={"one": program(floor=[120, 120, 120])}), status=0)
        self.equal(shown["conditions"]["local"]["programs"]["one"]["variants"]["preload"]["efficiency"],
                     0.875, "efficiency above the floor")

    def test_promises(self):
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
            shown, _ = self.show(document(**{condition: {"one": program(**samples)}}), status=1)
            self.check(expected in missed(shown), f"{expected} is not missed by {samples}")

        killed = document(local_256M={"one": program()})
        killed["conditions"]["local-256M"]["oom_kills"] = 1
        shown, _ = self.show(killed, status=1)
        self.equal(missed(shown), ["local-256M: nothing killed for want of memory"], "a kill")

        true = {"command": ["true"], "files": 1, "bytes": 1, "whole_bytes": 1, "kept_bytes": 0,
                "samples_ms": {"warm": [1.0], "w+pre": [1.2], "empty": [1.0]}}
        shown, _ = self.show(document(local={"true": true}), status=1)
        self.equal(missed(shown), ["local, w+pre: true <= 1.10 of an empty object"], "a slow true")

    def test_merge(self):
        """Samples of runs with different variants stay beside those of their own rounds."""
        without = program()
        del without["samples_ms"]["vmtouch"]
        second = program(cold=[300], preload=[150], vmtouch=[100])
        for name, values in second["samples_ms"].items():
            second["samples_ms"][name] = values[:1]
        shown, _ = self.show(document(local={"one": without}),
                        document(local={"one": second, "two": program()}), status=1)
        programs = shown["conditions"]["local"]["programs"]
        self.equal(sorted(programs), ["one", "two"], "programs of both")
        self.equal(programs["one"]["samples_ms"]["cold"], [200, 220, 180, 300], "samples of both")
        self.equal(programs["one"]["samples_ms"]["vmtouch"], [None, None, None, 100], "places kept")
        self.equal(programs["one"]["variants"]["vmtouch"]["ratio"], round(100 / 300, 4), "its round's cold")


cases.main()
