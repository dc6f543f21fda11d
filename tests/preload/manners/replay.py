"""The replay really brings into memory what the profile says, and nothing that has changed since.

Usage: replay.py OBJECT VICTIM

Files are written, synced and evicted; then the victim starts with a profile of them; then mincore()
tells what is in memory. It tells the truth about files of one's own, and unlike reading it starts
nothing itself.
"""

import ctypes
import mmap
import os
import re
import shutil
import socket
import stat
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
from coldboost_support import PAGE_BYTES, Checks, Profile, plain_environment, run  # noqa: E402

PATIENCE_S = 60  # for reads that were begun and not waited for
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mmap.restype = ctypes.c_void_p
LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
LIBC.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
LIBC.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]


def resident_pages(path):
    """The set of the file's pages that are in memory."""
    size = os.path.getsize(path)
    pages = -(-size // PAGE_BYTES)
    fd = os.open(path, os.O_RDWR)
    try:
        address = LIBC.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
        vector = (ctypes.c_ubyte * pages)()
        failed = LIBC.mincore(address, size, vector)
        LIBC.munmap(address, size)
    finally:
        os.close(fd)
    if failed:
        raise OSError(ctypes.get_errno(), "mincore", path)
    return {page for page in range(pages) if vector[page] & 1}


def evict(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def wait_until(condition):
    """True as soon as it holds; reads that the replay began may still be on their way."""
    for _ in range(PATIENCE_S * 100):
        if condition():
            return True
        time.sleep(0.01)
    return False


class Replay:
    def __init__(self, folder, object_path, victim):
        self.checks = Checks()
        self.folder = folder
        self.object = os.path.abspath(object_path)
        self.victim = shutil.copy(victim, folder)
        self.serial = 0

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
            "LD_PRELOAD": self.object,
            "COLDBOOST_PROFILE": profile,
            "COLDBOOST_VERBOSE": "1",
            **settings,
        }
        outcome = run([victim or self.victim, "wait"], environment)
        words = re.findall(r"(\w+)=(\S+)", outcome.stderr.decode())
        self.checks.equal(outcome.status, 0, f"the victim with {settings}: {outcome.stderr}")
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

    def pages_in(self):
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
                self.checks.equal(report.get("state"), "done", name)
                self.checks.equal(report.get("start"), "cold", name)
                self.checks.equal(report.get("ranges"), f"{30 * 4}/{30 * 4}", name)
                self.checks.equal(report.get("bytes"), str(30 * 8 * PAGE_BYTES), name)
                self.checks.equal(report.get("stale_files"), "0", name)
                self.checks.check(self.holds(paths, expected), f"{name}: pages are missing")
                extra = {page for path in paths for page in resident_pages(path)} - expected
                self.checks.equal(extra, set(), f"{name}: pages that nobody asked for")
                self.checks.equal(
                    [len(resident_pages(path)) for path in others], [0, 0, 0], f"{name}: other files"
                )

    def unforced(self):
        """The same when it has to find out that the files are cold."""
        for mode in ("process", "thread", "sync"):
            paths = self.make_files(20, 32)
            profile = self.profile_of([(path, [(8, 8)]) for path in paths])
            for path in paths:
                evict(path)
            report = self.start(profile, COLDBOOST_MODE=mode)
            self.checks.equal((report.get("start"), report.get("state")), ("cold", "done"), mode)
            self.checks.check(self.holds(paths, set(range(8, 16))), f"{mode}: pages are missing")

    def one_probe(self):
        """A probe that the disk answers in time must not pass for a page in memory."""
        for _ in range(12):
            (path,) = self.make_files(1, 16)
            profile = self.profile_of([(path, [(0, 16)])])
            evict(path)
            self.checks.equal(self.start(profile).get("start"), "cold", "a single evicted file")

    def by_another_name(self):
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
            self.checks.equal(report.get("state"), "done", f"a link, {others} other programs")

    def small_gaps_and_large_ranges(self):
        (path,) = self.make_files(1, 2000)
        profile = self.profile_of([(path, [(0, 4), (6, 1), (9, 2), (200, 1500)])])
        evict(path)
        self.start(profile)
        expected = set(range(0, 11)) | set(range(200, 1700))
        self.checks.check(self.holds([path], expected), "a range of many chunks is incomplete")

    def warm(self):
        """What is in memory is not replayed, unless that is forced."""
        paths = self.make_files(20, 16)
        profile = self.profile_of([(path, [(0, 16)]) for path in paths])
        report = self.start(profile)
        self.checks.equal((report.get("start"), report.get("state")), ("warm", "skipped"), "warm files")
        report = self.start(profile, COLDBOOST="force")
        self.checks.equal(report.get("state"), "done", "warm files, forced")
        report = self.start(profile, COLDBOOST="off")
        self.checks.equal(report, {}, "off")
        for path in paths:
            evict(path)
        self.start(profile, COLDBOOST="off")
        self.checks.equal({len(resident_pages(path)) for path in paths}, {0}, "off, but it reads")

    def stale(self):
        """Files that are not what they were are left alone, the others are not."""
        good, bad = self.make_files(14, 32), self.make_files(10, 32)
        profile = self.profile_of([(path, [(0, 32)]) for pair in zip(good, bad) for path in pair])
        fifo, folder, link, larger, shorter, gone, empty, locked, device, node = bad
        for path in (fifo, folder, link, gone, device, node):
            os.remove(path)
        os.mkfifo(fifo)
        os.mkdir(folder)
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(node)
        if os.getuid() == 0:
            os.mknod(device, stat.S_IFCHR | 0o600, os.makedev(1, 5))  # /dev/zero
        (target,) = self.make_files(1, 32)
        os.symlink(target, link)
        # Another size is enough: these two keep their mtime.
        times = {path: os.stat(path).st_mtime_ns for path in (larger, shorter)}
        with open(larger, "ab") as out:
            out.write(bytes(200000))
        os.truncate(shorter, PAGE_BYTES)
        for path, mtime_ns in times.items():
            os.utime(path, ns=(mtime_ns, mtime_ns))
        os.truncate(empty, 0)
        os.remove(locked)
        os.symlink(locked, locked)
        unchanged = [larger, shorter, target]
        for mode in ("process", "thread", "sync"):
            for path in good + unchanged:
                evict(path)
            report = self.start(profile, COLDBOOST_MODE=mode)
            self.checks.equal(report.get("state"), "done", f"stale files, {mode}")
            self.checks.equal(report.get("stale_files"), str(len(bad)), f"stale files, {mode}")
            paged_in = self.holds(good[: len(bad)], set(range(32)))
            self.checks.check(paged_in, f"a file between stale ones was not paged in, {mode}")
            read = [os.path.basename(path) for path in unchanged if resident_pages(path)]
            self.checks.equal(read, [], f"stale files that were read, {mode}")

    def changing(self):
        """Files that are cut, emptied, grown again and replaced while they are read, and the profile with
        them: nothing is read through a mapping, so nobody gets a SIGBUS."""
        paths = self.make_files(12, 256)
        size = os.path.getsize(paths[0])
        profile = Profile()
        entries = [(profile.file(path, mtime_ns=0), 0, 256, epoch) for epoch, path in enumerate(paths)]
        profile.section(os.path.realpath(self.victim), entries)
        name = profile.write(f"{self.folder}/changing.cbp")
        content = profile.encode()
        over = threading.Event()
        changes = 0

        def change():
            nonlocal changes
            while not over.is_set():
                path = paths[changes % len(paths)]
                os.truncate(path, (0, 1, size // 2)[changes % 3])
                os.truncate(path, size)
                os.rename(path, f"{path}.away")
                (os.mkfifo, os.mkdir, lambda p: os.symlink(p, p))[changes % 3](path)
                (os.rmdir if changes % 3 == 1 else os.remove)(path)
                os.rename(f"{path}.away", path)
                os.truncate(name, changes % len(content))
                with open(name, "r+b") as out:
                    out.write(content)
                changes += 1

        states = set()
        changer = threading.Thread(target=change)
        changer.start()
        try:
            for i in range(45):
                mode = ("process", "thread", "sync")[i % 3]
                states.add(self.start(name, COLDBOOST="force", COLDBOOST_MODE=mode).get("state"))
        finally:
            over.set()
            changer.join()
        self.checks.check(changes > 100, f"only {changes} changes")
        self.checks.check("done" in states, f"no replay was done: {states}")

    def changed(self):
        """A file of the recorded size is read, whatever its time and its build-id: a layer unpacked anew
        keeps neither the one nor, after an update, the other."""
        same, other = self.make_files(2, 16)
        ids = {}
        for path in (same, other):
            with open(path, "rb") as content:
                content.seek(5000)
                ids[path] = {"build_id": content.read(20), "build_id_offset": 5000}
        ids[other]["build_id"] = bytes(20)
        profile = self.profile_of([(same, [(0, 16)]), (other, [(0, 16)])], ids)
        for path in (same, other):
            os.utime(path, ns=(5, 5))
            evict(path)
        report = self.start(profile, COLDBOOST="force")
        self.checks.equal(report.get("stale_files"), "0", "another time")
        self.checks.check(self.holds([same, other], set(range(16))), "another time was enough to leave a file out")

    def directories(self):
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
        self.checks.equal(report.get("bytes"), str(3 * 16 * PAGE_BYTES), "bytes of directories")
        self.checks.equal(report.get("stale_files"), "1", "directories")
        self.checks.check(self.holds(paths, set(range(16))), "files beside directories")

    def lookups(self):
        """A path is looked up, and nothing else is done to it; whether there is one or not."""
        link, again = f"{self.folder}/link", f"{self.folder}/again"
        fifo = f"{self.folder}/fifo"
        os.mkfifo(fifo)
        for path in (link, again):
            os.symlink(self.folder, path)
            os.utime(path, ns=(1, 2), follow_symlinks=False)  # following it renews the first
        os.stat(again)
        if os.lstat(again).st_atime_ns == 1:
            self.checks.skip("whether a look-up follows links", f"{self.folder} is mounted noatime")
        profile = Profile()
        (file,) = self.make_files(1, 16)
        names = [fifo, "/missing/path", f"{link}/missing"]
        entries = [(profile.file(name, kind=2, size=0, mtime_ns=0), 0, 0, 9) for name in names]
        index = profile.file(file)
        entries += [(index, 0, 0, 9), (index, 0, 16, 9)]
        profile.section(os.path.realpath(self.victim), entries)
        evict(file)
        report = self.start(profile.write(f"{self.folder}/lookups.cbp"))
        self.checks.equal(report.get("stale_files"), "0", "look-ups of missing paths")
        self.checks.equal(report.get("ranges"), "5/5", "look-ups")
        self.checks.equal(report.get("bytes"), str(16 * PAGE_BYTES), "bytes of look-ups")
        self.checks.check(self.holds([file], set(range(16))), "a file beside look-ups")
        self.checks.equal(os.lstat(link).st_atime_ns == 1, os.lstat(again).st_atime_ns == 1,
                          "the link was followed")

    def budget(self):
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
            self.checks.equal(report.get("state"), "budget", f"budget with {workers} workers")
            spent = int(report.get("bytes", 0))
            limit = budget + (workers - 1) * run_bytes
            self.checks.check(budget <= spent <= limit, f"{spent} bytes for a budget of {budget}")
            wait_until(lambda: sum(len(resident_pages(path)) for path in paths) * PAGE_BYTES >= spent)
            resident = sum(len(resident_pages(path)) for path in paths) * PAGE_BYTES
            self.checks.equal(resident, spent, f"bytes in memory with {workers} workers")
        paths = self.make_files(10, 16)
        profile = self.profile_of([(path, [(0, 16)]) for path in paths])
        for path in paths:
            evict(path)
        report = self.start(profile, COLDBOOST_BUDGET="1", COLDBOOST_WORKERS="1")
        self.checks.equal(int(report.get("bytes", 0)) <= 16 * PAGE_BYTES, True, "budget of a byte")


def main():
    with tempfile.TemporaryDirectory(prefix="coldboost-replay-") as folder:
        replay = Replay(os.path.realpath(folder), *sys.argv[1:3])
        if not replay.evicting_works():
            print(f"skipped: files in {folder} cannot be evicted (a file system in memory?)")
            return 77
        cases = [
            replay.pages_in,
            replay.unforced,
            replay.one_probe,
            replay.by_another_name,
            replay.small_gaps_and_large_ranges,
            replay.warm,
            replay.stale,
            replay.changing,
            replay.changed,
            replay.directories,
            replay.lookups,
            replay.budget,
        ]
        for case in cases:
            case()
        return replay.checks.exit_code()


sys.exit(main())
