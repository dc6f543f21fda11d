"""coldboost inspect, and programs made for it: what its tests share."""

import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from cli_case import CliCase  # noqa: E402
from coldboost_support import copy_tool, run  # noqa: E402


class InspectCase(CliCase):
    def setUp(self):
        super().setUp()
        self.tool = copy_tool(self.tool, self.folder)

    def inspect(self, *arguments, environment=None, **more):
        return run([self.tool, "inspect", *arguments], {**self.environment, **(environment or {})},
                   cwd=self.folder, **more)

    def facts(self, *arguments, **more):
        outcome = self.inspect("--json", *arguments, **more)
        self.equal((outcome.status, outcome.stderr), (0, b""), f"inspect {arguments}")
        return json.loads(outcome.stdout)

    def compile(self, name, source, *options):
        path = f"{self.folder}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        subprocess.run([*self.compiler, "-x", "c", "-", "-x", "none", "-o", path, *options], input=source.encode(),
                       check=True)
        return path
