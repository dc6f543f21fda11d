"""coldboost-wrapper: the program behind it finds everything as it would be without, is boosted
where that is possible, and starts whatever is missing.

Usage: wrapper.py WRAPPER OBJECT VICTIM FREEZE PRINT_ARGUMENTS

Runs a layer's folder: the wrapper with lib/libcoldboost.so beside it.
"""

import ctypes
import os
import re
import resource
import shutil
import signal
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from coldboost_support import Checks, Profile, plain_environment, run  # noqa: E402

PR_SET_CHILD_SUBREAPER = 36
DONE = re.compile(
    rb"coldboost: role=other start=cold plan=profile mode=process ranges=(\d+)/\1 bytes=\d+ "
    rb"stale_files=0 us=\d+ state=done\n"
)
STARTED = re.compile(rb"coldboost: role=\w+ start=unknown plan=started [^\n]*\n")


class Wrapper:
    def __init__(self, folder, wrapper, object_path, victim, freeze, printer):
        self.checks = Checks()
        self.folder = folder
        os.makedirs(f"{folder}/opt/lib")
        self.wrapper = shutil.copy(wrapper, f"{folder}/opt")
        self.object = shutil.copy(object_path, f"{folder}/opt/lib")
        self.victim = shutil.copy(victim, folder)
        self.printer = shutil.copy(printer, folder)
        self.freeze = os.path.abspath(freeze)
        self.environment = plain_environment("/")
        profile = Profile()
        data = []
        for i in range(40):
            data.append(f"{folder}/data{i}")
            with open(data[-1], "wb") as out:
                out.write(os.urandom(4096) * 16)
        for program in (self.victim, self.printer):
            profile.section(program, profile.whole_files(data))
        self.profile = profile.write(f"{folder}/profile.cbp")
        self.boost = {"COLDBOOST": "force", "COLDBOOST_PROFILE": self.profile}

    def run(self, *command, stdin=b"", environment=None, **more):
        variables = {**self.environment, **(self.boost if environment is None else environment)}
        return run([self.wrapper, *command], variables, stdin, cwd=self.folder, **more)

    def equal(self, name, plain, boosted):
        found = "; ".join(plain.differences(boosted))
        self.checks.check(not found, f"{name}: {found}")

    def guest(self):
        """What the victim sees of descriptors, errno, signals, children, threads."""
        see = ["errno", "state", "children", "wait", "state", "leftovers", "spawns"]
        for arguments in (see, ["errno"], ["leave"], ["crash"], ["children"], ["main-leaves"]):
            plain = run([self.victim, *arguments], self.environment, cwd=self.folder)
            for _ in range(3):
                self.equal(f"victim {arguments}", plain, self.run(self.victim, *arguments))
        adopt = {"preexec_fn": lambda: ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)}
        plain = run([self.victim, *see], self.environment, cwd=self.folder, **adopt)
        self.equal("subreaper", plain, self.run(self.victim, *see, **adopt))
        verbose = {**self.boost, "COLDBOOST_VERBOSE": "1"}
        outcome = self.run(self.victim, "wait", environment=verbose, **adopt)
        self.checks.check(
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
                [self.freeze, self.wrapper, self.victim, *arguments],
                {**self.environment, **self.boost}, cwd=self.folder,
            )
            if frozen.status == 77:
                self.checks.skip(name, "no seccomp listener on this kernel")
            else:
                self.equal(f"{name} while the replay runs", plain, frozen)

    def records(self):
        """It replays all of the profile before the program, and the constructor leaves it at that."""
        verbose = {**self.boost, "COLDBOOST_VERBOSE": "1"}
        outcome = self.run(self.victim, "wait", environment=verbose)
        self.checks.check(
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
            outcome = self.run(command, "wait", environment=verbose)
            self.checks.check(DONE.search(outcome.stderr), f"{command}: {outcome.stderr}")
        path = {**verbose, "PATH": f"/nowhere::{self.folder}"}
        outcome = self.run("victim", "wait", environment=path)
        self.checks.check(DONE.search(outcome.stderr), f"found in PATH: {outcome.stderr}")
        task = {"LAMBDA_TASK_ROOT": f"{self.folder}/task", "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9",
                "COLDBOOST": "force", "COLDBOOST_VERBOSE": "1"}
        os.mkdir(f"{self.folder}/task")
        shutil.copy(self.profile, f"{self.folder}/task/coldboost.cbp")
        outcome = self.run(self.victim, "wait", environment=task)
        self.checks.check(
            DONE.search(outcome.stderr.replace(b"role=runtime", b"role=other")),
            f"the function's own profile: {outcome.stderr}",
        )
        self.checks.check(b"role=runtime" in outcome.stderr, f"role of the runtime: {outcome.stderr}")
        os.chmod(f"{self.folder}/task/coldboost.cbp", 0o666)
        outcome = self.run(self.victim, "wait", environment=task)
        self.checks.check(b"plan=profile" not in outcome.stderr, "takes what anybody may write")

    def variables(self):
        """LD_PRELOAD and COLDBOOST_STARTED change, nothing else, not even the order."""
        odd = {"EMPTY": "", "A": "=", "LD_PRELOADED": "x", "LONG": "y" * 4096, "Z": "\udcff"}
        for others in (None, "", "libm.so.6", "libm.so.6 libdl.so.2"):
            before = {**odd, **self.boost, **({} if others is None else {"LD_PRELOAD": others}), "LAST": "1"}
            # The printed block is the kernel's: /proc/self/environ.
            plain = run(["/bin/cat", "/proc/self/environ"], {**self.environment, **before})
            boosted = self.run("/bin/cat", "/proc/self/environ", environment=before)
            expected = plain.stdout.split(b"\0")[:-1]
            setting = b"LD_PRELOAD=" + os.fsencode(self.object)
            if others is None:
                expected.append(setting)
            else:
                at = expected.index(b"LD_PRELOAD=" + others.encode())
                expected[at] = setting + (b":" + others.encode() if others else b"")
            self.checks.equal(boosted.stdout.split(b"\0")[:-1], expected, f"environment, {others}")
        started = self.run("/bin/sh", "-c", "echo $COLDBOOST_STARTED $$", environment={
            "COLDBOOST": "force", "COLDBOOST_PROFILE": self.own_profile("/bin/sh")})
        ids = started.stdout.split()
        self.checks.check(len(ids) == 2 and ids[0].split(b":")[0] == ids[1], f"COLDBOOST_STARTED: {started.stdout}")
        boosted = self.run(self.printer, "a b", "", "exit=7", stdin=b"in\0put")
        lines = boosted.stdout.split(b"\n")
        self.checks.equal((boosted.status, lines[0], lines[4]), (7, b"[a b][][exit=7]", b"in\0put"), "arguments")
        self.checks.check(lines[3].startswith(b"mapped=1"), f"not preloaded: {lines[3]}")
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.checks.equal(self.run(self.printer, f"signal={int(number)}").status, -number, "signal")

    def own_profile(self, program):
        profile = Profile()
        profile.section(os.path.realpath(program), profile.whole_files([f"{self.folder}/data0"]))
        return profile.write(f"{self.folder}/own.cbp")

    def children_of_shells(self):
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
                    self.checks.equal(
                        (lines[0], lines[1], lines[3].split()[0], outcome.stderr),
                        ("[child]", f"LD_PRELOAD={foreign if spared else with_us}", f"mapped={int(not spared)}", b""),
                        f"{command}, {name}",
                    )
            plain = run([shell, "-c", "env"], {**self.environment, **function})
            spared = run([shell, "-c", "env"], {**self.environment, **function, "LD_PRELOAD": self.object})
            self.equal(f"{shell}: environment of its children", plain, spared)

    def recorder(self):
        """COLDBOOST_RECORD makes it the recorder, where there is one."""
        boost = {**self.boost, "COLDBOOST_RECORD": f"{self.folder}/here.cbp", "COLDBOOST_VERBOSE": "1"}
        outcome = self.run(self.victim, "wait", environment=boost)
        self.checks.check(DONE.search(outcome.stderr), f"a layer without recorder: {outcome.stderr}")
        os.makedirs(f"{self.folder}/opt/coldboost")
        with open(f"{self.folder}/opt/coldboost/coldboost-record", "w", encoding="utf-8") as out:
            out.write("#!/bin/sh\nprintf '<%s>' \"$@\"\necho $COLDBOOST_RECORD ${LD_PRELOAD-none}\n")
        outcome = self.run(self.victim, "a b", "", environment=boost)
        self.checks.check(DONE.search(outcome.stderr), f"a recorder that cannot be executed: {outcome.stderr}")
        os.chmod(f"{self.folder}/opt/coldboost/coldboost-record", 0o755)
        outcome = self.run(self.victim, "a b", "", environment=boost)
        self.checks.equal(
            (outcome.stdout.decode(), outcome.stderr), (f"<{self.victim}><a b><>{self.folder}/here.cbp none\n", b""),
            "what the recorder is given")
        for switch in ({"COLDBOOST_RECORD": ""}, {"COLDBOOST": "off"}):
            outcome = self.run(self.printer, "x", environment={**boost, **switch})
            self.checks.check(outcome.stdout.startswith(b"[x]\n"), f"{switch}: {outcome.stdout}")
        shutil.rmtree(f"{self.folder}/opt/coldboost")

    def missing(self):
        """Whatever is missing or broken, the program starts as without us, and nothing is said."""
        plain = run([self.printer, "x"], self.environment)
        damaged = bytearray(open(self.profile, "rb").read())
        damaged[-1] ^= 1
        with open(f"{self.folder}/damaged.cbp", "wb") as out:
            out.write(damaged)
        os.mkfifo(f"{self.folder}/fifo.cbp")
        for path in ("/no/such", self.folder, f"{self.folder}/damaged.cbp", f"{self.folder}/fifo.cbp",
                     "/dev/zero", self.victim, ""):
            outcome = self.run(self.printer, "x", environment={"COLDBOOST_PROFILE": path})
            self.checks.equal(
                (outcome.status, outcome.stdout.split(b"\n")[0], outcome.stderr), (0, b"[x]", b""),
                f"profile {path}",
            )
            self.checks.check(b"mapped=1" in outcome.stdout, f"profile {path}: not preloaded")
        off = self.run(self.printer, "x", environment={"COLDBOOST": "off"})
        self.checks.check(b"LD_PRELOAD=\n" in off.stdout and b"mapped=0" in off.stdout, "off")
        os.rename(f"{self.folder}/opt/lib", f"{self.folder}/opt/lob")
        alone = self.run(self.printer, "x", environment={})
        os.rename(f"{self.folder}/opt/lob", f"{self.folder}/opt/lib")
        pid = re.compile(rb"pid=\d+")
        self.checks.equal(
            (alone.status, pid.sub(b"", alone.stdout), alone.stderr),
            (0, pid.sub(b"", plain.stdout), b""), "no object beside it",
        )
        for name, how in {
            "one descriptor": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1, 1)),
            "stdio closed": lambda: [os.close(fd) for fd in (0, 2)],
        }.items():
            plain = run([self.victim, "errno", "state"], self.environment, cwd=self.folder, preexec_fn=how)
            boosted = self.run(self.victim, "errno", "state", preexec_fn=how)
            boosted.stderr = re.sub(rb"(?m)^ERROR: ld.so: object.*\n", b"", boosted.stderr)
            self.equal(name, plain, boosted)
        self.too_large()

    def too_large(self):
        """The largest environment that execve takes leaves no room for ours: it starts without."""
        def fits(blocks, last, switch):
            variables = {f"V{i}": "x" * 60000 for i in range(blocks)}
            variables.update({"LAST": "x" * last, switch: "off", "PATH": "/bin"})
            try:
                return run([self.wrapper, self.printer, "x"], variables, preexec_fn=lambda:
                           resource.setrlimit(resource.RLIMIT_STACK, (2 << 20, 2 << 20)))
            except OSError:
                return None

        blocks, last = 9, 0  # execve takes a quarter of the stack: 512 KiB
        while blocks and fits(blocks, 0, "COLDBOOST") is None:
            blocks -= 1
        for step in (32768, 16384, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1):
            outcome = fits(blocks, last + step, "COLDBOOST")
            if outcome is not None and outcome.status == 0:
                last += step
        full = fits(blocks, last, "COLDBOOXT")
        self.checks.check(
            full is not None and full.status == 0 and b"LD_PRELOAD=\n" in full.stdout,
            f"full environment: {full and (full.status, full.stdout[:100], full.stderr[:100])}",
        )
        roomy = fits(blocks, last - 200, "COLDBOOXT")
        self.checks.check(roomy and b"mapped=1" in roomy.stdout, "room for ours, and not used")

    def errors(self):
        outcome = run([self.wrapper], self.environment)
        self.checks.check(
            outcome.status == 127 and b"AWS_LAMBDA_EXEC_WRAPPER" in outcome.stderr, f"no command: {outcome.stderr}")
        with open(f"{self.folder}/plain", "w", encoding="utf-8") as out:
            out.write("echo by the shell $1\n")
        with open(f"{self.folder}/windows", "w", encoding="utf-8") as out:
            out.write("#!/bin/sh\r\n")
        os.chmod(f"{self.folder}/windows", 0o755)
        for command, status, said in (
            ("/no/such/runtime", 127, b"coldboost-wrapper: /no/such/runtime: not found\n"),
            ("no-such-runtime", 127, b"coldboost-wrapper: no-such-runtime: not found\n"),
            ("./plain", 126, b"coldboost-wrapper: ./plain: cannot be executed\n"),
            ("./windows", 127, b"coldboost-wrapper: ./windows: its interpreter is not there; if it is a script, its "
             b"first line may end in a carriage return\n"),
        ):
            outcome = self.run(command)
            self.checks.equal((outcome.status, outcome.stdout, outcome.stderr), (status, b"", said), command)
        os.chmod(f"{self.folder}/plain", 0o755)
        outcome = self.run("./plain", "x", environment={
            "COLDBOOST": "force", "COLDBOOST_VERBOSE": "1", "COLDBOOST_PROFILE": self.own_profile("/bin/sh")})
        self.checks.equal((outcome.status, outcome.stdout), (0, b"by the shell x\n"), "script without #!")
        self.checks.check(STARTED.search(outcome.stderr), f"script without #!, by the shell's profile: {outcome.stderr}")


def main():
    with tempfile.TemporaryDirectory(prefix="coldboost-wrapper-") as folder:
        test = Wrapper(os.path.realpath(folder), *sys.argv[1:6])
        test.guest()
        test.records()
        test.variables()
        test.children_of_shells()
        test.recorder()
        test.missing()
        test.errors()
        return test.checks.exit_code()


sys.exit(main())
