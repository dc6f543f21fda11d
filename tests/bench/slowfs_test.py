"""slowfs shows a folder as it is, lets every chunk arrive once, forgets when told, and is read-only.

Usage: slowfs_test.py SLOWFS

What was slow is read from slowfs's own statistics, not from a clock.
"""

import errno
import fcntl
import filecmp
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from coldboost_support import Checks, plain_environment, run  # noqa: E402

CHUNK = 64 << 10
LATENCY_US = 20000
FORGET = 0x7301
STATISTICS = 0x80207302
SIZES = {"empty": 0, "one": 1, "chunk": CHUNK, "more": CHUNK + 1, "large": 10 * CHUNK + 777}


class Mount:
    """A slowfs mount, for a with statement."""

    def __init__(self, slowfs, source, *options):
        self.slowfs = slowfs
        self.command = [slowfs, "--latency-us", str(LATENCY_US), "--chunk-kib", str(CHUNK >> 10)]
        self.command += [*options, source]  # the last of an option counts

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="coldboost-slowfs-")
        subprocess.run([*self.command, self.folder], check=True)
        self.control = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        return self

    def __exit__(self, *_):
        os.close(self.control)
        subprocess.run(
            ["umount", self.folder] if os.geteuid() == 0 else ["fusermount3", "-u", self.folder], check=True
        )
        os.rmdir(self.folder)

    def counted(self):
        """Chunks since the last forget, reads, microseconds waited, most chunks at once."""
        return struct.unpack("4Q", fcntl.ioctl(self.control, STATISTICS, bytes(32)))

    def path(self, name):
        return os.path.join(self.folder, name)

    def evict(self, name):
        """From the kernel's page cache, not from slowfs's memory of chunks."""
        fd = os.open(self.path(name), os.O_RDONLY)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


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


def test_content(checks, slowfs, source):
    with Mount(slowfs, source) as mount:
        for root, folders, files in os.walk(source):
            there = mount.path(os.path.relpath(root, source))
            checks.equal(sorted(os.listdir(there)), sorted(folders + files), f"entries of {root}")
            for name in files:
                mine, theirs = os.path.join(root, name), os.path.join(there, name)
                left, right = os.lstat(mine), os.lstat(theirs)
                for field in ("st_mode", "st_size", "st_mtime_ns", "st_nlink", "st_ino"):
                    checks.equal(getattr(right, field), getattr(left, field), f"{field} of {name}")
                if os.path.islink(mine):
                    checks.equal(os.readlink(theirs), os.readlink(mine), f"target of {name}")
                if os.path.exists(mine):
                    checks.check(filecmp.cmp(mine, theirs, shallow=False), f"content of {name}")
        checks.check(not os.path.exists(mount.path("absent")), "a name that is not there")


