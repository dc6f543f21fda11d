"""A file system that takes every request and answers some: so that the look-up, the open or the read is what
hangs. The kernel does not let go of a thread whose request a FUSE server has taken.
"""

import ctypes
import os
import select
import struct
import threading
import time

from profiles import PAGE_BYTES

LIBC = ctypes.CDLL(None, use_errno=True)
MS_NOSUID_NODEV, MNT_DETACH = 6, 2
# Of linux/fuse.h, version 7.31: numbers of requests, and what answers them.
LOOKUP, FORGET, GETATTR, OPEN, READ, INIT = 1, 2, 3, 14, 15, 26
ATTRIBUTES = struct.Struct("<6Q10I")
FILE_PAGES = 4
HANGS = {"look-up": (), "open": (LOOKUP, GETATTR), "read": (LOOKUP, GETATTR, OPEN)}
PATIENCE_S = 60


class HangingStore:
    """A mount, for a with statement. `taken` counts the requests that hang."""

    def __init__(self, folder, answered, error=0):
        """error: what the others get for an answer, where they get one."""
        self.folder = folder
        self.answered = answered
        self.error = error
        self.taken = 0

    def __enter__(self):
        self.device = os.open("/dev/fuse", os.O_RDWR | os.O_NONBLOCK)
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other"
        failed = LIBC.mount(b"hangs", self.folder.encode(), b"fuse", MS_NOSUID_NODEV, options.encode())
        if failed:
            os.close(self.device)
            raise OSError(ctypes.get_errno(), "mount")
        self.over, self.end = os.pipe()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        return self

    def __exit__(self, *_):
        """Whoever still waits gets an error."""
        os.close(self.end)
        self.thread.join()
        LIBC.umount2(self.folder.encode(), MNT_DETACH)
        os.close(self.device)
        os.close(self.over)

    def serve(self):
        while True:
            ready, _, _ = select.select([self.device, self.over], [], [])
            if self.over in ready:
                return
            try:
                self.take(os.read(self.device, 1 << 18))
            except OSError:
                pass  # the request has been taken back

    def take(self, request):
        _, number, unique, node = struct.unpack_from("<IIQQ", request)
        if number == INIT:
            self.answer(unique, struct.pack("<IIIIHHIIHHI28x", 7, 31, 1 << 17, 0, 12, 9, 1 << 17, 1, 32, 0, 0))
        elif number == LOOKUP and number in self.answered:
            self.answer(unique, struct.pack("<4QII", 2, 0, 0, 0, 0, 0) + self.attributes(2))
        elif number == GETATTR and number in self.answered:
            self.answer(unique, struct.pack("<QII", 0, 0, 0) + self.attributes(node))
        elif number == OPEN and number in self.answered:
            self.answer(unique, struct.pack("<QII", 1, 0, 0))
        elif self.error and number != FORGET:
            os.write(self.device, struct.pack("<IiQ", 16, -self.error, unique))
        else:
            self.taken += number != FORGET

    def wait(self):
        """Whether a request hangs, now or soon."""
        for _ in range(PATIENCE_S * 100):
            if self.taken:
                return True
            time.sleep(0.01)
        return False

    @staticmethod
    def attributes(node):
        mode, size = (0o40755, 0) if node == 1 else (0o100644, FILE_PAGES * PAGE_BYTES)
        return ATTRIBUTES.pack(node, size, 8, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, PAGE_BYTES, 0)

    def answer(self, unique, body):
        os.write(self.device, struct.pack("<IiQ", 16 + len(body), 0, unique) + body)
