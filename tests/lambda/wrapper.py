"""coldboost-wrapper: the program behind it finds everything as it would be without, and is boosted where
that is possible.


Usage: wrapper.py WRAPPER OBJECT VICTIM FREEZE PRINT_ARGUMENTS [CASE…]
"""

import ctypes
import os
import re
import shutil
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import PR_SET_CHILD_SUBREAPER, run  # noqa: E402
from wrapper_case import DONE, FREEZE, STARTED, WrapperCase  # noqa: E402


class Wrapper(WrapperCase):
    def test_guest(self):
        """What the victim sees of descriptors, errno, signals, children, threads."""
        see = ["errno", "state", "children", "wait", "state", "leftovers", "spawns"]
        for arguments in (see, ["errno"], ["leave"], ["crash"], ["children"], ["main-leaves"]):
            plain = run([self.victim, *arguments], self.environment, cwd=self.folder)
            for _ in range(3):
                self.same(plain, self.wrapped(self.victim, *arguments), f"victim {arguments}")
        adopt = {"preexec_fn": lambda: ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)}
        plain = run([self.victim, *see], self.environment, cwd=self.folder, **adopt)
        self.same(plain, self.wrapped(self.victim, *see, **adopt), "subreaper")
        verbose = {**self.boost, "COLDBOOST_VERBOSE": "1"}
        outcome = self.wrapped(self.victim, "wait", environment=verbose, **adopt)
        self.check(
            outcome.stderr.count(b"\n") == 2 and re.search(rb"mode=sync .*state=done", outcome.stderr),
            f"subreaper: the replay is over before exec: {outcome.stderr}",
        )
        for name, arguments in {
            "looks around": ["go", "errno", "state", "children", "close", "hold"],
            "starts others": ["go", "spawns", "close", "hold"],
            "crashes": ["go", "crash"],
        }.items():
            plain = run([self.victim, *arguments], self.environment, b"g", cwd=self.folder)
            plain.status = 128 - plain.status if plain.status < 0 else plain.status
            frozen = run(
                [FREEZE, self.wrapper, self.victim, *arguments],
                {**self.environment, **self.boost}, cwd=self.folder,
            )
            if frozen.status == 77:
                self.skip(name, "no seccomp listener on this kernel")
            else:
                self.same(plain, frozen, f"{name} while the replay runs")

    def test_records(self):
        """It replays all of the profile before the program, and the constructor leaves it at that."""
        verbose = {**self.boost, "COLDBOOST_VERBOSE": "1"}
        outcome = self.wrapped(self.victim, "wait", environment=verbose)
        self.check(
            len(DONE.findall(outcome.stderr)) == 1 and len(STARTED.findall(outcome.stderr)) == 1
            and outcome.stderr.count(b"\n") == 2,
            f"the records of a boosted start: {outcome.stderr}",
        )
        script = f"{self.folder}/script"
        with open(script, "w", encoding="utf-8") as out:
            out.write(f"#! {self.folder}/link wait\n")
        os.chmod(script, 0o755)
        os.symlink(self.victim, f"{self.folder}/link")
        for command in (script, "./script", "./link"):
            outcome = self.wrapped(command, "wait", environment=verbose)
            self.check(DONE.search(outcome.stderr), f"{command}: {outcome.stderr}")
        path = {**verbose, "PATH": f"/nowhere::{self.folder}"}
        outcome = self.wrapped("victim", "wait", environment=path)
        self.check(DONE.search(outcome.stderr), f"found in PATH: {outcome.stderr}")
        task = {"LAMBDA_TASK_ROOT": f"{self.folder}/task", "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9",
                "COLDBOOST": "force", "COLDBOOST_VERBOSE": "1"}
        os.mkdir(f"{self.folder}/task")
        shutil.copy(self.profile, f"{self.folder}/task/coldboost.cbp")
        outcome = self.wrapped(self.victim, "wait", environment=task)
        self.check(
            DONE.search(outcome.stderr.replace(b"role=runtime", b"role=other")),
            f"the function's own profile: {outcome.stderr}",
        )
        self.check(b"role=runtime" in outcome.stderr, f"role of the runtime: {outcome.stderr}")
        os.chmod(f"{self.folder}/task/coldboost.cbp", 0o666)
        outcome = self.wrapped(self.victim, "wait", environment=task)
        self.check(b"plan=profile" not in outcome.stderr, "takes what anybody may write")

    def test_variables(self):
        """LD_PRELOAD and COLDBOOST_STARTED change, nothing else, not even the order."""
        odd = {"EMPTY": "", "A": "=", "LD_PRELOADED": "x", "LONG": "y" * 4096, "Z": "\udcff"}
        for others in (None, "", "libm.so.6", "libm.so.6 libdl.so.2"):
            before = {**odd, **self.boost, **({} if others is None else {"LD_PRELOAD": others}), "LAST": "1"}
            # The printed block is the kernel's: /proc/self/environ.
            plain = run(["/bin/cat", "/proc/self/environ"], {**self.environment, **before})
            boosted = self.wrapped("/bin/cat", "/proc/self/environ", environment=before)
            expected = plain.stdout.split(b"\0")[:-1]
            setting = b"LD_PRELOAD=" + os.fsencode(self.object)
            if others is None:
                expected.append(setting)
            else:
                at = expected.index(b"LD_PRELOAD=" + others.encode())
                expected[at] = setting + (b":" + others.encode() if others else b"")
            self.equal(boosted.stdout.split(b"\0")[:-1], expected, f"environment, {others}")
        started = self.wrapped("/bin/sh", "-c", "echo $COLDBOOST_STARTED $$", environment={
            "COLDBOOST": "force", "COLDBOOST_PROFILE": self.own_profile("/bin/sh")})
        ids = started.stdout.split()
        self.check(len(ids) == 2 and ids[0].split(b":")[0] == ids[1], f"COLDBOOST_STARTED: {started.stdout}")
        boosted = self.wrapped(self.printer, "a b", "", "exit=7", stdin=b"in\0put")
        lines = boosted.stdout.split(b"\n")
        self.equal((boosted.status, lines[0], lines[4]), (7, b"[a b][][exit=7]", b"in\0put"), "arguments")
        self.check(lines[3].startswith(b"mapped=1"), f"not preloaded: {lines[3]}")
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.equal(self.wrapped(self.printer, f"signal={int(number)}").status, -number, "signal")

    def test_children_of_shells(self):
        """They do not load the object where the profile names nobody but their shell."""
        function = {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9", "LAMBDA_TASK_ROOT": "/nowhere"}
        for shell in filter(None, map(shutil.which, ("bash", "dash"))):
            script = [shell, "-c", '"$0" child; true', self.printer]
            extension = {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9"}
            for name, variables, spared in (
                ("no profile", function, True),
                ("its own profile", {**function, "COLDBOOST_PROFILE": self.own_profile(shell)}, True),
                ("no profile but a file", {**function, "COLDBOOST_PROFILE": self.victim}, True),
                ("foreign objects", {**function, "LD_PRELOAD": "libm.so.6 libdl.so.2"}, True),
                ("profile of others", {**function, "COLDBOOST_PROFILE": self.profile}, False),
                ("reports", {**function, "COLDBOOST_TELEMETRY": f"{self.folder}/records"}, False),
                ("extension", extension, False),
                ("no function", {"LAMBDA_TASK_ROOT": "/nowhere"}, False),
            ):
                foreign = variables.get("LD_PRELOAD", "")
                with_us = self.object + (f":{foreign}" if foreign else "")
                for command, preload in (([self.wrapper, *script], foreign), (script, with_us)):
                    outcome = run(command, {**self.environment, **variables, "LD_PRELOAD": preload})
                    lines = outcome.stdout.decode().split("\n")
                    self.equal(
                        (lines[0], lines[1], lines[3].split()[0], outcome.stderr),
                        ("[child]", f"LD_PRELOAD={foreign if spared else with_us}", f"mapped={int(not spared)}", b""),
                        f"{command}, {name}",
                    )
            plain = run([shell, "-c", "env"], {**self.environment, **function})
            spared = run([shell, "-c", "env"], {**self.environment, **function, "LD_PRELOAD": self.object})
            self.same(plain, spared, f"{shell}: environment of its children")


cases.main()
