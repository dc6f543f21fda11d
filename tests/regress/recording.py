#!/usr/bin/env python3
"""What has gone wrong once when a program was recorded: each test tells what a user saw.

Usage: recording.py COLDBOOST WITHOUT-TLS OWN-ENTRY [TEST...]
"""
import contextlib
import fcntl
import glob
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest

COLDBOOST, WITHOUT_TLS, OWN_ENTRY, FILTERED = (os.path.abspath(path) for path in sys.argv[1:5])
MAGIC = b'\x89CBP\r\n\x1a\n'
PATIENCE = 600  # seconds: for a machine that is busy, or stopped for a while


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
        output = self.profile if output is None else output
        return self.run_it(COLDBOOST, 'record', '-o', output, '--', *command, **keywords)

    def make_file(self, name, content=bytes(8 * 4096)):
        path = os.path.join(self.folder, name)
        with open(path, 'wb') as f:
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        return path

    def pages(self, path):
        shown = json.loads(self.run_it(COLDBOOST, 'show', '--json', self.profile))
        ranges = next((file['ranges'] for file in shown['files'] if file['path'] == path), [])
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

    def test_program_under_a_filter(self):
        """No login at a recorded sshd: its child's filter killed it for the recorder's lseek()."""
        data = self.make_file('data')
        command = f'echo a line | {FILTERED} {data}'
        self.assertEqual(self.record('sh', '-c', command), b'both read\n')
        self.assertIn(FILTERED, self.shown())

    def test_program_that_needs_no_library(self):
        """It is dynamic, so it was preloaded, in vain: it makes its calls without libc, and without
        libc the recorder did not find the environment. `record` said that nothing was loaded."""
        data = self.make_file('data')
        self.record(OWN_ENTRY, data, status=7)
        self.assertEqual(self.pages(data), [3])
        self.assertIn(OWN_ENTRY, self.shown())

    def ways(self):
        """{name: arguments before and behind the output} of all that writes a file."""
        if not os.path.exists(self.profile):
            self.record('true')
        ways = {
            'record': (['record', '-o'], ['--', 'true']),
            'merge': (['merge', '-o'], [self.profile]),
            'layer': (['layer', '-p', self.profile, '-o'], []),
            'show': (['show', '--plot'], [self.profile]),
        }
        for name in 'layer', 'show':
            before, behind = ways[name]
            self.run_it(COLDBOOST, *before, os.path.join(self.folder, 'tried'), *behind, status=None)
            if not os.path.exists(os.path.join(self.folder, 'tried')):  # built without the library it takes
                del ways[name]
            else:
                os.unlink(os.path.join(self.folder, 'tried'))
        return ways

    def each_way(self, prefix=()):
        """For each way: a function that writes to a path in this manner."""
        for name, (before, behind) in self.ways().items():
            yield name, lambda path, before=before, behind=behind, **keywords: self.run_it(
                *prefix, COLDBOOST, *before, path, *behind, **keywords)

    def assert_is_output(self, content):
        self.assertTrue(content.startswith((MAGIC, b'PK\x03\x04', b'<?xml')), content[:40])

    def content(self, path):
        with open(path, 'rb') as f:
            return f.read()

    def test_output_to_a_device(self):
        """`record -o null` left a regular file where the device had been, and exited with 0."""
        null = os.path.join(self.folder, 'null')
        try:
            os.mknod(null, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
            with open(null, 'wb'):
                pass
        except OSError:
            os.path.exists(null) and os.unlink(null)
            os.symlink('/dev/null', null)
        before = os.lstat(null)
        for name, write in self.each_way():
            with self.subTest(name):
                write(null)
                after = os.lstat(null)
                self.assertEqual((after.st_ino, after.st_mode), (before.st_ino, before.st_mode))

    def test_output_to_a_fifo(self):
        fifo = os.path.join(self.folder, 'fifo')
        os.mkfifo(fifo)
        for name, write in self.each_way():
            with self.subTest(name):
                with open(os.path.join(self.folder, 'read'), 'wb') as copy, \
                        subprocess.Popen(['timeout', '60', 'cat', fifo], stdout=copy) as reader:
                    write(fifo)
                    self.assertTrue(stat.S_ISFIFO(os.lstat(fifo).st_mode))
                    self.assertEqual(reader.wait(), 0)
                self.assert_is_output(self.content(copy.name))

    def test_output_that_cannot_be_written(self):
        for name, write in self.each_way():
            with self.subTest(name):
                write('/dev/full', status=1)
                self.assertIn('/dev/full: cannot write it: No space left on device', self.err)
                self.assertTrue(stat.S_ISCHR(os.stat('/dev/full').st_mode))

    def test_output_through_symbolic_links(self):
        """A link was replaced by a file, also /dev/stdout."""
        target, link, far = (os.path.join(self.folder, name) for name in ('target', 'link', 'far'))
        os.symlink('target', link)
        os.symlink(link, far)
        for name, write in self.each_way():
            with self.subTest(name):
                for _ in 'new', 'old':
                    write(far)
                    self.assertTrue(os.path.islink(link) and os.path.islink(far))
                    self.assert_is_output(self.content(target))
                os.unlink(target)

    def test_output_to_standard_output(self):
        """It follows what has been written there, be it a pipe or a file."""
        out = os.path.join(self.folder, 'out')
        for name, (before, behind) in self.ways().items():
            for path in ('-', '/dev/stdout', '/dev/fd/1') if name != 'show' else ():
                with self.subTest(name, path=path):
                    command = [COLDBOOST, *before, path, *behind]
                    self.assert_is_output(self.run_it(*command))
                    self.run_it('sh', '-c', 'exec >"$0"; printf first; exec "$@"', out, *command)
                    self.assertTrue(self.content(out).startswith(b'first'))
                    self.assert_is_output(self.content(out)[5:])
        closed = ['sh', '-c', 'exec "$@" >&-', 'sh']
        self.run_it(*closed, COLDBOOST, 'record', '-o', '-', 'true', status=1)
        self.assertIn('standard output: it is not open', self.err)

    def test_output_keeps_mode_and_owner(self):
        """A profile that had been 0640 and somebody else's was root's and 0644 after the next."""
        path = self.make_file('kept')
        os.chmod(path, 0o640)
        if os.geteuid() == 0:
            os.chown(path, 12345, 12346)
        before = os.stat(path)
        for name, write in self.each_way():
            with self.subTest(name):
                write(path)
                after = os.stat(path)
                self.assertEqual((after.st_mode, after.st_uid, after.st_gid),
                                 (before.st_mode, before.st_uid, before.st_gid))
                self.assert_is_output(self.content(path))

    def test_output_to_a_mounted_file(self):
        """As in `docker run -v $PWD/app.cbp:/app.cbp`: nothing can be renamed over it."""
        path, other = self.make_file('path'), self.make_file('other', b'before' * 100000)
        if subprocess.run(['unshare', '-rm', 'mount', '--bind', other, path], check=False,
                          stderr=subprocess.DEVNULL).returncode:
            self.skipTest('no name spaces of our own here')
        prefix = ['unshare', '-rm', 'sh', '-c', 'mount --bind "$0" "$1" && shift && exec "$@"', other, path]
        for name, write in self.each_way(prefix):
            with self.subTest(name):
                write(path)
                self.assert_is_output(self.content(other))
                self.assertLess(os.stat(other).st_size, 600000)
        self.assertEqual(self.content(path), bytes(8 * 4096))

    def test_output_is_never_half_written(self):
        """A limit to the size of files struck in the middle: SIGXFSZ, and a temporary file stayed."""
        path = self.make_file('kept', b'kept')
        for name, write in self.each_way(['prlimit', '--fsize=512']):
            with self.subTest(name):
                write(path, status=1)
                self.assertIn('limit' if name == 'record' else 'kept: cannot write it: File too large',
                              self.err)
                self.assertEqual(self.content(path), b'kept')
                self.assertEqual([n for n in os.listdir(self.folder) if n.startswith('kept.')], [])

    def test_output_is_looked_at_first(self):
        """`record -o /nonexistent/x.cbp` ran the command and then had nowhere to write to."""
        ran = os.path.join(self.folder, 'ran')
        file = self.make_file('file')
        for path in '/no-such-folder/deeper/out.cbp', self.folder, file + '/out.cbp', '/proc/out.cbp', '':
            self.record('touch', ran, output=path, status=1)
            self.assertFalse(os.path.exists(ran), path)
            self.assertIn(path, self.err)

    def test_output_in_a_new_folder(self):
        """The recipe for containers, -o /opt/coldboost/profile.cbp, failed: nobody makes that folder."""
        for name, write in self.each_way():
            with self.subTest(name):
                path = os.path.join(self.folder, f'new-{name}', 'out')
                write(path)
                self.assert_is_output(self.content(path))

    def test_limits_of_resources(self):
        """Below a limit of 256 MiB to files `record` was killed without a word, with 256 KiB of stack
        it crashed, with 400 MiB of address space or four descriptors it said "mount /proc"."""
        for limits in (['--fsize=268435456'], ['--fsize=1048576'], ['--stack=262144'], ['--stack=131072'],
                       ['--as=419430400'], ['--as=52428800'], ['--nofile=8'],
                       ['--nofile=8', '--as=52428800', '--fsize=1048576', '--stack=131072']):
            with self.subTest(limits):
                out = self.run_it('prlimit', *limits, COLDBOOST, 'record', '-o', self.profile, 'echo', 'x')
                self.assertEqual(out, b'x\n')
                self.assertRegex(self.err, r'recorded \d{3,} pages')
                os.unlink(self.profile)
        for limit, words in (('--fsize=65536', 'ulimit -f'), ('--as=8000000', 'ulimit -v'),
                             ('--nofile=7', 'ulimit -n'), ('--nofile=4', 'ulimit -n')):
            with self.subTest(limit):
                out = self.run_it('prlimit', limit, COLDBOOST, 'record', '-o', self.profile, 'echo', 'x',
                                  status=1)
                self.assertIn(words, self.err)
                self.assertEqual(out, b'')

    def make_program(self, name, content):
        path = self.make_file(name, content)
        os.chmod(path, 0o755)
        return path

    def test_file_that_was_written_just_before(self):
        """One file in twelve was left out as changed meanwhile: since Linux 6.13 a file whose time was
        looked at between two changes is stamped with a clock that is ahead of the usual one."""
        for i in range(40):
            path = os.path.join(self.folder, f'fresh{i}')
            with open(path, 'wb') as f:
                for _ in range(3):
                    f.write(bytes(4096))
                    f.flush()
                    os.fstat(f.fileno())
            self.record('cat', path)
            self.assertEqual(self.pages(path), [0, 1, 2])

    def test_script_for_the_shell(self):
        """A script without "#!" could not be recorded (126), though every shell starts it."""
        data = self.make_file('data')
        script = self.make_program('script', b'echo "$0" "$@"; cat ' + data.encode() + b' >&2; exit 3')
        self.assertEqual(self.record(script, 'a', 'b c', status=3), f'{script} a b c\n'.encode())
        self.assertIn(os.path.realpath('/bin/sh'), self.shown())
        self.assertEqual(self.pages(data), list(range(8)))
        self.record(self.make_program('empty', b''))
        self.record(self.make_program('binary', b'a\0b\nc'), status=126)

    def test_missing_interpreter(self):
        """Written on Windows, a script "was not found" though it stood there; and a program whose C
        library is not installed: the kernel misses the interpreter, and says so of the file."""
        with open(OWN_ENTRY, 'rb') as f:
            program = f.read()
        begin = program.index(b'/ld')
        begin = program.rindex(b'\0', 0, begin) + 1
        end = program.index(b'\0', begin)
        absent = b'/x' + program[begin + 2:end]
        foreign = self.make_program('foreign', program[:begin] + absent + program[end:])
        commands = {
            self.make_program('crlf', b'#!/bin/sh\r\necho hello\r\n'): r'crlf: .*carriage return.*dos2unix',
            self.make_program('gone', b'#! /no/such/shell -e\necho hello\n'): 'gone: .*/no/such/shell is not there',
            foreign: f'foreign: .*{absent.decode()} is not there',
            self.make_program('via', b'#!' + foreign.encode() + b'\n'): f'foreign: .*{absent.decode()}',
        }
        for path, words in commands.items():
            with self.subTest(path):
                self.record(path, status=127)
                self.assertRegex(self.err, words)
                self.assertFalse(os.path.exists(self.profile))
                self.run_it(COLDBOOST, 'run', '--', path, status=127)
                self.assertRegex(self.err, words)
                self.run_it(COLDBOOST, 'bench', '-n', '1', '--', path, status=127)
                self.assertRegex(self.err, words)
                self.run_it(COLDBOOST, 'inspect', path, status=1)
                self.assertRegex(self.err, words)

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


if __name__ == '__main__':
    unittest.main(argv=[sys.argv[0], *sys.argv[5:]])
