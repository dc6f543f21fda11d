"""The programs of libcoldboost(3) do what it says: with the library preloaded, and without it.

Usage: programs.py SOURCE_ROOT OBJECT PACKAGES [CASE…]

PACKAGES is where npm installs koffi, if there are npm and a network. A language whose tools are not here is left
out.
"""

import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import plain_environment, run  # noqa: E402

ROOT, OBJECT, PACKAGES = map(os.path.abspath, cases.take("SOURCE_ROOT OBJECT PACKAGES"))
WITH, WITHOUT = b"cbf43926\n", b"not preloaded\n"
LANGUAGES = ("c", "python", "js", "rust")


def programs():
    """Each language's, as the page has them in this order; there, \\e stands for a backslash."""
    with open(f"{ROOT}/tools/man/libcoldboost.3", encoding="utf-8") as page:
        blocks = re.findall(r"(?ms)^\.Bd -literal\n(.*?)^\.Ed$", page.read())
    found = [code.replace("\\e", "\\") for code in blocks if "not preloaded" in code]
    return dict(zip(LANGUAGES, found, strict=True))


def without_koffi():
    """Why node has no koffi here, though npm was asked for it; None if it has."""
    if not os.path.exists(f"{PACKAGES}/node_modules/koffi"):
        if not shutil.which("npm"):
            return "there is no npm to install koffi"
        command = [sys.executable, f"{ROOT}/tests/lambda/packages.py", PACKAGES, "koffi"]
        installed = subprocess.run(command, capture_output=True, text=True, check=False)
        if installed.returncode:
            return "npm cannot install koffi: " + installed.stderr.partition("\n")[0]
    return None


class Programs(cases.Case):
    def prints(self, language, tool, build, command, expected=WITH):
        """Builds the program, if there is something to build, and runs it in both ways."""
        if not shutil.which(tool):
            self.skipTest(f"there is no {tool}")
        folder = self.new_folder()
        path, binary = f"{folder}/program.{'rs' if language == 'rust' else language}", f"{folder}/program"
        with open(path, "w", encoding="utf-8") as out:
            out.write(programs()[language])
        if build:
            built = subprocess.run([*build, "-o", binary, path], capture_output=True, check=False)
            if not self.equal(built.returncode, 0, f"{language}: {built.stderr}"):
                return
        environment = {**plain_environment(folder), "PATH": os.environ["PATH"], "NODE_PATH": f"{PACKAGES}/node_modules"}
        for preload, answer in ((OBJECT, expected), (None, WITHOUT)):
            variables = {**environment, **({"LD_PRELOAD": preload} if preload else {})}
            outcome = run([binary] if build else [*command, path], variables, cwd=folder)
            self.equal((outcome.status, outcome.stdout, outcome.stderr), (0, answer, b""), f"LD_PRELOAD={preload}")

    def test_c(self):
        self.prints("c", "cc", ["cc", "-Wall", "-Wextra", "-Werror"], None)

    def test_python(self):
        self.prints("python", "python3", None, [sys.executable])

    def test_js(self):
        why = without_koffi()
        if why:
            self.skip("preloaded", why)
        self.prints("js", "node", None, ["node"], WITHOUT if why else WITH)

    def test_rust(self):
        self.prints("rust", "rustc", ["rustc", "--edition", "2021", "-D", "warnings"], None)


cases.main()
