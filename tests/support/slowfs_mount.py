"""A mount of tests/bench/slowfs.c, and what it has counted."""

import fcntl
import os
import struct
import subprocess
import tempfile

CHUNK = 64 << 10
LATENCY_US = 20000
STATISTICS = 0x80207302


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
