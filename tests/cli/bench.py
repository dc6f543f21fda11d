"""coldboost bench: what it starts, what it computes, and what it leaves out.

Usage: bench.py COLDBOOST OBJECT PRINT_ARGUMENTS PRINT_ARGUMENTS_STATIC COMPILER [CASE…]
"""

import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from cli_case import CliCase  # noqa: E402
from coldboost_support import run  # noqa: E402
from profiles import Profile  # noqa: E402


class Bench(CliCase):
    def test_bench(self):
        program, path = self.program_with_profile("true")
        tool, how = self.plain_user()
        command = [tool, "bench", "-n", "3", "--json", "-p", path, "--", program, "a\"b"]
        outcome = run(command, self.environment, cwd="/", **how)
        if not self.equal(outcome.status, 0, f"bench: {outcome.stderr}"):
            return
        document = json.loads(outcome.stdout)
        self.equal(document["command"], [program, "a\"b"], "command of bench")
        self.equal((document["version"], document["rounds"]), (1, 3), "rounds of bench")
        self.equal(document["cold_by"], "evicted_profile", "how it was made cold")
        self.figures(document)
        self.check("Too few rounds" in document["verdict"], f"verdict: {document['verdict']}")
        command = [tool, "bench", "-n", "6", "-p", path, program]
        outcome = run(command, self.environment, cwd="/", **how)
        words = (rb"95 % interval.*\n  coldboost run +\d.*\n  LD_PRELOAD +\d.*\n  LD_AUDIT +\d.*I/O floor.*constructor"
                 rb".*\nWith coldboost run a cold start .*; with LD_PRELOAD it .*; "
                 rb"with LD_AUDIT it .*; so it is best started .*\.\n$")
        self.check(
            outcome.status == 0 and re.search(words, outcome.stdout, re.S), f"table of bench: {outcome.stdout}"
        )
        for rounds in ("0", "x", "-1", "99999999999999999999"):
            self.expect(["bench", "-n", rounds, program], 2, b"", rb"number of rounds")
        self.expect(["bench", "no-such-command"], 127, b"", rb"not found")
        command = [tool, "bench", "-p", path, "--", shutil.which("false", path=self.environment["PATH"])]
        outcome = run(command, self.environment, cwd="/", **how)
        self.check(
            outcome.status == 1 and b"knows nothing of" in outcome.stderr, f"another's profile: {outcome.stderr}"
        )

    def figures(self, document):
        """What bench computes, computed again from its samples."""
        variants = document["variants"]
        names = ["cold", "run", "preload", "audit", "warm", "warm_preload"]
        self.equal(list(variants), names, "variants")
        self.equal(document["audit_obstacle"], None, "why LD_AUDIT is left out")
        limits = {name: document[name] for name in ("io_floor_ms", "constructor_ms")}
        if not self.check(all(limits.values()), f"limits of a boost: {limits}"):
            return
        groups = [(name, variant, "_ms") for name, variant in variants.items()]
        for name, figures, unit in groups + [(name, limit, "") for name, limit in limits.items()]:
            samples = figures["samples" + unit]
            self.check(len(samples) == 3 and min(samples) > 0, f"samples of {name}: {samples}")
            # Of three rounds the interval goes from the least to the largest.
            expected = [statistics.median(samples), min(samples), max(samples)]
            got = [figures[key + unit] for key in ("median", "low", "high")]
            self.equal(got, expected, f"median and interval of {name}")

        def check_ratio(of, to, key):
            ratios = [a / b for a, b in zip(variants[of]["samples_ms"], variants[to]["samples_ms"])]
            expected = [statistics.median(ratios), min(ratios), max(ratios)]
            got = [variants[of][key + end] for end in ("", "_low", "_high")]
            near = all(abs(a - b) < 0.01 * b for a, b in zip(got, expected))
            self.check(near, f"{key} of {of} is {got}, not {expected}")

        for name in names[1:]:
            check_ratio(name, "cold", "ratio")
        check_ratio("warm_preload", "warm", "warm_ratio")
        cold, warm = variants["cold"]["median_ms"], variants["warm"]["median_ms"]
        to_win = cold - max(warm, document["io_floor_ms"]["median"])
        for name in ("preload", "audit", "run"):
            got = variants[name]["efficiency"]
            if got is not None:
                expected = (cold - variants[name]["median_ms"]) / to_win
                self.check(abs(got - expected) < 0.01 * abs(expected) + 0.001,
                           f"efficiency of {name}: {got}, not {expected}")
            self.equal(variants[name]["efficiency_low"] is None, got is None, "a missing interval")

    def test_bench_variables(self):
        """Each start has its own variable, in front of what the user has in it, and nobody else's."""
        os.makedirs(f"{self.folder}/log", exist_ok=True)
        os.chmod(f"{self.folder}/log", 0o777)
        line = f"echo \"$LD_AUDIT|$LD_PRELOAD|$COLDBOOST_PROFILE\" >>{self.folder}/log/starts"
        script, path = self.script_with_profile(line)
        tool, how = self.plain_user()
        auditor, preloaded = "/no/auditor.so", "/no/preloaded.so"
        environment = {**self.environment, "LD_AUDIT": auditor, "LD_PRELOAD": preloaded}
        outcome = run([tool, "bench", "-n", "2", "--json", "-p", path, script], environment, cwd="/", **how)
        if not self.equal(outcome.status, 0, f"bench of a script: {outcome.stderr}"):
            return
        with open(f"{self.folder}/log/starts", encoding="utf-8") as log:
            starts = [line.split("|") for line in log.read().splitlines()]
        ours = os.path.realpath(f"{os.path.dirname(tool)}/../preload/libcoldboost.so")
        found = [(audit, preload, profile) for audit, preload, profile in starts if audit != auditor]
        # Once before the rounds, to see whether the program bears it, and once in each.
        self.equal(found, [(f"{ours}:{auditor}", preloaded, path)] * 3, "starts with LD_AUDIT")
        first_round = [start for start in starts[3:10] if start[0] != auditor]
        self.equal(len(first_round), 1, "starts with LD_AUDIT in a round")
        plain = [start for start in starts if start == [auditor, preloaded, ""]]
        self.equal(len(plain), 5, f"starts as they are, of {starts}")
        # A start before the rounds, the looks at LD_PRELOAD and LD_AUDIT, and seven in each round.
        self.equal(len(starts), 17, f"starts: {starts}")

    def test_bench_looks_in_path(self):
        """Each start is looked for in PATH, as a shell does, so that this is part of all of them."""
        first, second = f"{self.folder}/first", f"{self.folder}/second"
        for folder in (first, second):
            os.makedirs(folder)
            os.chmod(folder, 0o777)
        log = f"{first}/log"
        script, profile = self.script_with_profile(f'echo "$0" >>{log}\ncp -n "$0" {first}/')
        os.rename(script, f"{second}/looked-for")
        tool, how = self.plain_user()
        environment = {**self.environment, "PATH": f"{first}:{second}:{os.environ['PATH']}"}
        outcome = run([tool, "bench", "-n", "1", "-p", profile, "looked-for"], environment, cwd="/", **how)
        self.equal(outcome.status, 0, f"bench of a script in PATH: {outcome.stderr}")
        with open(log, encoding="utf-8") as found:
            folders = [os.path.basename(os.path.dirname(path)) for path in found.read().split()]
        self.equal(folders, ["second"] + ["first"] * (len(folders) - 1), "where the starts have been found")
        self.check(len(folders) > 7, f"starts: {folders}")

    def test_bench_without_auditor(self):
        """Where an auditor does nothing, or the program does not bear one, all else is measured."""
        tool, how = self.plain_user()

        def leave_out(name, command, obstacle):
            command = [tool, "bench", "-n", "6", *command]
            outcome = run([*command[:2], "--json", *command[2:]], self.environment, cwd="/", **how)
            if not self.equal(outcome.status, 0, f"bench of {name}: {outcome.stderr}"):
                return
            document = json.loads(outcome.stdout)
            self.equal(document["audit_obstacle"], obstacle, f"obstacle of {name}")
            missing = [key for key, figures in document["variants"].items() if figures is None]
            self.equal(missing, ["audit"], f"variants left out of {name}")
            self.check("LD_AUDIT" not in document["verdict"], f"verdict: {document['verdict']}")
            outcome = run(command, self.environment, cwd="/", **how)
            row = rb"\n  LD_AUDIT +left out: " + re.escape(obstacle.encode()) + rb"\n  warm +\d"
            self.check(re.search(row, outcome.stdout), f"table of {name}: {outcome.stdout}")

        script, path = self.script_with_profile('[ -z "$LD_AUDIT" ] || exit 3')
        leave_out("what fails with it", ["-p", path, script], f"with it {script} ended with exit status 3")
        compiler = shutil.which("musl-gcc")
        if not compiler:
            self.skip("bench of a program of musl", "there is no musl-gcc")
            return
        program = f"{self.folder}/musl"
        run([compiler, "-x", "c", "-o", program, "-"], self.environment, b"int main(void) { return 0; }")
        profile = Profile()
        profile.section(program, profile.whole_files([program]))
        path = profile.write(f"{self.folder}/musl.cbp")
        leave_out("a program of musl", ["-p", path, program], "musl's loader ignores it")

    SERVER = """
import os, socket, sys, time
at, kind = sys.argv[1], sys.argv[2]
with open(at, "a") as log:
    print(os.getpid(), file=log)
if kind == "ready":
    host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
    client = socket.create_connection((host, int(port)))
    client.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\n\\r\\n")
if kind == "port":
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", int(sys.argv[3])))
if kind == "line":
    os.write(1, b"x" * 5000 + b"it is re")
    time.sleep(0.01)
    os.write(1, b"ady now\\n")
if kind != "early":
    there, here = os.pipe()
    child = os.fork()
    if not child and sys.argv[4:] == ["away"]:
        os.setsid()
        for stream in range(3):
            os.dup2(os.open("/dev/null", os.O_RDWR), stream)
    with open(at, "a") as log:
        print(os.getpid(), file=log)
    if not child:
        os.write(here, b"x")
    elif kind == "port":
        os.read(there, 1)
        server.listen()
    time.sleep(1000)
"""

    @staticmethod
    def free_port():
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return str(free.getsockname()[1])

    @staticmethod
    def is_alive(process):
        """A child that nobody has reaped yet is not."""
        try:
            with open(f"/proc/{process}/stat", encoding="ascii") as stat:
                return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
        except OSError:
            return False

    def servers(self):
        """A function that measures them, as a plain user, and where each notes its processes."""
        tool, how = self.plain_user()
        os.makedirs(f"{self.folder}/servers", exist_ok=True)
        os.chmod(f"{self.folder}/servers", 0o777)
        log = f"{self.folder}/servers/processes"
        python = os.path.realpath(shutil.which("python3", path=self.environment["PATH"]))
        profile = Profile()
        profile.section(python, profile.whole_files([python]))
        path = profile.write(f"{self.folder}/python.cbp")

        def bench(until, *arguments):
            return run([tool, "bench", "-n", "2", "--json", "--until", until, "-p", path, "--", python, "-c",
                        self.SERVER.replace("\\\\", "\\"), log, *arguments], self.environment, cwd="/", **how)

        return bench, log

    def test_bench_until(self):
        """Starts that do not end are measured to what they are waited for, and then ended, children included."""
        bench, log = self.servers()
        port = self.free_port()
        for until, arguments in ((f"port={port}", ("port", port)), ("line=ready now", ("line",)), ("ready", ("ready",))):
            outcome = bench(until, *arguments)
            if not self.equal(outcome.status, 0, f"bench --until {until}: {outcome.stderr}"):
                continue
            document = json.loads(outcome.stdout)
            self.equal(document["until"], until, "what was waited for")
            self.check(all(document["variants"].values()), f"variants with --until {until}")
            self.check(document["constructor_ms"], f"constructor with --until {until}")
            with open(log, encoding="ascii") as lines:
                started = set(lines.read().split())
            left, deadline = started, time.monotonic() + 30
            while left and time.monotonic() < deadline:
                left = {process for process in left if self.is_alive(process)}
                time.sleep(0.02)
            self.check(len(started) > 10 and not left, f"--until {until}: {left} of {started} are left")
            os.unlink(log)
        outcome = bench("ready", "early")
        self.check(outcome.status == 1 and b"has not come to what --until says" in outcome.stderr,
                   f"a server that ends early: {outcome.stderr}")
        for words in ("listen", "port=0", "port=65536", "line=", "5", "x"):
            self.expect(["bench", "--until", words, "true"], 2, b"", rb"--until .* is needed")

    def test_bench_of_a_port_that_stays(self):
        """What still listens would answer for the next start: once a killed child did, on a busy machine."""
        bench, log = self.servers()
        port = self.free_port()
        outcome = bench(f"port={port}", "port", port, "away")
        self.equal(outcome.status, 1, "exit status")
        self.check(f"port {port} still answers".encode() in outcome.stderr, f"what is said: {outcome.stderr}")
        with open(log, encoding="ascii") as lines:
            left = [int(process) for process in lines.read().split() if self.is_alive(process)]
        self.equal(len(left), 1, "what the server has left")
        for process in left:
            os.kill(process, signal.SIGKILL)

    def test_bench_ends_what_it_started(self):
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
            self.equal(bench.returncode, -number, f"bench after signal {number}: {stderr}")
            deadline = time.monotonic() + 30
            gone = False
            while children and not gone and time.monotonic() < deadline:
                time.sleep(0.02)
                gone = not os.path.exists(f"/proc/{int(children)}")
            self.check(gone, f"signal {number} leaves process {children} behind")


cases.main()
