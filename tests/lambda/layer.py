"""coldboost layer: what is in the zip, that it is the same every time, and what it refuses.

Usage: layer.py COLDBOOST WRAPPER OBJECT LINKED_OBJECT [CASE…]
"""

import os
import re
import shutil
import struct
import sys
import tempfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import copy_tool, plain_environment, run  # noqa: E402
from profiles import Profile, with_wrong  # noqa: E402

COLDBOOST, WRAPPER, OBJECT, LINKED_OBJECT = map(
    os.path.abspath, cases.take("COLDBOOST WRAPPER OBJECT LINKED_OBJECT"))
X86_64, AARCH64 = 62, 183
MACHINES = {X86_64: "x86_64", AARCH64: "arm64"}
DT_RELR, DT_GNU_HASH = 36, 0x6FFFFEF5
PT_INTERP, PT_GNU_STACK = 3, 0x6474E551


def read(path):
    with open(path, "rb") as content:
        return content.read()


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(content)
    return path


def machine(elf):
    return struct.unpack_from("<H", elf, 18)[0]


class Layer(cases.Case):
    def setUp(self):
        self.folder = self.new_folder()
        self.tool, self.environment = COLDBOOST, plain_environment(self.folder)
        self.wrapper, self.library, self.linked = read(WRAPPER), read(OBJECT), read(LINKED_OBJECT)
        self.host = machine(self.library)
        profile = Profile()
        profile.section("/var/lang/bin/node", [(profile.file("/etc/passwd"), 0, 1, 0)])
        self.profile = profile.write(f"{self.folder}/app.cbp")

    def layer(self, *arguments, environment=None, **more):
        variables = {**self.environment, **(environment or {})}
        return run([self.tool, "layer", *arguments], variables, cwd=self.folder, **more)

    def made(self, name, *arguments, **more):
        outcome = self.layer("-o", name, *arguments, **more)
        self.equal((outcome.status, outcome.stdout, outcome.stderr), (0, b"", b""), f"layer {arguments}")
        return f"{self.folder}/{name}"

    def refused(self, said, *arguments, status=1):
        """Nothing is written, and what was there stays."""
        write(f"{self.folder}/kept.zip", b"kept")
        outcome = self.layer("-o", "kept.zip", *arguments)
        self.check(
            outcome.status == status and not outcome.stdout and re.search(said, outcome.stderr),
            f"layer {arguments}: {outcome.status} {outcome.stderr}, not {said}",
        )
        self.equal(read(f"{self.folder}/kept.zip"), b"kept", f"output after layer {arguments}")

    def parts(self, library=None, wrapper=None):
        """A folder for --build."""
        folder = tempfile.mkdtemp(dir=self.folder)
        write(f"{folder}/preload/libcoldboost.so", self.library if library is None else library)
        write(f"{folder}/tools/coldboost-wrapper", self.wrapper if wrapper is None else wrapper)
        return folder

    def test_contents(self):
        path = self.made("layer.zip", "-p", self.profile)
        expected = {
            "coldboost/LICENSE": (0o644, read(os.path.join(HERE, "..", "..", "LICENSE"))),
            "coldboost/profile.cbp": (0o644, read(self.profile)),
            "coldboost-wrapper": (0o755, self.wrapper),
            "lib/libcoldboost.so": (0o755, self.library),
        }
        with zipfile.ZipFile(path) as archive:
            self.equal(archive.testzip(), None, "damaged entry")
            self.equal(archive.namelist(), list(expected), "names")
            for entry in archive.infolist():
                mode, content = expected[entry.filename]
                self.equal(entry.external_attr >> 16, 0o100000 | mode, f"mode of {entry.filename}")
                self.check(archive.read(entry) == content, f"content of {entry.filename}")
        with zipfile.ZipFile(self.made("bare.zip")) as archive:
            names = [name for name in expected if not name.endswith(".cbp")]
            self.equal(archive.namelist(), names, "names without a profile")

    def test_recorder(self):
        """Only where it is asked for."""
        folder = self.parts()
        self.refused(b"has no coldboost-record for", "--record", "--build", folder)
        tools = os.path.dirname(self.tool)
        if not os.path.exists(f"{tools}/coldboost-record"):
            self.skipTest("built without a static libelf")
        recorder = write(f"{folder}/tools/coldboost-record", read(f"{tools}/coldboost-record"))
        self.refused(b"has no libcoldboost-record.so for", "--record", "--build", folder)
        library = write(f"{folder}/preload/libcoldboost-record.so", read(f"{tools}/../preload/libcoldboost-record.so"))
        path = self.made("recorder.zip", "--record", "--build", folder)
        with zipfile.ZipFile(path) as archive:
            self.equal(
                archive.namelist()[-2:], ["coldboost/coldboost-record", "coldboost/libcoldboost-record.so"], "names")
            for entry, source in zip(archive.infolist()[-2:], (recorder, library)):
                self.equal(entry.external_attr >> 16, 0o100755, f"mode of {entry.filename}")
                self.check(archive.read(entry) == read(source), f"content of {entry.filename}")
        self.check(read(self.made("here.zip", "--record")) == read(path), "this build's own: other bytes")
        write(library, self.linked)
        self.refused(b"libcoldboost-record.so: needs ", "--record", "--build", folder)

    def test_same_every_time(self):
        first = read(self.made("layer.zip", "-p", self.profile))
        os.utime(self.profile, (1, 1))
        zone = {"TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "SOURCE_DATE_EPOCH": "1"}
        again = self.made("again.zip", "--profile", self.profile, environment=zone,
                          preexec_fn=lambda: os.umask(0o77))
        self.check(read(again) == first, "another time, zone, umask and name: other bytes")
        folder = self.parts()
        self.check(
            read(self.made("third.zip", "--build", folder, "-p", self.profile)) == first,
            "another folder: other bytes",
        )

    def test_several_profiles(self):
        """United as coldboost merge does it, and never with the call stacks of record --stacks."""
        other = Profile(recorded_s=1700000001)
        other.section("/var/lang/bin/node", [(other.file("/etc/group"), 0, 0, 0)])
        other = other.write(f"{self.folder}/other.cbp")
        stacks = with_wrong(read(self.profile), "header", extra_bytes=8) + b"somebody"
        stacks = write(f"{self.folder}/stacks.cbp", stacks)
        for profiles in ([self.profile, other], [other, self.profile, self.profile], [stacks]):
            merged = f"{self.folder}/merged.cbp"
            outcome = run([self.tool, "merge", "-o", merged, *profiles], self.environment)
            self.equal(outcome.status, 0, f"merge: {outcome.stderr}")
            arguments = [argument for path in profiles for argument in ("-p", path)]
            with zipfile.ZipFile(self.made("layer.zip", *arguments)) as archive:
                shipped = archive.read("coldboost/profile.cbp")
            self.check(shipped == read(merged), f"{profiles}: not as merge has it")
            self.check(b"somebody" not in shipped, "call stacks in the layer")

    def test_other_architecture(self):
        other = AARCH64 if self.host == X86_64 else X86_64
        as_other = [elf[:18] + struct.pack("<H", other) + elf[20:] for elf in (self.library, self.wrapper)]
        folder = self.parts(*as_other)
        path = self.made("other.zip", "--arch", MACHINES[other], "--build", folder)
        with zipfile.ZipFile(path) as archive:
            self.check(archive.read("lib/libcoldboost.so") == as_other[0], "the other library")
        host = re.escape(MACHINES[self.host]).encode()
        self.refused(b"libcoldboost.so|coldboost-wrapper.*made for", "--build", folder)
        self.refused(b"made for " + host, "--arch", MACHINES[other], "--build", self.parts())
        self.refused(b"libcoldboost.so: made for", "--build", self.parts(library=as_other[0]))
        self.refused(b"coldboost-wrapper: made for", "--build", self.parts(wrapper=as_other[1]))
        stack = self.wrapper.replace(struct.pack("<I", PT_GNU_STACK), struct.pack("<I", PT_INTERP), 1)
        self.refused(b"coldboost-wrapper: is not static", "--build", self.parts(wrapper=stack))
        sparc = self.library[:18] + struct.pack("<H", 2) + self.library[20:]
        self.refused(b"neither x86_64 nor arm64", "--build", self.parts(library=sparc))

    def test_old_loaders(self):
        """Version by version, in an object that the linker made for this machine's libc."""
        said = {b"GLIBC_2.26": b"needs libc.so.6", b"GLIBC_2.9": b"needs libc.so.6",
                b"GLIBC_2.27": rb"needs GLIBC_2\.27", b"GLIBC_2.34": rb"needs GLIBC_2\.34",
                b"GLIBC_2.100": rb"needs GLIBC_2\.100", b"GLIBC_2.2x": rb"needs GLIBC_2\.2x",
                b"GLIBC_3.1": rb"needs GLIBC_3\.1", b"GLIBC_PRIV": rb"needs GLIBC_PRIV"}
        versions = sorted(set(re.findall(rb"GLIBC_2[.0-9]+", self.linked)), key=len)
        self.check(versions, "the linked object asks for no version: the check itself is broken")
        for version, expected in said.items():
            content = self.linked
            for old in versions:
                if len(old) >= len(version):
                    content = content.replace(old + b"\0", version.ljust(len(old), b"\0") + b"\0")
            if version + b"\0" not in content:
                self.skip(version.decode(), "no version string is as long")
                continue
            self.refused(expected, "--build", self.parts(library=content))
        # A tag that no loader misses becomes the one that old loaders do not know.
        relr = self.library.replace(struct.pack("<Q", DT_GNU_HASH), struct.pack("<Q", DT_RELR), 1)
        self.refused(b"DT_RELR", "--build", self.parts(library=relr))
        # The weak references of the library made strong: the binding is the high half of a byte.
        strong = re.sub(rb"(?s)(....)\x20(\x00\x00\x00\x00{16})", lambda m: m[1] + b"\x10" + m[2],
                        self.library[:0x4000])
        self.refused(b"needs the symbol ", "--build", self.parts(library=strong + self.library[0x4000:]))

    def test_mistakes(self):
        self.refused(b"needs? .*|not a", "--build", self.parts(library=b"text\n"))
        for size in (0, 3, 64, 4000):
            self.refused(b"libcoldboost.so: ", "--build", self.parts(library=self.library[:size]))
        self.refused(b"libcoldboost.so: not a 64-bit", "--build", self.parts(library=self.wrapper))
        self.refused(b"coldboost-wrapper: not a 64-bit", "--build", self.parts(wrapper=self.library))
        self.refused(b"no coldboost-wrapper.*--build", "--build", "/nowhere")
        folder = self.parts()
        os.unlink(f"{folder}/tools/coldboost-wrapper")
        self.refused(b"no coldboost-wrapper.*--build", "--build", folder)
        damaged = bytearray(read(self.profile))
        damaged[-1] ^= 1
        self.refused(b"damaged.cbp: damaged.*record .*it again", "-p",
                     write(f"{self.folder}/damaged.cbp", bytes(damaged)))
        self.refused(b"text.cbp: not a coldboost profile", "-p", write(f"{self.folder}/text.cbp", b"text\n"))
        self.refused(b"/no/such: No such file", "-p", "/no/such")
        self.refused(b"text.cbp: not a", "-p", self.profile, "-p", f"{self.folder}/text.cbp")
        self.refused(b"'sparc'", "--arch", "sparc", status=2)
        self.refused(b"'more'", "more", status=2)
        outcome = self.layer("-p", self.profile)
        self.check(outcome.status == 2 and b"-o" in outcome.stderr, f"no output: {outcome.stderr}")
        outcome = self.layer("-o", "/no/such/layer.zip")
        self.check(
            outcome.status == 1 and b"/no/such/layer.zip: " in outcome.stderr, f"no folder: {outcome.stderr}")

    def test_installed(self):
        """An installation that was moved as a whole, and one without the program behind the command."""
        library_folder = f"{self.folder}/prefix/lib"
        tools = os.path.dirname(self.tool)
        os.makedirs(f"{self.folder}/prefix/tools")
        moved = [copy_tool(self.tool, f"{self.folder}/prefix/tools"),
                 shutil.copy(f"{tools}/coldboost-layer", f"{self.folder}/prefix/tools")]
        write(f"{library_folder}/libcoldboost.so", self.library)
        write(f"{library_folder}/coldboost/coldboost-wrapper", self.wrapper)
        outcome = run([moved[0], "layer", "-o", "x.zip", "--build", library_folder], self.environment,
                      cwd=self.folder)
        self.equal((outcome.status, outcome.stderr), (0, b""), "installed")
        os.unlink(moved[1])
        outcome = run([moved[0], "layer", "-o", "x.zip"], self.environment, cwd=self.folder)
        self.check(
            outcome.status == 1 and re.search(rb"coldboost-layer: .*libarchive", outcome.stderr),
            f"without coldboost-layer: {outcome.stderr}",
        )


cases.main()
