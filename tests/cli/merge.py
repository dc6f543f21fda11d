"""coldboost merge: what it refuses, where it writes, and real recordings of several runs.

Usage: merge.py COLDBOOST OBJECT PRINT_ARGUMENTS PRINT_ARGUMENTS_STATIC COMPILER [CASE…]
"""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import run  # noqa: E402
from merge_case import LOOKED_UP, MergeCase  # noqa: E402
from profiles import PATH, REGULAR, Contents, Profile, with_wrong  # noqa: E402


class Merge(MergeCase):
    def test_refuses(self):
        good = self.arbitrary("good")
        with open(good, "rb") as content:
            profile = content.read()
        damaged = {
            "empty": b"", "text": b"hello\n", "cut": profile[:-1], "long": profile + b"\0",
            "checksum": profile[:-2] + b"z\0", "bounds": with_wrong(profile, "executable", path=0xFFFFFFF0),
        }
        for name, content in damaged.items():
            path = f"{self.folder}/{name}.cbp"
            with open(path, "wb") as out:
                out.write(content)
            for arguments in ((good, path), (path, good), (path,)):
                message = self.merge(*arguments, status=1)
                self.check(
                    message.startswith(f"coldboost: {path}: ".encode()) and message.count(b"\n") == 1,
                    f"{name}: {message}",
                )
        self.check(b"No such file" in self.merge(good, "missing.cbp", status=1), "missing profile")
        for arguments in (["-o", "x.cbp"], [good], ["-o", "x.cbp", "--min-share=101", good],
                          ["-o", "x.cbp", "--min-share=", good], ["-o", "x.cbp", "--min-share=-1", good],
                          ["-o", "x.cbp", "--min-share=5x", good]):
            outcome = self.coldboost("merge", *arguments)
            self.equal(outcome.status, 2, f"merge {arguments}")
            self.check(b"--help" in outcome.stderr, f"merge {arguments}: {outcome.stderr}")
        before = set(os.listdir(self.folder))
        outcome = self.coldboost("merge", "-o", "absent/too/x.cbp", good)
        self.check(outcome.status == 1 and b"absent/too/x.cbp" in outcome.stderr, f"{outcome.stderr}")
        outcome = self.coldboost("merge", "-o", self.folder, good)
        self.check(outcome.status == 1 and outcome.stdout == b"", "a folder as the output")
        self.equal(set(os.listdir(self.folder)), before, "what failed merges leave behind")

    def test_output_may_be_an_input(self):
        first, second = self.arbitrary("first"), self.arbitrary("second")
        expected = self.merge(first, second)
        outcome = self.coldboost("merge", "-o", first, first, second)
        self.equal(outcome.status, 0, f"output over an input: {outcome.stderr}")
        with open(first, "rb") as content:
            self.equal(content.read(), expected, "output over an input")

    def test_stale(self):
        old = Profile(recorded_s=1000)
        old.section("/bin/a", [(old.file("/data/x", size=8191, mtime_ns=1), 0, 1, 0)])
        new = Profile(recorded_s=2000)
        new.section("/bin/a", [(new.file("/data/x", size=8192, mtime_ns=2), 1, 1, 0)])
        old, new = old.write(f"{self.folder}/old.cbp"), new.write(f"{self.folder}/new.cbp")
        self.equal(self.pages(self.merge(new, old)), {"/data/x": {1}}, "the newer file")
        self.check(
            re.search(rb"old.cbp: 1 of its files has another version.*/data/x", self.said.stderr)
            and b"new.cbp:" not in self.said.stderr,
            f"stale file: {self.said.stderr}",
        )
        self.merge(new, new)
        self.equal(self.said.stderr, b"", "nothing is stale")
        looked = Profile(recorded_s=3000)
        looked.section("/bin/a", [(looked.file("/data/x", kind=PATH, size=0, mtime_ns=0), 0, 0, 0)])
        looked = looked.write(f"{self.folder}/looked.cbp")
        result = self.merge(looked, new)
        self.equal(self.pages(result), {"/data/x": {LOOKED_UP, 1}}, "a path and a file")
        self.equal(self.said.stderr, b"", "a path makes no file stale")
        self.equal(Contents(result).files[0].kind, REGULAR, "kind of the file")

    def test_recorded(self):
        """Real recordings, merged and replayed."""
        paths = []
        for module in ("json", "json", "wave"):
            path = f"{self.folder}/real{len(paths)}.cbp"
            outcome = self.coldboost("record", "-o", path, "--", "/usr/bin/python3", "-c", f"import {module}")
            if not self.equal(outcome.status, 0, f"record: {outcome.stderr}"):
                return
            paths.append(path)
        known = []
        for path in paths:
            with open(path, "rb") as content:
                known.append(content.read())
            self.equal(self.merge(path), known[-1], "one real recording, byte for byte")
        merged = self.pages(self.merge(*paths))
        parts = [self.pages(content) for content in known]
        for path in set().union(*parts):
            self.equal(
                merged.get(path), set().union(*(part.get(path, set()) for part in parts)), f"union of {path}"
            )
        often = self.pages(self.merge("--min-share=60", *paths))
        named = {path for path in merged if path.endswith("/wave.py") or "/wave." in path}
        self.check(named and not named & set(often), f"one run's module is not rare: {named}")
        self.check(any("/json/" in path for path in often), "two runs' module is rare")
        out = f"{self.folder}/out.cbp"
        outcome = run(
            [self.tool, "run", "-p", out, "/usr/bin/python3", "-c", "print(6 * 7)"],
            {**self.environment, "COLDBOOST": "force", "COLDBOOST_VERBOSE": "1"},
        )
        report = re.search(rb"plan=profile .*ranges=(\d+)/(\d+) .*stale_files=0 .*state=done", outcome.stderr)
        self.check(
            outcome.stdout == b"42\n" and report and report[1] == report[2] != b"0",
            f"replay of the result: {outcome.stdout} {outcome.stderr}",
        )


cases.main()
