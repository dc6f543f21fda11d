"""The profile names every page that the victim touched, and nothing else; see record_case.py.

Usage: touched.py HOW COLDBOOST VICTIM OBJECT CALLER STATIC_VICTIM [CASE…]
"""

import os
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from record_case import COLDBOOST, RecordCase  # noqa: E402


class Touched(RecordCase):
    def test_every_read_call_and_nothing_else(self):
        profile = self.victim('read:10', 'readv:20', 'pread:30', 'preadv:40', 'preadv2:50',
                              'sendfile:60', 'splice:70', 'copy:80', 'dup:90')
        self.assertEqual(sorted(profile.files[self.data]),
                         [10, 11, 20, 30, 40, 50, 52, 60, 62, 70, 80, 90])
        self.assertEqual(profile.executables, [self.victim_path])

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


cases.main()
