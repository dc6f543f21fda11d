#!/usr/bin/env python3
"""Records a victim program and checks that the profile names exactly what it touched.

Usage: test_record.py COLDBOOST VICTIM OBJECT CALLER [TEST...]
"""
import collections
import ctypes
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock

COLDBOOST, VICTIM, OBJECT, CALLER = (os.path.abspath(path) for path in sys.argv[1:5])
PAGE = 4096
PAGES = 512
PATIENCE = 600  # seconds: for a machine that is busy, or stopped for a while
LIBC = ctypes.CDLL(None, use_errno=True)
Profile = collections.namedtuple('Profile', 'executables files directories paths epochs lookups mtimes')


def read_profile(path):
    """Executables in order; {file: pages}; directories; paths that were only looked up;
    [(epoch, file, first page)] and look-ups [(epoch, path)] in order."""
    with open(path, 'rb') as f:
        data = f.read()
    executables, files, ranges = struct.unpack_from('<III', data, 32)
    file_at = 64 + 32 * executables
    range_at = file_at + 64 * files
    strings = data[range_at + 16 * ranges:]

    def string(offset):
        return strings[offset:strings.index(b'\0', offset)].decode()

    entries = [struct.unpack_from('<QqII', data, file_at + 64 * i) for i in range(files)]
    names = [string(entry[2]) for entry in entries]
    result = Profile([], {}, set(), set(), [], [], {name: entry[1] for name, entry in zip(names, entries)})
    for i in range(executables):
        result.executables.append(string(struct.unpack_from('<I', data, 64 + 32 * i + 8)[0]))
    for i in range(ranges):
        file, first, count, epoch = struct.unpack_from('<IIII', data, range_at + 16 * i)
        if count:
            result.files.setdefault(names[file], set()).update(range(first, first + count))
            result.epochs.append((epoch, names[file], first))
            continue
        result.lookups.append((epoch, names[file]))
        if entries[file][3]:
            (None, result.directories, result.paths)[entries[file][3]].add(names[file])
    return result


def children():
    with open(f'/proc/self/task/{os.getpid()}/children') as f:
        return [int(pid) for pid in f.read().split()]


