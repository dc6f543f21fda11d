"""coldboost merge --from-log: profiles that were written into logs, line by line.

Usage: merge_logs.py COLDBOOST OBJECT PRINT_ARGUMENTS PRINT_ARGUMENTS_STATIC COMPILER [CASE…]
"""

import base64
import os
import re
import sys
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import run  # noqa: E402
from merge_case import MergeCase  # noqa: E402
from profiles import PATH, Profile  # noqa: E402


class MergeLogs(MergeCase):
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

    def test_from_logs(self):
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
        self.equal(self.merge("--from-log", log), expected, "three profiles in one log")
        logs = [self.log(*lines, name=f"{i}.log") for i, lines in enumerate(framed)]
        self.equal(
            self.merge(paths[0], "--from-log", logs[1], "--from-log", logs[2]), expected, "logs and a file")
        with open(log, "rb") as content:
            outcome = run([self.tool, "merge", "-o", f"{self.folder}/piped.cbp", "--from-log", "-"],
                          self.environment, content.read(), cwd=self.folder)
        with open(f"{self.folder}/piped.cbp", "rb") as content:
            self.equal((outcome.status, outcome.stderr, content.read()), (0, b"", expected), "standard input")
        twice = self.log(*lines, *lines)
        self.equal(self.merge("--from-log", twice), expected, "a log twice")
        self.equal(self.said.stderr.count(b"more than once"), 3, "doubled frames are named")

        lost = framed[0][0].replace(" ", "_", 1)
        cases = {
            "no frames": ([], [rb"function.log: there is no whole profile in it"]),
            "a damaged one": ([lost, *framed[0][1:]], [rb"function.log: line 1: a frame is damaged", rb"no whole"]),
            "a missing one": (
                framed[0][1:], [rb"function.log, profile \w+-\w+: frame 1 of \d+: missing", rb"no whole"]),
        }
        for name, (lines, said) in cases.items():
            message = self.merge("--from-log", self.log(*lines), status=1)
            for pattern in said:
                self.check(re.search(pattern, message), f"{name}: {message}")
        # What is whole is written all the same, and the status says that there was more.
        outcome = self.coldboost("merge", "-o", "some.cbp", "--from-log", self.log(*framed[0][1:], *framed[1]))
        self.check(outcome.status == 1 and b"missing" in outcome.stderr, f"{outcome.stderr}")
        with open(f"{self.folder}/some.cbp", "rb") as content:
            self.equal(content.read(), self.merge(paths[1]), "the profile that is whole")
        self.check(b"No such file" in self.merge("--from-log", "missing.log", status=1), "missing log")


cases.main()
