"""The disk's read-ahead window while something is measured: what most disks have, not this one's."""

import os

READ_AHEAD_KB = '128'


class ReadAhead:
    """Sets the window of the disk of a folder, for a with statement."""

    def __init__(self, folder):
        device = os.stat(folder).st_dev
        self.path = f'/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb'

    def __enter__(self):
        with open(self.path, encoding='ascii') as file:
            self.before = file.read()
        self.set(READ_AHEAD_KB)

    def __exit__(self, *_):
        self.set(self.before)

    def set(self, value):
        with open(self.path, 'w', encoding='ascii') as file:
            file.write(value)
