"""Whether a program starts with LD_AUDIT: what inspect says of it beforehand, against the loader.

redis-server (jemalloc) and rustc did not start with LD_AUDIT: "cannot allocate memory in static TLS
block". README once offered it for every program, and nothing told beforehand.

Usage: auditors.py COLDBOOST OBJECT PRINT_ARGUMENTS PRINT_ARGUMENTS_STATIC COMPILER [CASE…]
"""

import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from cli_case import CliCase  # noqa: E402
from coldboost_support import run  # noqa: E402

INITIAL, GENERAL = "initial-exec", "global-dynamic"


class Auditors(CliCase):
    def setUp(self):
        super().setUp()
        self.count = 0
        self.answers = set()
        facts = json.loads(run([self.tool, "inspect", "--json", self.program([])], self.environment).stdout)
        if facts["libc"] != "glibc":
            self.skipTest("there are auditors in glibc alone")

    def compile(self, name, source, *options):
        path = f"{self.folder}/{name}"
        subprocess.run([*self.compiler, "-O0", "-x", "c", "-", "-x", "none", "-o", path, *options],
                       input=source.encode(), check=True)
        return path

    def program(self, libraries, own=0, user=None):
        """A program with libraries of (bytes, alignment, model) of thread-local data each. With `user` a last
        library reaches that of the first, of which nobody else knows where it is."""
        self.count += 1
        paths, body = [], ""
        for i, (size, alignment, model) in enumerate(libraries):
            data = f"__attribute__((tls_model(\"{model}\"))) __thread char data{i}[{size}] " \
                   f"__attribute__((aligned({alignment})));"
            name = f"libtls{self.count}x{i}.so"
            paths.append(self.compile(name, f"{data} char *get{i}(void) {{ return data{i}; }}", "-shared", "-fPIC",
                                      f"-Wl,-soname,{name}"))
            body += f"get{i}()[{size - 1}] = 1; "
        if user:
            paths.append(self.compile(
                f"libtls{self.count}user.so",
                "extern __attribute__((tls_model(\"initial-exec\"))) __thread char data0[];"
                "char *user(void) { return data0; }", "-shared", "-fPIC", f"-Wl,-soname,libtls{self.count}user.so"))
            body += "user()[0] = 1; "
        calls = "".join(f"char *get{i}(void); " for i in range(len(libraries))) + "char *user(void); "
        mine = f"__thread char own[{own}]; " if own else ""
        body += "own[0] = 1; " if own else ""
        return self.compile(f"program{self.count}", f"{calls}{mine}int main(void) {{ {body}return 0; }}", *paths,
                            f"-Wl,-rpath,{self.folder}")

    def agree(self, program, tunables=None):
        """What is said beforehand against what happens."""
        environment = {**self.environment, **({"GLIBC_TUNABLES": tunables} if tunables else {})}
        said = run([self.tool, "inspect", "--audit", program], environment)
        starts = run([program], {**environment, "LD_AUDIT": self.object})
        self.check(starts.status == 0 or b"static TLS block" in starts.stderr, f"{program}: {starts.stderr}")
        self.equal(said.status, int(starts.status != 0), f"{program}: {said.stdout}{said.stderr}{starts.stderr}")
        if said.status:
            self.check(re.search(rb"LD_AUDIT: .*coldboost run", said.stderr) and not said.stdout, f"{said.stderr}")
        self.answers.add(said.status)
        return said

    def test_libraries(self):
        """Around what there is room for, by all ways to it."""
        for size in range(1600, 2100, 40):
            self.agree(self.program([(size, 8, INITIAL)]))
        for sizes in ((1000, 760, 64), (1000, 864, 64), (1000, 880, 64)):
            self.agree(self.program([(size, 32, INITIAL) for size in sizes], own=1000))
        self.agree(self.program([(5000, 8, GENERAL)]))
        for size in (1000, 5000):
            self.agree(self.program([(size, 8, GENERAL)], user=True))
        for alignment in (64, 128):
            self.agree(self.program([(100, alignment, INITIAL)]))
        self.equal(self.answers, {0, 1}, "answers")

    def test_tunables(self):
        program = self.program([(9000, 8, INITIAL)])
        said = self.agree(program).stderr
        advice = re.search(rb"GLIBC_TUNABLES=(glibc.rtld.optional_static_tls=\d+)", said)
        if self.check(advice, f"no tunable: {said}"):
            self.equal(self.agree(program, advice.group(1).decode()).status, 0, "with what is advised")
        self.agree(program, "glibc.rtld.nns=9:glibc.rtld.optional_static_tls=1000")

    def test_others(self):
        for path, pattern in ((self.static, rb"statically linked"), (self.object, rb"shared library"),
                              (f"{self.folder}/none", rb"No such file")):
            outcome = run([self.tool, "inspect", "--audit", path], self.environment)
            self.check(outcome.status == 1 and re.search(pattern, outcome.stderr), f"{path}: {outcome.stderr}")
        for arguments in (["--audit"], ["--audit", "1"], ["--audit", "--json", self.static]):
            outcome = run([self.tool, "inspect", *arguments], self.environment)
            self.equal(outcome.status, 2, f"{arguments}: {outcome.stderr}")
        facts = json.loads(run([self.tool, "inspect", "--json", self.program([(4000, 8, INITIAL)])],
                               self.environment).stdout)
        self.equal((facts["can_be_audited"], facts["static_tls_bytes"] >= 4000), (False, True), "in JSON")

    def test_bench(self):
        """Neither measured nor advised where it fails."""
        program = self.program([(4000, 8, INITIAL)])
        path = self.profile_of(program)
        command = [self.tool, "bench", "-n", "6", "-p", path]
        document = json.loads(run([*command, "--json", program], self.environment).stdout)
        self.equal(document["variants"]["audit"], None, "LD_AUDIT in bench")
        self.check("fixed places" in document["audit_obstacle"], document["audit_obstacle"])
        table = run([*command, program], self.environment).stdout
        self.check(re.search(rb"LD_AUDIT +left out: .*fixed places", table) and b"LD_AUDIT=" not in table,
                   f"table of bench: {table}")


cases.main()
