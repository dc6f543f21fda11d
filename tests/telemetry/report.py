"""coldboost report: every intact record of a file is read, all else is named, and its figures are right.

Usage: report.py COLDBOOST [CASE…]
"""

import json
import os
import random
import struct
import subprocess
import sys
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import plain_environment, run  # noqa: E402
from openmetrics import samples_of  # noqa: E402
from telemetry_records import BOOSTED, END, HOLDOUT, LAYOUT, MAGIC, RESTART, WARM, encode  # noqa: E402

COLDBOOST = os.path.abspath(cases.take("COLDBOOST"))


class Report(cases.Case):
    tool = COLDBOOST

    def setUp(self):
        self.folder = self.new_folder()
        self.environment = plain_environment("/")

    def report(self, content, *options):
        path = f"{self.folder}/report"
        with open(path, "wb") as out:
            out.write(content)
        outcome = run([self.tool, "report", *options, path], self.environment, cwd=self.folder)
        return outcome, path.encode()

    def test_flipped(self):
        """Every bit of a record, alone and between others: reported, and the others are read."""
        before, victim, behind = encode(ranges=1), encode(ranges=2), encode(ranges=3)
        for bit in range(8 * LAYOUT.size):
            changed = bytearray(victim)
            changed[bit // 8] ^= 1 << bit % 8
            outcome, path = self.report(before + changed + behind, "--json")
            document = json.loads(outcome.stdout)
            lost = document["damaged"] + document["truncated"] + document["unknown_version"]
            self.equal((outcome.status, document["records"], lost), (1, 2, 1), f"bit {bit}")
            self.check(
                outcome.stderr.startswith(b"coldboost: " + path + b": at offset 104: ")
                and outcome.stderr.count(b"\n") == 1,
                f"bit {bit}: {outcome.stderr}",
            )

    def test_truncated(self):
        record = encode()
        for size in (1, 4, 7, 8, 50, 103):
            outcome, path = self.report(record + record[:size])
            self.equal(outcome.status, 1, f"cut to {size}")
            expected = path + b": at offset 104: a truncated record"
            self.check(expected in outcome.stderr, f"cut to {size}: {outcome.stderr}")
            outcome, _ = self.report(record[:size] + record, "--json")
            document = json.loads(outcome.stdout)
            self.equal((outcome.status, document["records"]), (1, 1), f"begins with {size}")
            self.equal(document["truncated"], 1 if size > 7 else document["truncated"], f"{size}")
        outcome, _ = self.report(b"")
        self.equal(outcome.status, 0, "an empty file")
        outcome, _ = self.report(b"some text\n" * 100, "--json")
        self.equal(outcome.status, 1, "a file of text")

    def test_other_versions(self):
        body = struct.pack("<4sHH", MAGIC, 9, 40) + bytes(28)
        newer = body + struct.pack("<I", zlib.crc32(body))
        outcome, path = self.report(encode() + newer + encode(), "--json")
        document = json.loads(outcome.stdout)
        self.equal(
            (outcome.status, document["records"], document["unknown_version"], document["damaged"]),
            (1, 2, 1, 0), "a newer version",
        )
        self.check(b"offset 104" in outcome.stderr and b"version 9" in outcome.stderr, outcome.stderr)

    def test_noise(self):
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
            self.equal(json.loads(outcome.stdout)["records"], records, "records among noise")
            self.check(outcome.status in (0, 1), f"status {outcome.status} among noise")

    def test_figures(self):
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
        self.check(abs(life["p50"] - 200) < 3 and abs(life["p90"] - 212.8) < 4, f"percentiles {life}")
        median = program["boosted_minus_holdout"]["life_ms"]["p50"]
        self.check(median["low"] < -100 < median["high"], f"the interval {median}")
        width = median["high"] - median["low"]
        # The medians' standard errors are 1.25 * 10 / sqrt(n): 4 of their sum's wide, or so.
        self.check(3 < width < 10, f"the interval is {width} ms wide")
        outcome, _ = self.report(same, "--json")
        (program,) = json.loads(outcome.stdout)["programs"]
        median = program["boosted_minus_holdout"]["life_ms"]["p50"]
        self.check(median["low"] < 0 < median["high"], f"no difference: {median}")
        self.check(b"may be chance" in self.report(same)[0].stdout, "chance is named")
        self.check(b"boosted minus holdout, life" in self.report(different)[0].stdout, "text")
        restarts = sample(9000, BOOSTED, 50, start=RESTART)
        outcome, _ = self.report(different + restarts, "--json")
        (program,) = json.loads(outcome.stdout)["programs"]
        self.equal(program["boosted"]["measures"]["life_ms"]["n"], 400, "restarts are left out")
        small = encode(event=END, elapsed_ns=10**6) + encode(event=END, elapsed_ns=2 * 10**6)
        outcome, _ = self.report(small, "--json")
        (program,) = json.loads(outcome.stdout)["programs"]
        self.equal(program["boosted"]["measures"]["life_ms"],
                   {"n": 2, "p50": 1.5, "p90": 1.9, "p99": 1.99}, "two values")
        self.equal(program["boosted_minus_holdout"], {}, "one arm alone")
        hostile = encode(program=b"\x1b[31m\"\\\xff", event=END)
        outcome, _ = self.report(hostile)
        self.check(b"\x1b" not in outcome.stdout, "an escape sequence from a file")
        outcome, _ = self.report(hostile, "--json")
        json.loads(outcome.stdout)

    def test_openmetrics(self):
        """Histograms by program and arm, also of none, and of a program whose name is no text."""
        lives = [(BOOSTED, 1.0), (BOOSTED, 2.6), (BOOSTED, 99999.0), (HOLDOUT, 240.0)]
        content = b"".join(encode(event=END, arm=arm, elapsed_ns=int(ms * 1e6)) for arm, ms in lives)
        content += encode(event=END, elapsed_ns=10**6, start=RESTART) + encode(start=WARM)
        content += encode(elapsed_ns=30 * 10**6, bytes_asked=4096) + encode(program=b'\x1b"\\\n\xff')
        outcome, _ = self.report(content + b"x", "--openmetrics")
        self.equal(outcome.status, 1, "a file with a damaged end")
        samples = samples_of(self, outcome.stdout)
        if samples is None:
            return

        def buckets(family, arm):
            return [samples[(f"coldboost_{family}_seconds_bucket", "arm", arm, "le", bound, "program", "app")]
                    for bound in ("0.001", "0.0025", "0.005", "0.25", "1.0", "+Inf")]

        self.equal(buckets("life", "boosted"), [1, 1, 2, 2, 2, 3], "lives, boosted")
        self.equal(buckets("life", "holdout"), [0, 0, 0, 1, 1, 1], "lives, holdout")
        self.equal(buckets("replay", "boosted"), [0, 0, 0, 1, 1, 1], "replays")
        of_boosted = ("arm", "boosted", "program", "app")
        self.equal(samples[("coldboost_life_seconds_count", *of_boosted)], 3, "count")
        self.equal(round(samples[("coldboost_life_seconds_sum", *of_boosted)], 4), 100.0026, "sum")
        kinds = {kind: samples[("coldboost_starts", "arm", "boosted", "kind", kind, "program", "app")]
                 for kind in ("cold", "warm", "restart")}
        self.equal(kinds, {"cold": 1, "warm": 1, "restart": 0}, "starts")
        self.equal([samples[("coldboost_records", "state", state)] for state in ("intact", "truncated", "damaged")],
                   [8, 0, 1], "records")
        odd = ("coldboost_starts", "arm", "boosted", "kind", "cold", "program", '\\x1b"\\\\\\n\\xff')
        self.equal(samples.get(odd), 1, f"a name that is no text: {outcome.stdout}")
        self.equal(len(samples_of(self, self.report(b"", "--openmetrics")[0].stdout)), 4, "of no record")

    def test_intervals_cover(self):
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
        self.check(50 <= covered <= 60, f"{covered} of 60 intervals hold the true difference")

    def test_missing_file(self):
        missing = run([self.tool, "report", "/no/such/file"], self.environment)
        self.check(missing.status == 1 and b"/no/such/file: " in missing.stderr, missing.stderr)


cases.main()
