"""What a recorder sees that is preloaded: each wrapped function, what is loaded and looked up.

Usage: preloaded.py HOW COLDBOOST VICTIM OBJECT CALLER STATIC_VICTIM [CASE…]
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import unittest.mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from record_case import CALLER, COLDBOOST, OBJECT, PAGE, VICTIM, Recorded, RecordCase  # noqa: E402


class Preloaded(RecordCase):
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

    def test_until_listen(self):
        script = ('import os, socket\n'
                  f'fd = os.open({self.data!r}, os.O_RDONLY)\n'
                  'os.pread(fd, 1, 10 * 4096)\n'
                  'server = socket.socket()\n'
                  'server.bind(("127.0.0.1", 0))\n'
                  'server.listen()\n'
                  'os.pread(fd, 1, 30 * 4096)\n')
        profile = self.record(sys.executable, '-c', script, options=['--until', 'listen'])
        self.assertEqual(sorted(profile.files[self.data]), [10])

    def test_until_port(self):
        script = ('import os, socket, time\n'
                  f'fd = os.open({self.data!r}, os.O_RDONLY)\n'
                  'os.pread(fd, 1, 10 * 4096)\n'
                  'server = socket.socket()\n'
                  'server.bind(("127.0.0.1", {port}))\n'
                  'server.listen()\n'
                  'server.settimeout(10)\n'
                  'server.accept()\n'
                  'for _ in range(1000):\n'
                  f'    if not os.path.exists({self.profile!r}):\n'
                  '        time.sleep(0.01)\n'
                  'os.pread(fd, 1, 30 * 4096)\n')
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = free.getsockname()[1]
        profile = self.record(sys.executable, '-c', script.replace('{port}', str(port)),
                              options=['--until', f'port={port}'])
        self.assertEqual(sorted(profile.files[self.data]), [10])

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
        self.assertLessEqual({10, 200}, Recorded(self.profile).files[self.data])

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


cases.main()
