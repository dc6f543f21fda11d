"""The command-line tool: what it says, to whom, and with which exit status.

Usage: cli.py COLDBOOST OBJECT PRINT_ARGUMENTS PRINT_ARGUMENTS_STATIC [PLOT_MODULE]
"""

import json
import os
import re
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from coldboost_support import Checks, Profile, copy_tool, plain_environment, reseal, run  # noqa: E402

NOBODY = 65534


def shapes(svg, rgb):
    """[(left, top, right, bottom)] of what a picture fills with a colour, 0xRRGGBB."""
    found = []
    for element in xml.etree.ElementTree.parse(svg).iter():
        if element.get("fill") != f"#{rgb:06x}":
            continue
        if element.tag.endswith("rect"):
            x, y, width, height = (float(element.get(k, 0)) for k in ("x", "y", "width", "height"))
            found.append((x, y, x + width, y + height))
        elif element.get("d"):
            numbers = [float(number) for number in re.findall(r"-?[\d.]+", element.get("d"))]
            found.append((min(numbers[0::2]), min(numbers[1::2]), max(numbers[0::2]), max(numbers[1::2])))
    return found


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
        tool = copy_tool(self.tool, f"{self.folder}/tools")
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
        self.expect(["run", "-p"], 2, b"", rb"--help")

    def runs(self, command, status, stdout, reason):
        """Without a word of ours, unless it is asked for: then with the reason why it is not boosted."""
        for verbose in ("0", "1"):
            outcome = self.run("run", *command, environment={"COLDBOOST_VERBOSE": verbose})
            self.checks.check(
                outcome.status == status and re.search(stdout, outcome.stdout, re.S), f"run {command}: {outcome.stdout}")
            reported = re.search(reason, outcome.stderr)
            self.checks.check(reported if verbose == "1" else not reported, f"run {command}: {outcome.stderr}")
            if status == 0 and verbose == "0":
                self.checks.equal(outcome.stderr, b"", f"run {command}")

    def run_with_unusable_profile(self):
        """A profile that is missing, damaged or cannot be read is no reason not to start."""
        again, make, kind = rb"record it again", rb"coldboost record' makes", rb"not a regular file"
        os.mkfifo(f"{self.folder}/named-pipe.cbp")
        with open(f"{self.folder}/text.cbp", "w", encoding="utf-8") as out:
            out.write("text\n")
        open(f"{self.folder}/empty.cbp", "w", encoding="utf-8").close()
        for name, reason in {"missing.cbp": make, "text.cbp": again, "empty.cbp": again, "named-pipe.cbp": kind,
                             self.folder: kind, "/dev/null": kind, "text.cbp/x": b"Not a directory"}.items():
            self.runs(["-p", name, self.printer, "x"], 0, rb"^\[x\].*mapped=1", name.encode() + b": .*" + reason)

    def run_warns(self):
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
        if os.getuid() != 0:
            self.checks.skip("set-uid program", "it takes root to make one")
            return
        setuid = shutil.copy(self.printer, f"{self.folder}/setuid")
        os.chmod(setuid, 0o4755)
        tool, library = self.installed()
        as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        outcome = run([tool, "run", setuid], {**self.environment, "COLDBOOST_VERBOSE": "1"}, cwd="/", **as_nobody)
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

    def plain_user(self):
        """The tool and how to run it not as root, who would empty the page cache of the whole
        machine."""
        if os.getuid() != 0:
            return self.tool, {}
        return self.installed()[0], {"user": NOBODY, "group": NOBODY, "extra_groups": []}

    def program_with_profile(self, name):
        program = shutil.copy(shutil.which(name, path=self.environment["PATH"]), f"{self.folder}/my-{name}")
        profile = Profile()
        profile.section(os.path.realpath(program), profile.whole_files([program]))
        return program, profile.write(f"{self.folder}/{name}.cbp")

    def bench(self):
        program, path = self.program_with_profile("true")
        tool, how = self.plain_user()
        command = [tool, "bench", "-n", "3", "--json", "-p", path, "--", program, "a\"b"]
        outcome = run(command, self.environment, cwd="/", **how)
        if not self.checks.equal(outcome.status, 0, f"bench: {outcome.stderr}"):
            return
        document = json.loads(outcome.stdout)
        self.checks.equal(document["command"], [program, "a\"b"], "command of bench")
        self.checks.equal((document["version"], document["rounds"]), (1, 3), "rounds of bench")
        self.checks.equal(document["cold_by"], "evicted_profile", "how it was made cold")
        self.figures(document)
        self.checks.check("Too few rounds" in document["verdict"], f"verdict: {document['verdict']}")
        command = [tool, "bench", "-n", "6", "-p", path, program]
        outcome = run(command, self.environment, cwd="/", **how)
        words = (rb"95 % interval.*\n  coldboost run +\d.*\n  LD_PRELOAD +\d.*\n  LD_AUDIT +\d.*I/O floor.*constructor"
                 rb".*\nWith coldboost run a cold start .*; with LD_PRELOAD it .*; with LD_AUDIT it .*; so it is best started .*\.\n$")
        self.checks.check(
            outcome.status == 0 and re.search(words, outcome.stdout, re.S), f"table of bench: {outcome.stdout}"
        )
        for rounds in ("0", "x", "-1", "99999999999999999999"):
            self.expect(["bench", "-n", rounds, program], 2, b"", rb"number of rounds")
        self.expect(["bench", "no-such-command"], 127, b"", rb"not found")
        command = [tool, "bench", "-p", path, "--", shutil.which("false", path=self.environment["PATH"])]
        outcome = run(command, self.environment, cwd="/", **how)
        self.checks.check(
            outcome.status == 1 and b"knows nothing of" in outcome.stderr, f"another's profile: {outcome.stderr}"
        )

    def figures(self, document):
        """What bench computes, computed again from its samples."""
        variants = document["variants"]
        names = ["cold", "run", "preload", "audit", "warm", "warm_preload"]
        self.checks.equal(list(variants), names, "variants")
        self.checks.equal(document["audit_obstacle"], None, "why LD_AUDIT is left out")
        limits = {name: document[name] for name in ("io_floor_ms", "constructor_ms")}
        if not self.checks.check(all(limits.values()), f"limits of a boost: {limits}"):
            return
        groups = [(name, variant, "_ms") for name, variant in variants.items()]
        for name, figures, unit in groups + [(name, limit, "") for name, limit in limits.items()]:
            samples = figures["samples" + unit]
            self.checks.check(len(samples) == 3 and min(samples) > 0, f"samples of {name}: {samples}")
            # Of three rounds the interval goes from the least to the largest.
            expected = [statistics.median(samples), min(samples), max(samples)]
            got = [figures[key + unit] for key in ("median", "low", "high")]
            self.checks.equal(got, expected, f"median and interval of {name}")

        def check_ratio(of, to, key):
            ratios = [a / b for a, b in zip(variants[of]["samples_ms"], variants[to]["samples_ms"])]
            expected = [statistics.median(ratios), min(ratios), max(ratios)]
            got = [variants[of][key + end] for end in ("", "_low", "_high")]
            near = all(abs(a - b) < 0.01 * b for a, b in zip(got, expected))
            self.checks.check(near, f"{key} of {of} is {got}, not {expected}")

        for name in names[1:]:
            check_ratio(name, "cold", "ratio")
        check_ratio("warm_preload", "warm", "warm_ratio")
        cold, warm = variants["cold"]["median_ms"], variants["warm"]["median_ms"]
        to_win = cold - max(warm, document["io_floor_ms"]["median"])
        for name in ("preload", "audit", "run"):
            got = variants[name]["efficiency"]
            if got is not None:
                expected = (cold - variants[name]["median_ms"]) / to_win
                self.checks.check(abs(got - expected) < 0.01 * abs(expected) + 0.001,
                                  f"efficiency of {name}: {got}, not {expected}")
            self.checks.equal(variants[name]["efficiency_low"] is None, got is None, "a missing interval")

    def script_with_profile(self, line):
        """A shell script of one line, which a program can be without a compiler."""
        shell, path = self.program_with_profile("sh")
        with open(f"{self.folder}/script", "w", encoding="ascii") as out:
            out.write(f"#!{shell}\n{line}\n")
        os.chmod(out.name, 0o755)
        return out.name, path

    def bench_variables(self):
        """Each start has its own variable, in front of what the user has in it, and nobody else's."""
        os.makedirs(f"{self.folder}/log", exist_ok=True)
        os.chmod(f"{self.folder}/log", 0o777)
        line = f"echo \"$LD_AUDIT|$LD_PRELOAD|$COLDBOOST_PROFILE\" >>{self.folder}/log/starts"
        script, path = self.script_with_profile(line)
        tool, how = self.plain_user()
        auditor, preloaded = "/no/auditor.so", "/no/preloaded.so"
        environment = {**self.environment, "LD_AUDIT": auditor, "LD_PRELOAD": preloaded}
        outcome = run([tool, "bench", "-n", "2", "--json", "-p", path, script], environment, cwd="/", **how)
        if not self.checks.equal(outcome.status, 0, f"bench of a script: {outcome.stderr}"):
            return
        with open(f"{self.folder}/log/starts", encoding="utf-8") as log:
            starts = [line.split("|") for line in log.read().splitlines()]
        ours = os.path.realpath(f"{os.path.dirname(tool)}/../preload/libcoldboost.so")
        found = [(audit, preload, profile) for audit, preload, profile in starts if audit != auditor]
        # Once before the rounds, to see whether the program bears it, and once in each.
        self.checks.equal(found, [(f"{ours}:{auditor}", preloaded, path)] * 3, "starts with LD_AUDIT")
        first_round = [start for start in starts[3:10] if start[0] != auditor]
        self.checks.equal(len(first_round), 1, "starts with LD_AUDIT in a round")
        plain = [start for start in starts if start == [auditor, preloaded, ""]]
        self.checks.equal(len(plain), 5, f"starts as they are, of {starts}")
        # A start before the rounds, the looks at LD_PRELOAD and LD_AUDIT, and seven in each round.
        self.checks.equal(len(starts), 17, f"starts: {starts}")

    def bench_without_auditor(self):
        """Where an auditor does nothing, or the program does not bear one, all else is measured."""
        tool, how = self.plain_user()

        def leave_out(name, command, obstacle):
            command = [tool, "bench", "-n", "6", *command]
            outcome = run([*command[:2], "--json", *command[2:]], self.environment, cwd="/", **how)
            if not self.checks.equal(outcome.status, 0, f"bench of {name}: {outcome.stderr}"):
                return
            document = json.loads(outcome.stdout)
            self.checks.equal(document["audit_obstacle"], obstacle, f"obstacle of {name}")
            missing = [key for key, figures in document["variants"].items() if figures is None]
            self.checks.equal(missing, ["audit"], f"variants left out of {name}")
            self.checks.check("LD_AUDIT" not in document["verdict"], f"verdict: {document['verdict']}")
            outcome = run(command, self.environment, cwd="/", **how)
            row = rb"\n  LD_AUDIT +left out: " + re.escape(obstacle.encode()) + rb"\n  warm +\d"
            self.checks.check(re.search(row, outcome.stdout), f"table of {name}: {outcome.stdout}")

        script, path = self.script_with_profile('[ -z "$LD_AUDIT" ] || exit 3')
        leave_out("what fails with it", ["-p", path, script], f"with it {script} ended with exit status 3")
        compiler = shutil.which("musl-gcc")
        if not compiler:
            self.checks.skip("bench of a program of musl", "there is no musl-gcc")
            return
        program = f"{self.folder}/musl"
        run([compiler, "-x", "c", "-o", program, "-"], self.environment, b"int main(void) { return 0; }")
        profile = Profile()
        profile.section(program, profile.whole_files([program]))
        path = profile.write(f"{self.folder}/musl.cbp")
        leave_out("a program of musl", ["-p", path, program], "musl's loader ignores it")

    def bench_ends_what_it_started(self):
        program, path = self.program_with_profile("sleep")
        tool, how = self.plain_user()
        for number in (signal.SIGINT, signal.SIGTERM):
            bench = subprocess.Popen([tool, "bench", "-p", path, program, "1000"], cwd="/",
                                     env=self.environment, stderr=subprocess.PIPE, **how)
            children, deadline = "", time.monotonic() + 30
            while not children and time.monotonic() < deadline:
                time.sleep(0.02)
                with open(f"/proc/{bench.pid}/task/{bench.pid}/children", encoding="ascii") as listed:
                    children = listed.read()
            bench.send_signal(number)
            _, stderr = bench.communicate(timeout=30)
            self.checks.equal(bench.returncode, -number, f"bench after signal {number}: {stderr}")
            deadline = time.monotonic() + 30
            gone = False
            while children and not gone and time.monotonic() < deadline:
                time.sleep(0.02)
                gone = not os.path.exists(f"/proc/{int(children)}")
            self.checks.check(gone, f"signal {number} leaves process {children} behind")

    def plot_refuses(self):
        """Without a folder to write to; before anything is measured."""
        program, path = self.program_with_profile("true")
        tool, how = self.plain_user()
        commands = (["show", path], ["bench", "-n", "1", "-p", path, program])

        def refuse(plot, pattern):
            for command in commands:
                arguments = [tool, command[0], "--plot", plot, *command[1:]]
                outcome = run(arguments, self.environment, cwd="/", **how)
                self.checks.equal((outcome.status, outcome.stdout), (1, b""), f"{command} --plot {plot}")
                found = re.search(re.escape(plot.encode()) + b": .*" + pattern, outcome.stderr)
                self.checks.check(found, f"{command} --plot {plot}: {outcome.stderr}")

        os.makedirs(f"{self.folder}/open", exist_ok=True)
        os.chmod(f"{self.folder}/open", 0o777)
        refuse("/no/such/folder/x.svg", b"there is no folder /no/such; make it")
        refuse(self.folder, b"is a folder, not a file")
        if how:
            refuse(f"{self.folder}/x.svg", b"cannot write into .*Permission denied")
        self.checks.equal(os.listdir(f"{self.folder}/open"), [], "what a refused plot leaves")

    def plot_profile(self):
        profile, _, _ = self.sample()
        path = profile.write(f"{self.folder}/sample.cbp")
        svg = f"{self.folder}/sample.svg"
        self.expect(["show", "--plot", svg, path], 0, rb"3 files")
        root = xml.etree.ElementTree.parse(svg).getroot()
        self.checks.check(root.tag.endswith("svg"), f"a plot is a {root.tag}")
        # The strip of "data": 25 pages on 480 points from 320 on. The first range is the last five
        # of them, in the first colour; the last is the first three, seven tenths down the order.
        first = [shape for shape in shapes(svg, 0x440154) if shape[3] - shape[1] > 10]
        places = [(704, 800), (560, 800)]  # and the second page of two, first in the other section
        self.checks.equal([(shape[0], shape[2]) for shape in first], places, "the first range's place")
        strip = first[0][1] if first else 0
        later = [s for s in shapes(svg, 0x46BE6F) if s[1] == strip]
        # Of the 58th column a part is needed: it is paler, and half overlapped.
        self.checks.equal([(s[0], s[2]) for s in later], [(320, 377.5)], "the last range's place")
        mode = os.stat(svg).st_mode & 0o777
        self.checks.equal(mode, 0o644, "mode of a plot")
        empty = Profile().write(f"{self.folder}/nothing.cbp")
        self.expect(["show", "--json", "--plot", svg, empty], 0, rb"\{")
        self.checks.equal(shapes(svg, 0x440154), [], "the plot of nothing")
        many = Profile()
        index = many.file(f"{self.folder}/data")
        for number in range(40):
            many.section(f"/bin/{number}", [(index, 0, 1, 0)])
        self.expect(["show", "--plot", svg, many.write(f"{self.folder}/many.cbp")], 0, rb"40 executables")
        xml.etree.ElementTree.parse(svg)
        left = [name for name in os.listdir(self.folder) if "svg" in name and name != "sample.svg"]
        self.checks.equal(left, [], "files beside the plot")

    def plot_bench(self):
        program, path = self.program_with_profile("true")
        tool, how = self.plain_user()
        os.mkdir(f"{self.folder}/own")
        os.chmod(f"{self.folder}/own", 0o777)
        svg = f"{self.folder}/own/bench.svg"
        cold, audited, boosted = 0x8C95A0, 0x2F8F9D, 0x1F66AD

        def plot():
            command = [tool, "bench", "-n", "1", "--plot", svg, "-p", path, program]
            outcome = run(command, self.environment, cwd="/", **how)
            self.checks.equal(outcome.status, 0, f"bench --plot: {outcome.stderr}")
            return [len(shapes(svg, colour)) for colour in (cold, audited, boosted)]

        if how:
            # Of root's files mincore() tells nobody anything: bars alone.
            self.checks.equal(plot(), [1, 1, 1], "bars without a timeline")
            os.chown(program, NOBODY, NOBODY)
        os.sync()
        self.checks.equal(plot(), [2, 1, 2], "bars and a timeline of one file")
        self.checks.equal(os.listdir(f"{self.folder}/own"), ["bench.svg"], "files beside the plot")


def main():
    with tempfile.TemporaryDirectory(prefix="coldboost-cli-") as folder:
        tool = Tool(os.path.realpath(folder), *sys.argv[1:])
        tool.usage()
        tool.run_starts()
        tool.run_refuses()
        tool.run_with_unusable_profile()
        tool.run_warns()
        tool.show()
        tool.show_damaged()
        tool.bench()
        tool.bench_variables()
        tool.bench_without_auditor()
        tool.bench_ends_what_it_started()
        tool.plot_profile()
        tool.plot_bench()
        tool.plot_refuses()
        return tool.checks.exit_code()


sys.exit(main())
