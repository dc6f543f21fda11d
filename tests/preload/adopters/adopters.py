"""Where a replay runs, by who would adopt its process: each row of the table in preload/README.md.

Usage: adopters.py OBJECT COLDBOOST WRAPPER VICTIM NAMESPACES [CASE…]

A replay in a process of its own is an orphan, which process 1 of the PID namespace adopts. An init
reaps it; an application that a container runs as process 1 does not, and kept a
"[coldboost] <defunct>" for each program that it or anybody in the container started.
"""

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
import cases  # noqa: E402
from coldboost_support import PR_SET_CHILD_SUBREAPER, plain_environment, run  # noqa: E402
from profiles import Profile  # noqa: E402

OBJECT, COLDBOOST, WRAPPER, VICTIM, NAMESPACES = map(
    os.path.abspath, cases.take("OBJECT COLDBOOST WRAPPER VICTIM NAMESPACES"))
PROCESS_1 = os.path.join(HERE, "process_1.py")
MACHINE_NAMESPACE = "pid:[4026531836]"
NEW_NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
PROC_OF_ANOTHER = ["unshare", "--pid", "--fork", "--kill-child"]
NO_PROC = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "sh", "-c",
           'mount -t tmpfs none /proc && exec "$@"', "sh"]
STARTS = 6
# The programs that reap, as process 1, and how each is told to run a command.
INITS = {
    "tini": ["tini", "--"],
    "dumb-init": ["dumb-init", "--"],
    "catatonit": ["catatonit", "--"],
    "bwrap": ["bwrap", "--dev-bind", "/", "/", "--unshare-pid", "--proc", "/proc", "--"],
    "dash": ["dash", "-c", '"$@"; exit $?', "dash"],
    "bash": ["bash", "-c", '"$@"; exit $?', "bash"],
    "busybox": ["busybox", "sh", "-c", '"$@"; exit $?', "sh"],
}
# Other inits, by the name that they have in /proc/1/comm.
NAMES = ["init", "systemd", "docker-init", "podman-init", "runit", "s6-svscan", "openrc-init", "procd", "pause",
         "sh", "tini-static"]


