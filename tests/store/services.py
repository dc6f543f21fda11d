"""A service whose drop-in 'coldboost link --systemd' has made, in what systemd would put around it.

No systemd runs here. bwrap makes the mounts of ProtectSystem=strict, DynamicUser= and CacheDirectory=, setpriv
changes the user and forbids new privileges, and a filter stands for SystemCallFilter=@system-service, with the list
of systemd-analyze, and for MemoryDenyWriteExecute=.

Usage: services.py COLDBOOST OBJECT [CASE…]
"""

import os
import re
import shutil
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import run  # noqa: E402
from store_case import NOBODY, PERL, StoreCase  # noqa: E402

DYNAMIC_USER = 61234
UNIT = "coldboost-test.service"
ALLOW, KILL, EPERM = 0x7FFF0000, 0x80000000, 0x00050001
LOAD, EQUAL, SET, RETURN = 0x20, 0x15, 0x45, 0x06  # A = word; A == k; A & k; return k
NUMBER, PROTECTION = 0, 16 + 2 * 8  # in struct seccomp_data: the third argument
WRITE, EXECUTE = 2, 4
SERVICE = """open(my $f, '<', "$ENV{FOLDER}/data") or die; local $/; my $t = <$f>; print length($t), " $<\\n";"""


def numbers():
    """The system calls of this architecture, by name."""
    text = subprocess.run(["cc", "-dM", "-E", "-include", "sys/syscall.h", "-x", "c", "/dev/null"], capture_output=True,
                          text=True, check=True).stdout
    return {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)", text)}


def calls_of(group):
    """What systemd-analyze lists, groups in it included."""
    found = set()
    listed = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True)
    for word in listed.stdout.splitlines():
        name = word.strip()
        if name.startswith("@") and name != group:
            found |= calls_of(name)
        elif name and not name.startswith(("#", "@")):
            found.add(name)
    return found


def filter_of(allowed, known):
    """As systemd's: whoever makes another call is killed; memory cannot become executable once it was writable."""
    steps = [(LOAD, 0, 0, NUMBER)]
    for name, flag in (("mmap", WRITE), ("mprotect", EXECUTE), ("pkey_mprotect", EXECUTE)):
        steps += [(EQUAL, 0, 5, known[name]), (LOAD, 0, 0, PROTECTION), (SET, 0, 2, EXECUTE), (SET, 0, 1, flag),
                  (RETURN, 0, 0, EPERM), (RETURN, 0, 0, ALLOW)]
    for name in sorted(allowed & known.keys()):
        steps += [(EQUAL, 0, 1, known[name]), (RETURN, 0, 0, ALLOW)]
    steps.append((RETURN, 0, 0, KILL))
    return b"".join(struct.pack("HBBI", *step) for step in steps)


