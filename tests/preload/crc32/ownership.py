"""Whoever has a crc32 of his own keeps it; only callers of zlib's get ours.

Usage: ownership.py ARCH OBJECT LOADER OWN ZLIB FOREIGN NINE [CASE…]    (the programs beside their libraries)

Each case runs without us and with us. The results must agree, but where zlib's (here: a false one,
so that the difference shows) would have been called: there the right checksum is expected.
"""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
import cases  # noqa: E402
from coldboost_support import emulator, plain_environment, run, wrapped  # noqa: E402
from profiles import Profile  # noqa: E402

ARCH, OBJECT, *PROGRAMS = cases.take("ARCH OBJECT LOADER OWN ZLIB FOREIGN NINE")
OBJECT = os.path.abspath(OBJECT)
PROGRAMS = dict(zip(("loader", "own", "zlib", "foreign", "nine"), map(os.path.abspath, PROGRAMS)))
PASSES_EVERYTHING_ON = ARCH != "generic"
FALSE_ZLIB = str(1000 + ord("1") + 9)  # what the library made for these tests answers
CHECK_VALUE = str(0xCBF43926)


def library(name):
    return os.path.join(os.path.dirname(PROGRAMS["loader"]), f"libcbtest-{name}.so")


class Ownership(cases.Case):
    environment = {**plain_environment("/"), "LD_LIBRARY_PATH": os.path.dirname(PROGRAMS["loader"])}
    programs = PROGRAMS

    def start(self, command, **settings):
        environment = {**self.environment, **settings}
        outcome = run(*wrapped(emulator(), environment, command))
        return outcome.status, outcome.stdout.decode(), outcome.stderr.decode()

    def compare(self, name, command, expect=None, ours=None):
        """ours: what the output becomes where we answer; otherwise nothing changes."""
        plain = self.start(command)
        self.equal(plain[0], 0, f"{name}, without us: {plain}")
        if expect is not None:
            self.equal(plain[1], expect, f"{name}, without us")
        preload = {"LD_PRELOAD": OBJECT}
        for mode, settings in (
            ("preloaded", {}),
            ("bound at once", {"LD_BIND_NOW": "1"}),
            ("COLDBOOST=off", {"COLDBOOST": "off"}),
        ):
            status, stdout, stderr = self.start(command, **preload, **settings)
            self.equal(status, 0, f"{name}, {mode}: {stderr}")
            self.equal(stdout, ours or plain[1], f"{name}, {mode}")
            self.equal(stderr, "", f"{name}, {mode}")
        off = self.start(command, **preload, COLDBOOST_CRC32="off")
        self.equal(off, plain, f"{name}, COLDBOOST_CRC32=off")

    def test_linked(self):
        self.compare(
            "zlib, linked", [self.programs["zlib"]],
            expect=f"{FALSE_ZLIB} {FALSE_ZLIB}\n", ours=f"{CHECK_VALUE} {CHECK_VALUE}\n",
        )
        self.compare("another signature, linked", [self.programs["foreign"]], expect="2058 2058\n")
        if not PASSES_EVERYTHING_ON:
            self.skip("another signature, linked", "portable code passes on zlib's arguments only")
        else:
            self.compare("many arguments, linked", [self.programs["nine"]])

    def test_plugins(self):
        if not PASSES_EVERYTHING_ON:
            self.skip("plugins of other signatures", "portable code passes on zlib's arguments only")

        def load(name, *arguments, **more):
            self.compare(name, [self.programs["loader"], *arguments], **more)

        own, nine = "local=" + library("own-plugin"), "local=" + library("nine-plugin")
        zlib = "local=" + library("zlib-user")
        foreign = "local=" + library("foreign-user")
        both = ["use", "use_tail"]
        ours = f"use {CHECK_VALUE}\nuse_tail {CHECK_VALUE}\n"
        theirs = f"use {FALSE_ZLIB}\nuse_tail {FALSE_ZLIB}\n"
        load("plugin with its own", own, *both, expect="use 2058\nuse_tail 2058\n")
        if PASSES_EVERYTHING_ON:
            load("plugin with many arguments", nine, *both)
            load("two plugins, each with its own", own, "use", nine, *both, "close", "use")
        load("plugin with a library's", foreign, *both, expect="use 2058\nuse_tail 2058\n")
        load("plugin with zlib", zlib, *both, expect=theirs, ours=ours)
        load("global plugin with its own", own.replace("local", "global"), *both)
        load("deeply bound", own.replace("local", "deep"), *both, expect="use 2058\nuse_tail 2058\n")
        # Bound to itself before anything else, zlib's caller never reaches us either.
        load("zlib's caller deeply bound", zlib.replace("local", "deep"), *both, expect=theirs)
        load("again and again", own, "use", "close", own, "use", "close", own, *both)
        load(
            "beside zlib", zlib, "use", own, "use", "close", "use",
            expect=f"use {FALSE_ZLIB}\nuse 2058\nuse {FALSE_ZLIB}\n",
            ours=f"use {CHECK_VALUE}\nuse 2058\nuse {CHECK_VALUE}\n",
        )
        load(
            "zlib beside it", own, "use", zlib, "use", "close", "use",
            expect=f"use 2058\nuse {FALSE_ZLIB}\nuse 2058\n",
            ours=f"use 2058\nuse {CHECK_VALUE}\nuse 2058\n",
        )
        load("tail call beside zlib", zlib, "use", own, "use_tail", "use", expect=None,
             ours=f"use {CHECK_VALUE}\nuse_tail 2058\nuse 2058\n")
        # What was found out about crc32_z says nothing about crc32.
        load("crc32_z first", own, "crc32_z", *both, expect="use 2058\nuse_tail 2058\n")
        load("plugins come and go", own, "storm=" + library("nine-plugin"), "use")
        load(
            "plugins come and go beside zlib", zlib, "storm=" + library("own-plugin"), "use",
            ours="storm passed\n" * 4 + f"use {CHECK_VALUE}\n",
        )

    def test_own(self):
        """The program's functions have our names. Its profile's checksum must still be ours."""
        program = self.programs["own"]
        self.compare("program's own", [program], expect="0 calls before its own\n5065 7 1 1\n")
        if emulator():
            return
        folder = self.new_folder()
        real = os.path.realpath(program)
        profile = Profile()
        profile.section(real, profile.whole_files([real]))
        path = profile.write(f"{folder}/own.cbp")
        status, stdout, stderr = self.start(
            [program], LD_PRELOAD=OBJECT, COLDBOOST_PROFILE=path, COLDBOOST="force",
            COLDBOOST_MODE="sync", COLDBOOST_VERBOSE="1",
        )
        self.equal(stdout, "0 calls before its own\n5065 7 1 1\n", "own, replayed")
        self.check(status == 0 and re.search(r"state=done", stderr),
                   f"replay in a program with a checksum of its own: {stderr}")


cases.main()