class Adopters(cases.Case):
    object, front, namespaces = OBJECT, COLDBOOST, NAMESPACES

    @classmethod
    def setUpClass(cls):
        if subprocess.run([*NEW_NAMESPACE, "true"], capture_output=True, check=False).returncode:
            raise cases.SkipTest("no new PID namespace here (unshare as root)")
        cls.folder = cls.shared_folder()
        cls.victim = shutil.copy(VICTIM, cls.folder)
        os.mkdir(f"{cls.folder}/lib")
        cls.wrapper = shutil.copy(WRAPPER, cls.folder)
        shutil.copy(OBJECT, f"{cls.folder}/lib")
        paths = []
        for i in range(20):
            paths.append(f"{cls.folder}/data{i}")
            with open(paths[-1], "wb") as out:
                out.write(bytes(65536))
        profile = Profile()
        for program in (cls.victim, cls.namespaces):
            profile.section(program, profile.whole_files(paths))
        cls.profile = profile.write(f"{cls.folder}/victim.cbp")
        cls.environment = {**plain_environment("/"), "PYTHONDONTWRITEBYTECODE": "1"}

    def ways(self, program, *arguments, mode=None):
        """The command line that starts the program in each way, beginning with env."""
        settings = {"COLDBOOST": "force", "COLDBOOST_VERBOSE": "1", "COLDBOOST_PROFILE": self.profile}
        if mode:
            settings["COLDBOOST_MODE"] = mode
        common = ["env", *(f"{name}={value}" for name, value in settings.items())]
        command = [program, *arguments]
        return {
            "LD_PRELOAD": [*common, f"LD_PRELOAD={self.object}", *command],
            "run": [*common, self.front, "run", *command],
            "LD_AUDIT": [*common, f"LD_AUDIT={self.object}", *command],
            "wrapper": [*common, self.wrapper, *command],
        }

    def inside(self, place, init, command, times=STARTS):
        """The report of start_often() at a place, below an init or as process 1."""
        script = [sys.executable, PROCESS_1, "inside", str(times), *command]
        outcome = run([*place, *init, *script], self.environment, cwd="/")
        if not self.check(outcome.status == 0, f"{init}: {outcome.status} {outcome.stderr}"):
            return {"modes": [], "zombies": []}
        return json.loads(outcome.stdout)

    def expect(self, name, place, init, mode, ways=None):
        for way, command in (ways or self.ways(self.victim, "errno")).items():
            seen = self.inside(place, init, command)
            if place == PROC_OF_ANOTHER:
                seen["zombies"] = []  # anybody's
            self.equal(seen, {"modes": [mode] * STARTS, "zombies": []}, f"{name}, {way}")

    def test_below_an_application(self):
        self.expect("an application is process 1", NEW_NAMESPACE, [], "sync")
        self.expect("/proc of another namespace", PROC_OF_ANOTHER, INITS["bash"], "sync")
        self.expect("no /proc", NO_PROC, INITS["bash"], "sync")

    def test_below_an_init(self):
        for name, init in INITS.items():
            if shutil.which(init[0]):
                self.expect(f"{name} is process 1", NEW_NAMESPACE, init, "process")
            else:
                self.skip(f"{name} as process 1", "not installed")
        for name in NAMES:
            init = [sys.executable, PROCESS_1, "become", name]
            seen = self.inside(NEW_NAMESPACE, init, self.ways(self.victim, "errno")["LD_PRELOAD"])
            self.equal(seen, {"modes": ["process"] * STARTS, "zombies": []}, f"{name} is process 1")
        if os.readlink("/proc/self/ns/pid") == MACHINE_NAMESPACE:
            for way, command in self.ways(self.victim, "errno").items():
                self.modes(f"the machine's own init, {way}", command, ["process"])
        else:
            self.skip("the machine's own init", "this is another PID namespace")

    def modes(self, name, command, expected, **how):
        outcome = run(command, self.environment, cwd="/", **how)
        found = re.findall(rb" mode=(\w+) ", outcome.stderr)
        self.equal([mode.decode() for mode in found], expected, name)
        return outcome

    def test_as_process_1(self):
        for way, command in self.ways(self.victim, "children").items():
            outcome = self.modes(f"process 1, {way}", [*NEW_NAMESPACE, *command], ["sync"])
            plain = run([*NEW_NAMESPACE, self.victim, "children"], self.environment, cwd="/")
            self.equal(outcome.stdout, plain.stdout, f"children of process 1, {way}")
            outcome = self.modes(f"user namespace of process 1, {way}",
                                 [*NEW_NAMESPACE, *self.ways(self.namespaces)[way]], ["sync"])
            self.equal(outcome.stdout, b"0\n", f"unshare by process 1, {way}")

    def test_as_subreaper(self):
        for way, command in self.ways(self.victim, "errno").items():
            self.modes(f"a subreaper, {way}", command, ["sync"],
                       preexec_fn=lambda: ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))

    def test_thread_asked(self):
        """A thread does not outlive exec; and a program that calls unshare() may have none."""
        init = INITS["bash"]
        ways = self.ways(self.victim, "errno", mode="thread")
        preload = {"LD_PRELOAD": ways.pop("LD_PRELOAD")}
        for place in ([], init):
            self.expect("a thread", NEW_NAMESPACE, place, "thread", preload)
        self.expect("no thread before exec", NEW_NAMESPACE, init, "process", ways)
        self.expect("no thread before exec", NEW_NAMESPACE, [], "sync", ways)
        ways = {"LD_PRELOAD": self.ways(self.namespaces, mode="thread")["LD_PRELOAD"]}
        self.expect("a program that calls unshare()", NEW_NAMESPACE, init, "process", ways)
        self.expect("a program that calls unshare()", NEW_NAMESPACE, [], "sync", ways)

    def test_sync_asked(self):
        self.expect("before the program", NEW_NAMESPACE, INITS["bash"], "sync",
                    self.ways(self.victim, "errno", mode="sync"))


cases.main()