def end_of(pid):
    """Waits for a process; says whether it has ended."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return True
        except ChildProcessError:
            return True
        time.sleep(0.005)
    return False


class RecordTest(unittest.TestCase):
    victim_path = VICTIM

    @classmethod
    def setUpClass(cls):
        # Whoever loses his parent becomes a child of this process (PR_SET_CHILD_SUBREAPER).
        LIBC.prctl(36, 1, 0, 0, 0)

    def end_all(self):
        """Leaves no process behind. The tool's own helpers end by themselves once the programs
        and the tool have; to kill them could leave the machine without readahead."""
        self.started = [process for process in self.started if process.poll() is None]
        while True:
            pids = children()
            helpers = []
            for pid in pids:
                try:
                    is_tool = os.path.basename(os.readlink(f'/proc/{pid}/exe')) == 'coldboost'
                except OSError:  # it has ended
                    is_tool = False
                if is_tool and pid not in [process.pid for process in self.started]:
                    helpers.append(pid)
                else:
                    os.kill(pid, signal.SIGKILL)
                    end_of(pid)
            if not pids:
                return
            # Their ends can bring new ones: whoever was theirs.
            if pids == helpers and not end_of(helpers[0]):
                os.kill(helpers[0], signal.SIGKILL)
                self.fail('a process of the tool stays behind')

    def setUp(self):
        self.started = []
        # Not /tmp, which may be a tmpfs: its files are left out.
        self.folder = tempfile.mkdtemp(dir=os.path.dirname(VICTIM), prefix='record.')
        self.addCleanup(shutil.rmtree, self.folder)
        self.addCleanup(self.end_all)
        self.data = self.make_file('data')
        self.profile = os.path.join(self.folder, 'out.cbp')

    def make_file(self, name, pages=PAGES):
        path = os.path.join(self.folder, name)
        with open(path, 'wb') as f:
            for page in range(pages):
                f.write(struct.pack('<Q', page) * (PAGE // 8))
            f.flush()
            os.fsync(f.fileno())
        return path

    def start(self, *command, options=()):
        return self.popen([COLDBOOST, 'record', '-o', self.profile, *options, '--', *command],
                          env=dict(os.environ, DATA=self.data), stdin=subprocess.DEVNULL)

    def popen(self, command, **keywords):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   **keywords)
        self.started.append(process)
        return process

    def record(self, *command, options=(), status=0):
        process = self.start(*command, options=options)
        self.out, self.err = (stream.decode() for stream in process.communicate(timeout=PATIENCE))
        if status is not None:
            self.assertEqual(process.returncode, status, self.err)
        return read_profile(self.profile) if os.path.exists(self.profile) else None

    def victim(self, *ways, **keywords):
        return self.record(self.victim_path, *ways, **keywords)

    def assert_pages(self, profile, path, expected):
        """Exactly these pages; where readahead could not be turned off, at least these."""
        pages = profile.files.get(path, set())
        if 'with readahead' in self.err:
            self.assertLessEqual(set(expected), pages)
        else:
            self.assertEqual(sorted(pages), sorted(expected))

    def test_every_read_call_and_nothing_else(self):
        profile = self.victim('read:10', 'readv:20', 'pread:30', 'preadv:40', 'preadv2:50',
                              'sendfile:60', 'splice:70', 'copy:80', 'dup:90')
        self.assertEqual(sorted(profile.files[self.data]),
                         [10, 11, 20, 30, 40, 50, 52, 60, 62, 70, 80, 90])
        self.assertEqual(profile.executables, [self.victim_path])

    def wanted(self):
        """What the caller says the profile must have: {kind: set}."""
        kinds = {'page': set(), 'path': set(), 'folder': set()}
        for line in self.out.splitlines():
            kind, _, value = line.partition(' ')
            kinds[kind].add(int(value) if kind == 'page' else value)
        return kinds

    def test_every_wrapped_function(self):
        """Under each of its names, with and without a next definition."""
        for name in 'getdents64', 'opendir', 'fdopendir':
            os.mkdir(f'{self.data}.{name}')
        time.sleep(0.02)
        profile = self.record(CALLER, self.data)
        wanted = self.wanted()
        self.assertEqual(profile.files[self.data], wanted['page'])
        self.assertEqual(profile.directories, wanted['folder'])
        ours = {path for path in profile.paths
                if path.startswith(self.data + '.') or path.startswith(('/xx', '/missing-an'))}
        self.assertEqual(ours - wanted['folder'], wanted['path'] | {path for path in ours if 'hidden' in path})
        self.assertGreater(len(wanted['path']), 30)

    def test_every_way_into_another_image(self):
        profile = self.record(CALLER, self.data, 'exec')
        self.assertEqual(profile.files[self.data], self.wanted()['page'])

    def test_every_way_to_ask_for_an_invocation(self):
        for name in 'write', 'writev', 'send', 'sendto', 'sendmsg':
            with self.subTest(name):
                profile = self.record(CALLER, self.data, 'send', name, options=['--until', 'ready'])
                self.assertEqual(profile.files[self.data], {10, 20})

    def test_stdio_reads_from_where_it_was_sought_to(self):
        profile = self.victim('stdio:100', 'stream:200')
        # glibc fills its buffer of one page from byte 5 of page 100 on.
        self.assertEqual(sorted(profile.files[self.data]), [100, 101, 104, 200])

    def test_mapped_pages(self):
        profile = self.victim('map:10', 'unmap:130', 'map:200')
        self.assert_pages(profile, self.data, [10, 130, 200])

    def test_children(self):
        profile = self.victim('fork:10', 'vfork:130', 'spawn:200')
        self.assert_pages(profile, self.data, [10, 12, 130, 200])

    def test_child_that_is_killed(self):
        profile = self.victim('fork_kill:64')
        self.assert_pages(profile, self.data, [64])

    def test_every_end_is_the_last_look(self):
        pages = {}
        for way, status in [('exit_now', 0), ('quick_exit', 0), ('kill', 128 + signal.SIGKILL),
                            ('exec', 0), ('execlp', 0)]:
            pages[way] = self.make_file(way)
            with self.subTest(way):
                profile = self.victim('PATH=' + pages[way], way + ':64', status=status)
                expected = {'exit_now': [64], 'quick_exit': [64]}.get(way, [64, 66])
                if way == 'execlp':  # keeps DATA, which names the other file
                    expected = [64]
                    self.assertEqual(sorted(profile.files[self.data]), [66])
                self.assert_pages(profile, pages[way], expected)

    def test_loaded_objects(self):
        with open(OBJECT, 'rb') as f:
            content = f.read()
        marked = content.index(b'the touched page') // PAGE
        for close in '01':
            with self.subTest(close=close):
                profile = self.victim('PATH=' + OBJECT, 'dlopen:' + close)
                pages = profile.files[OBJECT]
                self.assertIn(0, pages)
                self.assertIn(marked, pages)
                if 'with readahead' not in self.err:
                    # It has 69. The kernel maps up to 16 around a touched one if they are in
                    # memory, and some of what this test has read just now can escape the drop.
                    self.assertLess(len(pages), 6 + 2 * 16 + 1)
        self.assertIn('/etc/ld.so.cache', profile.files)

    def test_recorder_is_not_charged_to_the_program(self):
        profile = self.victim('map:1')
        self.assertIn(self.victim_path, profile.files)
        self.assertEqual([path for path in profile.files
                          if 'coldboost-record' in path or 'coldboost-trace' in path], [])

    def test_listed_directory(self):
        folder = os.path.join(self.folder, 'listed')
        os.mkdir(folder)
        profile = self.victim('PATH=' + folder, 'list:0')
        self.assertEqual(profile.directories, {folder})

    def test_paths_that_are_looked_up(self):
        profile = self.victim('look:0')
        calls = ('stat lstat fstatat statx access faccessat readlink readlinkat chdir open openat '
                 'fopen realpath').split()
        mine = {path for path in profile.paths if path.startswith(self.data)}
        self.assertEqual(mine, {f'{self.data}.{call}' for call in calls})
        self.assertLessEqual({'/missing-socket', '/usr/missing-here', '/usr/lib/missing-there'},
                             profile.paths)

    def test_what_libc_reads_for_a_call(self):
        profile = self.victim('libc:0')
        self.assertIn('/etc/passwd', profile.files)
        self.assertIn('/etc/nsswitch.conf', set(profile.files) | profile.paths)
        for call in range(5):
            profile = self.victim(f'zone:{call}')
            self.assertIn('/etc/localtime', set(profile.files) | profile.paths)

    def test_names_that_the_loader_looked_up(self):
        """Most libraries are found under the name of a link, and before any page is needed."""
        link = os.path.join(self.folder, 'libdirect.so')
        os.symlink(OBJECT, link)
        time.sleep(0.02)
        with unittest.mock.patch.dict(os.environ, LD_PRELOAD=link):
            profile = self.victim('pread:5')
        self.assertIn(link, profile.paths)
        self.assertIn(os.path.realpath(OBJECT), profile.files)
        self.assertEqual(profile.lookups[0][1:], ('/etc/ld.so.cache',))
        self.assertIn(link, [name for _, name in profile.lookups[:20]])
        self.assertLessEqual(dict(map(reversed, profile.lookups))[link], profile.epochs[0][0])

    def test_show_counts_lookups_apart(self):
        self.victim('pread:5')
        shown = subprocess.run([COLDBOOST, 'show', self.profile], capture_output=True, text=True,
                               check=True).stdout
        line = next(line for line in shown.splitlines() if line.endswith(self.data))
        self.assertEqual(line.split()[:3], ['4', '0%', '1'])

    def test_files_that_change_are_left_out(self):
        changing = {way: self.make_file(way) for way in ('write', 'unlink', 'rename')}
        ways = [word for way, path in changing.items() for word in (f'PATH={path}', f'{way}:3')]
        profile = self.victim(*ways, f'PATH={self.data}', 'pread:5')
        self.assertEqual(sorted(profile.files[self.data]), [5])
        for path in changing.values():
            self.assertNotIn(path, profile.files)
            self.assertNotIn(path + '.renamed', profile.files)

    def test_order_is_that_of_the_first_touch(self):
        for pause in (40, 400, 4000):  # a page counts as mapped since the look before: one must be
            profile = self.victim('pread:300', f'sleep:{pause}', 'map:200', f'sleep:{pause}',
                                  'pread:100', 'pread:300')
            mine = [(epoch, page) for epoch, path, page in profile.epochs if path == self.data]
            # With readahead, a fault maps up to 16 pages around the one that was touched.
            pages = [page // 16 for _, page in mine]
            if pages == [300 // 16, 200 // 16, 100 // 16]:
                break
        self.assertEqual(pages, [300 // 16, 200 // 16, 100 // 16])
        epochs = [epoch for epoch, _, _ in profile.epochs]
        self.assertEqual(epochs, sorted(epochs))
        self.assertLess(mine[0][0] + 3, mine[1][0])
        self.assertLess(mine[1][0] + 3, mine[2][0])

    def test_survives_closed_descriptors(self):
        profile = self.victim('pread:10', 'close_all:0', 'pread:20', 'map:130')
        self.assert_pages(profile, self.data, [10, 20, 130])

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

    def test_until_ready(self):
        script = ('import os, socket, time\n'
                  'a, b = socket.socketpair()\n'
                  f'fd = os.open({self.data!r}, os.O_RDONLY)\n'
                  'os.pread(fd, 1, 10 * 4096)\n'
                  'a.sendall(b"GET /2018-06-01/runtime/invocation/nix HTTP/1.1\\r\\n\\r\\n")\n'
                  'os.pread(fd, 1, 20 * 4096)\n'
                  'a.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\n\\r\\n")\n'
                  'os.pread(fd, 1, 30 * 4096)\n'
                  f'print(os.path.exists({self.profile!r}))\n')
        profile = self.record(sys.executable, '-c', script, options=['--until', 'ready'])
        self.assertEqual(sorted(profile.files[self.data]), [10, 20])
        self.assertEqual(self.out, 'True\n', 'goes on before the profile is written')

    def test_log(self):
        """What goes to the log is what would go to the file."""
        self.record(self.victim_path, 'pread:10', options=['--log'])
        self.assertFalse(os.path.exists(self.profile))
        frames = [line for line in self.err.splitlines() if not line.startswith('coldboost: recorded ')]
        self.assertTrue(frames and all(line.startswith('coldboost-profile/1 ') for line in frames), self.err)
        subprocess.run([COLDBOOST, 'merge', '-o', self.profile, '--from-log', '-'], input=self.err.encode(),
                       stdout=subprocess.PIPE, check=True)
        self.assertEqual(sorted(read_profile(self.profile).files[self.data]), [10])
        for log in '&-', '/dev/full':
            lost = subprocess.run(['sh', '-c', f'exec "$@" 2>{log}', 'sh', COLDBOOST, 'record', '--log', '--', 'true'],
                                  check=False)
            self.assertEqual(lost.returncode, 1, log)

    def test_map_rewrites_whole_components(self):
        other = self.make_file('data2')
        profile = self.victim('pread:1', f'PATH={other}', 'pread:2',
                              options=['--map', f'{self.data}=/var/task/data',
                                       '--map', f'{os.path.dirname(VICTIM)}/=/var/app/'])
        self.assertEqual(profile.files['/var/task/data'], {1})
        self.assertEqual(profile.mtimes['/var/task/data'], 0)
        relative = os.path.relpath(other, os.path.dirname(VICTIM))
        self.assertEqual(profile.files['/var/app/' + relative], {2})
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
                self.assertEqual(read_profile(self.profile).files[self.data], {10})

    def is_asleep(self, process):
        """Whether a child of the recording is in the victim's long sleep."""
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                with open(f'/proc/{pid}/stat') as f:
                    parent = int(f.read().rpartition(')')[2].split()[1])
                with open(f'/proc/{pid}/wchan') as f:
                    if parent == process.pid and 'nanosleep' in f.read():
                        return os.readlink(f'/proc/{pid}/exe') == self.victim_path
            except OSError:
                pass
        return False

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

    def test_real_programs_do_not_notice(self):
        self.check_real_programs([])

    def test_real_programs_do_not_notice_stacks(self):
        self.needs_stacks()
        self.check_real_programs([], ['--stacks'])

    def check_real_programs(self, prefix, options=()):
        java = 'class A { public static void main(String[] a) throws Exception {' \
               ' new ProcessBuilder("echo", "child").inheritIO().start().waitFor();' \
               ' System.out.println(a.length); System.exit(7); } }'
        with open(os.path.join(self.folder, 'A.java'), 'w') as f:
            f.write(java)
        with open(os.path.join(self.folder, 'a.c'), 'w') as f:
            f.write('#include <stdio.h>\nint main(void) { puts("built"); return 0; }\n')
        # In the end it has one thread again, as soon as those of its own have ended.
        python = ('import concurrent.futures as c, multiprocessing as m, subprocess, os, sys, time\n'
                  'print(list(c.ThreadPoolExecutor(4).map(len, ["a", "bb"])))\n'
                  'print(m.get_context("fork").Pool(2).map(abs, range(-5, 5)))\n'
                  'print(subprocess.run(["sh", "-c", "echo $0; exit 3"], close_fds=True))\n'
                  'print(subprocess.run(["env"], env={"A": "1"}, stdout=-1).stdout[:4])\n'
                  'while "Threads:\\t1\\n" not in open("/proc/self/status").read(): time.sleep(0.01)\n'
                  'sys.stdout.flush(); os._exit(9)\n')
        for name, command in {
                'bash': 'for i in 1 2 3; do (exit $i) | cat; echo ${PIPESTATUS[0]}; done;'
                        'while read -r line; do echo "$line"; done < A.java | sort | tail -1;'
                        'exec 5< a.c; cat <&5; trap "echo bye; exit 4" TERM; kill $$; sleep 1',
                'python': ['/usr/bin/python3', '-c', python],
                'perl': ['perl', '-e', 'open F, "<A.java"; print <F>; system("exit 3"); print $?;'
                                       'print `echo sub`; kill 9, $$'],
                'node': ['node', '-e', 'const c = require("child_process"), fs = require("fs");'
                         'console.log(fs.readFileSync("A.java", "utf8"), fs.readdirSync("."));'
                         'console.log(c.execSync("echo child; cat a.c").toString());'
                         'fs.promises.readFile("a.c").then(b => { console.log(b.length);'
                         'process.exit(5) })'],
                'java': ['java', 'A.java', 'x'],
                'gcc': 'gcc -O1 -o a a.c && ./a && rm a',
                'git': 'git init -q g && cd g && git add -A && git -c user.name=a -c user.email=b@c'
                       ' commit --allow-empty -qm m && git log --format=%s && cd .. && rm -r g',
                'tar': 'tar -cf - A.java a.c | gzip -n | gunzip | tar -tvf - ;'
                       'find . -name "*.c" | xargs -n1 wc',
                'env -i': ['env', '-i', '/bin/sh', '-c', 'echo $A; /bin/echo x'],
        }.items():
            if isinstance(command, str):
                command = ['bash', '-c', command]
            program = name if shutil.which(name) else command[0]
            if not shutil.which(program):
                continue
            with self.subTest(name):
                self.profile = self.folder + '.cbp'
                plain = subprocess.run(command, cwd=self.folder, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
                record = [COLDBOOST, 'record', '-o', self.profile, *options, '--', *prefix]
                recorded = subprocess.run(record + command, cwd=self.folder, check=False,
                                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                          stderr=subprocess.PIPE)
                status = plain.returncode if plain.returncode >= 0 else 128 - plain.returncode
                self.assertEqual(recorded.returncode, status, recorded.stderr)
                self.assertEqual(recorded.stdout, plain.stdout)
                lines = recorded.stderr.splitlines(keepends=True)
                self.assertEqual(b''.join(lines[:-1]), plain.stderr)
                self.assertTrue(lines[-1].startswith(b'coldboost: recorded '), lines[-1])
                os.unlink(self.profile)

    def test_full_disk_for_temporary_files(self):
        """The trace was a sparse file in TMPDIR once: the program got SIGBUS when it was full."""
        self.record('unshare', '-rm', 'true', status=None)
        if 'recorded' not in self.err:
            self.skipTest('no name spaces of our own here')
        full = os.path.join(self.folder, 'full')
        os.mkdir(full)
        script = ('mount -t tmpfs -o size=64k none "$0" && cat /dev/zero >"$0/fill" 2>/dev/null;'
                  'TMPDIR=$0 exec "$@"')
        result = subprocess.run(['unshare', '-rm', 'sh', '-c', script, full, COLDBOOST, 'record',
                                 '-o', self.profile, '--', VICTIM, 'pread:10', 'map:200', '7'],
                                env=dict(os.environ, DATA=self.data), check=False,
                                stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.assertEqual(result.returncode, 7, result.stderr)
        self.assertLessEqual({10, 200}, read_profile(self.profile).files[self.data])

    def needs_stacks(self):
        err = subprocess.run([COLDBOOST, 'record', '--stacks', '-o', self.profile, 'true'],
                             stderr=subprocess.PIPE, check=False).stderr
        if b'built without libunwind' in err:
            self.skipTest('built without libunwind')

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

    def test_dlopen_still_looks_at_its_caller(self):
        """$ORIGIN in the path to search is that of the object which calls dlopen."""
        folder = os.path.join(self.folder, 'private')
        os.mkdir(folder)
        shutil.copy(OBJECT, os.path.join(folder, 'libonly-here.so'))
        source, program = (os.path.join(self.folder, name) for name in ('d.c', 'd'))
        with open(source, 'w') as f:
            f.write('#include <dlfcn.h>\nint main(void) { return !dlopen("libonly-here.so", 1); }\n')
        subprocess.run(['cc', source, '-o', program, '-Wl,-rpath,$ORIGIN/private', '-ldl'], check=True)
        time.sleep(0.02)
        for options in [], ['--stacks']:
            if options:
                self.needs_stacks()
            self.assertIn(os.path.join(folder, 'libonly-here.so'),
                          self.record(program, options=options).files)

    def test_programs_without_dlsym(self):
        """Before glibc 2.34 it was in libdl, without which fopen and the start itself found no next."""
        program, source = (os.path.join(self.folder, name) for name in ('n', 'n.c'))
        with open(source, 'w') as f:
            f.write('#include <stdio.h>\nvoid *dlsym(void *a, const char *b) { return a && b ? NULL : a; }\n'
                    'int main(int n, char **a) { FILE *f = fopen(a[n - 1], "r"); return !f || getc(f); }\n')
        subprocess.run(['cc', '-w', '-rdynamic', source, '-o', program], check=True)
        self.assertEqual(self.record(program, self.data).files[self.data], {0})

    def test_musl(self):
        if not shutil.which('musl-gcc'):
            self.skipTest('no musl-gcc')
        program, source = (os.path.join(self.folder, name) for name in ('m', 'm.c'))
        with open(source, 'w') as f:
            f.write('#include <stdio.h>\n'
                    'int main(int n, char **a) { FILE *f = fopen(a[n - 1], "r"); return !f || getc(f); }\n')
        subprocess.run(['musl-gcc', source, '-o', program], check=True)
        self.assertIn(0, self.record(program, self.data).files[self.data])
        self.needs_stacks()
        self.assertIn(0, self.record(program, self.data, options=['--stacks']).files[self.data])
        self.assertIn('no call stack was recorded', self.err)

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
        size, extra = struct.unpack_from('<Q', content, 16)[0], len(content)
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

    def test_profile_stays_whole_when_it_cannot_be_written(self):
        self.profile = os.path.join(self.folder, 'absent', 'too', 'out.cbp')
        self.record(VICTIM, 'pread:1', status=1)
        self.assertIn('absent', self.err)

    def test_readahead_comes_back_even_after_sigkill(self):
        if os.geteuid() or not os.access('/sys/class/bdi', os.W_OK) or \
                not os.access('/proc/sys/vm/drop_caches', os.W_OK):
            self.skipTest('it takes root, outside of a container, to turn readahead off')

        def settings():
            result = {}
            for device in os.listdir('/sys/class/bdi'):
                with open(f'/sys/class/bdi/{device}/read_ahead_kb') as f:
                    result[device] = f.read()
            return result
        before = settings()
        if not any(map(int, before.values())):
            self.skipTest('readahead is off already')
        process = self.start(VICTIM, 'await:' + os.path.join(self.folder, 'never'))
        deadline = time.monotonic() + 60
        while (during := settings()) == before and time.monotonic() < deadline:
            time.sleep(0.02)
        process.kill()
        process.wait()
        deadline = time.monotonic() + 60
        while (after := settings()) != before and time.monotonic() < deadline:
            time.sleep(0.02)
        self.end_all()
        for device, value in before.items():  # never leave a machine without readahead
            if int(value):
                with open(f'/sys/class/bdi/{device}/read_ahead_kb', 'w') as f:
                    f.write(value)
        self.assertEqual(after, before)
        self.assertNotEqual(during, before)


if __name__ == '__main__':
    unittest.main(argv=[sys.argv[0], *sys.argv[5:]], verbosity=2)
