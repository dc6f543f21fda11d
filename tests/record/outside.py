"""What cannot be preloaded is recorded from outside: static programs, Go programs, what these start.

Usage: outside.py HOW COLDBOOST VICTIM OBJECT CALLER STATIC_VICTIM [CASE…]
"""

import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from page_cache import evict, resident_pages  # noqa: E402
from record_case import COLDBOOST, PATIENCE, STATIC, VICTIM, Recorded, RecordCase  # noqa: E402


class Outside(RecordCase):
    def test_stacks_are_not_to_be_had(self):
        self.needs_stacks()
        profile = self.victim('pread:10', options=['--stacks'])
        self.assertEqual(profile.files[self.data], {10})
        self.assertIn('no call stack was recorded', self.err)

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
        self.assertEqual({os.path.realpath(path) for path in Recorded(self.profile).executables},
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

    def test_until_ready(self):
        for version in range(2016, 2020):  # four ways to send it
            with self.subTest(version):
                profile = self.victim('pread:10', 'map:130', 'request:0', 'pread:20',
                                      f'request:{version}', 'pread:30', 'map:200', '7',
                                      options=['--until', 'ready'], status=7)
                self.assert_pages(profile, self.data, [10, 20, 130])
                self.assertNotIn(30, profile.files[self.data])

    def test_run_replays_before_the_program_starts(self):
        recorded = self.victim('pread:10', 'map:200', 'pread:450')
        evict(self.data)
        if resident_pages(self.data):
            self.skipTest('the page cache keeps what it has')
        result = subprocess.run([COLDBOOST, 'run', '-p', self.profile, '--', STATIC,
                                 'sleep:500', '7'], check=False, stderr=subprocess.PIPE,
                                env=dict(os.environ, COLDBOOST_VERBOSE='1', COLDBOOST='force'))
        resident = resident_pages(self.data)
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


cases.main()
