"""When a recording ends, what it passes on, and where the profile goes; see record_case.py.

Usage: recording.py HOW COLDBOOST VICTIM OBJECT CALLER STATIC_VICTIM [CASE…]
"""

import os
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from record_case import COLDBOOST, PAGES, PATIENCE, VICTIM, Recorded, RecordCase  # noqa: E402


class Recording(RecordCase):
    def test_until_seconds(self):
        for seconds in (0.4, 4, 40):  # it may take that long to start
            if os.path.exists(self.profile):
                os.unlink(self.profile)
            profile = self.victim('pread:10', f'await:{self.profile}', 'pread:20', '7',
                                  options=['--until', str(seconds)], status=7)
            if profile and self.data in profile.files:
                break
        self.assertEqual(sorted(profile.files[self.data]), [10])

    def test_end_is_seen_where_children_are_ignored(self):
        """With SIGCHLD ignored the kernel tells nobody of a child's end: it waited for ever."""
        process = self.popen([COLDBOOST, 'record', '-o', self.profile, '--', 'grep', 'SigIgn',
                              '/proc/self/status'],
                             preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, err)
        self.assertTrue(int(out.split()[1], 16) & 1 << signal.SIGCHLD - 1, 'the program ignores it')

    def test_log(self):
        """What goes to the log is what would go to the file."""
        self.record(self.victim_path, 'pread:10', options=['--log'])
        self.assertFalse(os.path.exists(self.profile))
        frames = [line for line in self.err.splitlines() if not line.startswith('coldboost: recorded ')]
        self.assertTrue(frames and all(line.startswith('coldboost-profile/1 ') for line in frames), self.err)
        subprocess.run([COLDBOOST, 'merge', '-o', self.profile, '--from-log', '-'], input=self.err.encode(),
                       stdout=subprocess.PIPE, check=True)
        self.assertEqual(sorted(Recorded(self.profile).files[self.data]), [10])
        for log in '&-', '/dev/full':
            lost = subprocess.run(['sh', '-c', f'exec "$@" 2>{log}', 'sh', COLDBOOST, 'record', '--log', '--', 'true'],
                                  check=False)
            self.assertEqual(lost.returncode, 1, log)

    def test_log_that_the_program_opens_anew(self):
        """Both have places of their own in it: what record says then stood on what the program had said."""
        log = os.path.join(self.folder, 'log')
        with open(log, 'wb') as out:
            self.assertEqual(subprocess.call([COLDBOOST, 'record', '-o', self.profile, '--', 'sh', '-c',
                                              'echo its own >>/dev/stderr'], stderr=out), 0)
        with open(log, encoding='utf-8') as text:
            self.assertRegex(text.read(), r'\Aits own\ncoldboost: recorded .*\n\Z')

    def test_map_rewrites_whole_components(self):
        other = self.make_file('data2')
        profile = self.victim('pread:1', f'PATH={other}', 'pread:2',
                              options=['--map', f'{self.data}=/var/task/data',
                                       '--map', f'{os.path.dirname(VICTIM)}/=/var/app/',
                                       '--map', f'{self.folder}=/var/files'])
        self.assertEqual(profile.files['/var/task/data'], {1})
        self.assertEqual(profile.mtimes['/var/task/data'], 0)
        self.assertEqual(profile.files['/var/files/data2'], {2})
        self.assertIn('/var/app/' + os.path.basename(self.victim_path), profile.executables)

    def test_signals_reach_the_program_and_the_profile_is_written(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                process = self.start(self.victim_path, 'pread:10', 'sleep:20000')
                deadline = time.monotonic() + PATIENCE
                while process.poll() is None and not self.is_asleep(process):
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.05)
                process.send_signal(number)
                _, err = process.communicate(timeout=PATIENCE)
                self.assertEqual(process.returncode, 128 + number, err)
                self.assertEqual(Recorded(self.profile).files[self.data], {10})

    def test_exit_statuses(self):
        plain = os.path.join(self.folder, 'plain')
        shutil.copyfile(self.data, plain)
        for command, status in [([self.victim_path, '42'], 42), (['/no/such/program'], 127), ([plain], 126),
                                ([self.folder], 126)]:
            with self.subTest(command):
                self.record(*command, status=status)
        self.assertIn(self.folder, self.err)

    def test_output_is_the_programs_own(self):
        command = ['sh', '-c', 'ls /etc | sort -r; cat "$DATA" | cksum; echo oops >&2; exit 3']
        plain = subprocess.run(command, env=dict(os.environ, DATA=self.data), check=False,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        profile = self.record(*command, status=3)
        self.assertEqual(self.out, plain.stdout.decode())
        self.assertEqual([line for line in self.err.splitlines() if 'coldboost' not in line],
                         ['oops'])
        self.assertEqual(profile.files[self.data], set(range(PAGES)))

    def test_profile_stays_whole_when_it_cannot_be_written(self):
        self.profile = os.path.join(self.folder, 'absent', 'too', 'out.cbp')
        self.record(VICTIM, 'pread:1', status=1)
        self.assertIn('absent', self.err)


cases.main()
