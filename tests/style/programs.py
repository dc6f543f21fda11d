"""The programs of libcoldboost(3) do what it says: with the library preloaded, and without it.

Usage: programs.py SOURCE_ROOT OBJECT PACKAGES

PACKAGES is where npm may have installed koffi. A language whose tools are not here is left out.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from coldboost_support import Checks, plain_environment, run  # noqa: E402

WITH, WITHOUT = b"cbf43926\n", b"not preloaded\n"


def main():
    root, library, packages = map(os.path.abspath, sys.argv[1:4])
    checks = Checks()
    with open(os.path.join(root, "tools", "man", "libcoldboost.3"), encoding="utf-8") as text:
        blocks = re.findall(r"(?ms)^\.Bd -literal\n(.*?)^\.Ed$", text.read())
    # In a page, \\e stands for a backslash.
    programs = [code.replace("\\e", "\\") for code in blocks if "not preloaded" in code]
    languages = ["c", "python", "js", "rust"]
    checks.equal(len(programs), len(languages), "programs in libcoldboost(3)")
    with tempfile.TemporaryDirectory(prefix="coldboost-readme-") as folder:
        binary = f"{folder}/program"
        how = {
            "c": ("cc", ["cc", "-Wall", "-Wextra", "-Werror", "-o", binary], [binary]),
            "python": ("python3", None, [sys.executable]),
            "js": ("node", None, ["node"]),
            "rust": ("rustc", ["rustc", "--edition", "2021", "-D", "warnings", "-o", binary], [binary]),
        }
        environment = {**plain_environment(folder), "PATH": os.environ["PATH"], "NODE_PATH": f"{packages}/node_modules"}
        for language, code in zip(languages, programs):
            tool, build, command = how[language]
            path = f"{folder}/program.{'rs' if language == 'rust' else language}"
            with open(path, "w", encoding="utf-8") as out:
                out.write(code)
            if not shutil.which(tool):
                checks.skip(language, f"there is no {tool}")
                continue
            if build:
                built = subprocess.run([*build, path], capture_output=True, check=False)
                if not checks.equal(built.returncode, 0, f"{language}: {built.stderr}"):
                    continue
            else:
                command = [*command, path]
            expected = WITH
            if language == "js" and not os.path.exists(f"{packages}/node_modules/koffi"):
                checks.skip("js, preloaded", "koffi is not installed: meson compile lambda-packages")
                expected = WITHOUT
            for preload, answer in ((library, expected), (None, WITHOUT)):
                variables = {**environment, **({"LD_PRELOAD": preload} if preload else {})}
                outcome = run(command, variables, cwd=folder)
                checks.equal(
                    (outcome.status, outcome.stdout, outcome.stderr), (0, answer, b""),
                    f"{language}, LD_PRELOAD={preload}",
                )
    return checks.exit_code()


sys.exit(main())
