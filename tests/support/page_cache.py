"""Which pages of a file are in memory, and how to have none there.

mincore() tells the truth about files of one's own, and unlike reading it starts nothing itself.
"""

import ctypes
import mmap
import os

from profiles import PAGE_BYTES

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mmap.restype = ctypes.c_void_p
LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
LIBC.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
LIBC.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]


def resident_pages(path):
    """The set of the file's pages that are in memory."""
    fd = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(fd).st_size
        if not size:
            return set()
        pages = -(-size // PAGE_BYTES)
        address = LIBC.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
        vector = (ctypes.c_ubyte * pages)()
        failed = LIBC.mincore(address, size, vector)
        LIBC.munmap(address, size)
    finally:
        os.close(fd)
    if failed:
        raise OSError(ctypes.get_errno(), "mincore", path)
    return {page for page in range(pages) if vector[page] & 1}


def evict(path):
    """Takes a file out of the page cache, and nothing else."""
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)
