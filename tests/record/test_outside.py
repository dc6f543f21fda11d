#!/usr/bin/env python3
"""Records what cannot be preloaded: static programs, Go programs, and what these start.

Usage: test_outside.py COLDBOOST VICTIM OBJECT CALLER STATIC_VICTIM [TEST...]
"""
import ctypes
import mmap
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'support'))
from coldboost_support import copy_tool  # noqa: E402
import test_record
from test_record import COLDBOOST, LIBC, PATIENCE, VICTIM, read_profile

STATIC = os.path.abspath(sys.argv[5])
NOBODY = 65534


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


class OutsideTest(test_record.RecordTest):
    """The same tests with a static program, and those that only concern it."""
    victim_path = STATIC
    # It has no loader.
    test_every_wrapped_function = None
    test_every_way_into_another_image = None
    test_every_way_to_ask_for_an_invocation = None
    test_loaded_objects = None
    test_what_libc_reads_for_a_call = None
    test_names_that_the_loader_looked_up = None
    test_dlopen_still_looks_at_its_caller = None
    test_programs_without_dlsym = None
    test_musl = None
    test_stacks_of_a_program_at_a_fixed_address = None
    # From outside, what is looked up in vain is not noted.
    test_paths_that_are_looked_up = None
    test_full_disk_for_temporary_files = None
    test_readahead_comes_back_even_after_sigkill = None

    def needs_stacks(self):
        self.skipTest('there are none from outside')

    def test_stacks_are_not_to_be_had(self):
        super().needs_stacks()
        profile = self.victim('pread:10', options=['--stacks'])
        self.assertEqual(profile.files[self.data], {10})
        self.assertIn('no call stack was recorded', self.err)

    def wait_for(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)

    def test_real_programs_do_not_notice(self):
        """The static victim becomes each of them: then all of them is watched from outside."""
        self.check_real_programs([STATIC, '--'])

    def test_jobs_stop_and_continue(self):
        # In a group of its own: nobody stops one at SIGTSTP that has no parent outside of it, and
        # who runs the tests may have made them a session.
        script = ('import os, signal, subprocess, threading, time\n'
                  'p = subprocess.Popen(["cat"], stdin=subprocess.PIPE, preexec_fn=os.setpgrp)\n'
                  'for number in signal.SIGSTOP, signal.SIGTSTP:\n'
                  '    os.kill(p.pid, number)\n'
                  '    print(os.WSTOPSIG(os.waitpid(p.pid, os.WUNTRACED)[1]))\n'
                  '    time.sleep(0.1)\n'
                  '    print(os.waitpid(p.pid, os.WNOHANG | os.WCONTINUED),\n'
                  '          open(f"/proc/{p.pid}/stat").read().rpartition(")")[2].split()[0] in "Tt")\n'
                  '    os.kill(p.pid, signal.SIGCONT)\n'
                  '    print(os.WIFCONTINUED(os.waitpid(p.pid, os.WCONTINUED)[1]))\n'
                  'os.kill(p.pid, signal.SIGTERM)\n'
                  'print(p.wait(), os.getppid() == int(os.environ["PARENT"]))\n'
                  'signal.signal(signal.SIGALRM, lambda *_: print("alarm"))\n'
                  'signal.setitimer(signal.ITIMER_REAL, 0.05)\n'
                  'time.sleep(0.2)\n'
                  'ts = [threading.Thread(target=open("/etc/passwd").read) for _ in range(50)]\n'
                  '[t.start() for t in ts]; [t.join() for t in ts]\n'
                  'threading.Thread(target=lambda: os.execv("/bin/sh", ["sh", "-c", "exit 6"]))'
                  '.start()\n'
                  'time.sleep(10)\n')
        process = self.popen(
            ['sh', '-c', 'PARENT=$$ exec "$@"', 'sh', COLDBOOST, 'record', '-o', self.profile, '--',
             STATIC, '--', '/usr/bin/python3', '-u', '-c', script])  # nothing is flushed at execv()
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 6, err)
        self.assertEqual(out.decode().split('\n')[:8],
                         ['19', '(0, 0) True', 'True', '20', '(0, 0) True', 'True', '-15 True',
                          'alarm'])
        self.assertEqual({os.path.realpath(path) for path in read_profile(self.profile).executables},
                         {os.path.realpath(path) for path in
                          (STATIC, '/usr/bin/python3', '/bin/cat', '/bin/sh')})

    def test_static_child_of_a_preloaded_program(self):
        """Through execve(), execvp(), and a script of its own; the answer is the program's own."""
        script = os.path.join(self.folder, 'script')
        with open(script, 'w') as out:
            out.write(f'#!{STATIC} PATH={self.data}\n')
        os.chmod(script, 0o755)
        python = ('import os, subprocess as s, sys\n'
                  'print(s.call([sys.argv[1], "pread:30", "map:200", "5"]))\n'
                  'os.environ["PATH"] = "/nowhere:" + os.path.dirname(sys.argv[1])\n'
                  'if os.fork() == 0: os.execvp("victim-static", ["x", "pread:40", "6"])\n'
                  'print(os.waitstatus_to_exitcode(os.wait()[1]))\n')
        profile = self.record('sh', '-c', '"$0" pread:10; echo $?; "$1" && '
                              '/usr/bin/python3 -c "$2" "$0"; exit 3',
                              STATIC, script, python, status=3)
        self.assertEqual(self.out, '0\n5\n6\n')
        self.assertIn(STATIC, profile.executables)
        self.assert_pages(profile, self.data, {10, 30, 40, 200})

    def test_dynamic_child_of_a_static_program(self):
        profile = self.victim('pread:10', 'map:100', '--', VICTIM, 'pread:30', 'map:200', '8',
                              status=8)
        self.assertEqual(set(profile.executables), {STATIC, VICTIM})
        self.assert_pages(profile, self.data, {10, 30, 100, 200})

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
            profile = read_profile(self.profile)
            if at_first != ['0'] and self.data in profile.files:
                break
            os.unlink(self.profile)
        self.assertNotEqual(at_first, ['0'])
        self.assertEqual(profile.files[self.data], {9})

    def test_until_ready(self):
        for version in range(2016, 2020):  # four ways to send it
            with self.subTest(version):
                profile = self.victim('pread:10', 'map:130', 'request:0', 'pread:20',
                                      f'request:{version}', 'pread:30', 'map:200', '7',
                                      options=['--until', 'ready'], status=7)
                self.assert_pages(profile, self.data, [10, 20, 130])
                self.assertNotIn(30, profile.files[self.data])

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
                self.assertEqual(read_profile(self.profile).files[self.data], {10})

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
                              stderr=subprocess.PIPE, user=NOBODY, group=NOBODY, extra_groups=[])

    def reach(self, path):
        """Whether others than root can get at it."""
        return not subprocess.run(['ls', path], user=NOBODY, group=NOBODY, extra_groups=[],
                                  check=False, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL).returncode

    def test_without_privileges(self):
        if os.geteuid():
            self.skipTest('all other tests run without privileges')
        os.chmod(self.folder, 0o755)
        if not self.reach(self.folder):
            self.skipTest('the build folder is private')
        program = shutil.copy(STATIC, os.path.join(self.folder, 'program'))
        result = self.as_nobody(program, 'pread:10', 'map:130', 'fork:200', '5')
        self.assertEqual(result.returncode, 5, result.stderr)
        self.assertLessEqual({10, 130, 200, 202}, read_profile(self.profile).files[self.data])

    def test_program_that_gains_privileges_is_refused_with_the_reason(self):
        if os.geteuid():
            self.skipTest('it takes root to make a set-uid program')
        os.chmod(self.folder, 0o755)
        if not self.reach(self.folder):
            self.skipTest('the build folder is private')
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
                              cwd='/', check=False, stderr=subprocess.PIPE, user=NOBODY,
                              group=NOBODY, extra_groups=[])

    def resident_pages(self, path):
        """Those in memory now; mincore() is truthful to a file's owner."""
        with open(path, 'rb') as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_COPY) as memory:
            vector = ctypes.create_string_buffer(test_record.PAGES)
            view = ctypes.c_char.from_buffer(memory)
            address = ctypes.addressof(view)
            self.assertEqual(LIBC.mincore(ctypes.c_void_p(address), ctypes.c_size_t(len(memory)),
                                          vector), 0)
            del view  # or the mapping cannot be closed
            return {page for page, byte in enumerate(vector.raw[:test_record.PAGES]) if byte & 1}

    def test_run_replays_before_the_program_starts(self):
        recorded = self.victim('pread:10', 'map:200', 'pread:450')
        with open(self.data, 'rb') as f:
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        if self.resident_pages(self.data):
            self.skipTest('the page cache keeps what it has')
        result = subprocess.run([COLDBOOST, 'run', '-p', self.profile, '--', STATIC,
                                 'sleep:500', '7'], check=False, stderr=subprocess.PIPE,
                                env=dict(os.environ, COLDBOOST_VERBOSE='1', COLDBOOST='force'))
        resident = self.resident_pages(self.data)
        self.assertEqual(result.returncode, 7, result.stderr)
        self.assertRegex(result.stderr, rb'statically linked')
        self.assertRegex(result.stderr, rb'role=run .*plan=profile .*stale_files=0 .*state=done')
        self.assertLessEqual(recorded.files[self.data], resident)

    def test_go(self):
        if not shutil.which('go'):
            self.skipTest('no Go compiler')
        source = os.path.join(self.folder, 'main.go')
        with open(source, 'w') as out:
            out.write('package main\n'
                      'import ("os"; "os/exec"; "sync"; "syscall")\n'
                      'func main() {\n'
                      '  var all sync.WaitGroup\n'
                      '  for i := 0; i < 50; i++ { all.Add(1); go func(i int64) {\n'
                      '    defer all.Done()\n'
                      '    f, _ := os.Open(os.Args[1]); b := make([]byte, 9)\n'
                      '    f.ReadAt(b, i * 4 * 4096); f.Close() }(int64(i)) }\n'
                      '  all.Wait()\n'
                      '  f, _ := os.Open(os.Args[1])\n'
                      '  m, _ := syscall.Mmap(int(f.Fd()), 0, 512 * 4096, 1, 2)\n'
                      '  print(m[401 * 4096])\n'
                      '  out, err := exec.Command("/bin/echo", "x").CombinedOutput()\n'
                      '  print(string(out), err == nil)\n'
                      '  os.Exit(9)\n'
                      '}\n')
        for name, flags in (('static', '-s -w'), ('dynamic', '-linkmode=external')):
            program = os.path.join(self.folder, name)
            subprocess.run(['go', 'build', '-ldflags', flags, '-o', program, source], check=True,
                           env=dict(os.environ, GOCACHE=self.folder + '/cache', GO111MODULE='off',
                                    CGO_ENABLED='0' if name == 'static' else '1'))
            with self.subTest(name):
                profile = self.record(program, self.data, status=9)
                self.assertIn('x\ntrue', self.err)
                self.assert_pages(profile, self.data, [*range(0, 200, 4), 401])
                self.assertIn(program, profile.executables)
                self.assertIn(os.path.realpath('/bin/echo'), profile.executables)


if __name__ == '__main__':
    unittest.main(argv=[sys.argv[0], *sys.argv[6:]], verbosity=2)
