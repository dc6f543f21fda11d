"""One round of a short program and of a server of the field, and one start under trace-start.

Usage: field_test.py FIELD TRACE_START BUILD [CASE…]

Needs root, and drops the page cache.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402

FIELD, TRACE_START, BUILD = cases.take("FIELD TRACE_START BUILD")


class Field(cases.Case):
    def setUp(self):
        if os.geteuid():
            self.skipTest("needs root, to drop the page cache")

    def test_a_program_and_a_server(self):
        with tempfile.TemporaryDirectory(prefix="coldboost-field-test-", dir="/var/tmp") as folder:
            result = subprocess.run(
                [FIELD, "--build", BUILD, "--cache", f"{folder}/cache", "-n", "1", "--json", f"{folder}/out.json",
                 "perl", "http.server"], capture_output=True, text=True, check=False)
            if not self.equal(result.returncode, 0, f"field: {result.stderr}"):
                return
            with open(f"{folder}/out.json", encoding="utf-8") as file:
                found = json.load(file)
        self.equal([(name, one["kind"], one["until"]) for name, one in found.items()],
                   [("perl", "short", "exit"), ("http.server", "server", "port=7205")], "what was measured")
        for name in found:
            self.check(re.search(rf"\n\| {name} \|( [^|]+ \|){{11}}\n", result.stdout), f"row of {name}")

    def test_trace(self):
        shell = shutil.which("sh")
        result = subprocess.run([TRACE_START, "--", shell, "-c", "exec true"], capture_output=True, text=True,
                                check=False)
        if "no tracepoints" in result.stderr:
            self.skipTest("no tracepoints in this kernel")
        if not self.equal(result.returncode, 0, f"trace-start: {result.stderr}"):
            return
        rows = re.findall(r"^ +[\d.]+ +[\d.]+ +(\d+) +(\d+) \|( +[\d.]+){4}  (\S+)", result.stdout, re.M)
        self.equal([os.path.basename(row[3]) for row in rows], ["sh", "true", "its"], "periods")
        self.check(any(int(row[0]) for row in rows), f"a cold start reads nothing: {result.stdout}")


cases.main()
