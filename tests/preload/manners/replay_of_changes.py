"""A replay of files that are not what they were, or change while they are read.

Usage: replay_of_changes.py OBJECT VICTIM [CASE…]
"""

import os
import socket
import stat
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
import cases  # noqa: E402
from page_cache import evict, resident_pages  # noqa: E402
from profiles import PAGE_BYTES, Profile  # noqa: E402
from replay_case import ReplayCase  # noqa: E402


class ReplayOfChanges(ReplayCase):
    def test_stale(self):
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
            self.equal(report.get("state"), "done", f"stale files, {mode}")
            self.equal(report.get("stale_files"), str(len(bad)), f"stale files, {mode}")
            paged_in = self.holds(good[: len(bad)], set(range(32)))
            self.check(paged_in, f"a file between stale ones was not paged in, {mode}")
            read = [os.path.basename(path) for path in unchanged if resident_pages(path)]
            self.equal(read, [], f"stale files that were read, {mode}")

    def test_changing(self):
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
        self.check(changes > 100, f"only {changes} changes")
        self.check("done" in states, f"no replay was done: {states}")

    def test_changed(self):
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
        self.equal(report.get("stale_files"), "0", "another time")
        self.check(self.holds([same, other], set(range(16))), "another time was enough to leave a file out")


cases.main()
