"""Where a replay runs, by who would adopt its process: each row of the table in preload/README.md.

Usage: adopters.py OBJECT COLDBOOST WRAPPER VICTIM NAMESPACES

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
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
from coldboost_support import Checks, Profile, plain_environment, run  # noqa: E402

MACHINE_NAMESPACE = "pid:[4026531836]"
NEW_NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
PROC_OF_ANOTHER = ["unshare", "--pid", "--fork", "--kill-child"]
NO_PROC = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "sh", "-c",
           'mount -t tmpfs none /proc && exec "$@"', "sh"]
PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 15, 36
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


def zombies():
    """Names of the processes here that have ended and that nobody has waited for."""
    found = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/stat", encoding="latin-1") as stat:
                fields = re.match(r"\d+ \((.*)\) (\w)", stat.read(), re.S)
        except OSError:
            continue
        if fields[2] == "Z":
            found.append(fields[1])
    return found


def start_often(times, command):
    """What runs inside: starts the command some times, as any application does, and looks around. An
    init may take a moment; who does not reap never will."""
    errors = b""
    for _ in range(times):
        errors += subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True).stderr
    left = zombies() if os.path.exists("/proc/self") else []
    deadline = time.monotonic() + 10
    while os.getpid() != 1 and left and time.monotonic() < deadline:
        time.sleep(0.01)
        left = zombies()
    print(json.dumps({"modes": re.findall(r" mode=(\w+) ", errors.decode()), "zombies": left}))


def become(name):
    """Process 1 that is called so, and reaps."""
    ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode(), 0, 0, 0)
    child = os.spawnv(os.P_NOWAIT, sys.argv[3], sys.argv[3:])
    status = None
    while status is None:
        pid, ended = os.wait()
        status = ended if pid == child else None
    sys.exit(os.waitstatus_to_exitcode(status))


class Adopters:
    def __init__(self, folder, object_path, front, wrapper, victim, namespaces):
        self.checks = Checks()
        self.folder = folder
        self.object, self.front, self.namespaces = map(os.path.abspath, (object_path, front, namespaces))
        self.victim = shutil.copy(victim, folder)
        os.mkdir(f"{folder}/lib")
        self.wrapper = shutil.copy(wrapper, folder)
        shutil.copy(object_path, f"{folder}/lib")
        paths = []
        for i in range(20):
            paths.append(f"{folder}/data{i}")
            with open(paths[-1], "wb") as out:
                out.write(bytes(65536))
        profile = Profile()
        for program in (self.victim, self.namespaces):
            profile.section(program, profile.whole_files(paths))
        self.profile = profile.write(f"{folder}/victim.cbp")
        self.environment = {**plain_environment("/"), "PYTHONDONTWRITEBYTECODE": "1"}

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
        script = [sys.executable, os.path.abspath(__file__), "inside", str(times), *command]
        outcome = run([*place, *init, *script], self.environment, cwd="/")
        if not self.checks.check(outcome.status == 0, f"{init}: {outcome.status} {outcome.stderr}"):
            return {"modes": [], "zombies": []}
        return json.loads(outcome.stdout)

    def expect(self, name, place, init, mode, ways=None):
        for way, command in (ways or self.ways(self.victim, "errno")).items():
            seen = self.inside(place, init, command)
            if place == PROC_OF_ANOTHER:
                seen["zombies"] = []  # anybody's
            self.checks.equal(seen, {"modes": [mode] * STARTS, "zombies": []}, f"{name}, {way}")

    def below_an_application(self):
        self.expect("an application is process 1", NEW_NAMESPACE, [], "sync")
        self.expect("/proc of another namespace", PROC_OF_ANOTHER, INITS["bash"], "sync")
        self.expect("no /proc", NO_PROC, INITS["bash"], "sync")

    def below_an_init(self):
        for name, init in INITS.items():
            if shutil.which(init[0]):
                self.expect(f"{name} is process 1", NEW_NAMESPACE, init, "process")
            else:
                self.checks.skip(f"{name} as process 1", "not installed")
        for name in NAMES:
            init = [sys.executable, os.path.abspath(__file__), "become", name]
            seen = self.inside(NEW_NAMESPACE, init, self.ways(self.victim, "errno")["LD_PRELOAD"])
            self.checks.equal(seen, {"modes": ["process"] * STARTS, "zombies": []}, f"{name} is process 1")
        if os.readlink("/proc/self/ns/pid") == MACHINE_NAMESPACE:
            for way, command in self.ways(self.victim, "errno").items():
                self.modes(f"the machine's own init, {way}", command, ["process"])
        else:
            self.checks.skip("the machine's own init", "this is another PID namespace")

    def modes(self, name, command, expected, **how):
        outcome = run(command, self.environment, cwd="/", **how)
        found = re.findall(rb" mode=(\w+) ", outcome.stderr)
        self.checks.equal([mode.decode() for mode in found], expected, name)
        return outcome

    def as_process_1(self):
        for way, command in self.ways(self.victim, "children").items():
            outcome = self.modes(f"process 1, {way}", [*NEW_NAMESPACE, *command], ["sync"])
            plain = run([*NEW_NAMESPACE, self.victim, "children"], self.environment, cwd="/")
            self.checks.equal(outcome.stdout, plain.stdout, f"children of process 1, {way}")
            outcome = self.modes(f"user namespace of process 1, {way}",
                                 [*NEW_NAMESPACE, *self.ways(self.namespaces)[way]], ["sync"])
            self.checks.equal(outcome.stdout, b"0\n", f"unshare by process 1, {way}")

    def as_subreaper(self):
        for way, command in self.ways(self.victim, "errno").items():
            self.modes(f"a subreaper, {way}", command, ["sync"],
                       preexec_fn=lambda: ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))

    def thread_asked(self):
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

    def sync_asked(self):
        self.expect("before the program", NEW_NAMESPACE, INITS["bash"], "sync",
                    self.ways(self.victim, "errno", mode="sync"))


def main():
    if sys.argv[1] == "inside":
        return start_often(int(sys.argv[2]), sys.argv[3:])
    if sys.argv[1] == "become":
        return become(sys.argv[2])
    if subprocess.run([*NEW_NAMESPACE, "true"], capture_output=True, check=False).returncode:
        print("skipped: no new PID namespace here (unshare as root)")
        return 77
    with tempfile.TemporaryDirectory(prefix="coldboost-adopters-") as folder:
        adopters = Adopters(os.path.realpath(folder), *sys.argv[1:6])
        adopters.below_an_application()
        adopters.below_an_init()
        adopters.as_process_1()
        adopters.as_subreaper()
        adopters.thread_asked()
        adopters.sync_asked()
        return adopters.checks.exit_code()


sys.exit(main())
