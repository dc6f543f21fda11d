"""What the tests of the preloaded object and of the command-line tool share.

Profiles are written here byte by byte, from src/replay/profile.h's description and not with the project's
own code: two readings of one format that have to agree.
"""

import os
import shlex
import shutil
import struct
import subprocess
import zlib

PAGE_BYTES = 4096
MAGIC = b"\x89CBP\r\n\x1a\n"
HEADER = struct.Struct("<8sIIQQIIIII12x")
EXECUTABLE = struct.Struct("<QIIII8x")
FILE = struct.Struct("<QqIIII20s12x")
RANGE = struct.Struct("<IIII")
CRC_START = 16  # the checksum covers every byte behind its own field

REGULAR, DIRECTORY, PATH = 0, 1, 2


def path_hash(path):
    """FNV-1a, 64 bit."""
    value = 0xCBF29CE484222325
    for byte in os.fsencode(path):
        value = (value ^ byte) * 0x100000001B3 % (1 << 64)
    return value


def reseal(profile):
    """The same bytes with a checksum that is right."""
    crc = zlib.crc32(profile[CRC_START:])
    return profile[:12] + struct.pack("<I", crc) + profile[CRC_START:]


class Profile:
    """Builds a .cbp file: add files, then one section of ranges for each executable."""

    def __init__(self, epoch_us=1000, recorded_s=1700000000):
        self.epoch_us = epoch_us
        self.recorded_s = recorded_s
        self.files = []
        self.executables = []
        self.ranges = []
        self.strings = b""
        self.file_index = {}

    def _string(self, text):
        offset = len(self.strings)
        self.strings += os.fsencode(text) + b"\0"
        return offset

    def file(self, path, kind=REGULAR, size=None, mtime_ns=None, build_id=b"", build_id_offset=0):
        """The index of a file, as it is on disk unless told otherwise."""
        if path in self.file_index:
            return self.file_index[path]
        if size is None or mtime_ns is None:
            status = os.stat(path)
            size = status.st_size if size is None else size
            mtime_ns = status.st_mtime_ns if mtime_ns is None else mtime_ns
        self.files.append(
            FILE.pack(size, mtime_ns, self._string(path), kind, build_id_offset, len(build_id), build_id)
        )
        self.file_index[path] = len(self.files) - 1
        return self.file_index[path]

    def section(self, executable, ranges):
        """ranges: (index of the file, first page, pages, epoch) each."""
        self.executables.append(
            EXECUTABLE.pack(
                path_hash(executable), self._string(executable), len(self.ranges), len(ranges), 0
            )
        )
        self.ranges += [RANGE.pack(*entry) for entry in ranges]

    def whole_files(self, paths):
        """Ranges for all of each file, one epoch a file; what is empty has none."""
        ranges = []
        for epoch, path in enumerate(paths):
            pages = -(-os.stat(path).st_size // PAGE_BYTES)
            if pages:
                ranges.append((self.file(path), 0, pages, epoch))
        return ranges

    def encode(self, **wrong):
        """The profile's bytes. Fields of the header may be given wrong values by name."""
        body = b"".join(self.executables + self.files + self.ranges) + self.strings
        field = {
            "magic": MAGIC,
            "version": 1,
            "crc32": 0,
            "size": HEADER.size + len(body),
            "recorded_s": self.recorded_s,
            "executable_count": len(self.executables),
            "file_count": len(self.files),
            "range_count": len(self.ranges),
            "string_bytes": len(self.strings),
            "epoch_us": self.epoch_us,
        }
        unknown = set(wrong) - set(field)
        assert not unknown, unknown
        field.update(wrong)
        profile = HEADER.pack(*field.values()) + body
        return profile if "crc32" in wrong else reseal(profile)

    def write(self, path, **wrong):
        with open(path, "wb") as out:
            out.write(self.encode(**wrong))
        return path


class Outcome:
    """All that can be seen of a program from outside."""

    def __init__(self, status, stdout, stderr, files=()):
        self.status = status  # exit code, or minus the signal
        self.stdout = stdout
        self.stderr = stderr
        self.files = files

    def differences(self, other):
        for name in ("status", "stdout", "stderr", "files"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                yield f"{name}: {shorten(mine)} became {shorten(theirs)}"


def shorten(value):
    text = repr(value)
    return text if len(text) < 1000 else text[:480] + " ... " + text[-480:]


def plain_environment(home):
    """The least that ordinary programs want, the same on every machine."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": home,
        "TMPDIR": home,
        "LC_ALL": "C",
        "TZ": "UTC",
    }


def copy_tool(tool, folder):
    """Copies the command line: `coldboost` and, where that is only the front, what stands behind it."""
    if os.path.exists(f"{tool}-tool"):
        shutil.copy(f"{tool}-tool", folder)
    return shutil.copy(tool, folder)


def emulator():
    """The command in front of a program for another architecture, from meson; empty for our own."""
    return shlex.split(os.environ.get("MESON_EXE_WRAPPER", ""))


def wrapped(wrapper, environment, command):
    """Command and environment for a program under an emulator: what is meant for the program must
    not reach the emulator's own loader."""
    if not wrapper:
        return command, environment
    ours = [name for name in environment if name.startswith(("COLDBOOST", "LD_"))]
    outside = {name: value for name, value in environment.items() if name not in ours}
    settings = []
    for name in ours:
        settings += ["-E", f"{name}={environment[name]}"]
    return wrapper + settings + command, outside


def run(command, environment, stdin=b"", cwd=None, timeout=100, **more):
    """In a session of its own, by which a victim finds the processes that belong to its start."""
    result = subprocess.run(
        command,
        env=environment,
        input=stdin,
        capture_output=True,
        cwd=cwd,
        timeout=timeout,
        check=False,
        start_new_session=True,
        **more,
    )
    return Outcome(result.returncode, result.stdout, result.stderr)


class Checks:
    """Counts what failed and says what it was; a test ends with sys.exit(checks.exit_code())."""

    def __init__(self):
        self.failed = 0
        self.passed = 0
        self.skipped = 0

    def check(self, holds, message):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print("FAILED:", message)
        return holds

    def equal(self, got, expected, message):
        return self.check(got == expected, f"{message}: {shorten(got)}, not {shorten(expected)}")

    def skip(self, what, why):
        self.skipped += 1
        print(f"skipped: {what}: {why}")

    def exit_code(self):
        if self.failed:
            print(f"{self.failed} of {self.failed + self.passed} checks failed")
            return 1
        return 77 if self.skipped and not self.passed else 0
