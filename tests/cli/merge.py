"""coldboost merge: what it refuses, and what must hold of every result.

Usage: merge.py COLDBOOST
"""

import base64
import json
import os
import random
import re
import struct
import sys
import tempfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from coldboost_support import DIRECTORY, PATH, REGULAR, Checks, Profile, plain_environment, reseal, run  # noqa: E402

SEED = 4
ROUNDS = 60
LOOKED_UP = -1  # among page numbers


class Merge:
    def __init__(self, folder, tool):
        self.checks = Checks()
        self.folder = folder
        self.tool = os.path.abspath(tool)
        self.environment = plain_environment(folder)
        self.random = random.Random(SEED)

    def run(self, *arguments):
        return run([self.tool, *arguments], self.environment, cwd=self.folder)

    def merge(self, *arguments, status=0):
        """Bytes of the result; the message where it must fail."""
        out = f"{self.folder}/out.cbp"
        if os.path.exists(out):
            os.unlink(out)
        outcome = self.run("merge", "-o", out, *arguments)
        self.checks.equal(outcome.status, status, f"merge {arguments}: {outcome.stderr}")
        self.said = outcome
        if status:
            self.checks.check(not os.path.exists(out), f"merge {arguments} failed, and wrote")
            return outcome.stderr
        self.checks.check(
            re.fullmatch(rb"\S+: \d+ profiles?, \d+ executables?, \d+ files, \d+ pages .*\n", outcome.stdout),
            f"summary: {outcome.stdout}",
        )
        with open(out, "rb") as content:
            return content.read()

    def pages(self, content):
        """{path: pages and LOOKED_UP}, over all sections; fails if the tool cannot read it."""
        path = f"{self.folder}/shown.cbp"
        with open(path, "wb") as out:
            out.write(content)
        outcome = self.run("show", "--json", path)
        self.checks.equal(outcome.status, 0, f"the result is not a profile: {outcome.stderr}")
        result = {}
        for _, ranges in self.sections(content):
            for path, first, count, _ in ranges:
                result.setdefault(path, set()).update(range(first, first + count) if count else [LOOKED_UP])
        return result

    @staticmethod
    def sections(content):
        """[(executable, [(path, first page, pages, epoch)])], as they stand there."""
        executables, files, ranges = struct.unpack_from("<III", content, 32)
        ranges_at = 64 + 32 * executables + 64 * files
        strings = content[ranges_at + 16 * ranges :]

        def string(at):
            start = struct.unpack_from("<I", content, at)[0]
            return os.fsdecode(strings[start : strings.index(b"\0", start)])

        def piece(index):
            file, *numbers = struct.unpack_from("<IIII", content, ranges_at + 16 * index)
            return string(64 + 32 * executables + 64 * file + 16), *numbers

        result = []
        for at in range(64, 64 + 32 * executables, 32):
            first, count = struct.unpack_from("<II", content, at + 12)
            result.append((string(at + 8), [piece(i) for i in range(first, first + count)]))
        return result

    def arbitrary(self, name):
        """A run of two programs over a few files, in the order in which a recorder writes it."""
        profile = Profile(recorded_s=1700000000 + self.random.randrange(3))
        files = []
        for i in range(8):
            # Some are read in one run, looked up in the next.
            pages = 40 if i < 5 and self.random.randrange(4) else 0
            kind = REGULAR if pages else PATH
            path = profile.file(f"/data/{i}", kind, size=max(0, 4096 * pages - i), mtime_ns=5 if pages else 0)
            files.append((path, pages))
        files.append((profile.file("/data", self.random.choice([DIRECTORY, PATH]), size=0, mtime_ns=0), 0))
        for executable in self.random.sample(["/bin/a", "/bin/b", "/bin/c"], 2):
            taken, ranges = set(), []
            for epoch in range(self.random.randrange(1, 8)):
                for file, pages in self.random.sample(files, self.random.randrange(1, 5)):
                    if (file, LOOKED_UP) not in taken:
                        taken.add((file, LOOKED_UP))
                        ranges.append((file, 0, 0, epoch))
                    first = self.random.randrange(pages) if pages else 0
                    count = self.random.randrange(1, pages - first + 1) if pages else 0
                    new = {(file, page) for page in range(first, first + count)}
                    if new and not new & taken:
                        taken |= new
                        ranges.append((file, first, count, epoch))
            profile.section(executable, ranges)
        return profile.write(f"{self.folder}/{name}.cbp")

    def properties(self):
        for turn in range(ROUNDS):
            runs = [self.arbitrary(f"run{i}") for i in range(self.random.randrange(2, 6))]
            where = f"seed {SEED}, round {turn}"
            one = [self.merge(path) for path in runs]
            known = []
            for path, content in zip(runs, one):
                with open(path, "rb") as original:
                    original = original.read()
                known.append(self.pages(original))
                self.checks.equal(self.sections(content), self.sections(original), f"{where}: one run")
                self.checks.equal(self.merge(path, path), content, f"{where}: a run with itself")
                again = f"{self.folder}/again.cbp"
                with open(again, "wb") as out:
                    out.write(content)
                self.checks.equal(self.merge(again), content, f"{where}: merged again")
            all_of_them = self.merge(*runs)
            union = {}
            for pages in known:
                for path, numbers in pages.items():
                    union.setdefault(path, set()).update(numbers)
            self.checks.equal(self.pages(all_of_them), union, f"{where}: the union")
            self.checks.equal(self.said.stderr, b"", f"{where}: stale")
            shuffled = self.random.sample(runs, len(runs))
            share = f"--min-share={self.random.randrange(101)}"
            for options in ([], [share]):
                self.checks.equal(
                    self.merge(*options, *shuffled), self.merge(*options, *runs), f"{where}: another order"
                )
            fewer = self.pages(self.merge(share, *runs))
            self.checks.check(
                all(pages <= union[path] for path, pages in fewer.items()), f"{where}: {share} adds pages"
            )
            for _, ranges in self.sections(all_of_them):
                epochs = [epoch for _, _, _, epoch in ranges]
                self.checks.equal(epochs, sorted(epochs), f"{where}: epochs go back")

    def refuses(self):
        good = self.arbitrary("good")
        with open(good, "rb") as content:
            profile = content.read()
        wild = bytearray(profile)
        struct.pack_into("<I", wild, 64 + 8, 0xFFFFFFF0)
        damaged = {
            "empty": b"", "text": b"hello\n", "cut": profile[:-1], "long": profile + b"\0",
            "checksum": profile[:-2] + b"z\0", "bounds": reseal(bytes(wild)),
        }
        for name, content in damaged.items():
            path = f"{self.folder}/{name}.cbp"
            with open(path, "wb") as out:
                out.write(content)
            for arguments in ((good, path), (path, good), (path,)):
                message = self.merge(*arguments, status=1)
                self.checks.check(
                    message.startswith(f"coldboost: {path}: ".encode()) and message.count(b"\n") == 1,
                    f"{name}: {message}",
                )
        self.checks.check(b"No such file" in self.merge(good, "missing.cbp", status=1), "missing profile")
        for arguments in (["-o", "x.cbp"], [good], ["-o", "x.cbp", "--min-share=101", good],
                          ["-o", "x.cbp", "--min-share=", good], ["-o", "x.cbp", "--min-share=-1", good],
                          ["-o", "x.cbp", "--min-share=5x", good]):
            outcome = self.run("merge", *arguments)
            self.checks.equal(outcome.status, 2, f"merge {arguments}")
            self.checks.check(b"--help" in outcome.stderr, f"merge {arguments}: {outcome.stderr}")
        before = set(os.listdir(self.folder))
        outcome = self.run("merge", "-o", "absent/too/x.cbp", good)
        self.checks.check(outcome.status == 1 and b"absent/too/x.cbp" in outcome.stderr, f"{outcome.stderr}")
        outcome = self.run("merge", "-o", self.folder, good)
        self.checks.check(outcome.status == 1 and outcome.stdout == b"", "a folder as the output")
        self.checks.equal(set(os.listdir(self.folder)), before, "what failed merges leave behind")

    @staticmethod
    def frames(profile):
        """The lines that tools/profile/frames.h describes."""
        name = f"{zlib.crc32(profile):08x}-{len(profile):x}"
        pieces = [profile[at:at + 3000] for at in range(0, len(profile), 3000)]
        for index, piece in enumerate(pieces, 1):
            line = f"coldboost-profile/1 {name} {index}/{len(pieces)} {base64.b64encode(piece).decode()}"
            yield f"{line} {zlib.crc32(line.encode()):08x}"

    def log(self, *lines, name="function.log"):
        with open(f"{self.folder}/{name}", "w", encoding="ascii") as out:
            out.write("".join(line + "\n" for line in lines))
        return f"{self.folder}/{name}"

    def from_logs(self):
        """What stands in a log is merged as if it were in files."""
        large = Profile()  # takes several frames
        large.section("/bin/a", [(large.file(f"/data/{i}", PATH, size=0, mtime_ns=0), 0, 0, i) for i in range(99)])
        paths = [large.write(f"{self.folder}/large.cbp"), self.arbitrary("one"), self.arbitrary("two")]
        profiles = []
        for path in paths:
            with open(path, "rb") as content:
                profiles.append(content.read())
        framed = [list(self.frames(profile)) for profile in profiles]
        lines = ["START RequestId: 1", *sum(framed, []), "END"]
        self.random.shuffle(lines)
        expected = self.merge(*paths)
        log = self.log(*lines)
        self.checks.equal(self.merge("--from-log", log), expected, "three profiles in one log")
        logs = [self.log(*lines, name=f"{i}.log") for i, lines in enumerate(framed)]
        self.checks.equal(
            self.merge(paths[0], "--from-log", logs[1], "--from-log", logs[2]), expected, "logs and a file")
        with open(log, "rb") as content:
            outcome = run([self.tool, "merge", "-o", f"{self.folder}/piped.cbp", "--from-log", "-"],
                          self.environment, content.read(), cwd=self.folder)
        with open(f"{self.folder}/piped.cbp", "rb") as content:
            self.checks.equal((outcome.status, outcome.stderr, content.read()), (0, b"", expected), "standard input")
        twice = self.log(*lines, *lines)
        self.checks.equal(self.merge("--from-log", twice), expected, "a log twice")
        self.checks.equal(self.said.stderr.count(b"more than once"), 3, "doubled frames are named")

        lost = framed[0][0].replace(" ", "_", 1)
        cases = {
            "no frames": ([], [rb"function.log: there is no whole profile in it"]),
            "a damaged one": ([lost, *framed[0][1:]], [rb"function.log: line 1: a frame is damaged", rb"no whole"]),
            "a missing one": (framed[0][1:], [rb"function.log, profile \w+-\w+: frame 1 of \d+: missing", rb"no whole"]),
        }
        for name, (lines, said) in cases.items():
            message = self.merge("--from-log", self.log(*lines), status=1)
            for pattern in said:
                self.checks.check(re.search(pattern, message), f"{name}: {message}")
        # What is whole is written all the same, and the status says that there was more.
        outcome = self.run("merge", "-o", "some.cbp", "--from-log", self.log(*framed[0][1:], *framed[1]))
        self.checks.check(outcome.status == 1 and b"missing" in outcome.stderr, f"{outcome.stderr}")
        with open(f"{self.folder}/some.cbp", "rb") as content:
            self.checks.equal(content.read(), self.merge(paths[1]), "the profile that is whole")
        self.checks.check(b"No such file" in self.merge("--from-log", "missing.log", status=1), "missing log")

    def output_may_be_an_input(self):
        first, second = self.arbitrary("first"), self.arbitrary("second")
        expected = self.merge(first, second)
        outcome = self.run("merge", "-o", first, first, second)
        self.checks.equal(outcome.status, 0, f"output over an input: {outcome.stderr}")
        with open(first, "rb") as content:
            self.checks.equal(content.read(), expected, "output over an input")

    def stale(self):
        old = Profile(recorded_s=1000)
        old.section("/bin/a", [(old.file("/data/x", size=8191, mtime_ns=1), 0, 1, 0)])
        new = Profile(recorded_s=2000)
        new.section("/bin/a", [(new.file("/data/x", size=8192, mtime_ns=2), 1, 1, 0)])
        old, new = old.write(f"{self.folder}/old.cbp"), new.write(f"{self.folder}/new.cbp")
        self.checks.equal(self.pages(self.merge(new, old)), {"/data/x": {1}}, "the newer file")
        self.checks.check(
            re.search(rb"old.cbp: 1 of its files has another version.*/data/x", self.said.stderr)
            and b"new.cbp:" not in self.said.stderr,
            f"stale file: {self.said.stderr}",
        )
        self.merge(new, new)
        self.checks.equal(self.said.stderr, b"", "nothing is stale")
        looked = Profile(recorded_s=3000)
        looked.section("/bin/a", [(looked.file("/data/x", kind=PATH, size=0, mtime_ns=0), 0, 0, 0)])
        looked = looked.write(f"{self.folder}/looked.cbp")
        result = self.merge(looked, new)
        self.checks.equal(self.pages(result), {"/data/x": {LOOKED_UP, 1}}, "a path and a file")
        self.checks.equal(self.said.stderr, b"", "a path makes no file stale")
        self.checks.equal(struct.unpack_from("<I", result, 64 + 32 + 20)[0], REGULAR, "kind of the file")

    def recorded(self):
        """Real recordings, merged and replayed."""
        paths = []
        for module in ("json", "json", "wave"):
            path = f"{self.folder}/real{len(paths)}.cbp"
            outcome = self.run("record", "-o", path, "--", "/usr/bin/python3", "-c", f"import {module}")
            if not self.checks.equal(outcome.status, 0, f"record: {outcome.stderr}"):
                return
            paths.append(path)
        known = []
        for path in paths:
            with open(path, "rb") as content:
                known.append(content.read())
            self.checks.equal(self.merge(path), known[-1], "one real recording, byte for byte")
        merged = self.pages(self.merge(*paths))
        parts = [self.pages(content) for content in known]
        for path in set().union(*parts):
            self.checks.equal(
                merged.get(path), set().union(*(part.get(path, set()) for part in parts)), f"union of {path}"
            )
        often = self.pages(self.merge("--min-share=60", *paths))
        named = {path for path in merged if path.endswith("/wave.py") or "/wave." in path}
        self.checks.check(named and not named & set(often), f"one run's module is not rare: {named}")
        self.checks.check(any("/json/" in path for path in often), "two runs' module is rare")
        out = f"{self.folder}/out.cbp"
        outcome = run(
            [self.tool, "run", "-p", out, "/usr/bin/python3", "-c", "print(6 * 7)"],
            {**self.environment, "COLDBOOST": "force", "COLDBOOST_VERBOSE": "1"},
        )
        report = re.search(rb"plan=profile .*ranges=(\d+)/(\d+) .*stale_files=0 .*state=done", outcome.stderr)
        self.checks.check(
            outcome.stdout == b"42\n" and report and report[1] == report[2] != b"0",
            f"replay of the result: {outcome.stdout} {outcome.stderr}",
        )


def main():
    # Not /tmp, which may be a tmpfs.
    with tempfile.TemporaryDirectory(prefix="coldboost-merge-", dir=os.getcwd()) as folder:
        merge = Merge(os.path.realpath(folder), sys.argv[1])
        merge.properties()
        merge.refuses()
        merge.from_logs()
        merge.output_may_be_an_input()
        merge.stale()
        merge.recorded()
        return merge.checks.exit_code()


sys.exit(main())
