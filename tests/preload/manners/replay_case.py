"""The replay really brings into memory what the profile says: a victim that is started with a profile of
files that were written, synced and evicted.
"""

import os
import re
import shutil
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
from cases import Case, take  # noqa: E402
from coldboost_support import plain_environment, run  # noqa: E402
from page_cache import evict, resident_pages  # noqa: E402
from profiles import PAGE_BYTES, Profile  # noqa: E402

OBJECT, VICTIM = map(os.path.abspath, take("OBJECT VICTIM"))
PATIENCE_S = 60  # for reads that were begun and not waited for


def wait_until(condition):
    """True as soon as it holds; reads that the replay began may still be on their way."""
    for _ in range(PATIENCE_S * 100):
        if condition():
            return True
        time.sleep(0.01)
    return False


class ReplayCase(Case):
    def setUp(self):
        self.folder = self.new_folder()
        self.victim = shutil.copy(VICTIM, self.folder)
        self.serial = 0
        if not self.evicting_works():
            self.skipTest(f"files in {self.folder} cannot be evicted (a file system in memory?)")

    def make_files(self, count, pages):
        paths = []
        for _ in range(count):
            self.serial += 1
            paths.append(f"{self.folder}/file{self.serial}")
            with open(paths[-1], "wb") as out:
                out.write(os.urandom(pages * PAGE_BYTES - 100))
        return paths

    def start(self, profile, victim=None, **settings):
        """Runs the victim to the end of its replay; what the report said, as a dictionary."""
        environment = {
            **plain_environment("/"),
            "LD_PRELOAD": OBJECT,
            "COLDBOOST_PROFILE": profile,
            "COLDBOOST_VERBOSE": "1",
            **settings,
        }
        outcome = run([victim or self.victim, "wait"], environment)
        words = re.findall(r"(\w+)=(\S+)", outcome.stderr.decode())
        self.equal(outcome.status, 0, f"the victim with {settings}: {outcome.stderr}")
        return dict(words)

    def profile_of(self, ranges_of_files, build_ids=None):
        """ranges_of_files: (path, [(first page, pages)...]) in the order of first touch."""
        profile = Profile()
        ranges = []
        for epoch, (path, pieces) in enumerate(ranges_of_files):
            more = (build_ids or {}).get(path, {})
            index = profile.file(path, **more)
            ranges += [(index, first, pages, epoch) for first, pages in pieces]
        profile.section(os.path.realpath(self.victim), ranges)
        self.serial += 1
        return profile.write(f"{self.folder}/{self.serial}.cbp")

    def evicting_works(self):
        (path,) = self.make_files(1, 8)
        before = resident_pages(path)
        evict(path)
        return len(before) == 8 and not resident_pages(path)

    def holds(self, paths, expected):
        return wait_until(lambda: all(expected <= resident_pages(path) for path in paths))