class Services(StoreCase):
    @classmethod
    def setUpClass(cls):
        for program in ("bwrap", "setpriv", "systemd-analyze", "cc"):
            if not shutil.which(program):
                raise cases.SkipTest(f"{program} is not installed")
        cls.filter = filter_of(calls_of("@system-service"), numbers())

    def setUp(self):
        super().setUp()
        self.copy_ours()
        self.script = self.write("service.pl", SERVICE)
        self.drop_in = self.link(f"{PERL} {self.script}")
        self.name = self.setting("CacheDirectory")
        self.store = f"{self.folder}/private/{self.name}"
        os.makedirs(self.store)
        os.chmod(self.store, 0o755)  # CacheDirectoryMode=
        os.chown(self.store, DYNAMIC_USER, DYNAMIC_USER)
        self.environment.pop("COLDBOOST_STORE")

    def link(self, command):
        """The drop-in for a unit with this ExecStart, which nobody else sees."""
        unit = self.write(UNIT, f"[Service]\nExecStart={command}\n")
        outcome = run(["unshare", "--mount", "sh", "-ec",
                       'mount -t tmpfs none /etc/systemd/system; cp "$1" /etc/systemd/system; "$2" link --systemd --dir "$3" "$4"',
                       "sh", unit, self.command, self.folder, UNIT], self.environment)
        if not self.check(outcome.status == 0, f"link --systemd: {outcome.stderr}"):
            self.skipTest("no drop-in")
        with open(f"{self.folder}/{UNIT}.d/coldboost.conf", encoding="utf-8") as file:
            return file.read()

    def setting(self, name):
        return re.findall(rf"(?m)^{name}=(.+)$", self.drop_in)[-1].replace("%C", "/var/cache")

    def served(self, dynamic=True, **environment):
        """What the unit's ExecStart does in its sandbox."""
        cache = f"/var/cache/{self.name}"
        place = f"/var/cache/private/{self.name}" if dynamic else cache
        mounts = ["--ro-bind", "/", "/", "--dev", "/dev", "--tmpfs", "/var/cache",
                  "--perms", "0755", "--dir", "/var/cache/private", "--bind", self.store, place,
                  *(["--symlink", f"private/{self.name}", cache] if dynamic else []), "--remount-ro", "/var/cache"]
        name, value = self.setting("Environment").split("=", 1)
        reader, writer = os.pipe()
        os.write(writer, self.filter)
        os.close(writer)
        user = DYNAMIC_USER if dynamic else 0
        command = ["bwrap", *mounts, "--seccomp", str(reader), "setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups",
                   "--no-new-privs", *self.setting("ExecStart").split()]
        try:
            return run(command, {**self.environment, name: value, **environment}, cwd="/", pass_fds=[reader])
        finally:
            os.close(reader)

    def becomes_boosted(self, dynamic):
        user = DYNAMIC_USER if dynamic else 0
        for recordings in (1, 2):
            outcome = self.served(dynamic)
            self.equal((outcome.status, outcome.stdout, outcome.stderr), (0, b"4194304 %d\n" % user, b""), "a recorded start")
            self.await_watchers()
            self.equal(sorted(name[-4:] for name in os.listdir(self.store)), [".cbp", ".log", "lock"], "files")
        outcome = self.served(dynamic, COLDBOOST="force", COLDBOOST_VERBOSE="1")
        self.equal(outcome.stdout, b"4194304 %d\n" % user, "a boosted start")
        self.check(self.is_boosted(outcome), f"the third start: {outcome.stderr}")

    def test_dynamic_user(self):
        """Its CacheDirectory is a link of root's into a folder of the user that it has this time."""
        self.becomes_boosted(True)

    def test_root(self):
        os.chown(self.store, 0, 0)
        self.becomes_boosted(False)

    def test_the_sandbox_is_one(self):
        """Otherwise the others would prove nothing."""
        self.drop_in = self.drop_in.replace(" run -- ", " run --no-record -- ")
        for what, code, status in (
                ("writes", "open(my $f, '>', '/var/tmp/coldboost-sandbox') or print \"$!\"; exit 3", 3),
                ("a call that is in no group", f"syscall({numbers()['pivot_root']}, 0, 0)", 128 + 31)):
            with open(self.script, "w", encoding="utf-8") as out:
                out.write(code)
            outcome = self.served()
            self.equal((outcome.status, outcome.stdout), (status, b"Read-only file system" if status == 3 else b""), f"{what}: {outcome.stderr}")

    def test_a_link_of_somebody_else(self):
        """Nobody else's link is followed, nor root's in a folder that others may write to."""
        os.chown(self.folder, DYNAMIC_USER, DYNAMIC_USER)
        ways = f"{self.folder}/ways"
        for way, owner, mode, expected in (
                ("root's", 0, 0o755, 2), ("nobody's", NOBODY, 0o755, 0), ("root's, among others'", 0, 0o777, 0)):
            shutil.rmtree(ways, ignore_errors=True)
            os.mkdir(ways)
            os.chmod(ways, mode)
            os.symlink(self.store, f"{ways}/store")
            os.chown(f"{ways}/store", owner, owner, follow_symlinks=False)
            outcome = run(["setpriv", f"--reuid={DYNAMIC_USER}", f"--regid={DYNAMIC_USER}", "--clear-groups", self.command,
                           "run", "--", PERL, self.script], {**self.environment, "COLDBOOST_STORE": f"{ways}/store"}, cwd="/")
            self.equal(outcome.stdout, b"4194304 %d\n" % DYNAMIC_USER, way)
            self.await_watchers()
            found = [name for name in os.listdir(self.store) if name != "lock"]
            self.equal(len(found), expected, f"{way} link: files {found}")
            for name in found:
                os.remove(f"{self.store}/{name}")


cases.main()
