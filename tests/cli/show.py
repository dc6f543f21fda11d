"""coldboost show: a profile in words and in JSON, and what is said of a damaged one.

Usage: show.py COLDBOOST OBJECT PRINT_ARGUMENTS PRINT_ARGUMENTS_STATIC COMPILER [CASE…]
"""

import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from cli_case import CliCase  # noqa: E402
from profiles import Profile, with_wrong  # noqa: E402


class Show(CliCase):
    def test_show(self):
        profile, data, odd = self.sample()
        path = profile.write(f"{self.folder}/sample.cbp")
        text = self.expect(["show", path], 0, rb"sample.cbp.*version 1.*2 executables, 3 files, 5 ranges")
        for word in (os.path.realpath(self.printer), "/usr/bin/other", data):
            self.check(word.encode() in text.stdout, f"show does not name {word}")
        document = json.loads(self.expect(["show", "--json", path], 0, rb"\{").stdout)
        self.equal(document["version"], 1, "version in JSON")
        self.equal(
            [(e["path"], e["ranges"]) for e in document["executables"]],
            [(os.path.realpath(self.printer), 4), ("/usr/bin/other", 1)],
            "executables in JSON",
        )
        shown = {entry["path"]: entry for entry in document["files"]}
        odd = odd.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        self.equal(set(shown), {data, odd, self.folder}, "paths in JSON")
        self.equal(shown[data]["size"], 100000, "size in JSON")
        self.equal(shown[data]["build_id"], "01ab", "build-id in JSON")
        self.equal(
            [(r["offset"], r["length"], r["epoch"]) for r in shown[data]["ranges"]],
            [(20 * 4096, 100000 - 20 * 4096, 0), (0, 3 * 4096, 2)],
            "ranges in JSON",
        )
        self.equal(
            [(r["offset"], r["length"], r["epoch"]) for r in shown[odd]["ranges"]],
            [(0, 5000, 1), (4096, 904, 9)],
            "ranges of the second file in JSON",
        )
        self.equal(
            (shown[self.folder]["kind"], shown[data]["kind"]), ("directory", "file"), "kinds in JSON"
        )
        empty = Profile().write(f"{self.folder}/nothing.cbp")
        self.expect(["show", empty], 0, rb"0 executables")
        json.loads(self.expect(["show", "--json", empty], 0, rb"\{").stdout)

    def test_show_damaged(self):
        profile, _, _ = self.sample()
        good = profile.encode()
        forms = {
            "empty": b"",
            "magic": b"X" + good[1:],
            "cut": good[:100],
            "long": good + b"\0",
            "checksum": good[:-2] + b"z\0",
            "version": profile.encode(version=9),
            "counts": profile.encode(range_count=0xFFFFFFFF),
            "bounds": with_wrong(good, "executable", path=0xFFFFFFF0),
        }
        for name, content in forms.items():
            path = f"{self.folder}/{name}.cbp"
            with open(path, "wb") as out:
                out.write(content)
            for arguments in (["show", path], ["show", "--json", path]):
                # The name of the file, what is wrong with it, and what to do.
                self.expect(arguments, 1, b"", re.escape(path.encode()) + b": .*(again|not a)")
        self.expect(["show", "/no/such.cbp"], 1, b"", rb"/no/such.cbp: No such file")
        self.expect(["show", self.folder], 1, b"", rb"not a regular file")
        os.mkfifo(f"{self.folder}/fifo.cbp")
        self.expect(["show", f"{self.folder}/fifo.cbp"], 1, b"", rb"not a regular file")
        self.expect(["show", "/dev/zero"], 1, b"", rb"not a regular file")
        self.expect(["show", "a", "b"], 2, b"", rb"--help")


cases.main()
