"""coldboost merge, and recordings made up for it: what its tests share."""

import os
import random
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from cli_case import CliCase  # noqa: E402
from profiles import DIRECTORY, PATH, REGULAR, Contents, Profile  # noqa: E402

SEED = 4
LOOKED_UP = -1  # among page numbers


class MergeCase(CliCase):
    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)

    def merge(self, *arguments, status=0):
        """Bytes of the result; the message where it must fail."""
        out = f"{self.folder}/out.cbp"
        if os.path.exists(out):
            os.unlink(out)
        outcome = self.coldboost("merge", "-o", out, *arguments)
        self.equal(outcome.status, status, f"merge {arguments}: {outcome.stderr}")
        self.said = outcome
        if status:
            self.check(not os.path.exists(out), f"merge {arguments} failed, and wrote")
            return outcome.stderr
        self.check(
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
        outcome = self.coldboost("show", "--json", path)
        self.equal(outcome.status, 0, f"the result is not a profile: {outcome.stderr}")
        result = {}
        for _, ranges in Contents(content).sections:
            for entry in ranges:
                first, count = entry.first_page, entry.page_count
                result.setdefault(entry.file.path, set()).update(range(first, first + count) if count else [LOOKED_UP])
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
