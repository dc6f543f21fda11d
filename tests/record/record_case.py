"""A victim program is recorded, and the profile must name exactly what it touched: what these tests share.

HOW the victim is recorded is "preloaded" or "outside": a static program, which is watched from there.
"""

import ctypes
import os
import signal
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from cases import Case, take  # noqa: E402
from profiles import DIRECTORY, PATH, read_profile  # noqa: E402

HOW, *PATHS = take("HOW COLDBOOST VICTIM OBJECT CALLER STATIC_VICTIM")
COLDBOOST, VICTIM, OBJECT, CALLER, STATIC = map(os.path.abspath, PATHS)
PAGE = 4096
PAGES = 512
PATIENCE = 600  # seconds: for a machine that is busy, or stopped for a while
LIBC = ctypes.CDLL(None, use_errno=True)


class Recorded:
    """What a profile says: executables in order; {file: pages}; directories; paths that were only looked
    up; [(epoch, file, first page)] and look-ups [(epoch, path)] in order."""

    def __init__(self, path):
        contents = read_profile(path)
        self.executables = contents.executables
        self.files = contents.pages()
        self.directories = {entry.file.path for entry in contents.lookups if entry.file.kind == DIRECTORY}
        self.paths = {entry.file.path for entry in contents.lookups if entry.file.kind == PATH}
        self.epochs = [(entry.epoch, entry.file.path, entry.first_page) for entry in contents.ranges]
        self.lookups = [(entry.epoch, entry.file.path) for entry in contents.lookups]
        self.mtimes = {file.path: file.mtime_ns for file in contents.files}


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


class RecordCase(Case):
    victim_path = STATIC if HOW == "outside" else VICTIM

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
        self.folder = self.new_folder(dir='/var/tmp')
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
        return Recorded(self.profile) if os.path.exists(self.profile) else None

    def victim(self, *ways, **keywords):
        return self.record(self.victim_path, *ways, **keywords)

    def assert_pages(self, profile, path, expected):
        """Exactly these pages; where readahead could not be turned off, at least these."""
        pages = profile.files.get(path, set())
        if 'with readahead' in self.err:
            self.assertLessEqual(set(expected), pages)
        else:
            self.assertEqual(sorted(pages), sorted(expected))

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

    def needs_stacks(self):
        err = subprocess.run([COLDBOOST, 'record', '--stacks', '-o', self.profile, 'true'],
                             stderr=subprocess.PIPE, check=False).stderr
        if b'built without libunwind' in err:
            self.skipTest('built without libunwind')

    def wait_for(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)
