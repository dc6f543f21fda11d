"""What coldboost inspect says of programs, scripts and processes; and that no file harms it.

Usage: inspection.py COLDBOOST OBJECT PRINT_ARGUMENTS PRINT_ARGUMENTS_STATIC COMPILER…
"""

import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from coldboost_support import Checks, Profile, copy_tool, plain_environment, run  # noqa: E402

NOBODY = 65534
PAGE = 4096


def limit_memory():
    resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20))


class Inspection:
    def __init__(self, folder, tool, object_path, printer, static, compiler):
        self.checks = Checks()
        self.folder = folder
        os.chmod(folder, 0o755)
        self.tool = copy_tool(tool, folder)
        self.object = os.path.realpath(object_path)
        self.printer = shutil.copy(printer, f"{folder}/printer")
        self.static = shutil.copy(static, f"{folder}/static")
        self.compiler = compiler
        self.environment = plain_environment(folder)

    def inspect(self, *arguments, environment=None, **more):
        return run([self.tool, "inspect", *arguments], {**self.environment, **(environment or {})},
                   cwd=self.folder, **more)

    def facts(self, *arguments, **more):
        outcome = self.inspect("--json", *arguments, **more)
        self.checks.equal((outcome.status, outcome.stderr), (0, b""), f"inspect {arguments}")
        return json.loads(outcome.stdout)

    def compile(self, name, source, *options):
        path = f"{self.folder}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        subprocess.run([*self.compiler, "-x", "c", "-", "-x", "none", "-o", path, *options], input=source.encode(),
                       check=True)
        return path

    def loaded(self, loader, program, environment=None):
        """What the loader itself says that it loads; this program is our own."""
        text = subprocess.run([loader, "--list", program], env={**self.environment, **(environment or {})},
                              stdout=subprocess.PIPE, check=True, text=True).stdout
        found = re.findall(r"(?m)(/\S+) \(0x", text)
        return sorted({os.path.realpath(path) for path in found} - {os.path.realpath(program)})

    def same_as_loader(self, program, environment=None):
        facts = self.facts(program, environment=environment)
        mine = sorted(os.path.realpath(entry["path"]) for entry in facts["objects"][1:] if entry["path"])
        self.checks.equal(mine, self.loaded(facts["loader"], program, environment), f"objects of {program}")
        return {os.path.basename(entry["path"]): entry for entry in facts["objects"] if entry["path"]}

    def files(self):
        facts = self.facts(self.printer)
        self.checks.check(facts["can_be_preloaded"] and facts["obstacle"] is None, f"obstacle: {facts['obstacle']}")
        self.checks.check("executable" in facts["kind"] and "static" not in facts["kind"], facts["kind"])
        self.checks.check(facts["libc"] in ("glibc", "musl"), facts["libc"])
        self.same_as_loader(self.printer)
        static = self.facts(self.static)
        self.checks.check("static" in static["kind"], static["kind"])
        self.checks.check("statically linked" in static["obstacle"] and static["remedy"], str(static["obstacle"]))
        library = self.facts(self.object)
        self.checks.equal((library["kind"], library["can_be_preloaded"]), ("shared library", False), "a library")
        self.checks.equal(library["objects"][0]["needed"], [], "what the library needs")
        for options, kind in ((["-no-pie"], "executable"), (["-pie", "-fPIE"], "position-independent executable"),
                              (["-static-pie"], "static position-independent executable")):
            program = self.compile("kinds/program", "int main(void) { return 0; }", *options)
            self.checks.equal(self.facts(program)["kind"], kind, f"kind with {options}")
        program = self.compile("id", "int main(void) { return 0; }", "-Wl,--build-id=0x0123456789abcdef")
        self.checks.equal(self.facts(program)["build_id"], "0123456789abcdef", "build-id")

    def libraries(self):
        inner = self.compile("inner/libinner.so", "int inner(void) { return 1; }", "-shared", "-fPIC", "-Wl,-soname,libinner.so")
        self.compile("other/libinner.so", "int inner(void) { return 2; }", "-shared", "-fPIC", "-Wl,-soname,libinner.so")
        outer_source = "int inner(void); int outer(void) { return inner(); }"
        main_source = "int outer(void); int main(void) { return outer(); }"
        for tags, by in (("--enable-new-dtags", "RUNPATH"), ("--disable-new-dtags", "RPATH")):
            name = f"list-{by}"
            self.compile(f"{name}/libouter.so", outer_source, "-shared", "-fPIC", inner,
                         f"-Wl,{tags},-rpath,/nowhere:${{ORIGIN}}/../inner", "-Wl,-soname,libouter.so")
            program = self.compile(f"{name}/program", main_source, f"-L{self.folder}/{name}", "-louter",
                                   f"-Wl,{tags},-rpath,$ORIGIN,--allow-shlib-undefined")
            self.checks.equal(self.same_as_loader(program)["libouter.so"]["found_by"], by, f"libouter by {by}")
            self.same_as_loader(program, {"LD_LIBRARY_PATH": f"{self.folder}/other"})
        own = self.compile("own/libown.so", "unsigned crc32(unsigned a) { return a; }", "-shared", "-fPIC",
                           "-Wl,-soname,libown.so")
        zlib = self.compile("own/libzlike.so", "unsigned crc32(unsigned a) { return a; } void zlibVersion(void) {}",
                            "-shared", "-fPIC", "-Wl,--hash-style=sysv")
        self.checks.equal([self.facts(path)["objects"][0]["crc32"] for path in (own, zlib, inner)],
                          ["own", "zlib", None], "whose crc32")
        program = self.compile("own/program", "unsigned crc32(unsigned); int main(void) { return (int)crc32(0); }",
                               own)
        missing = [e for e in self.facts(program)["objects"] if e["name"] == "libown.so"]
        self.checks.check(missing and missing[0]["path"] is None and "not found" in missing[0]["error"],
                          f"a missing library: {missing}")

    def work(self):
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
            self.checks.equal(entry["initialisers"], 2, "initialisers")
            counts.append(entry["relocations"])
            self.checks.check(0 < entry["blind"]["bytes"] <= 128 << 10, f"blind plan: {entry['blind']}")
            self.checks.equal(entry["blind"]["ranges"], 1, "windows of two initialisers side by side")
        self.checks.equal(counts[0]["relative"], 203, f"relative relocations: {counts[0]}")
        self.checks.equal(counts[0], counts[1], "the same relocations, packed")
        self.checks.check(2 <= counts[0]["pages"] <= 4, f"pages written: {counts[0]}")

    def scripts(self):
        script = f"{self.folder}/script"
        for line, chain in ((f"#!{self.printer} -x", [self.printer]),
                            ("#!/usr/bin/env printer", ["/usr/bin/env", self.printer]),
                            ("#! /usr/bin/env -S printer -x", ["/usr/bin/env", self.printer])):
            with open(script, "w", encoding="ascii") as file:
                file.write(line + "\n")
            facts = self.facts(script, environment={"PATH": self.folder})
            self.checks.equal((facts["interpreters"], facts["program"]), (chain, self.printer), line)
        for line, pattern in ((f"#!{script}", rb"without end"), ("#!/nowhere", rb"/nowhere is not there")):
            with open(script, "w", encoding="ascii") as file:
                file.write(line + "\n")
            outcome = self.inspect(script)
            self.checks.equal((outcome.status, outcome.stdout), (1, b""), line)
            self.checks.check(re.search(pattern, outcome.stderr), f"{line}: {outcome.stderr}")

    def residency(self):
        with open(self.printer, "rb+") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            cold = self.facts(self.printer)["objects"][0]
            file.read()
        warm = self.facts(self.printer)["objects"][0]
        self.checks.equal(warm["resident_pages"], warm["pages"], "pages of a file that was read")
        self.checks.check(cold["resident_pages"] < cold["pages"], f"pages of one that was not: {cold['resident_pages']}")
        text = next(section for section in warm["sections"] if section["name"] == ".text")
        self.checks.equal(text["resident_pages"], text["pages"], "pages of .text")
        if os.geteuid() == 0:
            os.chmod(self.printer, 0o755)
            hidden = self.facts(self.printer, user=NOBODY, group=NOBODY)["objects"][0]
            self.checks.equal({hidden["resident_pages"], *(s["resident_pages"] for s in hidden["sections"])}, {None},
                              "residency of what is somebody else's")
            os.chmod(self.printer, 0o4755)
            facts = self.facts(self.printer, user=NOBODY, group=NOBODY)
            self.checks.check(facts["set_uid"] and "set-uid" in facts["obstacle"], f"set-uid: {facts['obstacle']}")
            os.chmod(self.printer, 0o755)
        for locale, blocks in (("C", False), ("C.UTF-8", True)):
            outcome = self.inspect(self.printer, environment={"LC_ALL": locale})
            strip = re.search(rb"in memory +\|(.*)\| 100%", outcome.stdout).group(1)
            self.checks.equal(strip, ("█" if blocks else "#").encode() * min(64, warm["pages"]), f"strip in {locale}")

    def profiles(self):
        profile = Profile()
        size = os.path.getsize(self.printer)
        mtime = os.stat(self.printer).st_mtime_ns
        real = os.path.realpath(self.printer)
        with open(f"{self.folder}/data", "wb") as file:
            file.write(bytes(3 * PAGE))
        program = profile.file(real, size=size, mtime_ns=mtime)
        data = profile.file(f"{self.folder}/data", size=3 * PAGE, mtime_ns=1)
        stale = profile.file(os.path.realpath(self.facts(self.printer)["loader"]), size=5 * PAGE, mtime_ns=1)
        profile.section(real, [(program, 0, 2, 0), (data, 0, 3, 0), (stale, 0, 1, 0)])
        path = profile.write(f"{self.folder}/profile.cbp")
        facts = self.facts("-p", path, self.printer)
        entry = facts["objects"][0]
        self.checks.equal(entry["profile"], {"bytes": 2 * PAGE, "ranges": 1}, "what a profile pages in")
        self.checks.equal(facts["profile_elsewhere"], {"bytes": 3 * PAGE, "ranges": 1}, "of other files")
        self.checks.check(any(e["profile_is_stale"] and e["profile"]["bytes"] == 0 for e in facts["objects"]),
                          "no object is stale")
        self.checks.check(not self.facts("-p", path, self.static)["profile_names_program"], "a section too many")
        outcome = self.inspect("-p", self.printer, self.printer)
        self.checks.check(outcome.status == 1 and b"profile" in outcome.stderr, f"no profile: {outcome.stderr}")

    def processes(self):
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
            self.checks.equal({entry["path"] for entry in facts["objects"]}, wanted, "objects of a process")
            self.checks.equal((facts["pid"], facts["is_preloaded"]), (child.pid, bool(preload)), "preloaded")
            self.checks.equal(facts["preloads"], [preload] if preload else [], "LD_PRELOAD of a process")
        outcome = self.inspect("2147483647")
        self.checks.check(outcome.status == 1 and b"there is none" in outcome.stderr, f"no process: {outcome.stderr}")

    def damaged(self, path, what):
        outcome = self.inspect("--json", path, preexec_fn=limit_memory)
        self.checks.check(outcome.status in (0, 1), f"{what}: status {outcome.status}, {outcome.stderr}")
        if outcome.status == 0:
            json.loads(outcome.stdout)
        else:
            self.checks.check(path.encode() in outcome.stderr and not outcome.stdout,
                              f"{what}: {outcome.stderr}")
        return outcome.status

    def hostile(self):
        """Deterministic: the same damage each time."""
        chance, path, seen = random.Random(6), f"{self.folder}/damaged", set()
        for original in (self.printer, self.static, self.object):
            with open(original, "rb") as file:
                whole = file.read()
            for number in range(150):
                damaged = bytearray(whole)
                if number % 3 == 0:
                    del damaged[chance.randrange(len(damaged)):]
                else:
                    for _ in range(1 + number % 4):
                        damaged[chance.randrange((64, 1024, 4096, len(damaged))[number % 4])] ^= 1 << chance.randrange(8)
                with open(path, "wb") as file:
                    file.write(damaged)
                seen.add(self.damaged(path, f"{os.path.basename(original)}, damage {number}"))
        self.checks.equal(seen, {0, 1}, "answers to damaged files")
        endless = ":".join(["$ORIGIN/../" * 50 + f"x{i}" for i in range(7)] * 800)[:4000]
        source = "int main(void) { return 0; }"
        libraries = []
        for i in range(40):
            libraries.append(self.compile(f"many/lib{i}.so", "int x;", "-shared", "-fPIC", f"-Wl,-soname,lib{i}.so"))
        program = self.compile("many/program", source, "-Wl,--no-as-needed", *libraries, f"-Wl,-rpath,{endless}")
        self.checks.equal(self.damaged(program, "endless RUNPATH"), 0, "endless RUNPATH")
        with open(path, "wb") as file: # 1 TiB, nearly all of it a hole
            with open(self.printer, "rb") as whole:
                file.write(whole.read())
            file.truncate(1 << 40)
        self.damaged(path, "a sparse file")
        os.remove(path)
        os.mkfifo(path)
        self.checks.equal(self.damaged(path, "a FIFO"), 1, "a FIFO")

    def usage(self):
        for arguments in (["-p"], ["a", "b"], []):
            self.checks.equal(self.inspect(*arguments).status, 2, f"inspect {arguments}")
        outcome = self.inspect("/nowhere")
        self.checks.check(outcome.status == 1 and b"/nowhere: No such file" in outcome.stderr, str(outcome.stderr))


def main():
    tool, object_path, printer, static, *compiler = sys.argv[1:]
    # Not in /tmp, where all may be in memory always, nor where this was built: others may have no way
    # there, and part of this is somebody else's.
    with tempfile.TemporaryDirectory(prefix="inspection-", dir="/var/tmp") as folder:
        inspection = Inspection(folder, tool, object_path, printer, static, compiler)
        for part in ("files", "libraries", "work", "scripts", "residency", "profiles", "processes", "hostile", "usage"):
            getattr(inspection, part)()
    return inspection.checks.exit_code()


sys.exit(main())
