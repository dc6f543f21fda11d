"""The command line in a folder of its own, with small programs to start: what its tests share."""

import os
import re
import shlex
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from cases import Case, take  # noqa: E402
from coldboost_support import AS_NOBODY, copy_tool, plain_environment, run  # noqa: E402
from profiles import Profile  # noqa: E402

COLDBOOST, OBJECT, PRINTER, STATIC, COMPILER = take(
    "COLDBOOST OBJECT PRINT_ARGUMENTS PRINT_ARGUMENTS_STATIC COMPILER")


class CliCase(Case):
    def setUp(self):
        # Not in /tmp, where all may be in memory always, nor where this was built: others may have no way
        # there, and part of this is somebody else's.
        self.folder = self.new_folder(dir="/var/tmp")
        os.chmod(self.folder, 0o755)
        self.tool = os.path.abspath(COLDBOOST)
        self.object = os.path.realpath(OBJECT)
        self.compiler = shlex.split(COMPILER)
        self.printer = shutil.copy(PRINTER, f"{self.folder}/printer")
        self.static = shutil.copy(STATIC, f"{self.folder}/static")
        self.environment = plain_environment(self.folder)

    def coldboost(self, *arguments, stdin=b"", environment=None, **more):
        return run(
            [self.tool, *arguments], {**self.environment, **(environment or {})}, stdin,
            cwd=self.folder, **more,
        )

    def expect(self, arguments, status, stdout=b"", stderr=b"", **more):
        """stdout and stderr are patterns that must match somewhere; empty means empty."""
        outcome = self.coldboost(*arguments, **more)
        name = "coldboost " + " ".join(arguments)
        self.equal(outcome.status, status, f"{name}: {outcome.stderr}")
        for stream, pattern in (("stdout", stdout), ("stderr", stderr)):
            text = getattr(outcome, stream)
            matches = re.search(pattern, text, re.S) if pattern else not text
            self.check(matches, f"{name}: {stream} is {text}, not {pattern}")
        return outcome

    def installed(self):
        """The tool and the object where everybody can reach them."""
        for name in ("tools", "preload"):
            os.makedirs(f"{self.folder}/{name}", exist_ok=True)
        tool = copy_tool(self.tool, f"{self.folder}/tools")
        return tool, shutil.copy(self.object, f"{self.folder}/preload")

    def plain_user(self):
        """The tool and how to run it not as root, who would empty the page cache of the whole
        machine."""
        if os.getuid() != 0:
            return self.tool, {}
        return self.installed()[0], AS_NOBODY

    def program_with_profile(self, name):
        program = shutil.copy(shutil.which(name, path=self.environment["PATH"]), f"{self.folder}/my-{name}")
        profile = Profile()
        profile.section(os.path.realpath(program), profile.whole_files([program]))
        return program, profile.write(f"{self.folder}/{name}.cbp")

    def script_with_profile(self, line):
        """A shell script of one line, which a program can be without a compiler."""
        shell, path = self.program_with_profile("sh")
        with open(f"{self.folder}/script", "w", encoding="ascii") as out:
            out.write(f"#!{shell}\n{line}\n")
        os.chmod(out.name, 0o755)
        return out.name, path

    def sample(self):
        """A profile of the printer, and what it must be shown as."""
        data, odd = f"{self.folder}/data", f"{self.folder}/odd \"name\"\n\\\udcff\u00e4"
        for path, size in ((data, 100000), (odd, 5000)):
            with open(path, "wb") as out:
                out.write(os.urandom(size))
        profile = Profile(epoch_us=500)
        first, second = profile.file(data, build_id=b"\x01\xab"), profile.file(odd)
        folder = profile.file(self.folder, kind=1, size=0, mtime_ns=0)
        ranges = [(first, 20, 5, 0), (second, 0, 2, 1), (first, 0, 3, 2), (folder, 0, 0, 3)]
        profile.section(os.path.realpath(self.printer), ranges)
        profile.section("/usr/bin/other", [(second, 1, 1, 9)])
        return profile, data, odd

    def profile_of(self, program):
        """The file of a profile of nothing but the program itself."""
        profile = Profile()
        profile.section(os.path.realpath(program), profile.whole_files([program]))
        return profile.write(f"{program}.cbp")
