"""record --stacks: who has touched each file first, and what a profile with stacks is good for.

Usage: call_stacks.py HOW COLDBOOST VICTIM OBJECT CALLER STATIC_VICTIM [CASE…]
"""

import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from profiles import header_of  # noqa: E402
from record_case import COLDBOOST, OBJECT, VICTIM, RecordCase  # noqa: E402


class CallStacks(RecordCase):
    def stacks(self, *ways, options=()):
        """{file: (program, [(function, object)])} of a victim's run."""
        self.victim(*ways, options=['--stacks', *options])
        return self.shown_stacks()

    def shown_stacks(self):
        shown = subprocess.run([COLDBOOST, 'show', '--json', self.profile], check=True,
                               stdout=subprocess.PIPE).stdout
        return {entry['path']: (entry['user'], [(frame['function'], frame['object'])
                                                for frame in entry['stack']])
                for entry in json.loads(shown)['files'] if 'stack' in entry}

    def test_stacks_name_the_caller(self):
        self.needs_stacks()
        for way, function in [('read', 'do_read'), ('pread', 'do_pread'), ('map', 'touch_map'),
                              ('stdio', 'do_stdio'), ('stream', 'do_stream_left_open'),
                              ('fork', 'do_fork'), ('sendfile', 'do_sendfile'), ('last', 'do_last')]:
            with self.subTest(way):
                user, stack = self.stacks(f'{way}:10')[self.data]
                self.assertEqual(user, VICTIM)
                outside = [frame for frame in stack if frame[1] != VICTIM]
                self.assertIn((function, VICTIM), stack)
                self.assertIn(('main', VICTIM), stack)
                self.assertLess(stack.index((function, VICTIM)), stack.index(('main', VICTIM)))
                self.assertFalse([frame for frame in outside if 'coldboost' in frame[1]], stack)
                self.assertLessEqual(len(stack), 16)
                if way in ('read', 'pread'):
                    self.assertEqual(stack[0], (function, VICTIM))

    def test_stacks_are_those_of_the_first_use(self):
        self.needs_stacks()
        _, stack = self.stacks('pread:10', 'read:20', 'map:30')[self.data]
        self.assertEqual(stack[0], ('do_pread', VICTIM))
        show = subprocess.run([COLDBOOST, 'show', self.profile], stdout=subprocess.PIPE, check=True)
        self.assertEqual(show.stdout.partition(b'first used by')[2].count(self.data.encode()), 1)

    def test_stacks_of_a_program_at_a_fixed_address(self):
        self.needs_stacks()
        program, source = (os.path.join(self.folder, name) for name in ('f', 'f.c'))
        with open(source, 'w') as f:
            f.write('#include <fcntl.h>\n#include <unistd.h>\n'
                    'int main(int n, char **a) { char c; return read(open(a[n - 1], 0), &c, 1) != 1; }\n')
        subprocess.run(['cc', '-no-pie', source, '-o', program], check=True)
        self.record(program, self.data, options=['--stacks'])
        self.assertEqual(self.shown_stacks()[self.data][1][0], ('main', program))

    def test_stacks_of_directories_and_loaded_objects(self):
        self.needs_stacks()
        folder = os.path.join(self.folder, 'listed')
        os.mkdir(folder)
        time.sleep(0.02)
        for close in '01':
            stacks = self.stacks('PATH=' + folder, 'list:0', 'PATH=' + OBJECT, 'dlopen:' + close)
            self.assertEqual(stacks[folder][1][0], ('do_list', VICTIM))
            self.assertEqual(stacks[OBJECT][1][0], ('do_dlopen', VICTIM))
            self.assertNotIn(VICTIM, stacks)  # the kernel brought it in
            self.assertFalse([path for path in stacks if '/libc.so' in path])

    def test_libunwind_is_loaded_for_stacks_alone(self):
        script = 'print("libunwind" in open("/proc/self/maps").read())'
        self.record('/usr/bin/python3', '-c', script)
        self.assertEqual(self.out, 'False\n')
        self.needs_stacks()
        profile = self.record('/usr/bin/python3', '-c', script, options=['--stacks'])
        self.assertEqual(self.out, 'True\n')
        self.assertEqual([path for path in profile.files
                          if 'libunwind' in path or 'coldboost' in os.path.basename(path)], [])
        show = subprocess.run([COLDBOOST, 'show', self.profile], stdout=subprocess.PIPE, check=True)
        self.assertIn(b'first used by', show.stdout)

    def test_stacks_never_hang_or_crash_threads_children_and_handlers(self):
        self.needs_stacks()
        folder = os.path.join(self.folder, 'storm')
        os.mkdir(folder)
        count = 400
        for i in range(count):
            with open(os.path.join(folder, str(i)), 'w') as f:
                f.write('x')
        time.sleep(0.02)
        for _ in range(3):
            stacks = self.stacks('PATH=' + folder, f'storm:{count}')
            found = [stack for path, (_, stack) in stacks.items() if path.startswith(folder)]
            self.assertGreater(len(found), count // 4)
            for stack in found:
                self.assertEqual(stack[0], ('storm_read', VICTIM))

    def test_replay_does_not_mind_stacks(self):
        self.needs_stacks()
        self.victim('pread:10', options=['--stacks'])
        environment = dict(os.environ, DATA=self.data, COLDBOOST='force', COLDBOOST_MODE='sync', COLDBOOST_VERBOSE='1')
        result = subprocess.run([COLDBOOST, 'run', '-p', self.profile, VICTIM, 'pread:10'],
                                env=environment, stderr=subprocess.PIPE, check=True)
        self.assertRegex(result.stderr, rb'plan=profile .*stale_files=0 .*state=done')
        with open(self.profile, 'rb') as f:
            content = f.read()
        size, extra = header_of(content).size, len(content)
        self.assertLess(size, extra)
        for changed in content[:size], content[:-1], content + b'x':
            with open(self.profile, 'wb') as f:
                f.write(changed)
            for command, status in (([COLDBOOST, 'run', '-p', self.profile, VICTIM, '0'], 0),
                                    ([COLDBOOST, 'show', self.profile], 1)):
                result = subprocess.run(command, env=environment, stderr=subprocess.PIPE,
                                        stdout=subprocess.PIPE, check=False)
                self.assertEqual(result.returncode, status, command)
                self.assertIn(self.profile.encode(), result.stderr)
        for at in range(size, extra, 7):  # show finds every damage, and never crashes
            with open(self.profile, 'wb') as f:
                f.write(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1:])
            result = subprocess.run([COLDBOOST, 'show', '--json', self.profile], check=False,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertIn(result.returncode, (0, 1))
            if at >= size + 8:  # not the tag: an unknown section is skipped
                self.assertEqual(result.returncode, 1, at)
        os.unlink(self.profile)


cases.main()