def test_chunks(checks, slowfs, source):
    with Mount(slowfs, source) as mount:
        checks.equal(mount.counted()[0], 0, "chunks before anything is read")
        os.stat(mount.path("large"))
        os.listdir(mount.folder)
        checks.equal(mount.counted()[0], 0, "chunks after looking only")
        expected = 0
        for name, size in SIZES.items():
            expected += chunks_of(size)
            read(mount.path(name))
            checks.equal(mount.counted()[0], expected, f"chunks after the first read of {name}")
        checks.equal(mount.counted()[2], expected * LATENCY_US, "time waited for them")

        checks.equal(reads_when_warm(mount), 0, "reads of what the page cache keeps")
        reads = mount.counted()[1]
        mount.evict("large")
        read(mount.path("large"))
        counted = mount.counted()
        checks.check(counted[1] > reads, "an evicted file is read again")
        checks.equal(counted[0], expected, "chunks after a second read")
        checks.equal(counted[2], expected * LATENCY_US, "time waited after a second read")

        run_control = subprocess.run([slowfs, "--forget", mount.folder], check=False)
        checks.equal(run_control.returncode, 0, "slowfs --forget")
        checks.equal(mount.counted()[0], 0, "chunks after forgetting")
        mount.evict("large")
        checks.check(read(mount.path("large")) == read(f"{source}/large"), "content after forgetting")
        counted = mount.counted()
        checks.equal(counted[0], chunks_of(SIZES["large"]), "chunks after forgetting and reading")
        checks.equal(counted[2], (expected + counted[0]) * LATENCY_US, "time waited after forgetting")

        fd = os.open(mount.path("holes"), os.O_RDONLY)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
        for offset in (3 * CHUNK + 5, 2 * CHUNK - 1):
            before = mount.counted()[0]
            for _ in range(2):
                os.pread(fd, 1, offset)
            checks.equal(mount.counted()[0], before + 1, f"chunks after the one byte at {offset}")
        os.close(fd)

        printed = subprocess.run([slowfs, "--statistics", mount.folder], stdout=subprocess.PIPE,
                                 text=True, check=False).stdout
        names = ("chunks", "reads", "delay_us", "most_at_once")
        checks.equal(printed, "".join(f"{name} {value}\n" for name, value
                                      in zip(names, mount.counted())), "slowfs --statistics")
        checks.equal(subprocess.run([slowfs, "--forget", source], stderr=subprocess.DEVNULL,
                                    check=False).returncode, 1, "slowfs --forget elsewhere")


def test_parallel(checks, slowfs, source):
    """Several readers wait together, but no more than set; of one chunk, all wait for one arrival."""
    for limit in (1, 3):
        with Mount(slowfs, source, "--parallel", str(limit)) as mount:
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
            checks.equal(counted[0], 8, f"chunks, {limit} at once")
            checks.equal(counted[3], limit, "most at once")


def test_read_only(checks, slowfs, source):
    with Mount(slowfs, source) as mount:
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
                checks.check(False, f"{name} succeeded")
            except OSError as error:
                checks.equal(error.errno, errno.EROFS, f"errno of {name}")


def test_programs(checks, slowfs):
    """Programs are mapped and run from it, a whole system's: the root folder, in a namespace of its own."""
    if os.geteuid() != 0:
        checks.skip("programs", "needs root, for chroot")
        return
    programs = {
        "python3": ["-c", "import json, ssl, sqlite3; print(json.dumps({'a': [1, 2]}))"],
        "node": ["-e", "console.log(require('zlib').gzipSync('x').length)"],
        "java": ["-Xshare:auto", "-version"],
    }
    script = ('mount --rbind /proc "$1/proc" && mount --rbind /dev "$1/dev" && root=$1 && shift && '
              'exec chroot "$root" "$@"')
    environment = plain_environment("/")
    with Mount(slowfs, "/", "--latency-us", "500", "--chunk-kib", "512") as mount:
        for name, arguments in programs.items():
            path = shutil.which(name, path=environment["PATH"])
            if not path:
                checks.skip(name, "not installed")
                continue
            directly = run([path, *arguments], environment, cwd="/")
            through = run(["unshare", "-m", "sh", "-c", script, "sh", mount.folder, path, *arguments],
                          environment, cwd="/")
            checks.equal(directly.status, 0, name)
            found = "; ".join(directly.differences(through))
            checks.check(not found, f"{name} through slowfs: {found}")
        checks.check(mount.counted()[0] > 0, "chunks of programs")


def main():
    slowfs = os.path.abspath(sys.argv[1])
    checks = Checks()
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        checks.skip("slowfs", "no /dev/fuse here")
        return checks.exit_code()
    with tempfile.TemporaryDirectory(prefix="coldboost-slowfs-source-") as source:
        make_source(source)
        test_content(checks, slowfs, source)
        test_chunks(checks, slowfs, source)
        test_parallel(checks, slowfs, source)
        test_read_only(checks, slowfs, source)
    test_programs(checks, slowfs)
    return checks.exit_code()


if __name__ == "__main__":
    sys.exit(main())
