"""What libcoldboost.so promises to every loader: the dynamic section, symbols and segments of D1.

Usage: object.py OBJECT --readelf READELF --arch ARCH

Every check reads the built object with readelf; nothing is loaded, so any architecture will do.
"""

import argparse
import re
import subprocess
import sys

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


def problems(obj, arch):
    exported = {s.name for s in obj.symbols if not s.is_undefined() and s.binding != "LOCAL"}
    undefined = [s for s in obj.symbols if s.is_undefined() and s.binding != "LOCAL"]
    for value in obj.entries("NEEDED"):
        yield f"needs a library: {value}"
    for tag in ("TEXTREL", "RPATH", "RUNPATH", "VERNEED"):
        if obj.entries(tag):
            yield f"has a {tag} entry"
    if any("TEXTREL" in value for value in obj.entries("FLAGS")):
        yield "has text relocations"
    if not any("BIND_NOW" in value for value in obj.entries("FLAGS")):
        yield "is not BIND_NOW"
    if "TLS" in obj.segments:
        yield "has a TLS segment"
    if obj.segments.get("GNU_STACK", "RWE") != "RW":
        yield "may have an executable stack"
    if "GNU_RELRO" not in obj.segments:
        yield "has no RELRO segment"
    if "INTERP" in obj.segments:
        yield "has an interpreter"
    for symbol in undefined:
        if symbol.binding != "WEAK":
            yield f"undefined and not weak: {symbol.name}"
        if "@" in symbol.name:
            yield f"undefined with a version: {symbol.name}"
    for symbol in obj.symbols:
        if symbol.kind == "IFUNC":
            yield f"is an indirect function: {symbol.name}"
        if "@" in symbol.name and not symbol.is_undefined():
            yield f"exported with a version: {symbol.name}"
    if not undefined:
        yield "readelf shows no undefined symbol at all: the check itself is broken"
    for name in sorted(EXPORTS - exported):
        yield f"does not export {name}"
    for name in sorted(exported - EXPORTS):
        if not name.startswith(EXPORT_PREFIX):
            yield f"exports {name}"
    if not any(name.startswith(EXPORT_PREFIX) for name in exported):
        yield f"exports nothing that begins with {EXPORT_PREFIX}"
    notes = obj.ask("-n")
    for word in BRANCH_PROTECTION.get(arch, ()):
        if not re.search(rf"Properties:.*\b{word}\b", notes):
            yield f"is not marked {word}"
    size = stripped_bytes(obj)
    if size > MAX_STRIPPED_BYTES:
        yield f"takes about {size} bytes stripped, more than {MAX_STRIPPED_BYTES}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("object")
    parser.add_argument("--readelf", required=True)
    parser.add_argument("--arch", required=True)
    arguments = parser.parse_args()
    found = list(problems(Object(arguments.object, arguments.readelf), arguments.arch))
    for problem in found:
        print(f"{arguments.object}: {problem}")
    return 1 if found else 0


sys.exit(main())
