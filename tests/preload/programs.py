"""Real programs behave the same with libcoldboost.so in front of them as without.

Usage: programs.py OBJECT GROUP DEALT [CASE…]

Every program of the group, which is a case, runs once as it is and once in each configuration: preloaded
without a profile, with one that names all the programs involved, with damaged ones, with every option.
What can be seen from outside (output, errors, exit status or signal, files left behind) must not differ
in a single byte.

DEALT is a number: each case runs without a profile, with one in each mode and with the auditor, and of
the other configurations every DEALT-th, in turn, so that each runs in every DEALT-th case, and in one at
least. 1: all of them run in all cases.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import plain_environment, run  # noqa: E402
from programs_data import GIT, left_behind, make_data, write  # noqa: E402
from programs_settings import ALWAYS, configurations, make_profile  # noqa: E402
from programs_table import GROUPS  # noqa: E402

OBJECT, GROUP, DEALT = cases.take("OBJECT GROUP DEALT")
PATH = plain_environment("/")["PATH"]
RUNNABLE = [program for program in GROUPS[GROUP] if all(shutil.which(name, path=PATH) for name in program.needs)]


def programs_involved(programs, path):
    """The real paths of all programs that are started, with those behind the compiler."""
    names = {name for program in programs for name in program.needs} | {"sh", "cat", "sort", "wc", "head", "tail"}
    if "gcc" in names and shutil.which("gcc", path=path):
        for part in ("cc1", "collect2", "as", "ld"):
            asked = subprocess.run(["gcc", f"-print-prog-name={part}"], capture_output=True, text=True, check=True)
            names.add(asked.stdout.strip())
    found = (shutil.which(name, path=path) for name in names)
    return sorted({os.path.realpath(program) for program in found if program})


class Programs(cases.Case):
    @classmethod
    def setUpClass(cls):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        cls.base = cls.shared_folder()
        cls.object = os.path.abspath(OBJECT)
        cls.data = f"{cls.base}/data"
        os.mkdir(cls.data)
        write(f"{cls.data}/gitconfig", "[user]\n\tname = Nobody\n\temail = nobody@example.org\n"
              "[gc]\n\tauto = 0\n[safe]\n\tdirectory = *\n")
        environment = {**plain_environment(cls.base), **GIT, "GIT_CONFIG_GLOBAL": f"{cls.data}/gitconfig"}
        make_data(cls.data, environment)
        involved = programs_involved(RUNNABLE, PATH)
        profile = make_profile(involved, cls.data)
        cls.settings = list(configurations(cls.base, profile, involved, cls.object))

    def settings_of(self, program):
        step = min(int(DEALT), len(RUNNABLE))
        if step == 1:
            return self.settings
        return self.settings[:ALWAYS] + self.settings[ALWAYS:][RUNNABLE.index(program)::step]

    def start(self, program, settings):
        """In a fresh folder, whose name every run sees as the same."""
        with tempfile.TemporaryDirectory(dir=self.base) as folder:
            os.mkdir(f"{folder}/work")
            environment = {**plain_environment(f"{self.data}/.."), **GIT, "DATA": self.data,
                           "GIT_CONFIG_GLOBAL": f"{self.data}/gitconfig", **settings}
            outcome = run(program.command, environment, program.stdin, cwd=f"{folder}/work")
            outcome.files = left_behind(f"{folder}/work")
            # Nothing else of the run may depend on it: names of temporary files would.
            outcome.stdout = outcome.stdout.replace(folder.encode(), b"FOLDER")
            outcome.stderr = outcome.stderr.replace(folder.encode(), b"FOLDER")
            return outcome

    def compare(self, program):
        missing = [name for name in program.needs if not shutil.which(name, path=PATH)]
        if missing:
            self.skipTest(f"{', '.join(missing)} not installed")
        plain = self.start(program, {})
        noise = list(plain.differences(self.start(program, {})))
        if not self.check(not noise, f"{program.name} differs from itself without us: {noise}"):
            return
        for name, settings in self.settings_of(program):
            variables = {"LD_PRELOAD": self.object, **settings}
            given = {name: value for name, value in variables.items() if value is not None}
            self.same(plain, self.start(program, given), f"{program.name}, {name}")


for program in GROUPS[GROUP]:
    Programs.add(program.name, lambda case, program=program: case.compare(program))

cases.main(os.cpu_count())
