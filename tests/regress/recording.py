"""What has gone wrong once when a program was recorded: each test tells what a user saw.

Usage: recording.py COLDBOOST WITHOUT_TLS OWN_ENTRY FILTERED [CASE…]
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from regress_case import COLDBOOST, FILTERED, OWN_ENTRY, WITHOUT_TLS, RegressCase  # noqa: E402


class Recording(RegressCase):
    def make_program(self, name, content):
        path = self.make_file(name, content)
        os.chmod(path, 0o755)
        return path

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


cases.main()
