"""An installed tool of which a user wants to know something: what those tests share."""

import json
import os
import re
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from cli_case import CliCase  # noqa: E402
from coldboost_support import copy_tool, run  # noqa: E402


class SituationCase(CliCase):
    """Of a tool that is installed, with a profile of the small program."""

    def setUp(self):
        super().setUp()
        self.built, self.objects = self.tool, os.path.dirname(self.object)
        self.tool = self.install("installed")
        self.profile = self.profile_of(self.printer)

    def install(self, name):
        """The tool and its objects in a folder of that name."""
        for part in ("tools", "preload"):
            os.makedirs(f"{self.folder}/{name}/{part}")
        for part in ("libcoldboost.so", "libcoldboost-record.so"):
            shutil.copy(f"{self.objects}/{part}", f"{self.folder}/{name}/preload")
        return copy_tool(self.built, f"{self.folder}/{name}/tools")

    def script(self, name, text):
        with open(f"{self.folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(file.name, 0o755)
        return file.name

    def coldboost(self, *arguments, tool=None, environment=None, **more):
        return run([tool or self.tool, *arguments], {**self.environment, **(environment or {})}, cwd="/", **more)

    def answers(self, status, *arguments, stdout=None, stderr=None, **more):
        """stdout and stderr are patterns that must be found; b"" means empty."""
        outcome = self.coldboost(*arguments, **more)
        self.equal(outcome.status, status, f"{arguments}: {outcome.stderr}")
        for name, pattern in (("stdout", stdout), ("stderr", stderr)):
            text = getattr(outcome, name)
            good = pattern is None or (re.search(pattern, text, re.S) if pattern else not text)
            self.check(good, f"{arguments}: {name} is {text[-800:]}, not {pattern}")
        return outcome

    def measured(self, *arguments, **more):
        outcome = self.answers(0, "bench", "-n", "1", "--json", *arguments, **more)
        return json.loads(outcome.stdout) if outcome.status == 0 else {"variants": {}}
