"""What coldboost inspect says of programs, scripts and processes.

Usage: inspection.py COLDBOOST OBJECT PRINT_ARGUMENTS PRINT_ARGUMENTS_STATIC COMPILER [CASE…]
"""

import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import NOBODY  # noqa: E402
from inspect_case import InspectCase  # noqa: E402
from profiles import PAGE_BYTES, Profile  # noqa: E402


class Inspection(InspectCase):
    def loaded(self, loader, program, environment=None):
        """What the loader itself says that it loads; this program is our own."""
        text = subprocess.run([loader, "--list", program], env={**self.environment, **(environment or {})},
                              stdout=subprocess.PIPE, check=True, text=True).stdout
        found = re.findall(r"(?m)(/\S+) \(0x", text)
        return sorted({os.path.realpath(path) for path in found} - {os.path.realpath(program)})

    def same_as_loader(self, program, environment=None):
        facts = self.facts(program, environment=environment)
        mine = sorted(os.path.realpath(entry["path"]) for entry in facts["objects"][1:] if entry["path"])
        self.equal(mine, self.loaded(facts["loader"], program, environment), f"objects of {program}")
        return {os.path.basename(entry["path"]): entry for entry in facts["objects"] if entry["path"]}

    def test_files(self):
        facts = self.facts(self.printer)
        self.check(facts["can_be_preloaded"] and facts["obstacle"] is None, f"obstacle: {facts['obstacle']}")
        self.check("executable" in facts["kind"] and "static" not in facts["kind"], facts["kind"])
        self.check(facts["libc"] in ("glibc", "musl"), facts["libc"])
        self.same_as_loader(self.printer)
        static = self.facts(self.static)
        self.check("static" in static["kind"], static["kind"])
        self.check("statically linked" in static["obstacle"] and static["remedy"], str(static["obstacle"]))
        library = self.facts(self.object)
        self.equal((library["kind"], library["can_be_preloaded"]), ("shared library", False), "a library")
        self.equal(library["objects"][0]["needed"], [], "what the library needs")
        for options, kind in ((["-no-pie"], "executable"), (["-pie", "-fPIE"], "position-independent executable"),
                              (["-static-pie"], "static position-independent executable")):
            program = self.compile("kinds/program", "int main(void) { return 0; }", *options)
            self.equal(self.facts(program)["kind"], kind, f"kind with {options}")
        program = self.compile("id", "int main(void) { return 0; }", "-Wl,--build-id=0x0123456789abcdef")
        self.equal(self.facts(program)["build_id"], "0123456789abcdef", "build-id")

    def test_without_proc(self):
        """It prints no remedy where there is none; the reason says what is missing."""
        outcome = subprocess.run(["unshare", "-m", "sh", "-c", 'umount -l /proc && exec "$@"', "sh", self.tool,
                                  "inspect", self.printer], capture_output=True, text=True, check=False)
        if "preloading" not in outcome.stdout:
            self.skipTest(f"no mount namespace here: {outcome.stderr}")
        self.check("mount /proc" in outcome.stdout, outcome.stdout)
        self.check("remedy" not in outcome.stdout, outcome.stdout)

    def test_libraries(self):
        as_inner = ["-shared", "-fPIC", "-Wl,-soname,libinner.so"]
        inner = self.compile("inner/libinner.so", "int inner(void) { return 1; }", *as_inner)
        self.compile("other/libinner.so", "int inner(void) { return 2; }", *as_inner)
        outer_source = "int inner(void); int outer(void) { return inner(); }"
        main_source = "int outer(void); int main(void) { return outer(); }"
        for tags, by in (("--enable-new-dtags", "RUNPATH"), ("--disable-new-dtags", "RPATH")):
            name = f"list-{by}"
            self.compile(f"{name}/libouter.so", outer_source, "-shared", "-fPIC", inner,
                         f"-Wl,{tags},-rpath,/nowhere:${{ORIGIN}}/../inner", "-Wl,-soname,libouter.so")
            program = self.compile(f"{name}/program", main_source, f"-L{self.folder}/{name}", "-louter",
                                   f"-Wl,{tags},-rpath,$ORIGIN,--allow-shlib-undefined")
            self.equal(self.same_as_loader(program)["libouter.so"]["found_by"], by, f"libouter by {by}")
            self.same_as_loader(program, {"LD_LIBRARY_PATH": f"{self.folder}/other"})
        own = self.compile("own/libown.so", "unsigned crc32(unsigned a) { return a; }", "-shared", "-fPIC",
                           "-Wl,-soname,libown.so")
        zlib = self.compile("own/libzlike.so", "unsigned crc32(unsigned a) { return a; } void zlibVersion(void) {}",
                            "-shared", "-fPIC", "-Wl,--hash-style=sysv")
        self.equal([self.facts(path)["objects"][0]["crc32"] for path in (own, zlib, inner)],
                   ["own", "zlib", None], "whose crc32")
        program = self.compile("own/program", "unsigned crc32(unsigned); int main(void) { return (int)crc32(0); }",
                               own)
        missing = [e for e in self.facts(program)["objects"] if e["name"] == "libown.so"]
        self.check(missing and missing[0]["path"] is None and "not found" in missing[0]["error"],
                   f"a missing library: {missing}")

    def test_work(self):
        source = """
            int data;
            int *pointers[1024] = {[0 ... 199] = &data, [700] = &data};
            __attribute__((constructor)) static void one(void) { data++; }
            __attribute__((constructor)) static void two(void) { data++; }
        """
        counts = []
        for options in ([], ["-Wl,-z,pack-relative-relocs"]):
            library = self.compile("work.so", source, "-shared", "-fPIC", "-nostartfiles", "-Wl,-Bsymbolic",
                                   *options)
            entry = self.facts(library)["objects"][0]
            self.equal(entry["initialisers"], 2, "initialisers")
            counts.append(entry["relocations"])
            self.check(0 < entry["blind"]["bytes"] <= 128 << 10, f"blind plan: {entry['blind']}")
            self.equal(entry["blind"]["ranges"], 1, "windows of two initialisers side by side")
        self.equal(counts[0]["relative"], 203, f"relative relocations: {counts[0]}")
        self.equal(counts[0], counts[1], "the same relocations, packed")
        self.check(2 <= counts[0]["pages"] <= 4, f"pages written: {counts[0]}")

    def test_scripts(self):
        script = f"{self.folder}/script"
        for line, chain in ((f"#!{self.printer} -x", [self.printer]),
                            ("#!/usr/bin/env printer", ["/usr/bin/env", self.printer]),
                            ("#! /usr/bin/env -S printer -x", ["/usr/bin/env", self.printer])):
            with open(script, "w", encoding="ascii") as file:
                file.write(line + "\n")
            facts = self.facts(script, environment={"PATH": self.folder})
            self.equal((facts["interpreters"], facts["program"]), (chain, self.printer), line)
        for line, pattern in ((f"#!{script}", rb"without end"), ("#!/nowhere", rb"/nowhere is not there")):
            with open(script, "w", encoding="ascii") as file:
                file.write(line + "\n")
            outcome = self.inspect(script)
            self.equal((outcome.status, outcome.stdout), (1, b""), line)
            self.check(re.search(pattern, outcome.stderr), f"{line}: {outcome.stderr}")

    def test_residency(self):
        with open(self.printer, "rb+") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            cold = self.facts(self.printer)["objects"][0]
            file.read()
        warm = self.facts(self.printer)["objects"][0]
        self.equal(warm["resident_pages"], warm["pages"], "pages of a file that was read")
        self.check(cold["resident_pages"] < cold["pages"], f"pages of one that was not: {cold['resident_pages']}")
        text = next(section for section in warm["sections"] if section["name"] == ".text")
        self.equal(text["resident_pages"], text["pages"], "pages of .text")
        if os.geteuid() == 0:
            os.chmod(self.printer, 0o755)
            hidden = self.facts(self.printer, user=NOBODY, group=NOBODY)["objects"][0]
            self.equal({hidden["resident_pages"], *(s["resident_pages"] for s in hidden["sections"])}, {None},
                       "residency of what is somebody else's")
            os.chmod(self.printer, 0o4755)
            facts = self.facts(self.printer, user=NOBODY, group=NOBODY)
            self.check(facts["set_uid"] and "set-uid" in facts["obstacle"], f"set-uid: {facts['obstacle']}")
            os.chmod(self.printer, 0o755)
        for locale, blocks in (("C", False), ("C.UTF-8", True)):
            outcome = self.inspect(self.printer, environment={"LC_ALL": locale})
            strip = re.search(rb"in memory +\|(.*)\| 100%", outcome.stdout).group(1)
            self.equal(strip, ("█" if blocks else "#").encode() * min(64, warm["pages"]), f"strip in {locale}")

    def test_profiles(self):
        profile = Profile()
        size = os.path.getsize(self.printer)
        mtime = os.stat(self.printer).st_mtime_ns
        real = os.path.realpath(self.printer)
        with open(f"{self.folder}/data", "wb") as file:
            file.write(bytes(3 * PAGE_BYTES))
        program = profile.file(real, size=size, mtime_ns=mtime)
        data = profile.file(f"{self.folder}/data", size=3 * PAGE_BYTES, mtime_ns=1)
        stale = profile.file(os.path.realpath(self.facts(self.printer)["loader"]), size=5 * PAGE_BYTES, mtime_ns=1)
        profile.section(real, [(program, 0, 2, 0), (data, 0, 3, 0), (stale, 0, 1, 0)])
        path = profile.write(f"{self.folder}/profile.cbp")
        facts = self.facts("-p", path, self.printer)
        entry = facts["objects"][0]
        self.equal(entry["profile"], {"bytes": 2 * PAGE_BYTES, "ranges": 1}, "what a profile pages in")
        self.equal(facts["profile_elsewhere"], {"bytes": 3 * PAGE_BYTES, "ranges": 1}, "of other files")
        self.check(any(e["profile_is_stale"] and e["profile"]["bytes"] == 0 for e in facts["objects"]),
                   "no object is stale")
        self.check(not self.facts("-p", path, self.static)["profile_names_program"], "a section too many")
        outcome = self.inspect("-p", self.printer, self.printer)
        self.check(outcome.status == 1 and b"profile" in outcome.stderr, f"no profile: {outcome.stderr}")

    def test_processes(self):
        for preload in (None, self.object):
            environment = {**self.environment, **({"LD_PRELOAD": preload} if preload else {})}
            with subprocess.Popen([sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"],
                                  env=environment, stdout=subprocess.PIPE) as child:
                child.stdout.readline()
                facts = self.facts(str(child.pid))
                with open(f"/proc/{child.pid}/maps", encoding="utf-8") as maps:
                    paths = {line.split(None, 5)[5].rstrip("\n") for line in maps if " /" in line}
                child.kill()
            wanted = set()
            for path in paths:
                with open(path, "rb") as file:
                    if file.read(4) == b"\x7fELF":
                        wanted.add(path)
            self.equal({entry["path"] for entry in facts["objects"]}, wanted, "objects of a process")
            self.equal((facts["pid"], facts["is_preloaded"]), (child.pid, bool(preload)), "preloaded")
            self.equal(facts["preloads"], [preload] if preload else [], "LD_PRELOAD of a process")
        outcome = self.inspect("2147483647")
        self.check(outcome.status == 1 and b"there is none" in outcome.stderr, f"no process: {outcome.stderr}")


cases.main()
