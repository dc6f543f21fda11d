"""Names of files with anything in them, on terminals and in documents.

A folder named "esc\\033]0;x\\007" set the title of the terminal of whoever looked at a profile with it,
and one with a newline in its name made two rows of one. A program's name was cut within a character.

Usage: names.py COLDBOOST OBJECT PRINT_ARGUMENTS PRINT_ARGUMENTS_STATIC COMPILER [CASE…]
"""

import json
import os
import re
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from cli_case import CliCase  # noqa: E402
from coldboost_support import plain_environment, run  # noqa: E402

# A title, a new line, U+009B (what a terminal takes for ESC [) and no UTF-8 at all.
WILD = "esc\033]0;x\007 two\nlines \u009b31m \udcff\udcc3 back\\slash"
SHOWN = rb"esc\x1b]0;x\x07 two\nlines \xc2\x9b31m \xff\xc3 back\\slash"
FINE = "naïve-日本-🎈"


def is_clean(text):
    """Nothing but text that can be shown, tabs and ends of lines."""
    try:
        return not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f]", text.decode())
    except UnicodeDecodeError:
        return False


class Names(CliCase):
    def setUp(self):
        super().setUp()
        self.folder += f"/{WILD}/{FINE}"
        os.makedirs(self.folder)
        self.program = shutil.copy(self.printer, f"{self.folder}/program")
        self.environment = plain_environment("/")
        self.profile = self.profile_of(self.program)

    def clean(self, status, *arguments, names=True, **more):
        outcome = run([self.tool, *arguments], {**self.environment, **more}, cwd="/")
        self.equal(outcome.status, status, f"{arguments[0]}: {outcome.stderr}")
        for stream in (outcome.stdout, outcome.stderr):
            self.check(is_clean(stream), f"{arguments}: not fit for a terminal: {stream}")
        both = outcome.stdout + outcome.stderr
        if names:
            self.check(SHOWN + b"/" + FINE.encode() in both, f"{arguments}: {both}")
        return outcome

    def test_commands(self):
        text = self.clean(0, "show", self.profile).stdout
        self.equal(text.count(b"\n"), 8, f"lines of show: {text}")
        self.clean(0, "inspect", self.program)
        self.clean(0, "bench", "-n", "1", "-p", self.profile, "--", self.program, names=False)
        self.clean(0, "bench", "-n", "5", "-p", self.profile, "--", self.program, names=False)
        missing = f"{self.folder}/missing"
        for command in ("show", "inspect", "merge", "report"):
            self.clean(1, command, *(["-o", missing] if command == "merge" else []), missing + "/none")
        self.clean(127, "run", missing)
        self.clean(0, "merge", "-o", f"{self.folder}/merged.cbp", self.profile)
        self.clean(2, WILD, names=False)

    def test_telemetry(self):
        """The record has twenty bytes for a name."""
        name = "program-name-of-日本"
        program = shutil.copy(self.program, f"{self.folder}/{name}")
        records = f"{self.folder}/records"
        run([program], {**self.environment, "LD_PRELOAD": self.object, "COLDBOOST_TELEMETRY": records})
        report = json.loads(run([self.tool, "report", "--json", records], self.environment).stdout)
        self.equal([entry["program"] for entry in report["programs"]], ["program-name-of-日"], "a cut name")
        self.check("program-name-of-日\n".encode() in self.clean(0, "report", records, names=False).stdout,
                   "report does not name the program")


cases.main()
