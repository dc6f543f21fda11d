"""coldboost run by the front, which has no libc, and by the tool behind it: nobody can tell which.

Usage: front.py COLDBOOST COLDBOOST_TOOL OBJECT PRINT_STATE PRINT_STATE_STATIC WRAPPER REFUSE

Every command line is run three times: by the tool, by the front with the tool beside it, and by a
front that has none. The first two must agree in everything that the program and the caller see; the
third tells which command lines the front has done by itself.
"""

import ctypes
import errno
import os
import re
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from coldboost_support import Checks, Profile, plain_environment, run  # noqa: E402

NOBODY = 65534
PR_SET_CHILD_SUBREAPER = 36
EXECVE, EXIT_GROUP = (59, 231) if os.uname().machine == "x86_64" else (221, 94)
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


AS_NOBODY = {"user": NOBODY, "group": NOBODY, "extra_groups": []}


class Front:
    def __init__(self, folder, front, tool, library, state, static, wrapper, refuse):
        self.checks = Checks()
        self.folder = folder
        os.chmod(folder, 0o755)
        for name, programs in (("both", (front, tool)), ("alone", (front,)), ("bare", (front, tool))):
            os.makedirs(f"{folder}/{name}/tools")
            os.mkdir(f"{folder}/{name}/preload")
            for program in programs:
                shutil.copy(program, f"{folder}/{name}/tools")
            if name != "bare":
                shutil.copy(library, f"{folder}/{name}/preload")
        self.state = shutil.copy(state, f"{folder}/state")
        self.static = shutil.copy(static, f"{folder}/static")
        self.wrapper, self.refuse = os.path.abspath(wrapper), os.path.abspath(refuse)
        self.environment = {**plain_environment(folder), "COLDBOOST": "force"}
        with open(f"{folder}/data", "wb") as out:
            out.write(os.urandom(1 << 16))
        self.profile = self.write_profile("app.cbp", self.state, self.static)

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
        self.checks.check(not found, f"{name}: {arguments}: {found}")
        if place == "both":
            alone = self.outcome("alone/tools/coldboost", arguments, environment, how)
            missed = re.search(rb"coldboost: [^\n]*/alone/tools/coldboost-tool: .*again", alone.stderr)
            done = not missed and alone.status == by_tool.status
            refused = missed and (alone.status, alone.stdout) == (1, b"")
            self.checks.check(
                done if by_front else refused,
                f"{name}: {arguments}: by the front {by_front}: {alone.status} {alone.stderr}")
        return outcome

    def ordinary(self):
        p, state = self.profile, self.state
        os.symlink("app.cbp", f"{self.folder}/link.cbp")
        os.symlink("state", f"{self.folder}/state-link")
        self.write("script", f"#!{state} extra\n".encode())
        self.write("nested", f"#! {self.folder}/script\n".encode())
        self.write("first/state", b"not executable\n", 0o644)
        os.makedirs(f"{self.folder}/second/state")
        shutil.copy(state, f"{self.folder}/-")
        shutil.copy(self.profile, f"{self.folder}/coldboost.cbp")
        seen = self.compare("plain", ["run", "-p", p, state, "a b", "", "exit=7"], True)
        self.checks.equal(seen.status, 7, "exit status")
        for expected in (f"COLDBOOST_PROFILE={p}\nLD_PRELOAD={self.folder}/both/preload/libcoldboost.so\n"
                         "COLDBOOST_STARTED=PID:NS:", f"[{state}][a b][][exit=7]"):
            self.checks.check(expected.encode() in seen.stdout, f"no {expected}: {seen.stdout}")
        for options in (["-p" + p], ["--profile", p], ["--profile=" + p], ["-p", p, "--"],
                        ["-p", "missing", "-p", p], ["-p", "app.cbp"], ["-plink.cbp"], ["-p", "./both/../link.cbp"]):
            self.compare("options", ["run", *options, state, "-p", "--help", "--", "-h"], True)
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
        for how in (open_more, disturb_signals):
            self.compare(how.__name__, ["run", "-p", p, state], True, preexec_fn=how)
        self.compare("as nobody", ["run", "-p", p, state], True, **(AS_NOBODY if os.getuid() == 0 else {}))
        if os.getuid() == 0:
            self.compare("no process", ["run", "-p", p, state], True, preexec_fn=no_process, **AS_NOBODY)
        for number in (signal.SIGTERM, signal.SIGKILL):
            seen = self.compare("signal", ["run", "-p", p, state, f"signal={int(number)}"], True)
            self.checks.equal(seen.status, -number, "signal")
        verbose = {"COLDBOOST_VERBOSE": "1"}
        seen = self.compare("verbose", ["run", "-p", p, state], True, verbose)
        self.checks.check(DONE.search(seen.stderr), f"the replay's report: {seen.stderr}")
        seen = self.compare("subreaper", ["run", "-p", p, state], True, preexec_fn=become_subreaper)
        self.checks.check(b"COLDBOOST_STARTED" in seen.stdout, f"not begun ahead for a subreaper: {seen.stdout}")
        sizes = []
        for program in ("coldboost-tool", "coldboost"):
            telemetry = f"{self.folder}/{program}.telemetry"
            self.outcome(f"both/tools/{program}", ["run", "-p", p, state], {"COLDBOOST_TELEMETRY": telemetry}, {})
            deadline = time.monotonic() + 10  # the replay may end after its program
            while os.stat(telemetry).st_size < 2 * 104 and time.monotonic() < deadline:
                time.sleep(0.01)
            sizes.append(os.stat(telemetry).st_size)
        self.checks.equal(sizes, [2 * 104] * 2, "telemetry")
        self.compare("closed", ["run", "-p", p, state], True, preexec_fn=close_some)

    def unusual(self):
        p, state = self.profile, self.state
        for arguments in (
            [], ["--help"], ["-h"], ["--version"], ["fly"], ["show", p], ["ru", "-p", p, state], ["run"],
            ["run", "--help"], ["run", "-h"], ["run", "-p"], ["run", "--profile"], ["run", "-p", p],
            ["run", "-p", p, "--"], ["run", "--"], ["run", "--prof", p, state], ["run", "--prof=" + p, state],
            ["run", "-x", state], ["run", "-p", p, "-h", state], ["run", "-hp", p, state], ["run", "-p", p, ""],
            ["run", "-p", p, "no-such-command"], ["run", "-p", p, "./missing"], ["run", "-p", p, self.folder],
            ["run", "-p", p, "./data"], ["run", "-p", p, "./state/x"], ["run", "-p", p, self.static, "x"],
            ["run", state], ["run", "-p", "missing", state], ["run", "-p", "", state], ["run", "--profile=", state],
        ):
            self.compare("unusual", arguments, False)
        for profile in (self.folder, "data", "/dev/null", self.write_profile("other.cbp", "/bin/other")):
            self.unusable(profile)
        self.compare("off", ["run", "-p", p, state], False, {"COLDBOOST": "off"})
        self.compare("no such profile", ["run", state], False, {"COLDBOOST_PROFILE": "missing"})
        self.compare("not in PATH", ["run", "-p", p, "state"], False, {"PATH": f"{self.folder}/first:/bin"})
        self.compare("in no PATH", ["run", "-p", p, "state"], False, {"PATH": None})
        elf = open(state, "rb").read()
        interpreter = re.search(rb"/lib[^\0]*/ld[^\0]*", elf)[0]
        everything = Profile()
        for name, content in {
            "class32": b"\x7fELF\x01" + elf[5:], "big-endian": elf[:5] + b"\x02" + elf[6:],
            "machine": elf[:18] + struct.pack("<H", 8) + elf[20:], "magic": b"\x7fELE" + elf[4:],
            "cut": elf[:7], "headers-cut": elf[:100],
            # The second of them would be at 8, and name an interpreter.
            "headers-away": elf[:8] + struct.pack("<Q", 3) + elf[16:32] + struct.pack("<Q", (1 << 64) - 48) + elf[40:],
            "no-loader": elf.replace(interpreter, b"/no" + interpreter[3:]),
            "headless": b"echo by the shell $1\n", "lost": b"#!/no/such/interpreter\n", "empty": b"",
            "to-static": f"#!{self.static}\n".encode(),
        }.items():
            path = self.write(f"odd/{name}", content)
            everything.section(path, everything.whole_files([f"{self.folder}/data"]))
            everything.write(f"{self.folder}/odd.cbp")
            # Two reports would show that the front had begun. Only what the kernel alone finds out
            # is begun, and begun again by the tool, which has the message.
            verbose = {} if name == "no-loader" else {"COLDBOOST_VERBOSE": "1"}
            self.compare(name, ["run", "-p", "odd.cbp", path, "x"], False, verbose)
        for name, change in (("cut", lambda b: b[:40]), ("magic", lambda b: b"X" + b[1:]),
                             ("version", lambda b: b[:8] + b"\x09" + b[9:]), ("empty", lambda b: b"")):
            damaged = self.write(f"{name}.cbp", change(open(p, "rb").read()), 0o644)
            self.unusable(damaged)
        os.mkfifo(f"{self.folder}/fifo.cbp")
        self.unusable("fifo.cbp")
        self.compare("no library", ["run", "-p", p, state], False, place="bare")
        self.no_room()

    def unusable(self, profile):
        """The program starts all the same; why it is not boosted is for the tool to say, if asked."""
        self.compare("unusable profile", ["run", "-p", profile, self.state], True)
        self.compare("unusable profile", ["run", "-p", profile, self.state], False, {"COLDBOOST_VERBOSE": "1"})

    def refused(self):
        """A container's filter may refuse any system call of ours: the program starts all the same. Both
        programs lie below 4 GiB, and what they start does not."""
        environment = {**self.environment, "COLDBOOST_PROFILE": self.profile}
        below = [self.refuse, "0", "ffffffff"]
        for program in ([f"{self.folder}/both/tools/coldboost", "run"], [self.wrapper]):
            command = [*program, self.state, "x", "exit=7"]
            listed = run([*below, "list", *command], environment)
            if listed.status == 77:
                self.checks.skip("refused system calls", "no seccomp listener on this kernel")
                return
            numbers = [int(number) for number in re.findall(rb"(?m)^call (\d+)$", listed.stderr)]
            self.checks.check(len(numbers) > 10, f"{program}: calls {numbers}")
            for number in set(numbers) - {EXECVE, EXIT_GROUP}:
                for error in (errno.EPERM, errno.ENOSYS, errno.EAGAIN):
                    outcome = run([*below, f"{number}:{error}:all", *command], environment)
                    name = f"{program[0]}: call {number} fails with {errno.errorcode[error]}"
                    self.checks.equal((outcome.status, outcome.stderr), (7, b""), name)
                    self.checks.check(b"][x][exit=7]\n" in outcome.stdout, f"{name}: {outcome.stdout}")

    def no_room(self):
        """The largest environment that leaves room for our variables, and one that leaves none."""
        def small_stack():
            resource.setrlimit(resource.RLIMIT_STACK, (2 << 20, 2 << 20))  # a quarter of it is for execve

        def case(size):
            return ["run", "-p", self.profile, self.state, *["x" * 100000] * 4, "y" * size]

        how = {"preexec_fn": small_stack}
        fits, too_large = 0, 130000
        while too_large - fits > 1:
            size = (fits + too_large) // 2
            try:
                status = self.outcome("both/tools/coldboost-tool", case(size), {}, how).status
            except OSError:  # no room even for the tool
                status = None
            fits, too_large = (size, too_large) if status == 0 else (fits, size)
        # Its time makes COLDBOOST_STARTED shorter or longer.
        self.compare("room for the variables", case(fits - 10), True, **how)
        seen = self.compare("no room for the variables", case(too_large + 10), False, **how)
        self.checks.check(
            seen.status == 126 and b"Argument list too long" in seen.stderr, f"no room: {seen.status} {seen.stderr}")

    def privileges(self):
        if os.getuid() != 0:
            self.checks.skip("set-uid programs and capabilities", "it takes root to make one")
            return
        setuid = shutil.copy(self.state, f"{self.folder}/setuid")
        os.chmod(setuid, 0o4755)
        setgid = shutil.copy(self.state, f"{self.folder}/setgid")
        os.chmod(setgid, 0o2755)
        capable = shutil.copy(self.state, f"{self.folder}/capable")
        os.setxattr(capable, "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0))
        hidden = shutil.copy(self.state, f"{self.folder}/hidden")
        os.chmod(hidden, 0o711)
        profile = self.write_profile("gains.cbp", setuid, setgid, capable, hidden)
        for program in (setuid, setgid, capable, hidden):
            command = ["run", "-p", profile, program]
            self.checks.equal(self.compare("as nobody", command, False, **AS_NOBODY).stderr, b"", program)
            seen = self.compare("as nobody", command, False, {"COLDBOOST_VERBOSE": "1"}, **AS_NOBODY)
            self.checks.check(re.search(rb"LD_PRELOAD|cannot look into", seen.stderr), f"{program}: {seen.stderr}")
        self.compare("capabilities are nothing to root", ["run", "-p", profile, capable], True)

    def moved(self):
        """Found through a symbolic link, and from another folder."""
        os.symlink(f"{self.folder}/both/tools/coldboost", f"{self.folder}/called")
        for arguments in (["--version"], ["run", "-p", self.profile, self.state]):
            expected = self.outcome("both/tools/coldboost-tool", arguments, {}, {})
            found = "; ".join(expected.differences(self.outcome("called", arguments, {}, {})))
            self.checks.check(not found, f"through a link: {arguments}: {found}")


def main():
    with tempfile.TemporaryDirectory(prefix="coldboost-front-") as folder:
        test = Front(os.path.realpath(folder), *sys.argv[1:])
        test.ordinary()
        test.unusual()
        test.refused()
        test.privileges()
        test.moved()
        return test.checks.exit_code()


sys.exit(main())
