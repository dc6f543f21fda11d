"""coldboost-wrapper starts its command whatever is missing, and is the recorder where there is one.


Usage: wrapper_without.py WRAPPER OBJECT VICTIM FREEZE PRINT_ARGUMENTS [CASE…]
"""

import os
import re
import resource
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import run  # noqa: E402
from wrapper_case import DONE, STARTED, WrapperCase  # noqa: E402


class WrapperWithout(WrapperCase):
    def test_recorder(self):
        """COLDBOOST_RECORD makes it the recorder, where there is one."""
        boost = {**self.boost, "COLDBOOST_RECORD": f"{self.folder}/here.cbp", "COLDBOOST_VERBOSE": "1"}
        outcome = self.wrapped(self.victim, "wait", environment=boost)
        self.check(DONE.search(outcome.stderr), f"a layer without recorder: {outcome.stderr}")
        os.makedirs(f"{self.folder}/opt/coldboost")
        with open(f"{self.folder}/opt/coldboost/coldboost-record", "w", encoding="utf-8") as out:
            out.write("#!/bin/sh\nprintf '<%s>' \"$@\"\necho $COLDBOOST_RECORD ${LD_PRELOAD-none}\n")
        outcome = self.wrapped(self.victim, "wait", environment=boost)
        self.check(DONE.search(outcome.stderr), f"a recorder that cannot be executed: {outcome.stderr}")
        os.chmod(f"{self.folder}/opt/coldboost/coldboost-record", 0o755)
        outcome = self.wrapped(self.victim, "a b", "", environment=boost)
        self.equal(
            (outcome.stdout.decode(), outcome.stderr), (f"<{self.victim}><a b><>{self.folder}/here.cbp none\n", b""),
            "what the recorder is given")
        for switch in ({"COLDBOOST_RECORD": ""}, {"COLDBOOST": "off"}):
            outcome = self.wrapped(self.printer, "x", environment={**boost, **switch})
            self.check(outcome.stdout.startswith(b"[x]\n"), f"{switch}: {outcome.stdout}")
        shutil.rmtree(f"{self.folder}/opt/coldboost")

    def test_missing(self):
        """Whatever is missing or broken, the program starts as without us, and nothing is said."""
        plain = run([self.printer, "x"], self.environment)
        damaged = bytearray(open(self.profile, "rb").read())
        damaged[-1] ^= 1
        with open(f"{self.folder}/damaged.cbp", "wb") as out:
            out.write(damaged)
        os.mkfifo(f"{self.folder}/fifo.cbp")
        for path in ("/no/such", self.folder, f"{self.folder}/damaged.cbp", f"{self.folder}/fifo.cbp",
                     "/dev/zero", self.victim, ""):
            outcome = self.wrapped(self.printer, "x", environment={"COLDBOOST_PROFILE": path})
            self.equal(
                (outcome.status, outcome.stdout.split(b"\n")[0], outcome.stderr), (0, b"[x]", b""),
                f"profile {path}",
            )
            self.check(b"mapped=1" in outcome.stdout, f"profile {path}: not preloaded")
        off = self.wrapped(self.printer, "x", environment={"COLDBOOST": "off"})
        self.check(b"LD_PRELOAD=\n" in off.stdout and b"mapped=0" in off.stdout, "off")
        os.rename(f"{self.folder}/opt/lib", f"{self.folder}/opt/lob")
        alone = self.wrapped(self.printer, "x", environment={})
        os.rename(f"{self.folder}/opt/lob", f"{self.folder}/opt/lib")
        pid = re.compile(rb"pid=\d+")
        self.equal(
            (alone.status, pid.sub(b"", alone.stdout), alone.stderr),
            (0, pid.sub(b"", plain.stdout), b""), "no object beside it",
        )
        for name, how in {
            "one descriptor": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1, 1)),
            "stdio closed": lambda: [os.close(fd) for fd in (0, 2)],
        }.items():
            plain = run([self.victim, "errno", "state"], self.environment, cwd=self.folder, preexec_fn=how)
            boosted = self.wrapped(self.victim, "errno", "state", preexec_fn=how)
            boosted.stderr = re.sub(rb"(?m)^ERROR: ld.so: object.*\n", b"", boosted.stderr)
            self.same(plain, boosted, name)

    def test_too_large(self):
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
        self.check(
            full is not None and full.status == 0 and b"LD_PRELOAD=\n" in full.stdout,
            f"full environment: {full and (full.status, full.stdout[:100], full.stderr[:100])}",
        )
        roomy = fits(blocks, last - 200, "COLDBOOXT")
        self.check(roomy and b"mapped=1" in roomy.stdout, "room for ours, and not used")

    def test_errors(self):
        outcome = run([self.wrapper], self.environment)
        self.check(
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
            outcome = self.wrapped(command)
            self.equal((outcome.status, outcome.stdout, outcome.stderr), (status, b"", said), command)
        os.chmod(f"{self.folder}/plain", 0o755)
        outcome = self.wrapped("./plain", "x", environment={
            "COLDBOOST": "force", "COLDBOOST_VERBOSE": "1", "COLDBOOST_PROFILE": self.own_profile("/bin/sh")})
        self.equal((outcome.status, outcome.stdout), (0, b"by the shell x\n"), "script without #!")
        self.check(STARTED.search(outcome.stderr), f"script without #!, by the shell's profile: {outcome.stderr}")


cases.main()
