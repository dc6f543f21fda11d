"""coldboost run by the front, which has no libc, and by the tool behind it: nobody can tell which.

Every command line is run three times: by the tool, by the front with the tool beside it, and by a
front that has none. The first two must agree in everything that the program and the caller see; the
third tells which command lines the front has done by itself.
"""

import os
import re
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from cases import Case, take  # noqa: E402
from coldboost_support import plain_environment, run  # noqa: E402
from profiles import Profile  # noqa: E402

COLDBOOST, COLDBOOST_TOOL, OBJECT, PRINT_STATE, PRINT_STATE_STATIC, WRAPPER, REFUSE = map(os.path.abspath, take(
    "COLDBOOST COLDBOOST_TOOL OBJECT PRINT_STATE PRINT_STATE_STATIC WRAPPER REFUSE"))


class FrontCase(Case):
    def setUp(self):
        self.folder = self.new_folder()
        os.chmod(self.folder, 0o755)
        both = (COLDBOOST, COLDBOOST_TOOL)
        for name, programs in (("both", both), ("alone", (COLDBOOST,)), ("bare", both)):
            os.makedirs(f"{self.folder}/{name}/tools")
            os.mkdir(f"{self.folder}/{name}/preload")
            for program in programs:
                shutil.copy(program, f"{self.folder}/{name}/tools")
            if name != "bare":
                shutil.copy(OBJECT, f"{self.folder}/{name}/preload")
        self.state = shutil.copy(PRINT_STATE, f"{self.folder}/state")
        self.static = shutil.copy(PRINT_STATE_STATIC, f"{self.folder}/static")
        self.environment = {**plain_environment(self.folder), "COLDBOOST": "force"}
        with open(f"{self.folder}/data", "wb") as out:
            out.write(os.urandom(1 << 16))
        self.profile = self.write_profile("app.cbp", self.state, self.static)
        os.symlink("app.cbp", f"{self.folder}/link.cbp")
        os.symlink("state", f"{self.folder}/state-link")
        self.write("script", f"#!{self.state} extra\n".encode())
        self.write("nested", f"#! {self.folder}/script\n".encode())
        self.write("first/state", b"not executable\n", 0o644)
        os.makedirs(f"{self.folder}/second/state")
        shutil.copy(self.state, f"{self.folder}/-")
        shutil.copy(self.profile, f"{self.folder}/coldboost.cbp")

    def write_profile(self, name, *executables):
        profile = Profile()
        for executable in executables:
            profile.section(executable, profile.whole_files([f"{self.folder}/data"]))
        return profile.write(f"{self.folder}/{name}")

    def write(self, name, content, mode=0o755):
        path = f"{self.folder}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(content)
        os.chmod(path, mode)
        return path

    def outcome(self, program, arguments, environment, how):
        variables = {**self.environment, **environment}
        variables = {name: value for name, value in variables.items() if value is not None}
        outcome = run([f"{self.folder}/{program}", *arguments], variables, cwd=self.folder, **how)
        pid = re.search(rb"pid=(\d+)\n$", outcome.stdout)
        text = outcome.stdout
        if pid:  # the numbers that differ from start to start
            text = text.replace(b"COLDBOOST_STARTED=" + pid[1] + b":", b"COLDBOOST_STARTED=PID:")
        text = re.sub(rb"STARTED=PID:\d+", b"STARTED=PID:NS", text)
        text = re.sub(rb"SigQ:.*\n", b"", text)  # of all that the user runs
        text = re.sub(rb"(pid=|pipe:\[|socket:\[)\d+", rb"\1N", text)
        outcome.stdout = text
        # A report is written at once, in the middle of a message that is not.
        reports = re.findall(rb"coldboost: role=[^\n]*\n", outcome.stderr)
        rest = re.sub(rb"coldboost: role=[^\n]*\n", b"", outcome.stderr)
        # How far the replay comes before the program ends is chance.
        text = re.sub(rb"(us|bytes|ranges)=\d+(/\d+)?", rb"\1=N", b"".join([rest, *sorted(reports)]))
        text = re.sub(rb"start=\w+ plan=blind", b"plan=blind", text)  # other tests drop the caches
        outcome.stderr = re.sub(rb"state=(done|unfinished)", b"state=ENDED", text)
        return outcome

    def compare(self, name, arguments, by_front, environment=None, place="both", **how):
        environment = environment or {}
        by_tool = self.outcome(f"{place}/tools/coldboost-tool", arguments, environment, how)
        outcome = self.outcome(f"{place}/tools/coldboost", arguments, environment, how)
        found = "; ".join(by_tool.differences(outcome))
        self.check(not found, f"{name}: {arguments}: {found}")
        if place == "both":
            alone = self.outcome("alone/tools/coldboost", arguments, environment, how)
            missed = re.search(rb"coldboost: [^\n]*/alone/tools/coldboost-tool: .*again", alone.stderr)
            done = not missed and alone.status == by_tool.status
            refused = missed and (alone.status, alone.stdout) == (1, b"")
            self.check(
                done if by_front else refused,
                f"{name}: {arguments}: by the front {by_front}: {alone.status} {alone.stderr}")
        return outcome
