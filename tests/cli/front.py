"""What the front of coldboost run does by itself, beside the tool doing it: see front_case.py.

Usage: front.py COLDBOOST COLDBOOST_TOOL OBJECT PRINT_STATE PRINT_STATE_STATIC WRAPPER REFUSE [CASE…]
"""

import ctypes
import os
import re
import resource
import shutil
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import AS_NOBODY, PR_SET_CHILD_SUBREAPER  # noqa: E402
from front_case import FrontCase  # noqa: E402

DONE = re.compile(rb"(?m)^coldboost: role=run start=cold plan=profile .* state=ENDED$")


def close_some():
    os.close(0)
    os.close(2)


def disturb_signals():
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGTERM])
    os.umask(0o37)


def open_more():
    os.dup2(os.open("/etc/passwd", os.O_RDONLY), 9)


def become_subreaper():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def no_process():
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


class Front(FrontCase):
    def test_arguments(self):
        p, state = self.profile, self.state
        for options in ([], ["--no-record"]):
            self.compare("without a profile", ["run", *options, state, "x"], True)
        seen = self.compare("plain", ["run", "-p", p, state, "a b", "", "exit=7"], True)
        self.equal(seen.status, 7, "exit status")
        for expected in (f"COLDBOOST_PROFILE={p}\nLD_PRELOAD={self.folder}/both/preload/libcoldboost.so\n"
                         "COLDBOOST_STARTED=PID:NS:", f"[{state}][a b][][exit=7]"):
            self.check(expected.encode() in seen.stdout, f"no {expected}: {seen.stdout}")
        for options in (["-p" + p], ["--profile", p], ["--profile=" + p], ["-p", p, "--"],
                        ["-p", "missing", "-p", p], ["-p", "app.cbp"], ["-plink.cbp"], ["-p", "./both/../link.cbp"],
                        ["--no-record", "-p", p], ["--record", "-p", p, "--no-record"]):
            self.compare("options", ["run", *options, state, "-p", "--help", "--", "-h"], True)

    def test_commands(self):
        p, state = self.profile, self.state
        for command in ("./state", "state-link", "./script", "nested", "./both/../script"):
            path = {"PATH": f"/nowhere:{self.folder}"}
            self.compare("command", ["run", "-p", p, command, "x"], True, path)
        for path in (f":{self.folder}/first", f"{self.folder}/first:", f"{self.folder}/first::/bin", "",
                     f"{self.folder}/first:{self.folder}/second:{self.folder}",
                     f"{'x' * 5000}:{self.folder}", f"{self.folder}/{'x/' * 3000}:{self.folder}/"):
            self.compare("PATH", ["run", "-p", p, "state", "x"], True, {"PATH": path})
        cat = shutil.which("cat", path="/bin")
        cats = self.write_profile("cat.cbp", os.path.realpath(cat))
        self.compare("without PATH", ["run", "-p", cats, "cat", p], True, {"PATH": None})
        self.compare("a dash", ["run", "-p", self.write_profile("dash.cbp", f"{self.folder}/-"), "-", "x"],
                     True, {"PATH": self.folder})

    def test_environment(self):
        p, state = self.profile, self.state
        for environment in (
            {"COLDBOOST_PROFILE": "link.cbp"}, {"COLDBOOST_PROFILE": "", "LAMBDA_TASK_ROOT": self.folder},
            {"LAMBDA_TASK_ROOT": self.folder},
        ):
            self.compare("profile", ["run", "state"], True, {**environment, "PATH": self.folder})
        for environment in (
            {"LD_PRELOAD": ""}, {"LD_PRELOAD": "libm.so.6"}, {"LD_PRELOAD": "libm.so.6 libdl.so.2", "Z": "1"},
            {"LD_PRELOADED": "x", "LD_PRELOA": "y", "COLDBOOST_PROFILED": "z"}, {"COLDBOOST_PROFILE": "missing"},
            {"COLDBOOST_STARTED": "1:2:3"}, {"EMPTY": "", "LONG": "x" * 100000, "LAST": "\udcff"},
            {"COLDBOOST_HOLDOUT": "100"}, {"COLDBOOST_HOLDOUT": "x", "COLDBOOST": "on"},
            {"COLDBOOST_MODE": "sync"}, {"COLDBOOST": "auto"},
        ):
            self.compare("environment", ["run", "-p", p, state, "x"], True, environment)

    def test_circumstances(self):
        p, state = self.profile, self.state
        for how in (open_more, disturb_signals):
            self.compare(how.__name__, ["run", "-p", p, state], True, preexec_fn=how)
        self.compare("as nobody", ["run", "-p", p, state], True, **(AS_NOBODY if os.getuid() == 0 else {}))
        if os.getuid() == 0:
            self.compare("no process", ["run", "-p", p, state], True, preexec_fn=no_process, **AS_NOBODY)
        for number in (signal.SIGTERM, signal.SIGKILL):
            seen = self.compare("signal", ["run", "-p", p, state, f"signal={int(number)}"], True)
            self.equal(seen.status, -number, "signal")
        verbose = {"COLDBOOST_VERBOSE": "1"}
        seen = self.compare("verbose", ["run", "-p", p, state], True, verbose)
        self.check(DONE.search(seen.stderr), f"the replay's report: {seen.stderr}")
        seen = self.compare("subreaper", ["run", "-p", p, state], True, preexec_fn=become_subreaper)
        self.check(b"COLDBOOST_STARTED" in seen.stdout, f"not begun ahead for a subreaper: {seen.stdout}")
        self.compare("closed", ["run", "-p", p, state], True, preexec_fn=close_some)

    def test_telemetry(self):
        p, state = self.profile, self.state
        sizes = []
        for program in ("coldboost-tool", "coldboost"):
            telemetry = f"{self.folder}/{program}.telemetry"
            self.outcome(f"both/tools/{program}", ["run", "-p", p, state], {"COLDBOOST_TELEMETRY": telemetry}, {})
            deadline = time.monotonic() + 10  # the replay may end after its program
            while os.stat(telemetry).st_size < 2 * 104 and time.monotonic() < deadline:
                time.sleep(0.01)
            sizes.append(os.stat(telemetry).st_size)
        self.equal(sizes, [2 * 104] * 2, "telemetry")

    def test_moved(self):
        """Found through a symbolic link, and from another folder."""
        os.symlink(f"{self.folder}/both/tools/coldboost", f"{self.folder}/coldboost-called")
        for arguments in (["--version"], ["run", "-p", self.profile, self.state]):
            expected = self.outcome("both/tools/coldboost-tool", arguments, {}, {})
            found = "; ".join(expected.differences(self.outcome("coldboost-called", arguments, {}, {})))
            self.check(not found, f"through a link: {arguments}: {found}")


cases.main()
