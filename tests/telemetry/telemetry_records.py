"""Records of telemetry, decoded from the description in src/start/telemetry.h with Python's own CRC-32:
two readings of one format that have to agree.
"""

import struct
import zlib

MAGIC = b"\xcbTR\0"
LAYOUT = struct.Struct("<4sHHQQQQIIIIIII11B21sI")
FIELDS = (
    "magic version size time_ns elapsed_ns bytes_asked bytes_resident profile_id process_id ranges"
    " ranges_total stale_files major_faults memory_mib event start role init_type plan method state"
    " arm budget_hits workers holdout program crc32"
).split()
START, END = 1, 2
UNKNOWN, COLD, WARM, RESTART = range(4)
OTHER, RUNTIME, EXTENSION, SHELL, CHILD = range(5)
NONE, ON_DEMAND, PROVISIONED, SNAP_START, MANAGED = range(5)
NO_PLAN, PROFILE, BLIND = range(3)
NO_METHOD, THREAD, PROCESS, SYNC, RUN = range(5)
NO_STATE, DONE, SKIPPED, BUDGET, UNFINISHED, BAD_PROFILE = range(6)
BOOSTED, HOLDOUT = 1, 2


class Record:
    def __init__(self, raw):
        self.__dict__.update(zip(FIELDS, LAYOUT.unpack(raw)))
        assert (self.magic, self.version, self.size) == (MAGIC, 1, LAYOUT.size), raw
        assert self.crc32 == zlib.crc32(raw[:-4]), raw
        self.program = self.program.rstrip(b"\0").decode()

    def __repr__(self):
        return str(self.__dict__)


def encode(**fields):
    """The bytes of a record; what is not given is as in a boosted cold start."""
    values = {name: 0 for name in FIELDS}
    values.update(magic=MAGIC, version=1, size=LAYOUT.size, event=START, start=COLD, plan=PROFILE)
    values.update(method=THREAD, state=DONE, arm=BOOSTED, program=b"app")
    values.update(fields)
    raw = LAYOUT.pack(*(values[name] for name in FIELDS))
    return raw[:-4] + struct.pack("<I", zlib.crc32(raw[:-4]))
