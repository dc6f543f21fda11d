"""On a store that is slow to bring a chunk, the replay waits for many chunks at once, unless it was
told how many workers to have. A store that the program is not on may hang, and is left alone.

Usage: scouts.py SLOWFS OBJECT PROGRAM [CASE…]

PROGRAM starts with a profile of 128 KiB in each of many files, a run each, which lie on slowfs, as it
does. How many of their chunks were waited for at once is in slowfs's own statistics.
"""

import os
import re
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import plain_environment, run  # noqa: E402
from page_cache import evict  # noqa: E402
from profiles import PAGE_BYTES, Profile  # noqa: E402
from slowfs_mount import Mount  # noqa: E402

SLOWFS, OBJECT, PROGRAM = map(os.path.abspath, cases.take("SLOWFS OBJECT PROGRAM"))
CHUNKS = 48
PAGES = 32
DEFAULT_WORKERS = 8
WORKERS = 3


class Scouts(cases.Case):
    def setUp(self):
        if not os.access("/dev/fuse", os.R_OK | os.W_OK):
            self.skipTest("no /dev/fuse here")
        self.folder = self.new_folder()
        os.mkdir(f"{self.folder}/source")
        for i in range(CHUNKS):
            with open(f"{self.folder}/source/{i}", "wb") as out:
                out.truncate(PAGES * PAGE_BYTES)
        shutil.copy(PROGRAM, f"{self.folder}/source/program")

    def mount(self):
        return Mount(SLOWFS, f"{self.folder}/source", "--chunk-kib", "512")

    def start(self, mount, program, **settings):
        """What the report says, chunks that were touched, and most at once."""
        profile = Profile()
        files = [profile.file(mount.path(str(i))) for i in range(CHUNKS)]
        lookup = profile.file(mount.path("missing"), kind=2, size=0, mtime_ns=0)
        pages = [(file, 0, PAGES, epoch) for epoch, file in enumerate(files)]
        profile.section(os.path.realpath(program), [*pages, (lookup, 0, 0, CHUNKS)])
        environment = {
            **plain_environment("/"),
            "LD_PRELOAD": OBJECT,
            "COLDBOOST": "force",
            "COLDBOOST_MODE": "sync",
            "COLDBOOST_PROFILE": profile.write(f"{self.folder}/profile.cbp"),
            "COLDBOOST_VERBOSE": "1",
            **settings,
        }
        run([program, "wait"], plain_environment("/"))
        before = mount.counted()[0]
        outcome = run([program, "wait"], environment)
        report = dict(re.findall(r"(\w+)=(\S+)", outcome.stderr.decode()))
        self.equal(outcome.status, 0, f"{program} with {settings}")
        self.equal(report.get("ranges"), f"{CHUNKS + 1}/{CHUNKS + 1}", f"ranges with {settings}")
        self.equal(report.get("state"), "done", f"state with {settings}")
        chunks, _, _, most_at_once = mount.counted()
        return report, chunks - before, most_at_once

    def own_store(self, mount, **settings):
        report, chunks, at_once = self.start(mount, mount.path("program"), **settings)
        self.equal(report.get("stale_files"), "0", f"stale files with {settings}")
        self.equal(chunks, CHUNKS, f"chunks with {settings}")
        return at_once

    def test_many_chunks_at_once(self):
        with self.mount() as mount:
            at_once = self.own_store(mount)
        self.check(at_once > DEFAULT_WORKERS, f"{at_once} chunks at once of a slow store")

    def test_no_more_than_workers(self):
        with self.mount() as mount:
            at_once = self.own_store(mount, COLDBOOST_WORKERS=str(WORKERS))
        self.check(at_once <= WORKERS, f"{at_once} chunks at once by {WORKERS} workers")

    def test_store_of_another(self):
        with self.mount() as mount:
            for mode, expected in (("process", CHUNKS), ("thread", 0), ("sync", 0)):
                report, chunks, _ = self.start(mount, PROGRAM, COLDBOOST_MODE=mode)
                if mode != "process":
                    self.equal(report.get("stale_files"), str(CHUNKS), f"another's store, {mode}")
                self.equal(chunks, expected, f"chunks of another's store, {mode}")

    def test_few_of_another(self):
        """The program itself would leave them alone, and so does not ask."""
        path = f"{self.folder}/local"
        with open(path, "wb") as out:
            out.write(os.urandom(16 * PAGE_BYTES))
        program = shutil.copy(PROGRAM, self.folder)
        with self.mount() as mount:
            profile = Profile()
            names = [program, path, mount.path("0")]
            profile.section(program, [(profile.file(name), 0, 1, epoch) for epoch, name in enumerate(names)])
            evict(path)
            environment = {
                **plain_environment("/"),
                "LD_PRELOAD": OBJECT,
                "COLDBOOST_PROFILE": profile.write(f"{self.folder}/few.cbp"),
                "COLDBOOST_VERBOSE": "1",
            }
            before = mount.counted()[0]
            outcome = run([program, "wait"], environment)
            self.check(b" stale_files=0 " in outcome.stderr, f"few of another's store: {outcome.stderr}")
            self.equal(mount.counted()[0] - before, 1, "chunks of few of another's store")


cases.main()
