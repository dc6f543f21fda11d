"""A store in a folder of its own, and a program that reads a file: what the tests of the store share.
"""

import json
import os
import shutil
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from cases import Case, take  # noqa: E402
from coldboost_support import copy_tool, plain_environment, run  # noqa: E402

COLDBOOST, OBJECT = map(os.path.abspath, take("COLDBOOST OBJECT"))
PERL = os.path.realpath("/usr/bin/perl")
PAGE = 4096
PATIENCE_S = 30
NOBODY = 65534

# Reads a file as large as perl itself, so that a change of it is one of more than a twentieth.
READS = """open(my $f, '<', "$ENV{FOLDER}/data") or die; local $/; my $t = <$f>; print length($t), "\\n";"""
LOOKS = """use POSIX; print join(' ', $$, getppid(), POSIX::getpgrp(), getpwuid($<), wait()), "\\n";"""


def as_nobody():
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


class StoreCase(Case):
    command = COLDBOOST

    def setUp(self):
        self.folder = self.new_folder(dir="/var/tmp")
        os.chmod(self.folder, 0o755)
        self.store = f"{self.folder}/store"
        self.addCleanup(self.await_watchers)
        self.environment = {
            **plain_environment(self.folder), "COLDBOOST_STORE": self.store, "FOLDER": self.folder}
        self.script = self.write("reads.pl", READS)
        self.data = self.write("data", "x" * (4 << 20))

    def copy_ours(self):
        """For others than root, to whom the build folder may be closed."""
        for room in ("tools", "preload"):
            os.mkdir(f"{self.folder}/{room}")
        for name in (OBJECT, OBJECT.replace(".so", "-record.so")):
            shutil.copy(name, f"{self.folder}/preload")
        shutil.copy(f"{COLDBOOST}-record", f"{self.folder}/tools")
        self.command = copy_tool(COLDBOOST, f"{self.folder}/tools")

    def copy_perl(self):
        """A program of our own, which nobody else has in memory."""
        self.perl = shutil.copy("/usr/bin/perl", f"{self.folder}/perl")
        os.sync()

    def evict(self, *others):
        for path in (self.perl, *others):
            file = os.open(path, os.O_RDONLY)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)

    def await_watchers(self):
        """They may begin to work when the program has ended already. A child on its way to be one counts too."""
        for _ in range(PATIENCE_S * 50):
            if not self.watchers():
                return
            time.sleep(0.02)
        self.fail("a watcher does not end")

    def watchers(self):
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and self.is_ours(name)]

    def is_ours(self, process):
        try:
            with open(f"/proc/{process}/environ", "rb") as variables:
                ours = f"FOLDER={self.folder}\0".encode() in variables.read()
            return ours and os.path.basename(os.readlink(f"/proc/{process}/exe")).startswith("coldboost")
        except OSError:
            return False

    def write(self, name, text):
        with open(f"{self.folder}/{name}", "w", encoding="utf-8") as out:
            out.write(text)
        return f"{self.folder}/{name}"

    def coldboost(self, *arguments, **more):
        how = {"cwd": self.folder, **more}
        environment = {**self.environment, **how.pop("environment", {})}
        return run([self.command, *arguments], environment, **how)

    def plain(self, command, **environment):
        return run(command, {**self.environment, **environment}, cwd=self.folder)

    def status(self):
        return json.loads(self.coldboost("status", "--json").stdout)["starts"]

    def used(self):
        """How many starts have found a profile."""
        return sum(start["boosted"] + start["warm"] for start in self.status())

    def settle(self, recordings, count=1):
        """Waits for the watcher, which ends some time behind the program."""
        for _ in range(PATIENCE_S * 20):
            starts = self.status()
            if len(starts) == count and sum(start["recorded"] for start in starts) == recordings:
                self.await_watchers()
                return starts
            time.sleep(0.05)
        self.fail(f"the store never came to {recordings} recordings of {count} starts: {self.status()}")

    def start(self, *command, **environment):
        return self.coldboost("run", "--", *(command or [PERL, self.script]), environment=environment)

    def settled(self):
        """A start that has been recorded twice."""
        for recordings in (1, 2):
            self.equal(self.start().stdout, b"4194304\n", "output of a recorded start")
            self.settle(recordings)

    def is_boosted(self, outcome):
        return b"role=run" in outcome.stderr and b"plan=profile" in outcome.stderr

    def boosted(self, **environment):
        return self.is_boosted(self.start(COLDBOOST="force", COLDBOOST_VERBOSE="1", **environment))
