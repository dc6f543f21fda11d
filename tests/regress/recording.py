#!/usr/bin/env python3
"""What has gone wrong once when a program was recorded: each test tells what a user saw.

Usage: recording.py COLDBOOST WITHOUT-TLS OWN-ENTRY [TEST...]
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

COLDBOOST, WITHOUT_TLS, OWN_ENTRY = (os.path.abspath(path) for path in sys.argv[1:4])
MAGIC = b'\x89CBP\r\n\x1a\n'
PATIENCE = 600  # seconds: for a machine that is busy, or stopped for a while


class RecordingTest(unittest.TestCase):
    def setUp(self):
        # Not /tmp, which may be a tmpfs: its files are left out.
        self.folder = tempfile.mkdtemp(dir=os.path.dirname(OWN_ENTRY), prefix='recording.')
        self.addCleanup(shutil.rmtree, self.folder)
        self.profile = os.path.join(self.folder, 'out.cbp')

    def run_it(self, *command, status=0, **keywords):
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, timeout=PATIENCE, check=False, **keywords)
        self.err = result.stderr.decode()
        if status is not None:
            self.assertEqual(result.returncode, status, self.err)
        return result.stdout

    def record(self, *command, output=None, **keywords):
        return self.run_it(COLDBOOST, 'record', '-o', output or self.profile, '--', *command, **keywords)

    def make_file(self, name, content=bytes(8 * 4096)):
        path = os.path.join(self.folder, name)
        with open(path, 'wb') as f:
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        return path

    def pages(self, path):
        shown = json.loads(self.run_it(COLDBOOST, 'show', '--json', self.profile))
        ranges = next(file['ranges'] for file in shown['files'] if file['path'] == path)
        return sorted(page for r in ranges for page in
                      range(r['offset'] // 4096, (r['offset'] + r['length']) // 4096))

    def shown(self):
        return self.run_it(COLDBOOST, 'show', self.profile).decode()

    def test_child_without_thread_local_data(self):
        """Chromium died as an ordinary user: a child of its sandbox's helper, which runs on a thread
        pointer that leads to zeros, got SIGSEGV in chdir(), where the recorder asked for errno."""
        plain = self.run_it(WITHOUT_TLS, WITHOUT_TLS)
        self.assertNotIn(b': 11\n', plain)
        self.assertEqual(self.record(WITHOUT_TLS, WITHOUT_TLS), plain)
        self.assertIn('/usr/bin/true', self.shown())

    def test_program_that_needs_no_library(self):
        """It is dynamic, so it was preloaded, in vain: it makes its calls without libc, and without
        libc the recorder did not find the environment. `record` said that nothing was loaded."""
        data = self.make_file('data')
        self.record(OWN_ENTRY, data, status=7)
        self.assertEqual(self.pages(data), [3])
        self.assertIn(OWN_ENTRY, self.shown())


if __name__ == '__main__':
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
