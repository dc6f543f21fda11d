"""The command-line tool: what it says, to whom, and with which exit status.

Usage: cli.py COLDBOOST OBJECT PRINT_ARGUMENTS PRINT_ARGUMENTS_STATIC
"""

import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from coldboost_support import Checks, Profile, plain_environment, reseal, run  # noqa: E402

NOBODY = 65534


class Tool:
    def __init__(self, folder, tool, object_path, printer, static):
        self.checks = Checks()
        self.folder = folder
        os.chmod(folder, 0o755)
        self.tool = os.path.abspath(tool)
        self.object = os.path.realpath(object_path)
        self.printer = shutil.copy(printer, f"{folder}/printer")
        self.static = shutil.copy(static, f"{folder}/static")
        self.environment = plain_environment(folder)

    def run(self, *arguments, stdin=b"", environment=None, **more):
        return run(
            [self.tool, *arguments], {**self.environment, **(environment or {})}, stdin,
            cwd=self.folder, **more,
        )

    def expect(self, arguments, status, stdout=b"", stderr=b"", **more):
        """stdout and stderr are patterns that must match somewhere; empty means empty."""
        outcome = self.run(*arguments, **more)
        name = "coldboost " + " ".join(arguments)
        self.checks.equal(outcome.status, status, f"{name}: {outcome.stderr}")
        for stream, pattern in (("stdout", stdout), ("stderr", stderr)):
            text = getattr(outcome, stream)
            matches = re.search(pattern, text, re.S) if pattern else not text
            self.checks.check(matches, f"{name}: {stream} is {text}, not {pattern}")
        return outcome

    def installed(self):
        """The tool and the object where everybody can reach them."""
        for name in ("tools", "preload"):
            os.makedirs(f"{self.folder}/{name}", exist_ok=True)
        tool = shutil.copy(self.tool, f"{self.folder}/tools")
        return tool, shutil.copy(self.object, f"{self.folder}/preload")

    def usage(self):
        self.expect(["--help"], 0, rb"Usage: coldboost COMMAND.*\brun\b.*\bshow\b.*\bbench\b")
        self.expect(["-h"], 0, rb"Usage: ")
        self.expect(["--version"], 0, rb"^coldboost \d+\.\d+\.\d+\n$")
        self.expect([], 2, b"", rb"Usage: ")
        self.expect(["fly"], 2, b"", rb"coldboost: .*'fly'.*--help")
        commands = re.findall(rb"(?m)^  (\w+) ", self.run("--help").stdout.split(b"Commands:")[1].split(b"\n\n")[0])
        self.checks.check(len(commands) >= 3, f"commands in the help: {commands}")
        for command in (name.decode() for name in commands):
            self.expect([command, "--help"], 0, b"Usage: coldboost " + command.encode())
            self.expect([command, "--no-such-option"], 2, b"", rb"no-such-option.*--help")
            self.expect([command], 2, b"", b"coldboost " + command.encode() + b".*--help")
        with open("/dev/full", "wb") as full:
            for arguments in (["--help"], ["--version"], ["run", "--help"], ["show", "--help"]):
                result = subprocess.run(
                    [self.tool, *arguments], stdout=full, stderr=subprocess.PIPE, check=False
                )
                self.checks.equal(result.returncode, 1, f"{arguments} to a full disk")

    def run_starts(self):
        plain = run([self.printer, "a b", "", "exit=7"], self.environment, b"in\0put", cwd=self.folder)
        boosted = self.run("run", self.printer, "a b", "", "exit=7", stdin=b"in\0put")
        self.checks.equal((plain.status, boosted.status), (7, 7), "exit status of run")
        lines = boosted.stdout.split(b"\n")
        self.checks.equal(lines[0], b"[a b][][exit=7]", "arguments of run")
        self.checks.equal(lines[1], b"LD_PRELOAD=" + self.object.encode(), "LD_PRELOAD of run")
        self.checks.check(lines[3].startswith(b"mapped=1"), f"run does not preload: {lines[3]}")
        self.checks.equal(lines[4:], [b"in\0put"], "stdin of run")
        self.checks.equal(boosted.stderr, b"", "stderr of run")
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT):
            outcome = self.run("run", "--", self.printer, f"signal={int(number)}")
            self.checks.equal(outcome.status, -number, f"signal {number} of run")
        options = self.run("run", self.printer, "-p", "--help", "--", "-h")
        self.checks.check(
            options.stdout.startswith(b"[-p][--help][--][-h]\n"), f"options of the command: {options.stdout}"
        )
        outcome = self.run("run", "--", self.printer, "x", environment={"LD_PRELOAD": "libm.so.6"})
        expected = f"LD_PRELOAD={self.object}:libm.so.6\n".encode()
        self.checks.check(expected in outcome.stdout, f"the user's LD_PRELOAD: {outcome.stdout}")
        off = self.run("run", self.printer, environment={"COLDBOOST": "off"})
        self.checks.check(b"mapped=0" in off.stdout and b"LD_PRELOAD=\n" in off.stdout, "run, off")
        by_path = self.run("run", "printer", "x", environment={"PATH": f"/nowhere:{self.folder}"})
        self.checks.check(b"[x]\n" in by_path.stdout, "run does not search PATH")

    def run_refuses(self):
        self.expect(["run", "no-such-command"], 127, b"", rb"coldboost: no-such-command: .*not found")
        self.expect(["run", "./missing"], 127, b"", rb"coldboost: ./missing: ")
        self.expect(["run", self.folder], 126, b"", rb"directory")
        with open(f"{self.folder}/plain", "w", encoding="utf-8") as out:
            out.write("data\n")
        self.expect(["run", "./plain"], 126, b"", rb"./plain: ")
        self.expect(["run", "-p", "missing.cbp", self.printer], 1, b"", rb"missing.cbp.*coldboost record")
        for name, content in (("text.cbp", b"text\n"), ("empty.cbp", b"")):
            with open(f"{self.folder}/{name}", "wb") as out:
                out.write(content)
            self.expect(["run", "-p", name, self.printer], 1, b"", name.encode() + b".*record it again")
        self.expect(["run", "-p"], 2, b"", rb"--help")

    def run_warns(self):
        """What cannot be preloaded runs all the same, with a line that says why."""
        self.expect(["run", self.static, "x"], 0, rb"^\[x\].*mapped=0", rb"static.*statically linked")
        with open(f"{self.folder}/program32", "wb") as out:
            out.write(b"\x7fELF\x01\x01\x01" + bytes(9) + struct.pack("<HH", 2, 3) + bytes(200))
        os.chmod(f"{self.folder}/program32", 0o755)
        self.expect(["run", "./program32"], 126, b"", rb"32-bit")
        with open(f"{self.folder}/cut", "wb") as out:
            out.write(b"\x7fELF\x02\x01\x01")
        os.chmod(f"{self.folder}/cut", 0o755)
        self.expect(["run", "./cut"], 126, b"", rb"truncated|ELF")
        for name, first in (("script", f"#!{self.printer} extra"), ("nested", f"#! {self.folder}/script")):
            with open(f"{self.folder}/{name}", "w", encoding="utf-8") as out:
                out.write(first + "\n")
            os.chmod(f"{self.folder}/{name}", 0o755)
        self.expect(["run", "./script", "y"], 0, rb"^\[extra\]\[./script\]\[y\].*mapped=1")
        self.expect(["run", "./nested"], 0, rb"mapped=1")
        with open(f"{self.folder}/static-script", "w", encoding="utf-8") as out:
            out.write(f"#!{self.static}\n")
        os.chmod(f"{self.folder}/static-script", 0o755)
        self.expect(["run", "./static-script"], 0, rb"mapped=0", rb"statically linked")
        with open(f"{self.folder}/headless", "w", encoding="utf-8") as out:
            out.write("echo by the shell\n")
        os.chmod(f"{self.folder}/headless", 0o755)
        self.expect(["run", "./headless"], 0, rb"^by the shell\n$", b".?")
        if os.getuid() != 0:
            self.checks.skip("set-uid program", "it takes root to make one")
            return
        setuid = shutil.copy(self.printer, f"{self.folder}/setuid")
        os.chmod(setuid, 0o4755)
        tool, library = self.installed()
        as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        outcome = run([tool, "run", setuid], self.environment, cwd="/", **as_nobody)
        self.checks.equal(outcome.status, 0, "set-uid program")
        self.checks.check(
            b"mapped=0" in outcome.stdout and re.search(rb"set-uid", outcome.stderr),
            f"set-uid program: {outcome.stdout} {outcome.stderr}",
        )
        # Once more with the variables in place by hand: the constructor, too, must stay away.
        outcome = run([setuid], {**self.environment, "LD_PRELOAD": library}, cwd="/", **as_nobody)
        self.checks.check(b"mapped=0" in outcome.stdout, f"set-uid: {outcome.stdout}")

    def sample(self):
        """A profile of the printer, and what it must be shown as."""
        data, odd = f"{self.folder}/data", f"{self.folder}/odd \"name\"\n\\\udcff\u00e4"
        for path, size in ((data, 100000), (odd, 5000)):
            with open(path, "wb") as out:
                out.write(os.urandom(size))
        profile = Profile(epoch_us=500)
        first, second = profile.file(data, build_id=b"\x01\xab"), profile.file(odd)
        folder = profile.file(self.folder, kind=1, size=0, mtime_ns=0)
        ranges = [(first, 20, 5, 0), (second, 0, 2, 1), (first, 0, 3, 2), (folder, 0, 0, 3)]
        profile.section(os.path.realpath(self.printer), ranges)
        profile.section("/usr/bin/other", [(second, 1, 1, 9)])
        return profile, data, odd

    def show(self):
        profile, data, odd = self.sample()
        path = profile.write(f"{self.folder}/sample.cbp")
        text = self.expect(["show", path], 0, rb"sample.cbp.*version 1.*2 executables, 3 files, 5 ranges")
        for word in (os.path.realpath(self.printer), "/usr/bin/other", data):
            self.checks.check(word.encode() in text.stdout, f"show does not name {word}")
        document = json.loads(self.expect(["show", "--json", path], 0, rb"\{").stdout)
        self.checks.equal(document["version"], 1, "version in JSON")
        self.checks.equal(
            [(e["path"], e["ranges"]) for e in document["executables"]],
            [(os.path.realpath(self.printer), 4), ("/usr/bin/other", 1)],
            "executables in JSON",
        )
        shown = {entry["path"]: entry for entry in document["files"]}
        odd = odd.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        self.checks.equal(set(shown), {data, odd, self.folder}, "paths in JSON")
        self.checks.equal(shown[data]["size"], 100000, "size in JSON")
        self.checks.equal(shown[data]["build_id"], "01ab", "build-id in JSON")
        self.checks.equal(
            [(r["offset"], r["length"], r["epoch"]) for r in shown[data]["ranges"]],
            [(20 * 4096, 100000 - 20 * 4096, 0), (0, 3 * 4096, 2)],
            "ranges in JSON",
        )
        self.checks.equal(
            [(r["offset"], r["length"], r["epoch"]) for r in shown[odd]["ranges"]],
            [(0, 5000, 1), (4096, 904, 9)],
            "ranges of the second file in JSON",
        )
        self.checks.equal(
            (shown[self.folder]["kind"], shown[data]["kind"]), ("directory", "file"), "kinds in JSON"
        )
        empty = Profile().write(f"{self.folder}/nothing.cbp")
        self.expect(["show", empty], 0, rb"0 executables")
        json.loads(self.expect(["show", "--json", empty], 0, rb"\{").stdout)

    def show_damaged(self):
        profile, _, _ = self.sample()
        good = profile.encode()
        wild = bytearray(good)
        struct.pack_into("<I", wild, 64 + 8, 0xFFFFFFF0)
        forms = {
            "empty": b"",
            "magic": b"X" + good[1:],
            "cut": good[:100],
            "long": good + b"\0",
            "checksum": good[:-2] + b"z\0",
            "version": profile.encode(version=9),
            "counts": profile.encode(range_count=0xFFFFFFFF),
            "bounds": reseal(bytes(wild)),
        }
        for name, content in forms.items():
            path = f"{self.folder}/{name}.cbp"
            with open(path, "wb") as out:
                out.write(content)
            for arguments in (["show", path], ["show", "--json", path]):
                # The name of the file, what is wrong with it, and what to do.
                self.expect(arguments, 1, b"", re.escape(path.encode()) + b": .*(again|not a)")
        self.expect(["show", "/no/such.cbp"], 1, b"", rb"/no/such.cbp: No such file")
        self.expect(["show", self.folder], 1, b"", rb"not a regular file")
        os.mkfifo(f"{self.folder}/fifo.cbp")
        self.expect(["show", f"{self.folder}/fifo.cbp"], 1, b"", rb"not a regular file")
        self.expect(["show", "/dev/zero"], 1, b"", rb"not a regular file")
        self.expect(["show", "a", "b"], 2, b"", rb"--help")

    def bench(self):
        """Not as root: root would empty the page cache of the whole machine."""
        program = shutil.copy(shutil.which("true", path=self.environment["PATH"]), f"{self.folder}/quick")
        profile = Profile()
        profile.section(os.path.realpath(program), profile.whole_files([program]))
        path = profile.write(f"{self.folder}/quick.cbp")
        tool, how = self.tool, {}
        if os.getuid() == 0:
            tool, _ = self.installed()
            how = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        outcome = run(
            [tool, "bench", "-n", "1", "--json", "-p", path, "--", program], self.environment,
            cwd="/", **how,
        )
        if not self.checks.equal(outcome.status, 0, f"bench: {outcome.stderr}"):
            return
        document = json.loads(outcome.stdout)
        self.checks.equal(document["command"], [program], "command of bench")
        self.checks.equal(document["rounds"], 1, "rounds of bench")
        self.checks.equal(
            set(document["variants"]), {"cold", "preload", "run", "warm", "warm_preload"}, "variants"
        )
        times = [v["samples_ms"] for v in document["variants"].values()]
        self.checks.check(all(len(ms) == 1 and ms[0] > 0 for ms in times), f"times of bench: {times}")
        outcome = run([tool, "bench", "-n", "1", "-p", path, program], self.environment, cwd="/", **how)
        self.checks.check(
            outcome.status == 0 and b"coldboost run" in outcome.stdout, f"table of bench: {outcome.stdout}"
        )
        for rounds in ("0", "x", "-1", "99999999999999999999"):
            self.expect(["bench", "-n", rounds, program], 2, b"", rb"number of rounds")
        self.expect(["bench", "no-such-command"], 127, b"", rb"not found")


def main():
    with tempfile.TemporaryDirectory(prefix="coldboost-cli-") as folder:
        tool = Tool(os.path.realpath(folder), *sys.argv[1:5])
        tool.usage()
        tool.run_starts()
        tool.run_refuses()
        tool.run_warns()
        tool.show()
        tool.show_damaged()
        tool.bench()
        return tool.checks.exit_code()


sys.exit(main())
