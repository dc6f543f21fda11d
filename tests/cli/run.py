"""coldboost run and the general options: what is said, to whom, and with which exit status.

Usage: run.py COLDBOOST OBJECT PRINT_ARGUMENTS PRINT_ARGUMENTS_STATIC COMPILER [CASE…]
"""

import os
import re
import shutil
import signal
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from cli_case import CliCase  # noqa: E402
from coldboost_support import AS_NOBODY, run  # noqa: E402
from profiles import Profile  # noqa: E402


class Run(CliCase):
    def test_usage(self):
        self.expect(["--help"], 0, rb"Usage: coldboost COMMAND.*\brun\b.*\bshow\b.*\bbench\b")
        self.expect(["-h"], 0, rb"Usage: ")
        self.expect(["--version"], 0, rb"^coldboost \d+\.\d+\.\d+\n$")
        self.expect([], 2, b"", rb"Usage: ")
        self.expect(["fly"], 2, b"", rb"coldboost: .*'fly'.*--help")
        listed = self.coldboost("--help").stdout.split(b"Commands:")[1].split(b"\n\n")[0]
        commands = re.findall(rb"(?m)^  (\w+) ", listed)
        self.check(len(commands) >= 3, f"commands in the help: {commands}")
        for command in (name.decode() for name in commands):
            self.expect([command, "--help"], 0, b"Usage: coldboost " + command.encode())
            self.expect([command, "--no-such-option"], 2, b"", rb"no-such-option.*--help")
            if command != "status":
                self.expect([command], 2, b"", b"coldboost " + command.encode() + b".*--help")
        with open("/dev/full", "wb") as full:
            for arguments in (["--help"], ["--version"], ["run", "--help"], ["show", "--help"]):
                result = subprocess.run(
                    [self.tool, *arguments], stdout=full, stderr=subprocess.PIPE, check=False
                )
                self.equal(result.returncode, 1, f"{arguments} to a full disk")

    def test_run_starts(self):
        plain = run([self.printer, "a b", "", "exit=7"], self.environment, b"in\0put", cwd=self.folder)
        boosted = self.coldboost("run", self.printer, "a b", "", "exit=7", stdin=b"in\0put")
        self.equal((plain.status, boosted.status), (7, 7), "exit status of run")
        lines = boosted.stdout.split(b"\n")
        self.equal(lines[0], b"[a b][][exit=7]", "arguments of run")
        self.equal(lines[1], b"LD_PRELOAD=" + self.object.encode(), "LD_PRELOAD of run")
        self.check(lines[3].startswith(b"mapped=1"), f"run does not preload: {lines[3]}")
        self.equal(lines[4:], [b"in\0put"], "stdin of run")
        self.equal(boosted.stderr, b"", "stderr of run")
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT):
            outcome = self.coldboost("run", "--", self.printer, f"signal={int(number)}")
            self.equal(outcome.status, -number, f"signal {number} of run")
        options = self.coldboost("run", self.printer, "-p", "--help", "--", "-h")
        self.check(
            options.stdout.startswith(b"[-p][--help][--][-h]\n"), f"options of the command: {options.stdout}"
        )
        outcome = self.coldboost("run", "--", self.printer, "x", environment={"LD_PRELOAD": "libm.so.6"})
        expected = f"LD_PRELOAD={self.object}:libm.so.6\n".encode()
        self.check(expected in outcome.stdout, f"the user's LD_PRELOAD: {outcome.stdout}")
        off = self.coldboost("run", self.printer, environment={"COLDBOOST": "off"})
        self.check(b"mapped=0" in off.stdout and b"LD_PRELOAD=\n" in off.stdout, "run, off")
        by_path = self.coldboost("run", "printer", "x", environment={"PATH": f"/nowhere:{self.folder}"})
        self.check(b"[x]\n" in by_path.stdout, "run does not search PATH")

    def test_run_covers_children(self):
        """A child looks at nothing where the replay of its parent reads for it, too."""
        profile = Profile()
        for name, executable in (("early", os.path.realpath("/bin/sh")), ("late", self.printer)):
            with open(f"{self.folder}/{name}", "wb") as out:
                out.write(os.urandom(1 << 16))
                os.fsync(out.fileno())
            profile.section(executable, profile.whole_files([out.name]))
        for flags, expected in ((1, rb"start=warm .*state=skipped"), (0, rb"start=cold .*state=(done|unfinished)")):
            profile.write(f"{self.folder}/tree.cbp", flags=flags)
            for name in ("early", "late"):
                with open(f"{self.folder}/{name}", "rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            outcome = self.coldboost("run", "-p", "tree.cbp", "--", "sh", "-c", f"{self.printer} x; exit",
                                     environment={"COLDBOOST_VERBOSE": "1"})
            self.check(re.search(rb"role=other " + expected, outcome.stderr), f"flags {flags}: {outcome.stderr}")

    def test_run_refuses(self):
        self.expect(["run", "no-such-command"], 127, b"", rb"coldboost: no-such-command: .*not found")
        self.expect(["run", "./missing"], 127, b"", rb"coldboost: ./missing: ")
        self.expect(["run", self.folder], 126, b"", rb"directory")
        with open(f"{self.folder}/plain", "w", encoding="utf-8") as out:
            out.write("data\n")
        self.expect(["run", "./plain"], 126, b"", rb"./plain: ")
        self.expect(["run", "-p"], 2, b"", rb"--help")

    def runs(self, command, status, stdout, reason):
        """Without a word of ours, unless it is asked for: then with the reason why it is not boosted."""
        for verbose in ("0", "1"):
            outcome = self.coldboost("run", *command, environment={"COLDBOOST_VERBOSE": verbose})
            good = outcome.status == status and re.search(stdout, outcome.stdout, re.S)
            self.check(good, f"run {command}: {outcome.stdout}")
            reported = re.search(reason, outcome.stderr)
            self.check(reported if verbose == "1" else not reported, f"run {command}: {outcome.stderr}")
            if status == 0 and verbose == "0":
                self.equal(outcome.stderr, b"", f"run {command}")

    def test_run_with_unusable_profile(self):
        """A profile that is missing, damaged or cannot be read is no reason not to start."""
        again, make, kind = rb"record it again", rb"coldboost record' makes", rb"not a regular file"
        os.mkfifo(f"{self.folder}/named-pipe.cbp")
        with open(f"{self.folder}/text.cbp", "w", encoding="utf-8") as out:
            out.write("text\n")
        open(f"{self.folder}/empty.cbp", "w", encoding="utf-8").close()
        for name, reason in {"missing.cbp": make, "text.cbp": again, "empty.cbp": again, "named-pipe.cbp": kind,
                             self.folder: kind, "/dev/null": kind, "text.cbp/x": b"Not a directory"}.items():
            self.runs(["-p", name, self.printer, "x"], 0, rb"^\[x\].*mapped=1", name.encode() + b": .*" + reason)

    def test_run_warns(self):
        """What cannot be preloaded runs all the same; asked for, a line says why."""
        self.runs([self.static, "x"], 0, rb"^\[x\].*mapped=0", rb"static.*statically linked")
        with open(f"{self.folder}/program32", "wb") as out:
            out.write(b"\x7fELF\x01\x01\x01" + bytes(9) + struct.pack("<HH", 2, 3) + bytes(200))
        os.chmod(f"{self.folder}/program32", 0o755)
        self.runs(["./program32"], 126, b"", rb"32-bit")
        with open(f"{self.folder}/cut", "wb") as out:
            out.write(b"\x7fELF\x02\x01\x01")
        os.chmod(f"{self.folder}/cut", 0o755)
        self.runs(["./cut"], 126, b"", rb"truncated|ELF")
        for name, first in (("script", f"#!{self.printer} extra"), ("nested", f"#! {self.folder}/script")):
            with open(f"{self.folder}/{name}", "w", encoding="utf-8") as out:
                out.write(first + "\n")
            os.chmod(f"{self.folder}/{name}", 0o755)
        self.expect(["run", "./script", "y"], 0, rb"^\[extra\]\[./script\]\[y\].*mapped=1")
        self.expect(["run", "./nested"], 0, rb"mapped=1")
        with open(f"{self.folder}/static-script", "w", encoding="utf-8") as out:
            out.write(f"#!{self.static}\n")
        os.chmod(f"{self.folder}/static-script", 0o755)
        self.runs(["./static-script"], 0, rb"mapped=0", rb"statically linked")
        with open(f"{self.folder}/headless", "w", encoding="utf-8") as out:
            out.write("echo by the shell\n")
        os.chmod(f"{self.folder}/headless", 0o755)
        self.expect(["run", "./headless"], 0, rb"^by the shell\n$", b".?")

    def test_set_uid_program(self):
        if os.getuid() != 0:
            self.skipTest("it takes root to make one")
        setuid = shutil.copy(self.printer, f"{self.folder}/setuid")
        os.chmod(setuid, 0o4755)
        tool, library = self.installed()
        outcome = run([tool, "run", setuid], {**self.environment, "COLDBOOST_VERBOSE": "1"}, cwd="/", **AS_NOBODY)
        self.equal(outcome.status, 0, "set-uid program")
        self.check(
            b"mapped=0" in outcome.stdout and re.search(rb"set-uid", outcome.stderr),
            f"set-uid program: {outcome.stdout} {outcome.stderr}",
        )
        # Once more with the variables in place by hand: the constructor, too, must stay away.
        outcome = run([setuid], {**self.environment, "LD_PRELOAD": library}, cwd="/", **AS_NOBODY)
        self.check(b"mapped=0" in outcome.stdout, f"set-uid: {outcome.stdout}")


cases.main()
