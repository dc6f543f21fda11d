"""Real runtimes against the local Runtime API: with nothing, preloaded, audited, behind the wrapper, cold and
warm, silent, and failing at their initialisation. A case is a runtime and a variant.


Usage: runtimes.py COLDBOOST FOREIGN_OBJECT PACKAGES C_RUNTIME [CASE…]

PACKAGES is a folder where npm may have installed aws-lambda-ric; without it that client is left out.
C_RUNTIME may be empty.
"""

import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from runtimes_case import PACKAGES, RuntimesCase, evict_all  # noqa: E402
from sandbox import Client, remember  # noqa: E402

VARIANTS = ("nothing", "preload", "audit", "wrapper")
CLIENTS = ("python", "bash", "c", "node", "ric")


class Runtimes(RuntimesCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clients = {"python": cls.python_client}

    def client(self, name):
        if name not in self.clients:
            self.clients[name] = self.new_client(name)
        return self.clients[name]

    def new_client(self, name):
        node = shutil.which("node")
        if name == "c":
            return self.c_client()
        if name == "bash":
            bash = shutil.which("bash")
            if not bash or not shutil.which("curl"):
                self.skipTest("no bash, or no curl")
            return Client("bash", [f"{self.functions}/bootstrap.sh"], bash, self.functions)
        if not node:
            self.skipTest("no node")
        if name == "node":
            return Client("node", [node, f"{self.functions}/bootstrap.mjs"], node, self.functions)
        ric = f"{os.path.abspath(PACKAGES)}/node_modules/aws-lambda-ric/bin/index.mjs"
        if not os.path.exists(ric):
            self.skipTest(f"not installed in {PACKAGES}: meson compile lambda-packages")
        return Client("ric", [node, ric, "index.handler"], node, self.functions, answers_as="node",
                      cwd=f"{self.functions}/node")

    def cold_and_warm(self, client, variant):
        name = f"{client.name}, {variant}"
        evict_all(client.files)
        start = self.start(client, variant, COLDBOOST_VERBOSE="1")
        if self.answers(f"{name}, cold", start):
            if variant == "nothing":
                self.equal(start.stderr(), b"", f"{name}: stderr")
            else:
                self.has_record(f"{name}, cold", start, variant, b"done", b"cold")
        start.end()
        remember(client.files)
        start = self.start(client, variant, COLDBOOST_VERBOSE="1")
        if self.answers(f"{name}, warm", start) and variant != "nothing":
            self.has_record(f"{name}, warm", start, variant, b"skipped", b"warm")
        start.end()

    def silent(self, client, variant):
        evict_all(client.files)
        start = self.start(client, variant)
        self.answers(f"{client.name}, {variant}, silent", start)
        self.equal(start.stderr(), b"", f"{client.name}, {variant}: stderr when not asked for")
        start.end()

    def fails(self, client, variant):
        start = self.start(client, variant, FAIL_INIT="1")
        try:
            status = start.process.wait(20)
        except subprocess.TimeoutExpired:
            status = None
        name = f"{client.name}, {variant}, init error"
        self.check(status, f"{name}: exit status {status}")
        if self.equal(len(start.api.init_errors), 1, f"{name}: reports"):
            self.is_failure(name, start.api.init_errors[0])
        start.end()

    def judge(self, name, variant):
        client = self.client(name)
        for how in (self.cold_and_warm, self.silent, self.fails):
            how(client, variant)


for name in CLIENTS:
    for variant in VARIANTS:
        Runtimes.add(f"{name}, {variant}", lambda case, row=(name, variant): case.judge(*row))

cases.main()
