"""Situations in which users found the tools' answers wrong, each with its story.

Usage: situations.py COLDBOOST OBJECT PRINT_ARGUMENTS PRINT_ARGUMENTS_STATIC COMPILER…
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from coldboost_support import Checks, Profile, copy_tool, plain_environment, run  # noqa: E402

NOBODY = 65534


class Situations:
    def __init__(self, folder, tool, object_path, printer, static, compiler):
        self.checks = Checks()
        self.folder = os.path.realpath(folder)
        os.chmod(self.folder, 0o755)
        self.objects = os.path.dirname(os.path.realpath(object_path))
        self.built = os.path.abspath(tool)
        self.printer = shutil.copy(printer, f"{self.folder}/printer")
        self.static = shutil.copy(static, f"{self.folder}/static")
        self.compiler = compiler
        self.environment = plain_environment(self.folder)
        self.tool = self.install("installed")
        self.profile = self.profile_of(self.printer)

    def install(self, name):
        """The tool and its objects in a folder of that name."""
        for part in ("tools", "preload"):
            os.makedirs(f"{self.folder}/{name}/{part}")
        for part in ("libcoldboost.so", "libcoldboost-record.so"):
            shutil.copy(f"{self.objects}/{part}", f"{self.folder}/{name}/preload")
        return copy_tool(self.built, f"{self.folder}/{name}/tools")

    def profile_of(self, program):
        profile = Profile()
        profile.section(os.path.realpath(program), profile.whole_files([program]))
        return profile.write(f"{program}.cbp")

    def script(self, name, text):
        with open(f"{self.folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(file.name, 0o755)
        return file.name

    def run(self, *arguments, tool=None, environment=None, **more):
        return run([tool or self.tool, *arguments], {**self.environment, **(environment or {})}, cwd="/", **more)

    def expect(self, status, *arguments, stdout=None, stderr=None, **more):
        """stdout and stderr are patterns that must be found; b"" means empty."""
        outcome = self.run(*arguments, **more)
        self.checks.equal(outcome.status, status, f"{arguments}: {outcome.stderr}")
        for name, pattern in (("stdout", stdout), ("stderr", stderr)):
            text = getattr(outcome, name)
            good = pattern is None or (re.search(pattern, text, re.S) if pattern else not text)
            self.checks.check(good, f"{arguments}: {name} is {text[-800:]}, not {pattern}")
        return outcome

    def measured(self, *arguments, **more):
        outcome = self.expect(0, "bench", "-n", "1", "--json", *arguments, **more)
        return json.loads(outcome.stdout) if outcome.status == 0 else {"variants": {}}

    def installed_at_a_path_that_cannot_be_named(self):
        """LD_PRELOAD is a list with spaces and colons between its names, and $LIB in it is replaced.
        Installed in such a folder, `record` blamed the program, `inspect` said that preloading works, and
        `bench` advised by starts in which the object was never loaded, with a line of ld.so in each."""
        for name in ("with space", "with:colon", "with$LIB", "with${ORIGIN}"):
            tool = self.install(name)
            reason = rb"libcoldboost.so is in .*" + re.escape(name.encode()) + rb".*LD_PRELOAD"
            outcome = self.expect(0, "run", "-p", self.profile, "--", self.printer, "x", tool=tool, stderr=b"",
                                  stdout=rb"^\[x\]\nLD_PRELOAD=\n.*mapped=0")
            facts = json.loads(self.expect(0, "inspect", "--json", self.printer, tool=tool).stdout)
            self.checks.check(re.search(reason, (facts["obstacle"] or "").encode()), f"{name}: {facts['obstacle']}")
            outcome = self.expect(0, "record", "-o", f"{self.folder}/recorded.cbp", "--", self.printer, tool=tool,
                                  stderr=reason)
            self.checks.equal(outcome.stderr.count(b"LD_PRELOAD"), 1, f"{name}: reasons of record: {outcome.stderr}")
            document = self.measured("-p", self.profile, "--", self.printer, tool=tool)
            found = {name: value is not None for name, value in document["variants"].items()}
            self.checks.equal(found, {"cold": True, "preload": False, "audit": False, "run": True, "warm": True,
                                      "warm_preload": False}, f"{name}: what bench measures")
            table = self.expect(0, "bench", "-n", "6", "-p", self.profile, self.printer, tool=tool, stdout=reason).stdout
            self.checks.equal(len(re.findall(reason, table)), 1, f"{name}: reasons of bench: {table}")
            self.checks.check(not re.search(rb"LD_(PRELOAD|AUDIT)=", table), f"{name}: advice of bench: {table}")
        for name in ("with$dollar", "with,comma"):
            tool = self.install(name)
            self.expect(0, "run", "--", self.printer, tool=tool, stdout=rb"mapped=1")
            self.expect(0, "inspect", self.printer, tool=tool, stdout=rb"preloading +works")

    def rows_without_the_object(self):
        """No constructor runs where the loader is only asked for its list: there is nothing to compare."""
        loader = json.loads(self.run("inspect", "--json", self.printer).stdout)["loader"]
        document = self.measured("--", loader, "--list", self.printer)
        for name in ("preload", "warm_preload", "audit", "constructor_ms"):
            self.checks.equal(document["variants"].get(name) or document.get(name), None, f"{name} of a loader's list")
        self.checks.check("not loaded" in (document.get("preload_obstacle") or ""), f"no reason: {document}")

    def scripts_of_the_shell(self):
        """A script without "#!" runs everywhere, but bench said "Exec format error", and inspect that it was
        no ELF file."""
        script = self.script("headless", f"{self.printer} child\n")
        self.expect(0, "inspect", script, stdout=rb"/bin/sh")
        profile = Profile()
        profile.section(os.path.realpath("/bin/sh"), profile.whole_files([self.printer]))
        document = self.measured("-p", profile.write(f"{self.folder}/sh.cbp"), "--", script, "a")
        self.checks.check("cold" in document["variants"], f"bench of a script without #!: {document}")

    def bench_of_static_programs(self):
        """bench had nothing to say about Go programs, which `coldboost run` reads ahead of all the same."""
        profile = self.profile_of(self.static)
        document = self.measured("-p", profile, "--", self.static)
        found = [name for name, value in document["variants"].items() if value]
        self.checks.equal(found, ["cold", "run", "warm"], "what is measured of a static program")
        self.checks.check("statically linked" in (document.get("preload_obstacle") or ""), f"no reason: {document}")
        self.expect(0, "bench", "-n", "6", "-p", profile, self.static,
                    stdout=rb"LD_PRELOAD +left out: [^\n]*statically linked.*With coldboost run a cold start "
                           rb"[^;]*; so it is best started (as it is|with coldboost run)")

    def bench_of_failures(self):
        """A command that fails on purpose could not be measured, and what it said of its failure was lost."""
        command = [self.script("failing", "#!/bin/sh\necho \"cannot open the öther file\" >&2\nexit 3\n")]
        self.expect(1, "bench", "-n", "1", "--", *command,
                    stderr="cannot open the öther file\ncoldboost: .*exit status 3.*-i".encode())
        for flag in ("-i", "--ignore-failure"):
            document = self.measured(flag, "--", *command)
            self.checks.check(document["variants"].get("preload"), f"{flag}: not measured")
        # With the object it fails in another way: that is no measurement of the same thing.
        script = self.script("differs", "#!/bin/sh\ncase $LD_PRELOAD in *libcoldboost*) echo no >&2; exit 4;; esac\nexit 3\n")
        self.expect(1, "bench", "-n", "1", "-i", "--", script, stderr=rb"no\ncoldboost: .*exit status 4, not 3")

    def names_without_a_folder(self):
        """`coldboost inspect python3` said that there is no such file."""
        found = shutil.which("true", path=self.environment["PATH"])
        self.expect(0, "inspect", "true", stdout=b"^" + found.encode())
        self.expect(0, "inspect", "printer", stdout=b"^" + self.printer.encode(), environment={"PATH": self.folder})
        outcome = run([self.tool, "inspect", "printer"], self.environment, cwd=self.folder)
        self.checks.equal(outcome.status, 0, f"a file in the folder: {outcome.stderr}")
        self.expect(1, "inspect", "no-such-command", stderr=rb"no-such-command.*neither.*PATH")

    def help_and_version(self):
        self.expect(0, "-V", stdout=rb"^coldboost \d+\.\d+\.\d+\n$", stderr=b"")
        self.expect(0, "help", stdout=rb"^Usage: coldboost COMMAND", stderr=b"")
        without_man = {"PATH": self.folder}
        os.mkdir(f"{self.folder}/with-man")
        with_man = {"PATH": os.path.dirname(self.script("with-man/man", '#!/bin/sh\necho "$@"\n'))}
        for command in ("run", "record", "show", "merge", "bench", "layer", "report", "inspect"):
            usage = self.expect(0, command, "--help", tool=self.built).stdout
            shown = self.expect(0, "help", command, tool=self.built, environment=without_man).stdout
            self.checks.equal(shown, usage, f"help {command}, without man")
            page = rb"^-l /.*/man/coldboost-" + command.encode() + rb"\.1\n$"
            self.expect(0, "help", command, tool=self.built, environment=with_man, stdout=page, stderr=b"")
            # What getopt says named a program that does not exist.
            self.expect(2, command, "--no-such-option", tool=self.built,
                        stderr=b"^coldboost " + command.encode() + b": .*no-such-option.*\nTry 'coldboost ")
        # Pages are in the build tree; this copy of the tool has none.
        self.expect(0, "help", "show", environment=with_man, stdout=rb"^Usage: coldboost show")
        for topic, page in (("lambda", "coldboost-lambda.7"), ("wrapper", "coldboost-wrapper.1"),
                            ("security", "coldboost-security.7"), ("libcoldboost", "libcoldboost.3"),
                            ("profile", "coldboost-profile.5"), ("telemetry", "coldboost-telemetry.5")):
            self.expect(0, "help", topic, tool=self.built, environment=with_man, stdout=f"/man/{page}\n".encode())
            self.expect(1, "help", topic, tool=self.built, environment=without_man, stderr=rb"man\(1\)", stdout=b"")
        self.expect(2, "help", "fly", stderr=rb"no command 'fly'")
        self.expect(2, "help", "run", "record", stderr=rb"one command")

    def output_that_cannot_be_written(self):
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
            self.checks.check(good, f"{arguments} to a full disk: {result.returncode}, {result.stderr}")

    def explicit_loaders(self):
        """`ld.so PROGRAM` was called static, and nothing was preloaded into it, though ld.so would."""
        loader = os.path.realpath(json.loads(self.run("inspect", "--json", self.printer).stdout)["loader"])
        profile = self.profile_of(shutil.copy(loader, f"{self.folder}/ld-copy.so"))
        self.expect(0, "run", "--", loader, self.printer, "x", stdout=rb"^\[x\].*mapped=1", stderr=b"")
        document = self.measured("-p", profile, "--", f"{self.folder}/ld-copy.so", self.printer)
        self.checks.check(document["variants"].get("preload"), "bench leaves LD_PRELOAD out")
        facts = json.loads(self.run("inspect", "--json", loader).stdout)
        self.checks.equal((facts["can_be_preloaded"], facts["kind"]), (True, "loader"), "a loader")
        path = f"{self.folder}/by-loader.cbp"
        self.expect(0, "record", "-o", path, "--", loader, self.printer)
        shown = json.loads(self.run("show", "--json", path).stdout)
        self.checks.equal([entry["path"] for entry in shown["executables"]], [loader], "executables of a recording")
        self.checks.check(self.printer in [entry["path"] for entry in shown["files"]], "the program is not recorded")

    def own_loader(self):
        """A program with a loader of its own, as AppImages and Nix have, was said to load the system's too."""
        loader = os.path.realpath(json.loads(self.run("inspect", "--json", self.printer).stdout)["loader"])
        own = shutil.copy(loader, f"{self.folder}/{os.path.basename(loader)}")
        program = f"{self.folder}/own-loader"
        subprocess.run([*self.compiler, "-x", "c", "-", "-o", program, f"-Wl,--dynamic-linker={own}"],
                       input=b"int main(void) { return 0; }", check=True)
        facts = json.loads(self.expect(0, "inspect", "--json", program).stdout)
        loaders = [entry["path"] for entry in facts["objects"] if os.path.basename(entry["path"] or "").startswith("ld-")]
        self.checks.equal(loaders, [own], "loaders of a program with its own")

    def privileged_programs(self):
        """Of a set-uid program inspect said that a profile helps, which nobody but its owner can record."""
        if os.getuid() != 0:
            self.checks.skip("set-uid program", "it takes root to make one")
            return
        as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        for owner, how, who in ((0, as_nobody, "root"), (1, {}, "1"), (1, as_nobody, "1")):
            program = shutil.copy(self.printer, f"{self.folder}/privileged-{owner}")
            os.chown(program, owner, -1)
            os.chmod(program, 0o4755)
            facts = json.loads(self.run("inspect", "--json", program, **how).stdout)
            self.checks.check("set-uid" in (facts["obstacle"] or ""), f"{owner}: {facts['obstacle']}")
            self.checks.check(re.search(rf"record it as (user )?{who}\b.*coldboost run -p", facts["remedy"] or ""),
                              f"remedy of a program of {owner}: {facts['remedy']}")
            # And that is so.
            os.makedirs(f"{self.folder}/out", exist_ok=True)
            os.chmod(f"{self.folder}/out", 0o777)
            owners = {"user": owner, "group": owner, "extra_groups": []} if owner else {}
            self.expect(0, "record", "-o", f"{self.folder}/out/{owner}.cbp", "--", program, **owners)
            self.expect(0, "run", "-p", f"{self.folder}/out/{owner}.cbp", "--", program, "x", stdout=rb"^\[x\]", **how)

    def all(self):
        for part in (self.installed_at_a_path_that_cannot_be_named, self.rows_without_the_object,
                     self.scripts_of_the_shell, self.bench_of_static_programs, self.bench_of_failures,
                     self.names_without_a_folder,
                     self.help_and_version, self.output_that_cannot_be_written, self.explicit_loaders, self.own_loader,
                     self.privileged_programs):
            part()


def main():
    tool, object_path, printer, static, *compiler = sys.argv[1:]
    # Not in /tmp: what is on tmpfs is always in memory.
    with tempfile.TemporaryDirectory(prefix="situations-", dir="/var/tmp") as folder:
        situations = Situations(folder, tool, object_path, printer, static, compiler)
        situations.all()
    return situations.checks.exit_code()


sys.exit(main())
