"""What libcoldboost.so promises to every loader: the dynamic section, symbols and segments of D1.

Usage: object.py OBJECT READELF ARCH [CASE…]

Every check reads the built object with readelf; nothing is loaded, so any architecture will do.
"""

import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402

OBJECT, READELF, ARCH = cases.take("OBJECT READELF ARCH")

EXPORTS = {
    "is_cold_start",
    "is_cold_start_asm",
    "prefetch_critical_memory",
    "optimized_spin_wait",
    "fast_memcpy",
    "hardware_crc32",
    "crc32",
    "crc32_z",
    "la_version",
}
EXPORT_PREFIX = "coldboost_"
MAX_STRIPPED_BYTES = 104 * 1024

# Words of the property note that say "valid target of an indirect branch everywhere".
BRANCH_PROTECTION = {"x86_64": ("IBT", "SHSTK"), "aarch64": ("BTI",)}


class Symbol:
    def __init__(self, fields):
        self.kind, self.binding, _, self.index, self.name = fields[3:8]

    def is_undefined(self):
        return self.index == "UND"


class Object:
    """The parts of readelf's answers that the checks need."""

    def __init__(self, path, readelf):
        self.path = path
        self.readelf = readelf
        self.dynamic = re.findall(r"^ 0x\w+ \((\w+)\)[ \t]*(.*)$", self.ask("-d"), re.M)
        lines = self.ask("-l").splitlines()
        # Type, Offset, VirtAddr, PhysAddr, FileSiz, MemSiz, Flg..., Align
        self.segments = {}
        for line in lines:
            fields = line.split()
            if len(fields) >= 8 and fields[1].startswith("0x"):
                self.segments[fields[0]] = "".join(fields[6:-1])
        rows = (line.split() for line in self.ask("--dyn-syms").splitlines())
        self.symbols = [Symbol(row) for row in rows if len(row) >= 8 and row[0][:-1].isdigit()]

    def ask(self, option):
        command = [self.readelf, "-W", option, self.path]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def entries(self, tag):
        return [value for name, value in self.dynamic if name == tag]


def stripped_bytes(obj):
    """What a loader maps plus the section headers that strip leaves: counted from the allocated
    sections, so that no strip for this architecture is needed. Without the hole in front of the
    writable ones, which is up to 64 KiB on aarch64 and never read."""
    total = 0
    for line in obj.ask("-S").splitlines():
        match = re.match(r"\s*\[ *\d+\] (.*)$", line)
        if not match:
            continue
        fields = match.group(1).split()
        # Name, Type, Address, Off, Size, ES, Flg, ...
        if len(fields) >= 7 and "A" in fields[6] and fields[1] != "NOBITS":
            total += int(fields[4], 16)
    return total + 64 * 32


class Promises(cases.Case):
    @classmethod
    def setUpClass(cls):
        cls.object = Object(OBJECT, READELF)
        cls.exported = {s.name for s in cls.object.symbols if not s.is_undefined() and s.binding != "LOCAL"}
        cls.undefined = [s for s in cls.object.symbols if s.is_undefined() and s.binding != "LOCAL"]

    def test_needs_nothing(self):
        self.equal(self.object.entries("NEEDED"), [], "libraries that it needs")
        self.check(self.undefined, "readelf shows no undefined symbol at all: the check itself is broken")
        for symbol in self.undefined:
            self.equal(symbol.binding, "WEAK", f"binding of {symbol.name}, which is undefined")
            self.check("@" not in symbol.name, f"undefined with a version: {symbol.name}")

    def test_has_a_version_in_its_soname(self):
        self.equal(self.object.entries("SONAME"), ["Library soname: [libcoldboost.so.0]"], "SONAME")

    def test_is_bound_at_once_and_never_written(self):
        for tag in ("TEXTREL", "RPATH", "RUNPATH", "VERNEED"):
            self.equal(self.object.entries(tag), [], f"entries {tag}")
        flags = self.object.entries("FLAGS")
        self.check(not any("TEXTREL" in value for value in flags), "has text relocations")
        self.check(any("BIND_NOW" in value for value in flags), "is not BIND_NOW")

    def test_segments(self):
        self.check("TLS" not in self.object.segments, "has a TLS segment")
        self.equal(self.object.segments.get("GNU_STACK", "RWE"), "RW", "rights of the stack")
        self.check("GNU_RELRO" in self.object.segments, "has no RELRO segment")
        self.check("INTERP" not in self.object.segments, "has an interpreter")

    def test_exports(self):
        self.equal(EXPORTS - self.exported, set(), "names that it does not export")
        others = {name for name in self.exported if not name.startswith(EXPORT_PREFIX)}
        self.equal(others - EXPORTS, set(), "other names that it exports")
        self.check(self.exported - others, f"exports nothing that begins with {EXPORT_PREFIX}")
        for symbol in self.object.symbols:
            self.check(symbol.kind != "IFUNC", f"is an indirect function: {symbol.name}")
            self.check("@" not in symbol.name or symbol.is_undefined(), f"exported with a version: {symbol.name}")

    def test_branch_protection(self):
        notes = self.object.ask("-n")
        for word in BRANCH_PROTECTION.get(ARCH, ()):
            self.check(re.search(rf"Properties:.*\b{word}\b", notes), f"is not marked {word}")

    def test_size(self):
        size = stripped_bytes(self.object)
        self.check(size <= MAX_STRIPPED_BYTES, f"takes about {size} bytes stripped, more than {MAX_STRIPPED_BYTES}")


cases.main()
