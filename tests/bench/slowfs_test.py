"""slowfs shows a folder as it is, lets every chunk arrive once, forgets when told, and is read-only.

Usage: slowfs_test.py SLOWFS [CASE…]

What was slow is read from slowfs's own statistics, not from a clock.
"""

import errno
import filecmp
import os
import shutil
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import plain_environment, run  # noqa: E402
from slowfs_mount import CHUNK, LATENCY_US, Mount  # noqa: E402

SLOWFS = os.path.abspath(cases.take("SLOWFS"))
SIZES = {"empty": 0, "one": 1, "chunk": CHUNK, "more": CHUNK + 1, "large": 10 * CHUNK + 777}


def read(path):
    with open(path, "rb") as file:
        return file.read()


def reads_when_warm(mount):
    """That reach slowfs while a file is read for the second time: 0, unless another process of this
    machine just dropped the caches."""
    read(mount.path("large"))
    before = mount.counted()[1]
    read(mount.path("large"))
    return mount.counted()[1] - before


def chunks_of(size):
    return -(-size // CHUNK)


def make_source(folder):
    for name, size in SIZES.items():
        with open(f"{folder}/{name}", "wb") as out:
            out.write(os.urandom(size))
    with open(f"{folder}/holes", "wb") as out:
        out.truncate(5 * CHUNK)
    os.makedirs(f"{folder}/deep/er")
    shutil.copy(f"{folder}/more", f"{folder}/deep/er/more")
    os.symlink("../large", f"{folder}/deep/link")
    os.symlink("nowhere", f"{folder}/dangling")
    os.chmod(f"{folder}/one", 0o640)


class Slowfs(cases.Case):
    @classmethod
    def setUpClass(cls):
        if not os.access("/dev/fuse", os.R_OK | os.W_OK):
            raise cases.SkipTest("no /dev/fuse here")
        cls.source = cls.shared_folder()
        make_source(cls.source)

    def test_content(self):
        with Mount(SLOWFS, self.source) as mount:
            for root, folders, files in os.walk(self.source):
                there = mount.path(os.path.relpath(root, self.source))
                self.equal(sorted(os.listdir(there)), sorted(folders + files), f"entries of {root}")
                for name in files:
                    mine, theirs = os.path.join(root, name), os.path.join(there, name)
                    left, right = os.lstat(mine), os.lstat(theirs)
                    for field in ("st_mode", "st_size", "st_mtime_ns", "st_nlink", "st_ino"):
                        self.equal(getattr(right, field), getattr(left, field), f"{field} of {name}")
                    if os.path.islink(mine):
                        self.equal(os.readlink(theirs), os.readlink(mine), f"target of {name}")
                    if os.path.exists(mine):
                        self.check(filecmp.cmp(mine, theirs, shallow=False), f"content of {name}")
            self.check(not os.path.exists(mount.path("absent")), "a name that is not there")

    def test_chunks(self):
        with Mount(SLOWFS, self.source) as mount:
            self.equal(mount.counted()[0], 0, "chunks before anything is read")
            os.stat(mount.path("large"))
            os.listdir(mount.folder)
            self.equal(mount.counted()[0], 0, "chunks after looking only")
            expected = 0
            for name, size in SIZES.items():
                expected += chunks_of(size)
                read(mount.path(name))
                self.equal(mount.counted()[0], expected, f"chunks after the first read of {name}")
            self.equal(mount.counted()[2], expected * LATENCY_US, "time waited for them")

            self.equal(reads_when_warm(mount), 0, "reads of what the page cache keeps")
            reads = mount.counted()[1]
            mount.evict("large")
            read(mount.path("large"))
            counted = mount.counted()
            self.check(counted[1] > reads, "an evicted file is read again")
            self.equal(counted[0], expected, "chunks after a second read")
            self.equal(counted[2], expected * LATENCY_US, "time waited after a second read")

            run_control = subprocess.run([SLOWFS, "--forget", mount.folder], check=False)
            self.equal(run_control.returncode, 0, "slowfs --forget")
            self.equal(mount.counted()[0], 0, "chunks after forgetting")
            mount.evict("large")
            self.check(read(mount.path("large")) == read(f"{self.source}/large"), "content after forgetting")
            counted = mount.counted()
            self.equal(counted[0], chunks_of(SIZES["large"]), "chunks after forgetting and reading")
            self.equal(counted[2], (expected + counted[0]) * LATENCY_US, "time waited after forgetting")

            fd = os.open(mount.path("holes"), os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
            for offset in (3 * CHUNK + 5, 2 * CHUNK - 1):
                before = mount.counted()[0]
                for _ in range(2):
                    os.pread(fd, 1, offset)
                self.equal(mount.counted()[0], before + 1, f"chunks after the one byte at {offset}")
            os.close(fd)

            printed = subprocess.run([SLOWFS, "--statistics", mount.folder], stdout=subprocess.PIPE,
                                     text=True, check=False).stdout
            names = ("chunks", "reads", "delay_us", "most_at_once")
            self.equal(printed, "".join(f"{name} {value}\n" for name, value
                                          in zip(names, mount.counted())), "slowfs --statistics")
            self.equal(subprocess.run([SLOWFS, "--forget", self.source], stderr=subprocess.DEVNULL,
                                        check=False).returncode, 1, "slowfs --forget elsewhere")

    def test_parallel(self):
        """Several readers wait together, but no more than set; of one chunk, all wait for one arrival."""
        for limit in (1, 3):
            with Mount(SLOWFS, self.source, "--parallel", str(limit)) as mount:
                def read_byte(chunk, page):
                    fd = os.open(mount.path("large"), os.O_RDONLY)
                    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
                    os.pread(fd, 1, chunk * CHUNK + page * 4096)
                    os.close(fd)

                readers = [threading.Thread(target=read_byte, args=[i % 8, i // 8]) for i in range(16)]
                for reader in readers:
                    reader.start()
                for reader in readers:
                    reader.join()
                counted = mount.counted()
                self.equal(counted[0], 8, f"chunks, {limit} at once")
                self.equal(counted[3], limit, "most at once")

    def test_read_only(self):
        with Mount(SLOWFS, self.source) as mount:
            attempts = {
                "open": lambda: os.open(mount.path("one"), os.O_WRONLY),
                "create": lambda: os.open(mount.path("new"), os.O_WRONLY | os.O_CREAT),
                "truncate": lambda: os.truncate(mount.path("one"), 0),
                "unlink": lambda: os.unlink(mount.path("one")),
                "rename": lambda: os.rename(mount.path("one"), mount.path("two")),
                "mkdir": lambda: os.mkdir(mount.path("folder")),
                "chmod": lambda: os.chmod(mount.path("one"), 0o777),
                "utime": lambda: os.utime(mount.path("one")),
            }
            for name, attempt in attempts.items():
                try:
                    attempt()
                    self.check(False, f"{name} succeeded")
                except OSError as error:
                    self.equal(error.errno, errno.EROFS, f"errno of {name}")

    def test_programs(self):
        """Programs are mapped and run from it, a whole system's: the root folder, in a namespace of its own."""
        if os.geteuid() != 0:
            self.skipTest("needs root, for chroot")
        programs = {
            "python3": ["-c", "import json, ssl, sqlite3; print(json.dumps({'a': [1, 2]}))"],
            "node": ["-e", "console.log(require('zlib').gzipSync('x').length)"],
            "java": ["-Xshare:auto", "-version"],
        }
        script = ('mount --rbind /proc "$1/proc" && mount --rbind /dev "$1/dev" && root=$1 && shift && '
                  'exec chroot "$root" "$@"')
        environment = plain_environment("/")
        with Mount(SLOWFS, "/", "--latency-us", "500", "--chunk-kib", "512") as mount:
            for name, arguments in programs.items():
                path = shutil.which(name, path=environment["PATH"])
                if not path:
                    self.skip(name, "not installed")
                    continue
                directly = run([path, *arguments], environment, cwd="/")
                through = run(["unshare", "-m", "sh", "-c", script, "sh", mount.folder, path, *arguments],
                              environment, cwd="/")
                self.equal(directly.status, 0, name)
                found = "; ".join(directly.differences(through))
                self.check(not found, f"{name} through slowfs: {found}")
            self.check(mount.counted()[0] > 0, "chunks of programs")


cases.main()
