"""The format of profiles, for all tests: written, read, and given wrong values.

From the description in src/replay/profile.h alone and not with the project's own code: two readings of
one format that have to agree.
"""

import collections
import os
import struct
import zlib

PAGE_BYTES = 4096
MAGIC = b"\x89CBP\r\n\x1a\n"
CRC_START = 16  # the checksum covers every byte behind its own field
REGULAR, DIRECTORY, PATH = 0, 1, 2

# The entries of each table, in the order in which the tables stand.
LAYOUTS = {
    "header": struct.Struct("<8sIIQQIIIIIII4x"),
    "executable": struct.Struct("<QIIII8x"),
    "file": struct.Struct("<QqIIII20s12x"),
    "range": struct.Struct("<IIII"),
}
Header = collections.namedtuple(
    "Header", "magic version crc32 size recorded_s executable_count file_count range_count string_bytes epoch_us"
    " extra_bytes flags")
Executable = collections.namedtuple("Executable", "path_hash path first_range range_count flags")
File = collections.namedtuple("File", "size mtime_ns path kind build_id_offset build_id_bytes build_id")
Range = collections.namedtuple("Range", "file first_page page_count epoch")
ENTRIES = {"header": Header, "executable": Executable, "file": File, "range": Range}


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


def header_of(profile):
    return Header(*LAYOUTS["header"].unpack_from(profile))


def place(profile, table, index=0):
    """Where an entry of a table begins."""
    header = header_of(profile)
    at = 0
    for name, count in (("header", 1), ("executable", header.executable_count), ("file", header.file_count),
                        ("range", header.range_count), ("strings", 0)):
        if name == table:
            return at + index * (LAYOUTS[name].size if name in LAYOUTS else 1)
        at += LAYOUTS[name].size * count
    raise ValueError(table)


def with_wrong(profile, table, index=0, **fields):
    """The bytes with other values in one entry, and a checksum that is right all the same."""
    at = place(profile, table, index)
    entry = ENTRIES[table](*LAYOUTS[table].unpack_from(profile, at))._replace(**fields)
    return reseal(profile[:at] + LAYOUTS[table].pack(*entry) + profile[at + LAYOUTS[table].size:])


class Contents:
    """What stands in a profile, strings for paths. It must be sound: nothing is checked here."""

    def __init__(self, profile):
        """profile: its bytes."""
        self.header = header_of(profile)
        strings = profile[place(profile, "strings"):]

        def table(name, count):
            for index in range(count):
                yield ENTRIES[name](*LAYOUTS[name].unpack_from(profile, place(profile, name, index)))

        def named(entry):
            return entry._replace(path=os.fsdecode(strings[entry.path:strings.index(b"\0", entry.path)]))

        self.files = [named(entry) for entry in table("file", self.header.file_count)]
        ranges = [entry._replace(file=self.files[entry.file]) for entry in table("range", self.header.range_count)]
        # [(path of the executable, its ranges)], as they stand there.
        self.sections = [
            (entry.path, ranges[entry.first_range:entry.first_range + entry.range_count])
            for entry in map(named, table("executable", self.header.executable_count))]

    @property
    def executables(self):
        return [path for path, _ in self.sections]

    @property
    def ranges(self):
        """Of all sections, those that are pages; self.lookups has those that are not."""
        return [entry for _, ranges in self.sections for entry in ranges if entry.page_count]

    @property
    def lookups(self):
        return [entry for _, ranges in self.sections for entry in ranges if not entry.page_count]

    def pages(self):
        """{path of a file: set of its pages}."""
        found = {}
        for entry in self.ranges:
            pages = range(entry.first_page, entry.first_page + entry.page_count)
            found.setdefault(entry.file.path, set()).update(pages)
        return found


def read_profile(path):
    with open(path, "rb") as content:
        return Contents(content.read())


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
        """Its offset; what is there already, if only as the end of another, is not written again."""
        text = os.fsencode(text) + b"\0"
        offset = self.strings.find(text)
        if offset < 0:
            offset = len(self.strings)
            self.strings += text
        return offset

    def file(self, path, kind=REGULAR, size=None, mtime_ns=None, build_id=b"", build_id_offset=0):
        """The index of a file, as it is on disk unless told otherwise."""
        if path in self.file_index:
            return self.file_index[path]
        if size is None or mtime_ns is None:
            status = os.stat(path)
            size = status.st_size if size is None else size
            mtime_ns = status.st_mtime_ns if mtime_ns is None else mtime_ns
        self.files.append(File(size, mtime_ns, self._string(path), kind, build_id_offset, len(build_id), build_id))
        self.file_index[path] = len(self.files) - 1
        return self.file_index[path]

    def section(self, executable, ranges):
        """ranges: (index of the file, first page, pages, epoch) each."""
        self.executables.append(
            Executable(path_hash(executable), self._string(executable), len(self.ranges), len(ranges), 0))
        self.ranges += ranges

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
        body = b"".join(LAYOUTS[name].pack(*entry) for name, table in (
            ("executable", self.executables), ("file", self.files), ("range", self.ranges)) for entry in table)
        body += self.strings
        header = Header(
            MAGIC, 1, 0, LAYOUTS["header"].size + len(body), self.recorded_s, len(self.executables), len(self.files),
            len(self.ranges), len(self.strings), self.epoch_us, 0, 0)._replace(**wrong)
        profile = LAYOUTS["header"].pack(*header) + body
        return profile if "crc32" in wrong else reseal(profile)

    def write(self, path, **wrong):
        with open(path, "wb") as out:
            out.write(self.encode(**wrong))
        return path
