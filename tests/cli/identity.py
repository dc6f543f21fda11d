"""What becomes of a profile when its files change.

A profile that was recorded while an image was built called nearly every file stale once the image had
been pushed and pulled, for layers keep no fractions of a second; so did `touch -d` with whole seconds,
and a round trip through tar. Nothing of those files was read, and no tool said so. Path and size are
what a file is known by: such a file is read, and every tool that reads the profile says that it has
changed.

Usage: identity.py COLDBOOST OBJECT PRINT_ARGUMENTS PRINT_ARGUMENTS_STATIC COMPILER [CASE…]
"""

import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from cli_case import CliCase  # noqa: E402
from coldboost_support import run  # noqa: E402
from profiles import PAGE_BYTES, Profile  # noqa: E402

FILES = 6


class Identity(CliCase):
    def setUp(self):
        super().setUp()
        self.program = self.printer
        self.environment.update(COLDBOOST="force", COLDBOOST_VERBOSE="1")
        self.data = [f"{self.folder}/data-{i}" for i in range(FILES)]
        for path in self.data:
            with open(path, "wb") as file:
                file.write(b"x" * (3 * PAGE_BYTES))
        profile = Profile()
        identity = {"build_id": b"xxxx", "build_id_offset": 8}
        names = [(profile.file(self.data[0], **identity), 0, 3, 0)]
        profile.section(self.program, names + profile.whole_files([self.program, *self.data[1:]]))
        profile.section("/usr/bin/other", [(profile.file(f"{self.folder}/never", size=9, mtime_ns=1), 0, 1, 0)])
        self.profile = profile.write(f"{self.folder}/profile.cbp")

    def seen_as(self, changed, stale, what):
        """`changed` files are read and counted, `stale` ones, which are gone or of another size, are not."""
        outcome = run([self.tool, "run", "-p", self.profile, "--", self.program, "exit=0"], self.environment)
        found = re.search(rb"stale_files=(\d+)", outcome.stderr)
        self.equal(found and int(found.group(1)), stale, f"{what}: files that a replay does not read")
        says_changed = rb"%d of %d files ha(s|ve) changed since; .*record" % (changed, FILES + 1)
        says_stale = rb"%d of %d files (is|are) gone or .*another size.*record" % (stale, FILES + 1)
        patterns = [pattern for count, pattern in ((changed, says_changed), (stale, says_stale)) if count]
        inspected = run([self.tool, "inspect", "-p", self.profile, self.program], self.environment).stdout
        bench = [self.tool, "bench", "-n", "1", "-p", self.profile]
        benched = run([*bench, "--", self.program, "exit=0"], self.environment).stdout
        for tool, text in (("inspect", inspected), ("bench", benched)):
            for pattern in patterns:
                self.check(re.search(pattern, text), f"{what}: {tool} does not say {pattern}: {text[:900]}")
            if not patterns:
                self.check(not re.search(rb"changed since|another size", text), f"{what}: {tool}: {text}")
        facts = json.loads(run([self.tool, "inspect", "--json", "-p", self.profile, self.program],
                               self.environment).stdout)
        measured = json.loads(run([*bench, "--json", self.program, "exit=0"], self.environment).stdout)
        for tool, document in (("inspect", facts), ("bench", measured)):
            self.equal(
                {name: document.get(name) for name in ("profile_files", "changed_files", "stale_files")},
                {"profile_files": FILES + 1, "changed_files": changed, "stale_files": stale}, f"{what}: {tool} --json")
        # All of the profile, with the other program's file, which is not there.
        text = run([self.tool, "show", self.profile], self.environment).stdout
        self.check(re.search(rb"%d of %d files (is|are) gone" % (stale + 1, FILES + 2), text),
                   f"{what}: show: {text}")
        if changed:
            self.check(re.search(rb"%d of %d files ha(s|ve) changed" % (changed, FILES + 2), text),
                       f"{what}: show: {text}")
        document = json.loads(run([self.tool, "show", "--json", self.profile], self.environment).stdout)
        states = [entry.get("state") for entry in document["files"]]
        self.equal((states.count("changed"), states.count("stale")), (changed, stale + 1), f"{what}: states")

    def test_changes(self):
        self.seen_as(0, 0, "as recorded")
        for path in self.data[:4]:
            os.utime(path, ns=(0, os.stat(path).st_mtime_ns // 10**9 * 10**9 - 10**9))
        self.seen_as(3, 0, "other times, and one build-id that agrees")
        with open(self.data[0], "r+b") as file:
            file.seek(8)
            file.write(b"y")
        self.seen_as(4, 0, "another build-id")
        os.remove(self.data[1])
        with open(self.data[2], "ab") as file:
            file.write(b"more")
        os.remove(self.data[5])
        os.mkfifo(self.data[5])
        self.seen_as(2, 3, "one gone, one longer, one a FIFO")


cases.main()
