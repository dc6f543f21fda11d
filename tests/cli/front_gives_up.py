"""Command lines, programs and profiles that the front leaves to the tool: see front_case.py.

Usage: front_gives_up.py COLDBOOST COLDBOOST_TOOL OBJECT PRINT_STATE PRINT_STATE_STATIC WRAPPER REFUSE [CASE…]
"""

import errno
import os
import re
import resource
import shutil
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import AS_NOBODY, run  # noqa: E402
from front_case import REFUSE, WRAPPER, FrontCase  # noqa: E402
from profiles import Profile  # noqa: E402

EXECVE, EXIT_GROUP = (59, 231) if os.uname().machine == "x86_64" else (221, 94)


class FrontGivesUp(FrontCase):
    def test_command_lines(self):
        p, state = self.profile, self.state
        for arguments in (
            [], ["--help"], ["-h"], ["--version"], ["fly"], ["show", p], ["ru", "-p", p, state], ["run"],
            ["run", "--help"], ["run", "-h"], ["run", "-p"], ["run", "--profile"], ["run", "-p", p],
            ["run", "-p", p, "--"], ["run", "--"], ["run", "--prof", p, state], ["run", "--prof=" + p, state],
            ["run", "-x", state], ["run", "-p", p, "-h", state], ["run", "-hp", p, state], ["run", "-p", p, ""],
            ["run", "-p", p, "no-such-command"], ["run", "-p", p, "./missing"], ["run", "-p", p, self.folder],
            ["run", "-p", p, "./data"], ["run", "-p", p, "./state/x"], ["run", "-p", p, self.static, "x"],
            ["run", "-p", "missing", state], ["run", "-p", "", state], ["run", "--profile=", state],
        ):
            self.compare("unusual", arguments, False)
        self.compare("off", ["run", "-p", p, state], False, {"COLDBOOST": "off"})
        self.compare("no such profile", ["run", state], False, {"COLDBOOST_PROFILE": "missing"})
        self.compare("not in PATH", ["run", "-p", p, "state"], False, {"PATH": f"{self.folder}/first:/bin"})
        self.compare("in no PATH", ["run", "-p", p, "state"], False, {"PATH": None})
        self.compare("no library", ["run", "-p", p, state], False, place="bare")

    def test_programs(self):
        state = self.state
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

    def test_profiles(self):
        p = self.profile
        for profile in (self.folder, "data", "/dev/null", self.write_profile("other.cbp", "/bin/other")):
            self.unusable(profile)
        for name, change in (("cut", lambda b: b[:40]), ("magic", lambda b: b"X" + b[1:]),
                             ("version", lambda b: b[:8] + b"\x09" + b[9:]), ("empty", lambda b: b"")):
            damaged = self.write(f"{name}.cbp", change(open(p, "rb").read()), 0o644)
            self.unusable(damaged)
        os.mkfifo(f"{self.folder}/fifo.cbp")
        self.unusable("fifo.cbp")

    def unusable(self, profile):
        """The program starts all the same; why it is not boosted is for the tool to say, if asked."""
        self.compare("unusable profile", ["run", "-p", profile, self.state], True)
        self.compare("unusable profile", ["run", "-p", profile, self.state], False, {"COLDBOOST_VERBOSE": "1"})

    def test_refused(self):
        """A container's filter may refuse any system call of ours: the program starts all the same. Both
        programs lie below 4 GiB, and what they start does not."""
        environment = {**self.environment, "COLDBOOST_PROFILE": self.profile}
        below = [REFUSE, "0", "ffffffff"]
        for program in ([f"{self.folder}/both/tools/coldboost", "run"], [WRAPPER]):
            command = [*program, self.state, "x", "exit=7"]
            listed = run([*below, "list", *command], environment)
            if listed.status == 77:
                self.skipTest("no seccomp listener on this kernel")
            numbers = [int(number) for number in re.findall(rb"(?m)^call (\d+)$", listed.stderr)]
            self.check(len(numbers) > 10, f"{program}: calls {numbers}")
            for number in set(numbers) - {EXECVE, EXIT_GROUP}:
                for error in (errno.EPERM, errno.ENOSYS, errno.EAGAIN):
                    outcome = run([*below, f"{number}:{error}:all", *command], environment)
                    name = f"{program[0]}: call {number} fails with {errno.errorcode[error]}"
                    self.equal((outcome.status, outcome.stderr), (7, b""), name)
                    self.check(b"][x][exit=7]\n" in outcome.stdout, f"{name}: {outcome.stdout}")

    def test_no_room(self):
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
        self.check(
            seen.status == 126 and b"Argument list too long" in seen.stderr, f"no room: {seen.status} {seen.stderr}")

    def test_privileges(self):
        if os.getuid() != 0:
            self.skipTest("it takes root to make one")
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
            self.equal(self.compare("as nobody", command, False, **AS_NOBODY).stderr, b"", program)
            seen = self.compare("as nobody", command, False, {"COLDBOOST_VERBOSE": "1"}, **AS_NOBODY)
            self.check(re.search(rb"LD_PRELOAD|cannot look into", seen.stderr), f"{program}: {seen.stderr}")
        self.compare("capabilities are nothing to root", ["run", "-p", profile, capable], True)


cases.main()
