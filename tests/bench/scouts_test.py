"""On a store that is slow to bring a chunk, the replay waits for many chunks at once, unless it was
told how many workers to have.

Usage: scouts_test.py SLOWFS OBJECT PROGRAM

PROGRAM starts with a profile of one page in each of many files, which lie on slowfs. How many of
their chunks were waited for at once is in slowfs's own statistics.
"""

import os
import re
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from coldboost_support import PAGE_BYTES, Checks, Profile, plain_environment, run  # noqa: E402
from slowfs_test import Mount  # noqa: E402

CHUNKS = 48
WORKERS = 3


def start(checks, mount, folder, program, library, **settings):
    profile = Profile()
    files = [profile.file(mount.path(str(i))) for i in range(CHUNKS)]
    lookup = profile.file(mount.path("missing"), kind=2, size=0, mtime_ns=0)
    pages = [(file, 5, 1, epoch) for epoch, file in enumerate(files)]
    profile.section(os.path.realpath(program), [*pages, (lookup, 0, 0, CHUNKS)])
    environment = {
        **plain_environment("/"),
        "LD_PRELOAD": os.path.abspath(library),
        "COLDBOOST": "force",
        "COLDBOOST_MODE": "sync",
        "COLDBOOST_PROFILE": profile.write(os.path.join(folder, "profile.cbp")),
        "COLDBOOST_VERBOSE": "1",
        **settings,
    }
    outcome = run([program], environment)
    report = dict(re.findall(r"(\w+)=(\S+)", outcome.stderr.decode()))
    checks.equal(outcome.status, 0, f"{program} with {settings}")
    checks.equal(report.get("ranges"), f"{CHUNKS + 1}/{CHUNKS + 1}", f"ranges with {settings}")
    checks.equal(report.get("state"), "done", f"state with {settings}")
    chunks, _, _, most_at_once = mount.counted()
    checks.equal(chunks, CHUNKS, f"chunks with {settings}")
    return most_at_once


def main():
    slowfs, library, program = map(os.path.abspath, sys.argv[1:4])
    checks = Checks()
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        checks.skip("scouts", "no /dev/fuse here")
        return checks.exit_code()
    with tempfile.TemporaryDirectory(prefix="coldboost-scouts-") as folder:
        os.mkdir(f"{folder}/source")
        for i in range(CHUNKS):
            with open(f"{folder}/source/{i}", "wb") as out:
                out.truncate(10 * PAGE_BYTES)
        with Mount(slowfs, f"{folder}/source") as mount:
            at_once = start(checks, mount, folder, program, library)
            checks.check(at_once > WORKERS, f"{at_once} chunks at once of a slow store")
        with Mount(slowfs, f"{folder}/source") as mount:
            at_once = start(checks, mount, folder, program, library, COLDBOOST_WORKERS=str(WORKERS))
            checks.check(at_once <= WORKERS, f"{at_once} chunks at once by {WORKERS} workers")
    return checks.exit_code()


if __name__ == "__main__":
    sys.exit(main())
