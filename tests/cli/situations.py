"""Situations in which users found the tools' answers wrong, each with its story.

Usage: situations.py COLDBOOST OBJECT PRINT_ARGUMENTS PRINT_ARGUMENTS_STATIC COMPILER [CASE…]
"""

import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import AS_NOBODY, run  # noqa: E402
from profiles import Profile  # noqa: E402
from situation_case import SituationCase  # noqa: E402


class Situations(SituationCase):
    def test_names_without_a_folder(self):
        """`coldboost inspect python3` said that there is no such file."""
        found = shutil.which("true", path=self.environment["PATH"])
        self.answers(0, "inspect", "true", stdout=b"^" + found.encode())
        self.answers(0, "inspect", "printer", stdout=b"^" + self.printer.encode(), environment={"PATH": self.folder})
        outcome = run([self.tool, "inspect", "printer"], self.environment, cwd=self.folder)
        self.equal(outcome.status, 0, f"a file in the folder: {outcome.stderr}")
        self.answers(1, "inspect", "no-such-command", stderr=rb"no-such-command.*neither.*PATH")

    def test_help_and_version(self):
        self.answers(0, "-V", stdout=rb"^coldboost \d+\.\d+\.\d+\n$", stderr=b"")
        self.answers(0, "help", stdout=rb"^Usage: coldboost COMMAND", stderr=b"")
        without_man = {"PATH": self.folder}
        os.mkdir(f"{self.folder}/with-man")
        with_man = {"PATH": os.path.dirname(self.script("with-man/man", '#!/bin/sh\necho "$@"\n'))}
        for command in ("run", "record", "show", "merge", "bench", "layer", "report", "inspect"):
            usage = self.answers(0, command, "--help", tool=self.built).stdout
            shown = self.answers(0, "help", command, tool=self.built, environment=without_man).stdout
            self.equal(shown, usage, f"help {command}, without man")
            page = rb"^-l /.*/man/coldboost-" + command.encode() + rb"\.1\n$"
            self.answers(0, "help", command, tool=self.built, environment=with_man, stdout=page, stderr=b"")
            # What getopt says named a program that does not exist.
            self.answers(2, command, "--no-such-option", tool=self.built,
                         stderr=b"^coldboost " + command.encode() + b": .*no-such-option.*\nTry 'coldboost ")
        # Pages are in the build tree; this copy of the tool has none.
        self.answers(0, "help", "show", environment=with_man, stdout=rb"^Usage: coldboost show")
        for topic, page in (("lambda", "coldboost-lambda.7"), ("wrapper", "coldboost-wrapper.1"),
                            ("security", "coldboost-security.7"), ("libcoldboost", "libcoldboost.3"),
                            ("profile", "coldboost-profile.5"), ("telemetry", "coldboost-telemetry.5")):
            self.answers(0, "help", topic, tool=self.built, environment=with_man, stdout=f"/man/{page}\n".encode())
            self.answers(1, "help", topic, tool=self.built, environment=without_man, stderr=rb"man\(1\)", stdout=b"")
        self.answers(2, "help", "fly", stderr=rb"no command 'fly'")
        self.answers(2, "help", "run", "record", stderr=rb"one command")

    def test_output_that_cannot_be_written(self):
        """The tools ended well, or without a word, when the disk was full."""
        profile = Profile()
        profile.section("/bin/true", [(profile.file(f"/data/{i}", size=9, mtime_ns=1), 0, 1, i) for i in range(999)])
        long = profile.write(f"{self.folder}/long.cbp")
        for arguments in (["--help"], ["-V"], ["help"], ["show", "--help"], ["run", "--help"], ["record", "--help"],
                          ["layer", "--help"], ["show", self.profile], ["show", "--json", long], ["show", long],
                          ["inspect", self.printer], ["inspect", "--json", self.printer],
                          ["bench", "-n", "1", "--", self.printer], ["bench", "-n", "1", "--json", self.printer],
                          ["merge", "-o", f"{self.folder}/merged.cbp", self.profile], ["report", "/dev/null"],
                          ["report", self.script("empty", "")]):
            with open("/dev/full", "wb") as full:
                result = subprocess.run([self.built, *arguments], stdout=full, stderr=subprocess.PIPE, check=False)
            good = result.returncode == 1 and re.search(rb"coldboost: .*(No space left|not a regular)", result.stderr)
            self.check(good, f"{arguments} to a full disk: {result.returncode}, {result.stderr}")

    def test_explicit_loaders(self):
        """`ld.so PROGRAM` was called static, and nothing was preloaded into it, though ld.so would."""
        loader = os.path.realpath(json.loads(self.coldboost("inspect", "--json", self.printer).stdout)["loader"])
        profile = self.profile_of(shutil.copy(loader, f"{self.folder}/ld-copy.so"))
        self.answers(0, "run", "--", loader, self.printer, "x", stdout=rb"^\[x\].*mapped=1", stderr=b"")
        document = self.measured("-p", profile, "--", f"{self.folder}/ld-copy.so", self.printer)
        self.check(document["variants"].get("preload"), "bench leaves LD_PRELOAD out")
        facts = json.loads(self.coldboost("inspect", "--json", loader).stdout)
        self.equal((facts["can_be_preloaded"], facts["kind"]), (True, "loader"), "a loader")
        path = f"{self.folder}/by-loader.cbp"
        self.answers(0, "record", "-o", path, "--", loader, self.printer)
        shown = json.loads(self.coldboost("show", "--json", path).stdout)
        self.equal([entry["path"] for entry in shown["executables"]], [loader], "executables of a recording")
        self.check(self.printer in [entry["path"] for entry in shown["files"]], "the program is not recorded")

    def test_own_loader(self):
        """A program with a loader of its own, as AppImages and Nix have, was said to load the system's too."""
        loader = os.path.realpath(json.loads(self.coldboost("inspect", "--json", self.printer).stdout)["loader"])
        own = shutil.copy(loader, f"{self.folder}/{os.path.basename(loader)}")
        program = f"{self.folder}/own-loader"
        subprocess.run([*self.compiler, "-x", "c", "-", "-o", program, f"-Wl,--dynamic-linker={own}"],
                       input=b"int main(void) { return 0; }", check=True)
        facts = json.loads(self.answers(0, "inspect", "--json", program).stdout)
        paths = [entry["path"] or "" for entry in facts["objects"]]
        loaders = [path for path in paths if os.path.basename(path).startswith("ld-")]
        self.equal(loaders, [own], "loaders of a program with its own")

    def test_privileged_programs(self):
        """Of a set-uid program inspect said that a profile helps, which nobody but its owner can record."""
        if os.getuid() != 0:
            self.skipTest("it takes root to make one")
        for owner, how, who in ((0, AS_NOBODY, "root"), (1, {}, "1"), (1, AS_NOBODY, "1")):
            program = shutil.copy(self.printer, f"{self.folder}/privileged-{owner}")
            os.chown(program, owner, -1)
            os.chmod(program, 0o4755)
            facts = json.loads(self.coldboost("inspect", "--json", program, **how).stdout)
            self.check("set-uid" in (facts["obstacle"] or ""), f"{owner}: {facts['obstacle']}")
            self.check(re.search(rf"record it as (user )?{who}\b.*coldboost run -p", facts["remedy"] or ""),
                       f"remedy of a program of {owner}: {facts['remedy']}")
            # And that is so.
            os.makedirs(f"{self.folder}/out", exist_ok=True)
            os.chmod(f"{self.folder}/out", 0o777)
            owners = {"user": owner, "group": owner, "extra_groups": []} if owner else {}
            self.answers(0, "record", "-o", f"{self.folder}/out/{owner}.cbp", "--", program, **owners)
            self.answers(0, "run", "-p", f"{self.folder}/out/{owner}.cbp", "--", program, "x", stdout=rb"^\[x\]", **how)


cases.main()
