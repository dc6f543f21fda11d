"""A file system that never answers: the replay leaves it alone where it could keep the program from
ending, and the program ends as it does without us. One that fails is reported.

Usage: hanging.py OBJECT VICTIM [CASE…]
"""

import errno
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import PR_SET_CHILD_SUBREAPER, Outcome, plain_environment  # noqa: E402
from hanging_store import FILE_PAGES, HANGS, LIBC, PATIENCE_S, HangingStore  # noqa: E402
from profiles import PAGE_BYTES, Profile  # noqa: E402

OBJECT, VICTIM = map(os.path.abspath, cases.take("OBJECT VICTIM"))
FILES = 8


class Hanging(cases.Case):
    @classmethod
    def setUpClass(cls):
        if os.getuid() != 0 or not os.access("/dev/fuse", os.R_OK | os.W_OK):
            raise cases.SkipTest("mounting takes root and /dev/fuse")
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def setUp(self):
        self.folder = self.new_folder()
        self.object = OBJECT
        self.victim = shutil.copy(VICTIM, self.folder)
        self.store = f"{self.folder}/store"
        os.mkdir(self.store)
        profile = Profile()
        ranges = [(self.recorded(profile, f"file{i}", 0), 0, FILE_PAGES, i) for i in range(FILES)]
        ranges += [(self.recorded(profile, f"path{i}", 2), 0, 0, FILES) for i in range(FILES)]
        profile.section(os.path.realpath(self.victim), ranges)
        self.profile = profile.write(f"{self.folder}/hanging.cbp")

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
            self.check(mode != "process" or store.wait(), f"{hang}, {mode}: the store does not hang")
            boosted = self.outcome(process)
            taken = store.taken
        process.wait()
        self.wait_for_replays()
        found = "it does not end" if not boosted else "; ".join(plain.differences(boosted))
        self.check(not found, f"{hang} hangs, {mode}, {verb}: {found}")
        print(f"{hang} hangs, {mode}, {verb}: {taken} requests that hang")
        self.check(taken == 0 or mode == "process", f"{hang}, {mode}: {taken} requests")

    @staticmethod
    def wait_for_replays():
        """A replay goes on when its store is gone, and must not find the next one under the same name."""
        try:
            while True:
                os.wait()
        except ChildProcessError:
            pass

    def test_unreadable(self):
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
            self.check(stale and int(stale[1]) in expected, f"{fails} fails: {said}")


for hang in HANGS:
    for mode in ("process", "thread", "sync"):
        Hanging.add(f"{hang} hangs, {mode}", lambda case, row=(hang, mode): case.compare(*row, "looks around"))

cases.main()
