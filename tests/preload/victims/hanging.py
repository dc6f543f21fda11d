"""A file system that never answers: the replay leaves it alone where it could keep the program from
ending, and the program ends as it does without us. One that fails is reported.

Usage: hanging.py OBJECT VICTIM

The server is here. It takes every request and answers some: so that the look-up, the open or the
read is what hangs. The kernel does not let go of a thread whose request a FUSE server has taken.
"""

import ctypes
import errno
import os
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
from coldboost_support import PAGE_BYTES, Checks, Outcome, Profile, plain_environment  # noqa: E402

LIBC = ctypes.CDLL(None, use_errno=True)
MS_NOSUID_NODEV, MNT_DETACH = 6, 2
# Of linux/fuse.h, version 7.31: numbers of requests, and what answers them.
LOOKUP, FORGET, GETATTR, OPEN, READ, INIT = 1, 2, 3, 14, 15, 26
ATTRIBUTES = struct.Struct("<6Q10I")
FILES, FILE_PAGES = 8, 4
HANGS = {"look-up": (), "open": (LOOKUP, GETATTR), "read": (LOOKUP, GETATTR, OPEN)}
PATIENCE_S = 60
PR_SET_CHILD_SUBREAPER = 36


class HangingStore:
    """A mount, for a with statement. `taken` counts the requests that hang."""

    def __init__(self, folder, answered, error=0):
        """error: what the others get for an answer, where they get one."""
        self.folder = folder
        self.answered = answered
        self.error = error
        self.taken = 0

    def __enter__(self):
        self.device = os.open("/dev/fuse", os.O_RDWR | os.O_NONBLOCK)
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other"
        failed = LIBC.mount(b"hangs", self.folder.encode(), b"fuse", MS_NOSUID_NODEV, options.encode())
        if failed:
            os.close(self.device)
            raise OSError(ctypes.get_errno(), "mount")
        self.over, self.end = os.pipe()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        return self

    def __exit__(self, *_):
        """Whoever still waits gets an error."""
        os.close(self.end)
        self.thread.join()
        LIBC.umount2(self.folder.encode(), MNT_DETACH)
        os.close(self.device)
        os.close(self.over)

    def serve(self):
        while True:
            ready, _, _ = select.select([self.device, self.over], [], [])
            if self.over in ready:
                return
            try:
                self.take(os.read(self.device, 1 << 18))
            except OSError:
                pass  # the request has been taken back

    def take(self, request):
        _, number, unique, node = struct.unpack_from("<IIQQ", request)
        if number == INIT:
            self.answer(unique, struct.pack("<IIIIHHIIHHI28x", 7, 31, 1 << 17, 0, 12, 9, 1 << 17, 1, 32, 0, 0))
        elif number == LOOKUP and number in self.answered:
            self.answer(unique, struct.pack("<4QII", 2, 0, 0, 0, 0, 0) + self.attributes(2))
        elif number == GETATTR and number in self.answered:
            self.answer(unique, struct.pack("<QII", 0, 0, 0) + self.attributes(node))
        elif number == OPEN and number in self.answered:
            self.answer(unique, struct.pack("<QII", 1, 0, 0))
        elif self.error and number != FORGET:
            os.write(self.device, struct.pack("<IiQ", 16, -self.error, unique))
        else:
            self.taken += number != FORGET

    def wait(self):
        """Whether a request hangs, now or soon."""
        for _ in range(PATIENCE_S * 100):
            if self.taken:
                return True
            time.sleep(0.01)
        return False

    @staticmethod
    def attributes(node):
        mode, size = (0o40755, 0) if node == 1 else (0o100644, FILE_PAGES * PAGE_BYTES)
        return ATTRIBUTES.pack(node, size, 8, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, PAGE_BYTES, 0)

    def answer(self, unique, body):
        os.write(self.device, struct.pack("<IiQ", 16 + len(body), 0, unique) + body)


class Hanging:
    def __init__(self, folder, object_path, victim):
        self.checks = Checks()
        self.folder = folder
        self.object = os.path.abspath(object_path)
        self.victim = shutil.copy(victim, folder)
        self.store = f"{folder}/store"
        os.mkdir(self.store)
        profile = Profile()
        ranges = [(self.recorded(profile, f"file{i}", 0), 0, FILE_PAGES, i) for i in range(FILES)]
        ranges += [(self.recorded(profile, f"path{i}", 2), 0, 0, FILES) for i in range(FILES)]
        profile.section(os.path.realpath(self.victim), ranges)
        self.profile = profile.write(f"{folder}/hanging.cbp")

    def recorded(self, profile, name, kind):
        return profile.file(f"{self.store}/{name}", kind=kind, size=FILE_PAGES * PAGE_BYTES, mtime_ns=0)

    def start(self, verb, **settings):
        """The victim, which ends when its input does."""
        environment = {**plain_environment("/"), "VICTIM_HOLDS": "1", **settings}
        return subprocess.Popen([self.victim, verb], env=environment, cwd="/", stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)

    @staticmethod
    def outcome(process):
        """None if there is no end; what cannot be killed is not waited for."""
        try:
            stdout, stderr = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return None
        return Outcome(process.returncode, stdout, stderr)

    def compare(self, hang, mode, verb):
        plain = self.outcome(self.start(verb))
        settings = {"LD_PRELOAD": self.object, "COLDBOOST_PROFILE": self.profile, "COLDBOOST_MODE": mode}
        with HangingStore(self.store, HANGS[hang]) as store:
            process = self.start(verb, COLDBOOST="force", **settings)
            # A process of its own asks and hangs: this shows that the store really does.
            self.checks.check(mode != "process" or store.wait(), f"{hang}, {mode}: the store does not hang")
            boosted = self.outcome(process)
            taken = store.taken
        process.wait()
        self.wait_for_replays()
        found = "it does not end" if not boosted else "; ".join(plain.differences(boosted))
        self.checks.check(not found, f"{hang} hangs, {mode}, {verb}: {found}")
        print(f"{hang} hangs, {mode}, {verb}: {taken} requests that hang")
        self.checks.check(taken == 0 or mode == "process", f"{hang}, {mode}: {taken} requests")

    @staticmethod
    def wait_for_replays():
        """A replay goes on when its store is gone, and must not find the next one under the same name."""
        try:
            while True:
                os.wait()
        except ChildProcessError:
            pass

    def unreadable(self):
        """A store that fails instead: the report says so."""
        settings = {"LD_PRELOAD": self.object, "COLDBOOST_PROFILE": self.profile, "COLDBOOST_MODE": "process"}
        for fails, answered in HANGS.items():
            with HangingStore(self.store, answered, errno.EIO):
                outcome = self.outcome(self.start("wait", COLDBOOST_VERBOSE="1", **settings))
            self.wait_for_replays()
            said = outcome.stderr.decode() if outcome else ""
            # Of the files that are read together, only the last is waited for.
            stale = re.search(r" stale_files=(\d+) ", said)
            expected = range(1, FILES + 1) if fails == "read" else [FILES]
            self.checks.check(stale and int(stale[1]) in expected, f"{fails} fails: {said}")

    def work(self):
        self.unreadable()
        for hang in HANGS:
            for mode in ("process", "thread", "sync"):
                self.compare(hang, mode, "looks around")


def main():
    if os.getuid() != 0 or not os.access("/dev/fuse", os.R_OK | os.W_OK):
        print("skipped: mounting takes root and /dev/fuse")
        return 77
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory(prefix="coldboost-hanging-") as folder:
        hanging = Hanging(os.path.realpath(folder), *sys.argv[1:3])
        hanging.work()
        return hanging.checks.exit_code()


sys.exit(main())
