"""What becomes of a profile when its files change.

A profile that was recorded while an image was built called nearly every file stale once the image had
been pushed and pulled, for layers keep no fractions of a second; so did `touch -d` with whole seconds,
and a round trip through tar. Nothing of those files was read, and no tool said so. Path and size are
what a file is known by: such a file is read, and every tool that reads the profile says that it has
changed.

Usage: identity.py COLDBOOST OBJECT PRINT_ARGUMENTS
"""

import json
import os
import re
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from coldboost_support import PAGE_BYTES, Checks, Profile, plain_environment, run  # noqa: E402

FILES = 6


class Identity:
    def __init__(self, folder, tool, object_path, printer):
        self.checks = Checks()
        self.folder = os.path.realpath(folder)
        self.tool = os.path.abspath(tool)
        self.object = os.path.realpath(object_path)
        self.program = shutil.copy(printer, f"{self.folder}/program")
        self.environment = {**plain_environment(self.folder), "COLDBOOST": "force", "COLDBOOST_VERBOSE": "1"}
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

    def expect(self, changed, stale, what):
        """`changed` files are read and counted, `stale` ones, which are gone or of another size, are not."""
        outcome = run([self.tool, "run", "-p", self.profile, "--", self.program, "exit=0"], self.environment)
        found = re.search(rb"stale_files=(\d+)", outcome.stderr)
        self.checks.equal(found and int(found.group(1)), stale, f"{what}: files that a replay does not read")
        says_changed = rb"%d of %d files ha(s|ve) changed since; .*record" % (changed, FILES + 1)
        says_stale = rb"%d of %d files (is|are) gone or .*another size.*record" % (stale, FILES + 1)
        patterns = [pattern for count, pattern in ((changed, says_changed), (stale, says_stale)) if count]
        inspected = run([self.tool, "inspect", "-p", self.profile, self.program], self.environment).stdout
        bench = [self.tool, "bench", "-n", "1", "-p", self.profile]
        benched = run([*bench, "--", self.program, "exit=0"], self.environment).stdout
        for tool, text in (("inspect", inspected), ("bench", benched)):
            for pattern in patterns:
                self.checks.check(re.search(pattern, text), f"{what}: {tool} does not say {pattern}: {text[:900]}")
            if not patterns:
                self.checks.check(not re.search(rb"changed since|another size", text), f"{what}: {tool}: {text}")
        facts = json.loads(run([self.tool, "inspect", "--json", "-p", self.profile, self.program],
                               self.environment).stdout)
        measured = json.loads(run([*bench, "--json", self.program, "exit=0"], self.environment).stdout)
        for tool, document in (("inspect", facts), ("bench", measured)):
            self.checks.equal(
                {name: document.get(name) for name in ("profile_files", "changed_files", "stale_files")},
                {"profile_files": FILES + 1, "changed_files": changed, "stale_files": stale}, f"{what}: {tool} --json")
        # All of the profile, with the other program's file, which is not there.
        text = run([self.tool, "show", self.profile], self.environment).stdout
        self.checks.check(re.search(rb"%d of %d files (is|are) gone" % (stale + 1, FILES + 2), text),
                          f"{what}: show: {text}")
        if changed:
            self.checks.check(re.search(rb"%d of %d files ha(s|ve) changed" % (changed, FILES + 2), text),
                              f"{what}: show: {text}")
        document = json.loads(run([self.tool, "show", "--json", self.profile], self.environment).stdout)
        states = [entry.get("state") for entry in document["files"]]
        self.checks.equal((states.count("changed"), states.count("stale")), (changed, stale + 1), f"{what}: states")

    def run(self):
        self.expect(0, 0, "as recorded")
        for path in self.data[:4]:
            os.utime(path, ns=(0, os.stat(path).st_mtime_ns // 10**9 * 10**9 - 10**9))
        self.expect(3, 0, "other times, and one build-id that agrees")
        with open(self.data[0], "r+b") as file:
            file.seek(8)
            file.write(b"y")
        self.expect(4, 0, "another build-id")
        os.remove(self.data[1])
        with open(self.data[2], "ab") as file:
            file.write(b"more")
        os.remove(self.data[5])
        os.mkfifo(self.data[5])
        self.expect(2, 3, "one gone, one longer, one a FIFO")


def main():
    tool, object_path, printer = sys.argv[1:]
    # Not in /tmp: what is on tmpfs is always in memory.
    with tempfile.TemporaryDirectory(prefix="identity-", dir=os.getcwd()) as folder:
        identity = Identity(folder, tool, object_path, printer)
        identity.run()
    return identity.checks.exit_code()


sys.exit(main())
