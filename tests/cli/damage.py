"""Writes small profiles with the tests' own encoder and lets damage.c try every damaged form.

Usage: damage.py DAMAGE [CASE…]
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import emulator, plain_environment, run  # noqa: E402
from profiles import Profile  # noqa: E402

DAMAGE = os.path.abspath(cases.take("DAMAGE"))


def small_profile():
    profile = Profile()
    library = profile.file("/usr/lib/library.so", size=123456, mtime_ns=17, build_id=b"0123456789abcdef0123")
    program = profile.file("/usr/bin/program", size=5000, mtime_ns=1)
    folder = profile.file("/usr/share", kind=1, size=0, mtime_ns=0)
    profile.section("/usr/bin/program", [(program, 0, 2, 0), (library, 3, 4, 1), (library, 30, 1, 2)])
    profile.section("/usr/bin/other", [(folder, 0, 0, 0), (library, 0, 31, 3)])
    return profile


class Damage(cases.Case):
    def every_form(self, profile):
        folder = self.new_folder()
        path = profile.write(f"{folder}/sound.cbp")
        for mode in ("reject", "survive"):
            outcome = run([*emulator(), DAMAGE, path, mode], plain_environment(folder))
            self.equal((outcome.status, outcome.stdout), (0, b""), mode)

    def test_empty(self):
        empty = Profile()
        empty.section("/usr/bin/program", [])
        self.every_form(empty)

    def test_small(self):
        self.every_form(small_profile())

    def test_large_file(self):
        """Without this there would be no zero behind the strings to lose."""
        profile = Profile()
        large = profile.file("/large", size=(1 << 63) - 1, mtime_ns=-1)
        profile.section("/usr/bin/program", [(large, 0xFFFFFFFF, 1, 0), (large, 0, 0xFFFFFFFF, 1)])
        self.every_form(profile)


cases.main()
