"""The replay brings into memory what the profile says, and nothing else.

Usage: replay.py OBJECT VICTIM [CASE…]
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
import cases  # noqa: E402
from page_cache import evict, resident_pages  # noqa: E402
from profiles import PAGE_BYTES, Profile  # noqa: E402
from replay_case import ReplayCase, wait_until  # noqa: E402


class Replay(ReplayCase):
    def test_pages_in(self):
        """In every mode: the ranges come in, other pages and other files stay out. Forced, because
        looking whether a file is in memory makes newer kernels read a few pages of it."""
        pieces = [(0, 2), (40, 3), (100, 1), (126, 2)]
        expected = {page for first, count in pieces for page in range(first, first + count)}
        for mode in ("process", "thread", "sync"):
            for workers in ("1", "4", "16"):
                paths, others = self.make_files(30, 128), self.make_files(3, 128)
                profile = self.profile_of([(path, pieces) for path in paths])
                for path in paths + others:
                    evict(path)
                settings = {"COLDBOOST_MODE": mode, "COLDBOOST_WORKERS": workers}
                report = self.start(profile, COLDBOOST="force", **settings)
                name = f"{mode} with {workers} workers"
                self.equal(report.get("state"), "done", name)
                self.equal(report.get("start"), "cold", name)
                self.equal(report.get("ranges"), f"{30 * 4}/{30 * 4}", name)
                self.equal(report.get("bytes"), str(30 * 8 * PAGE_BYTES), name)
                self.equal(report.get("stale_files"), "0", name)
                self.check(self.holds(paths, expected), f"{name}: pages are missing")
                extra = {page for path in paths for page in resident_pages(path)} - expected
                self.equal(extra, set(), f"{name}: pages that nobody asked for")
                self.equal(
                    [len(resident_pages(path)) for path in others], [0, 0, 0], f"{name}: other files"
                )

    def test_unforced(self):
        """The same when it has to find out that the files are cold."""
        for mode in ("process", "thread", "sync"):
            paths = self.make_files(20, 32)
            profile = self.profile_of([(path, [(8, 8)]) for path in paths])
            for path in paths:
                evict(path)
            report = self.start(profile, COLDBOOST_MODE=mode)
            self.equal((report.get("start"), report.get("state")), ("cold", "done"), mode)
            self.check(self.holds(paths, set(range(8, 16))), f"{mode}: pages are missing")

    def test_few(self):
        """A few ranges are asked for by the program itself, which looks up nothing for that. Where there are
        many, or much to read, a replay reads all of them, whatever has been asked for before."""
        kinds = {"few": [(8 * i, 1) for i in range(99)], "many": [(8 * i, 1) for i in range(100)],
                 "much": [(64 * i, 60) for i in range(20)]}
        gone = f"{self.folder}/gone"
        no_such_folder = {gone: {"kind": 1, "size": 0, "mtime_ns": 0}}
        for kind, pieces in kinds.items():
            paths = self.make_files(2, 1600)
            ranges = [(path, [piece]) for piece in reversed(pieces) for path in paths]
            profile = self.profile_of([(self.victim, [(0, 1)]), (gone, [(0, 0)]), *ranges], no_such_folder)
            asked = 0
            for mode in ("process", *["auto"] * 5):
                for path in paths:
                    evict(path)
                report = self.start(profile, COLDBOOST_MODE=mode)
                count = len(ranges) + 2
                self.equal((report.get("state"), report.get("ranges")), ("done", f"{count}/{count}"), kind)
                expected = {page for first, pages in pieces for page in range(first, first + pages)}
                self.check(self.holds(paths, expected), f"{kind}, {mode}: pages are missing")
                has_asked = report.get("stale_files") == "0"
                self.check(not has_asked or (mode, report.get("mode")) == ("auto", "sync"), f"{kind}: {report}")
                asked += has_asked
            # A machine may stop for longer than the program asks.
            self.check(asked > 0 if kind == "few" else not asked, f"{kind}: asked for {asked} times")

    def test_one_probe(self):
        """A probe that the disk answers in time must not pass for a page in memory."""
        for _ in range(12):
            (path,) = self.make_files(1, 16)
            profile = self.profile_of([(path, [(0, 16)])])
            evict(path)
            self.equal(self.start(profile).get("start"), "cold", "a single evicted file")

    def test_by_another_name(self):
        """Called by a symbolic link, from a profile whose table of programs goes on beyond its first page."""
        self.serial += 1
        link = f"{self.folder}/link{self.serial}"
        os.symlink(self.victim, link)
        for others in (0, 200):
            paths = self.make_files(2, 8)
            profile = Profile()
            for i in range(others):
                profile.section(f"/usr/bin/other{i}", [])
            profile.section(os.path.realpath(self.victim), [(profile.file(path), 0, 8, 0) for path in paths])
            for path in paths:
                evict(path)
            report = self.start(profile.write(f"{self.folder}/others{others}.cbp"), link)
            self.equal(report.get("state"), "done", f"a link, {others} other programs")

    def test_small_gaps_and_large_ranges(self):
        (path,) = self.make_files(1, 2000)
        profile = self.profile_of([(path, [(0, 4), (6, 1), (9, 2), (200, 1500)])])
        evict(path)
        self.start(profile)
        expected = set(range(0, 11)) | set(range(200, 1700))
        self.check(self.holds([path], expected), "a range of many chunks is incomplete")

    def test_warm(self):
        """What is in memory is not replayed, unless that is forced."""
        paths = self.make_files(20, 16)
        profile = self.profile_of([(path, [(0, 16)]) for path in paths])
        report = self.start(profile)
        self.equal((report.get("start"), report.get("state")), ("warm", "skipped"), "warm files")
        report = self.start(profile, COLDBOOST="force")
        self.equal(report.get("state"), "done", "warm files, forced")
        report = self.start(profile, COLDBOOST="off")
        self.equal(report, {}, "off")
        for path in paths:
            evict(path)
        self.start(profile, COLDBOOST="off")
        self.equal({len(resident_pages(path)) for path in paths}, {0}, "off, but it reads")

    def test_directories(self):
        """A listed directory costs no bytes and stops nothing."""
        profile = Profile()
        self.serial += 1
        folder = f"{self.folder}/listed{self.serial}"
        os.mkdir(folder)
        paths = self.make_files(3, 16)
        entries = [(profile.file(folder, kind=1, size=0, mtime_ns=0), 0, 0, 0)]
        entries += profile.whole_files(paths)
        entries.append((profile.file(f"{folder}/gone", kind=1, size=0, mtime_ns=0), 0, 0, 9))
        profile.section(os.path.realpath(self.victim), entries)
        path = profile.write(f"{self.folder}/directories.cbp")
        for file in paths:
            evict(file)
        report = self.start(path)
        self.equal(report.get("bytes"), str(3 * 16 * PAGE_BYTES), "bytes of directories")
        self.equal(report.get("stale_files"), "1", "directories")
        self.check(self.holds(paths, set(range(16))), "files beside directories")

    def test_lookups(self):
        """A path is looked up, and nothing else is done to it; whether there is one or not."""
        link, again = f"{self.folder}/link", f"{self.folder}/again"
        fifo = f"{self.folder}/fifo"
        os.mkfifo(fifo)
        for path in (link, again):
            os.symlink(self.folder, path)
            os.utime(path, ns=(1, 2), follow_symlinks=False)  # following it renews the first
        os.stat(again)
        if os.lstat(again).st_atime_ns == 1:
            self.skip("whether a look-up follows links", f"{self.folder} is mounted noatime")
        profile = Profile()
        (file,) = self.make_files(1, 16)
        names = [fifo, "/missing/path", f"{link}/missing"]
        entries = [(profile.file(name, kind=2, size=0, mtime_ns=0), 0, 0, 9) for name in names]
        index = profile.file(file)
        entries += [(index, 0, 0, 9), (index, 0, 16, 9)]
        profile.section(os.path.realpath(self.victim), entries)
        evict(file)
        report = self.start(profile.write(f"{self.folder}/lookups.cbp"))
        self.equal(report.get("stale_files"), "0", "look-ups of missing paths")
        self.equal(report.get("ranges"), "5/5", "look-ups")
        self.equal(report.get("bytes"), str(16 * PAGE_BYTES), "bytes of look-ups")
        self.check(self.holds([file], set(range(16))), "a file beside look-ups")
        self.equal(os.lstat(link).st_atime_ns == 1, os.lstat(again).st_atime_ns == 1,
                   "the link was followed")

    def test_budget(self):
        """Each worker looks at the budget before it takes a run of ranges, and here a file is a
        run: no more than one file each beyond it."""
        for workers in (1, 4):
            paths = self.make_files(100, 16)
            profile = self.profile_of([(path, [(0, 16)]) for path in paths])
            for path in paths:
                evict(path)
            budget, run_bytes = 20 * 16 * PAGE_BYTES, 16 * PAGE_BYTES
            report = self.start(
                profile,
                COLDBOOST="force",
                COLDBOOST_BUDGET=f"{budget >> 10}K",
                COLDBOOST_WORKERS=str(workers),
            )
            self.equal(report.get("state"), "budget", f"budget with {workers} workers")
            spent = int(report.get("bytes", 0))
            limit = budget + (workers - 1) * run_bytes
            self.check(budget <= spent <= limit, f"{spent} bytes for a budget of {budget}")
            wait_until(lambda: sum(len(resident_pages(path)) for path in paths) * PAGE_BYTES >= spent)
            resident = sum(len(resident_pages(path)) for path in paths) * PAGE_BYTES
            self.equal(resident, spent, f"bytes in memory with {workers} workers")
        paths = self.make_files(10, 16)
        profile = self.profile_of([(path, [(0, 16)]) for path in paths])
        for path in paths:
            evict(path)
        report = self.start(profile, COLDBOOST_BUDGET="1", COLDBOOST_WORKERS="1")
        self.equal(int(report.get("bytes", 0)) <= 16 * PAGE_BYTES, True, "budget of a byte")


cases.main()
