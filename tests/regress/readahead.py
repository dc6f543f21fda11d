"""Readahead comes back, whoever is killed: each test tells what a user saw.

Usage: readahead.py COLDBOOST WITHOUT_TLS OWN_ENTRY FILTERED [CASE…]
"""

import contextlib
import fcntl
import glob
import os
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from regress_case import COLDBOOST, PATIENCE, RegressCase  # noqa: E402


@contextlib.contextmanager
def open_folder(path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


def children(pid):
    with open(f'/proc/{pid}/task/{pid}/children') as f:
        return [int(child) for child in f.read().split()]


def readahead():
    found = {}
    for path in glob.glob('/sys/class/bdi/*/read_ahead_kb'):
        with open(path) as f:
            found[path] = f.read()
    return found


def write(path, text):
    with open(path, 'w') as f:
        f.write(text)


class Readahead(RegressCase):
    def without_readahead(self):
        """A recording that has turned readahead off, its children, and the settings before it."""
        if os.geteuid() or not os.access('/sys/class/bdi', os.W_OK) or \
                not os.access('/proc/sys/vm/drop_caches', os.W_OK):
            self.skipTest('it takes root, outside of a container, to turn readahead off')
        with open_folder('/sys/class/bdi') as devices:  # nobody else is recording now
            fcntl.flock(devices, fcntl.LOCK_EX)
            before = readahead()
        if not any(int(value) for value in before.values()):
            self.skipTest('readahead is off already')
        self.addCleanup(lambda: [write(path, value) for path, value in before.items()])
        recording = subprocess.Popen([COLDBOOST, 'record', '-o', self.profile, '--', 'sleep', '1000'],
                                     stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while len(children(recording.pid)) < 2:  # the guardian is ready, and the program runs
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        self.assertFalse(any(int(value) for value in readahead().values()))
        return recording, children(recording.pid), before

    def test_readahead_comes_back_when_all_were_killed(self):
        """Killed together with its guardian, as by the end of a cgroup, a recording left the machine
        without readahead; the next one took 0 for the value to put back, and so did all others."""
        recording, others, before = self.without_readahead()
        for pid in others + [recording.pid]:
            os.kill(pid, signal.SIGKILL)
        recording.wait()
        self.assertFalse(any(int(value) for value in readahead().values()))
        self.record('true')
        self.assertEqual(readahead(), before)
        self.assertFalse(os.path.exists('/run/coldboost-readahead'))

    def test_readahead_comes_back_when_its_guardian_was_killed(self):
        recording, others, before = self.without_readahead()
        for pid in others:
            os.kill(pid, signal.SIGKILL)
        recording.wait()
        self.assertEqual(readahead(), before)


cases.main()
