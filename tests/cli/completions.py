"""What bash, zsh and fish complete behind "coldboost".

Usage: completions.py FOLDER [CASE…]

FOLDER is where completions.SHELL are.
"""

import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402

FOLDER = os.path.abspath(cases.take("FOLDER"))
BASH = r"""source "$0"; COMP_WORDS=(coldboost "$@"); COMP_CWORD=$#; _coldboost; printf '%s\n' "${COMPREPLY[@]}" """


class Completions(cases.Case):
    def said(self, shell, *command):
        if not shutil.which(shell):
            self.skipTest(f"there is no {shell}")
        result = subprocess.run([shell, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.equal((result.returncode, result.stderr), (0, ""), f"{shell} {command}")
        return result.stdout.split("\n")

    def test_bash(self):
        def complete(*words):
            return self.said("bash", "--norc", "-c", BASH, f"{FOLDER}/completions.bash", *words)

        self.equal(complete("re")[:2], ["record", "report"], "commands")
        self.equal(complete("help", "sho")[:1], ["show"], "pages")
        self.equal(complete("record", "--un")[:1], ["--until"], "options")
        self.check("env" in complete("run", "--", "en"), "programs behind run")
        self.check("/etc/passwd" in complete("run", "cat", "/etc/pass"), "files behind a program")
        self.check("--json" not in complete("run", "cat", "--js"), "the program's options are its own")

    def test_fish(self):
        def complete(line):
            found = self.said("fish", "--no-config", "-c", f"source {FOLDER}/completions.fish; complete -C '{line}'")
            return [row.split("\t")[0] for row in found if row]

        self.equal(complete("coldboost re"), ["record", "report"], "commands")
        self.equal(complete("coldboost record --un"), ["--until"], "options")
        self.equal(complete("coldboost help sho"), ["show"], "pages")

    def test_zsh(self):
        folder = self.new_folder()
        shutil.copy(f"{FOLDER}/completions.zsh", f"{folder}/_coldboost")
        self.said("zsh", "-n", f"{folder}/_coldboost")
        loaded = self.said("zsh", "-f", "-c",
                           f"fpath=({folder} $fpath); autoload -U compinit; compinit -D -u; echo $_comps[coldboost]")
        self.equal(loaded[0], "_coldboost", "what completes coldboost")


cases.main()
