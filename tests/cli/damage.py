"""Writes small profiles with the tests' own encoder and lets damage.c try every damaged form.

Usage: damage.py DAMAGE
"""

import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from coldboost_support import Checks, Profile, emulator, plain_environment, run  # noqa: E402


def small_profile():
    profile = Profile()
    library = profile.file("/usr/lib/library.so", size=123456, mtime_ns=17, build_id=b"0123456789abcdef0123")
    program = profile.file("/usr/bin/program", size=5000, mtime_ns=1)
    folder = profile.file("/usr/share", kind=1, size=0, mtime_ns=0)
    profile.section("/usr/bin/program", [(program, 0, 2, 0), (library, 3, 4, 1), (library, 30, 1, 2)])
    profile.section("/usr/bin/other", [(folder, 0, 0, 0), (library, 0, 31, 3)])
    return profile


def main():
    damage = os.path.abspath(sys.argv[1])
    empty, full = Profile(), small_profile()
    empty.section("/usr/bin/program", [])
    # Without this there would be no zero behind the strings to lose.
    large_file = Profile()
    large = large_file.file("/large", size=(1 << 63) - 1, mtime_ns=-1)
    large_file.section("/usr/bin/program", [(large, 0xFFFFFFFF, 1, 0), (large, 0, 0xFFFFFFFF, 1)])
    checks = Checks()
    with tempfile.TemporaryDirectory(prefix="coldboost-damage-") as folder:
        for name, profile in (("empty", empty), ("small", full), ("large file", large_file)):
            path = profile.write(f"{folder}/{name}.cbp")
            for mode in ("reject", "survive"):
                outcome = run([*emulator(), damage, path, mode], plain_environment(folder))
                checks.equal(
                    (outcome.status, outcome.stdout), (0, b""), f"{name} profile, {mode}"
                )
    return checks.exit_code()


sys.exit(main())
