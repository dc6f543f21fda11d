"""What measures the field: one round of a short program and of a server, one start that is recorded, one under
trace-start, and look-ups in a store.

Usage: field_test.py FIELD TRACE_START RECORDED BUILD [CASE…]

Needs root, and drops the page cache.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402

FIELD, TRACE_START, RECORDED, BUILD = cases.take("FIELD TRACE_START RECORDED BUILD")


def recordings(store):
    said = subprocess.run([f"{BUILD}/tools/coldboost", "status", "--json", "-s", store], capture_output=True, check=True)
    return sum(start["recorded"] for start in json.loads(said.stdout)["starts"])


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
            self.check(re.search(rf"\n\| {name} \|( [^|]+ \|){{12}}\n", result.stdout), f"row of {name}")

    def test_recorded(self):
        with tempfile.TemporaryDirectory(prefix="coldboost-field-test-", dir="/var/tmp") as folder:
            result = subprocess.run([RECORDED, "--build", BUILD, "--cache", folder, "-n", "1", "perl"],
                                    capture_output=True, text=True, check=False)
            kept = [name for name in os.listdir(f"{folder}/store") if name.endswith(".cbp")]
        self.equal((result.returncode, result.stderr), (0, ""), "recorded")
        self.check(re.search(r"\n\| perl \(field\) \|( [\d.]+ \|){4}\n", result.stdout), f"row: {result.stdout}")
        self.equal(len(kept), 1, "profiles of the last start")

    def test_lookup(self):
        with tempfile.TemporaryDirectory(prefix="coldboost-field-test-", dir="/var/tmp") as store:
            for count in (1, 2):
                deadline = time.monotonic() + 20
                subprocess.run([f"{BUILD}/tools/coldboost", "run", "--record", "--", "true"], check=True,
                               env={**os.environ, "COLDBOOST_STORE": store})
                while recordings(store) < count and time.monotonic() < deadline:
                    time.sleep(0.02)
            found, missing = (subprocess.run([f"{BUILD}/tests/bench/lookup", store, "3", name], capture_output=True,
                                             text=True, check=False)
                              for name in (os.path.realpath(shutil.which("true")), "/nonexistent"))
        self.check(re.fullmatch(r"[\d.]+ us \[[\d.]+ [\d.]+\], 3 look-ups\n", found.stdout), f"found: {found}")
        self.equal((missing.returncode, missing.stdout), (1, ""), "look-ups of what has never been started")

    def test_trace(self):
        """Also in a container, where processes have other numbers than the kernel's tracepoints give."""
        shell = shutil.which("sh")
        for where in ([], ["unshare", "--pid", "--fork", "--mount-proc"]):
            result = subprocess.run([*where, TRACE_START, "--", shell, "-c", "exec true"], capture_output=True,
                                    text=True, check=False)
            if "no tracepoints" in result.stderr:
                self.skipTest("no tracepoints in this kernel")
            if not self.equal(result.returncode, 0, f"trace-start: {result.stderr}"):
                continue
            rows = re.findall(r"^ +[\d.]+ +[\d.]+ +(\d+) +(\d+) \|( +[\d.]+){4}  (\S+)", result.stdout, re.M)
            self.equal([os.path.basename(row[3]) for row in rows], ["sh", "true", "its"], "periods")
            self.check(any(int(row[0]) for row in rows), f"a cold start reads nothing: {result.stdout}")


cases.main()
