"""A recording from outside: its end, and what it may and may not do to a program.

Usage: outside_rights.py HOW COLDBOOST VICTIM OBJECT CALLER STATIC_VICTIM [CASE…]
"""

import ctypes
import os
import shutil
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import AS_NOBODY, NOBODY, copy_tool  # noqa: E402
from record_case import COLDBOOST, LIBC, PATIENCE, STATIC, VICTIM, Recorded, RecordCase  # noqa: E402


def forbid_calls(*numbers):
    """These fail with EPERM from now on: what a container's seccomp profile does."""
    steps = [(0x20, 0, 0, 0)]  # the number of the call
    for number in numbers:
        steps += [(0x15, 0, 1, number), (0x06, 0, 0, 0x50001)]
    steps.append((0x06, 0, 0, 0x7fff0000))
    code = ctypes.create_string_buffer(b''.join(struct.pack('=HBBI', *step) for step in steps))
    program = struct.pack('@HxxxxxxQ', len(steps), ctypes.addressof(code))
    if LIBC.prctl(38, 1, 0, 0, 0) or LIBC.prctl(22, 2, program):
        raise OSError(ctypes.get_errno(), 'prctl')


class OutsideRights(RecordCase):
    def test_programs_that_outlive_the_recording(self):
        profile = self.victim('pread:1', 'daemon:2')
        self.assertIn(1, profile.files[self.data])
        self.wait_for(lambda: os.path.exists(self.data + '.done'), 'the daemon reads on')

    def test_program_survives_a_recording_that_is_killed(self):
        for options in ([], ['--until', '100']):
            with self.subTest(options):
                go = os.path.join(self.folder, 'go')
                process = self.start(STATIC, 'await:' + go, 'pread:9', 'daemon:2', options=options)
                self.wait_for(lambda: self.is_asleep(process), 'it runs')
                process.kill()
                open(go, 'w').close()
                self.wait_for(lambda: os.path.exists(self.data + '.done'), 'it reads on')
                process.communicate(timeout=PATIENCE)
                os.unlink(self.data + '.done')
                os.unlink(go)

    def test_until_seconds_lets_go(self):
        program = shutil.copy(STATIC, os.path.join(self.folder, 'server'))
        go = os.path.join(self.folder, 'go')

        def tracers():
            found = []
            for pid in filter(str.isdigit, os.listdir('/proc')):
                try:
                    if os.readlink(f'/proc/{pid}/exe') == program:
                        with open(f'/proc/{pid}/status') as status:
                            found.append(status.read().split('TracerPid:')[1].split()[0])
                except OSError:
                    pass
            return found
        for seconds in (0.4, 4, 40):  # it may take that long to start
            process = self.start(program, 'pread:9', 'await:' + go, 'pread:20', 'map:200', '7',
                                 options=['--until', str(seconds)])
            self.wait_for(tracers, 'it runs')
            at_first = tracers()
            self.wait_for(lambda: tracers() == ['0'], 'nobody traces it any more')
            self.wait_for(lambda: os.path.exists(self.profile) or process.poll() is not None,
                          'it is written')
            open(go, 'w').close()
            _, err = process.communicate(timeout=PATIENCE)
            self.assertEqual(process.returncode, 7, err)
            os.unlink(go)
            profile = Recorded(self.profile)
            if at_first != ['0'] and self.data in profile.files:
                break
            os.unlink(self.profile)
        self.assertNotEqual(at_first, ['0'])
        self.assertEqual(profile.files[self.data], {9})

    def test_without_leave_to_trace(self):
        calls = {'x86_64': (101, 317), 'aarch64': (117, 277)}.get(os.uname().machine)
        if not calls:
            self.skipTest('the numbers of ptrace and seccomp are not known here')
        for forbidden, status in ((calls[:1], 126), (calls[1:], 5)):
            process = subprocess.run([COLDBOOST, 'record', '-o', self.profile, '--', STATIC,
                                      f'PATH={self.data}', 'pread:10', '5'],
                                     preexec_fn=lambda: forbid_calls(*forbidden), check=False,
                                     stderr=subprocess.PIPE)
            self.assertEqual(process.returncode, status, process.stderr)
            if status == 126:
                self.assertRegex(process.stderr, rb'victim-static.*ptrace.*Operation not permitted.*'
                                                 rb'SYS_PTRACE')
                self.assertFalse(os.path.exists(self.profile))
            else:  # without a filter it stops at every call, and is recorded all the same
                self.assertEqual(Recorded(self.profile).files[self.data], {10})

    def as_nobody(self, *command):
        """Runs the tool as a user who may nothing, from a place that he can read."""
        folder = os.path.join(self.folder, 'public')
        for name, path in (('tools', COLDBOOST), ('preload', None)):
            os.makedirs(os.path.join(folder, name), exist_ok=True)
            if path:
                copy_tool(path, os.path.join(folder, name))
        library = 'libcoldboost-record.so'
        shutil.copy(os.path.join(os.path.dirname(COLDBOOST), '..', 'preload', library),
                    os.path.join(folder, 'preload'))
        out = os.path.join(folder, 'out')
        os.makedirs(out, exist_ok=True)
        os.chown(out, NOBODY, NOBODY)
        for path, folders, files in os.walk(self.folder):
            for name in folders + files:
                os.chmod(os.path.join(path, name),
                         os.stat(os.path.join(path, name)).st_mode | 0o555)
        os.chmod(self.folder, 0o755)
        self.profile = os.path.join(out, 'out.cbp')
        time.sleep(0.02)  # chmod counts as a change
        return subprocess.run([os.path.join(folder, 'tools', 'coldboost'), 'record', '-o',
                               self.profile, '--', *command], cwd='/', check=False,
                              env=dict(os.environ, DATA=self.data), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, **AS_NOBODY)

    def test_without_privileges(self):
        if os.geteuid():
            self.skipTest('all other tests run without privileges')
        program = shutil.copy(STATIC, os.path.join(self.folder, 'program'))
        result = self.as_nobody(program, 'pread:10', 'map:130', 'fork:200', '5')
        self.assertEqual(result.returncode, 5, result.stderr)
        self.assertLessEqual({10, 130, 200, 202}, Recorded(self.profile).files[self.data])

    def test_program_that_gains_privileges_is_refused_with_the_reason(self):
        if os.geteuid():
            self.skipTest('it takes root to make a set-uid program')
        for path in (STATIC, VICTIM):
            program = shutil.copy(path, os.path.join(self.folder, 'setuid-' + os.path.basename(path)))
            result = self.as_nobody_setuid(program)
            self.assertEqual(result.returncode, 126, result.stderr)
            self.assertRegex(result.stderr, rb'set-uid.*cannot be watched from outside')
            self.assertFalse(os.path.exists(self.profile))

    def as_nobody_setuid(self, program):
        self.as_nobody('/bin/true')
        if os.path.exists(self.profile):
            os.unlink(self.profile)
        os.chmod(program, 0o4755)
        tool = os.path.join(self.folder, 'public', 'tools', 'coldboost')
        return subprocess.run([tool, 'record', '-o', self.profile, '--', program, 'pread:1'],
                              cwd='/', check=False, stderr=subprocess.PIPE, **AS_NOBODY)


cases.main()
