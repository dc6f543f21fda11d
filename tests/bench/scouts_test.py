"""On a store that is slow to bring a chunk, the replay waits for many chunks at once, unless it was
told how many workers to have. A store that the program is not on may hang, and is left alone.

Usage: scouts_test.py SLOWFS OBJECT PROGRAM

PROGRAM starts with a profile of 128 KiB in each of many files, a run each, which lie on slowfs, as it
does. How many of their chunks were waited for at once is in slowfs's own statistics.
"""

import os
import re
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from coldboost_support import PAGE_BYTES, Checks, Profile, plain_environment, run  # noqa: E402
from slowfs_test import Mount  # noqa: E402

CHUNKS = 48
PAGES = 32
DEFAULT_WORKERS = 8
WORKERS = 3


def start(checks, mount, folder, program, library, **settings):
    """What the report says, chunks that were touched, and most at once."""
    profile = Profile()
    files = [profile.file(mount.path(str(i))) for i in range(CHUNKS)]
    lookup = profile.file(mount.path("missing"), kind=2, size=0, mtime_ns=0)
    pages = [(file, 0, PAGES, epoch) for epoch, file in enumerate(files)]
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
    run([program, "wait"], plain_environment("/"))
    before = mount.counted()[0]
    outcome = run([program, "wait"], environment)
    report = dict(re.findall(r"(\w+)=(\S+)", outcome.stderr.decode()))
    checks.equal(outcome.status, 0, f"{program} with {settings}")
    checks.equal(report.get("ranges"), f"{CHUNKS + 1}/{CHUNKS + 1}", f"ranges with {settings}")
    checks.equal(report.get("state"), "done", f"state with {settings}")
    chunks, _, _, most_at_once = mount.counted()
    return report, chunks - before, most_at_once


def own_store(checks, mount, folder, library, **settings):
    report, chunks, at_once = start(checks, mount, folder, mount.path("program"), library, **settings)
    checks.equal(report.get("stale_files"), "0", f"stale files with {settings}")
    checks.equal(chunks, CHUNKS, f"chunks with {settings}")
    return at_once


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
                out.truncate(PAGES * PAGE_BYTES)
        shutil.copy(program, f"{folder}/source/program")
        with Mount(slowfs, f"{folder}/source", "--chunk-kib", "512") as mount:
            at_once = own_store(checks, mount, folder, library)
            checks.check(at_once > DEFAULT_WORKERS, f"{at_once} chunks at once of a slow store")
        with Mount(slowfs, f"{folder}/source", "--chunk-kib", "512") as mount:
            at_once = own_store(checks, mount, folder, library, COLDBOOST_WORKERS=str(WORKERS))
            checks.check(at_once <= WORKERS, f"{at_once} chunks at once by {WORKERS} workers")
        with Mount(slowfs, f"{folder}/source", "--chunk-kib", "512") as mount:
            for mode, expected in (("process", CHUNKS), ("thread", 0), ("sync", 0)):
                report, chunks, _ = start(checks, mount, folder, program, library, COLDBOOST_MODE=mode)
                if mode != "process":
                    checks.equal(report.get("stale_files"), str(CHUNKS), f"another's store, {mode}")
                checks.equal(chunks, expected, f"chunks of another's store, {mode}")
    return checks.exit_code()


if __name__ == "__main__":
    sys.exit(main())
