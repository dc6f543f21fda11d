"""What has gone wrong once when a file was written: each test tells what a user saw.

Usage: output.py COLDBOOST WITHOUT_TLS OWN_ENTRY FILTERED [CASE…]
"""

import os
import stat
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from profiles import MAGIC  # noqa: E402
from regress_case import COLDBOOST, RegressCase  # noqa: E402


class Output(RegressCase):
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
        self.assertTrue(content.startswith((MAGIC, b'PK\x03\x04', b'<svg ')), content[:40])

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
        path, other = self.make_file('path'), self.make_file('other', b'before' * 200000)
        if subprocess.run(['unshare', '-rm', 'mount', '--bind', other, path], check=False,
                          stderr=subprocess.DEVNULL).returncode:
            self.skipTest('no name spaces of our own here')
        prefix = ['unshare', '-rm', 'sh', '-c', 'mount --bind "$0" "$1" && shift && exec "$@"', other, path]
        for name, write in self.each_way(prefix):
            with self.subTest(name):
                write(path)
                self.assert_is_output(self.content(other))
                self.assertLess(os.stat(other).st_size, 1200000)
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


cases.main()
