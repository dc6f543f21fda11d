"""Every way to preload: with which profile, good or hostile, and with which variables."""

import os
import random
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from profiles import Profile, reseal, with_wrong  # noqa: E402


def make_profile(programs, data):
    """One section a program: itself, piece by piece, then the shared inputs and their folder."""
    profile = Profile()
    inputs = [f"{data}/text", f"{data}/large"] + [f"{data}/tree/f{i}" for i in range(1, 40)]
    folder = profile.file(f"{data}/tree", kind=1, size=0, mtime_ns=0)
    for program in programs:
        pages = min(-(-os.path.getsize(program) // 4096), 512)
        own = profile.file(program)
        ranges = [(own, first, min(5, pages - first), 0) for first in range(0, pages, 6)]
        profile.section(program, ranges + [(folder, 0, 0, 1)] + profile.whole_files(inputs))
    return profile


def hostile_profiles(profile, programs):
    """Damaged in every way that can be told apart: name and bytes."""
    good = profile.encode()
    yield "empty", b""
    yield "one byte", good[:1]
    yield "cut in the header", good[:63]
    yield "only a header", good[:64]
    yield "cut in the middle", good[: len(good) // 2]
    yield "cut by a byte", good[:-1]
    yield "a byte too long", good + b"\0"
    yield "text", b"#!/bin/sh\necho profile\n" * 100
    yield "zeros", bytes(len(good))
    yield "wrong magic", good[:3] + b"?" + good[4:]
    yield "wrong checksum", profile.encode(crc32=1)
    yield "next version", profile.encode(version=2)
    for field in ("executable_count", "file_count", "range_count", "string_bytes"):
        yield f"hostile {field}", profile.encode(**{field: 0xFFFFFFFF})
    yield "hostile size", profile.encode(size=1 << 63)
    # Counts that agree with the size, and entries that point anywhere.
    yield "section out of bounds", with_wrong(
        good, "executable", path_hash=0, path=0xFFFFFFFF, first_range=0xFFFFFFF0, range_count=0x20)
    yield "range out of bounds", with_wrong(
        good, "range", file=0xFFFFFFFF, first_page=0xFFFFFFFF, page_count=0xFFFFFFFF, epoch=0xFFFFFFFF)
    yield "range beyond the file", with_wrong(good, "range", file=0, first_page=0xFFFFFFFE, page_count=0xFFFFFFFE)
    yield "strings without an end", reseal(good[:-1] + b"x")
    flipped = bytearray(good)
    rng = random.Random(11)
    for _ in range(20):
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    yield "twenty bits flipped", bytes(flipped)
    # Files that are never there, or never what they were.
    strange = Profile()
    for path in ("/dev/zero", "/dev/stdin", "/proc/self/mem", "/proc/kmsg", "/no/such/file", "/"):
        strange.file(path, size=1 << 40, mtime_ns=0)
    entries = [(i, 1, 1 << 20, i) for i in range(len(strange.files))]
    for program in programs:
        strange.section(program, entries)
    yield "devices as files", strange.encode()


ALWAYS = 7  # so many of the first ones run in each case


def configurations(folder, profile, programs, object_path):
    """Name and variables of every way to preload; None: it is not set."""
    good = profile.write(f"{folder}/good.cbp")
    yield "no profile", {}
    yield "profile", {"COLDBOOST_PROFILE": good}
    forced = {"COLDBOOST_PROFILE": good, "COLDBOOST": "force"}
    for mode in ("process", "thread", "sync"):
        yield f"forced, {mode}", {**forced, "COLDBOOST_MODE": mode}
    yield "forced, auditor", {**forced, "LD_AUDIT": object_path, "LD_PRELOAD": None}
    yield "forced, auditor and preloaded", {**forced, "LD_AUDIT": object_path}
    yield "off", {"COLDBOOST_PROFILE": good, "COLDBOOST": "off"}
    yield "forced without a profile", {"COLDBOOST": "force"}
    yield "1 worker", {**forced, "COLDBOOST_WORKERS": "1"}
    yield "16 workers", {**forced, "COLDBOOST_WORKERS": "16"}
    yield "budget of a byte", {**forced, "COLDBOOST_BUDGET": "1"}
    yield "no crc32", {"COLDBOOST_CRC32": "off"}
    yield "no CPU features", {"COLDBOOST_CPU": "none"}
    names = ("", "_MODE", "_BUDGET", "_WORKERS", "_CRC32", "_CPU", "_VERBOSE")
    yield "bad values", {f"COLDBOOST{name}": "nonsense" for name in names}
    yield "empty values", {f"COLDBOOST{name}": "" for name in names + ("_PROFILE", "_STARTED")}
    yield "overflowing values", {
        "COLDBOOST_BUDGET": "99999999999999999999G",
        "COLDBOOST_WORKERS": "4294967297",
        "COLDBOOST_STARTED": "99999999999999999999",
    }
    for name, content in hostile_profiles(profile, programs):
        path = f"{folder}/{name.replace(' ', '-')}.cbp"
        with open(path, "wb") as out:
            out.write(content)
        yield f"profile: {name}", {"COLDBOOST_PROFILE": path, "COLDBOOST": "force"}
    os.mkfifo(f"{folder}/fifo.cbp")
    os.symlink("nowhere", f"{folder}/dangling.cbp")
    os.symlink("good.cbp", f"{folder}/link.cbp")
    os.symlink("loop.cbp", f"{folder}/loop.cbp")
    shutil.copy(good, f"{folder}/secret.cbp")
    os.chmod(f"{folder}/secret.cbp", 0)
    places = [folder] + [f"{folder}/{name}.cbp" for name in ("fifo", "dangling", "link", "loop", "secret")]
    for path in places + ["/dev/zero", "/dev/tty", "/proc/self/mem", "/proc/self/maps", "relative.cbp", "/" * 5000]:
        yield f"profile: {path[:40]}", {"COLDBOOST_PROFILE": path, "COLDBOOST": "force"}
