"""Starts a program and sees all that can be seen of it from outside."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

from field_house import HOUSE, TOOLS, WORK

# How long processes may outlive the program that started them: a replay that notices its end late.
GRACE_SECONDS = 2.0
# How long a terminal says nothing before somebody types, and before the program is taken to hang;
# how long a server's processes do not change before they count, and the longest wait for that.
QUIET_SECONDS = 0.3
SILENCE_SECONDS = 20.0
STEADY_SECONDS = 0.7
SETTLE_SECONDS = 5.0


class User:
    def __init__(self, name, uid):
        self.name = name
        self.uid = uid


ROOT = User("root", 0)
NOBODY = User("nobody", 65534)


class Way:
    """How a program is started: what stands in front of its command, and which variables are set."""

    def __init__(self, name, prefix=(), variables=None):
        self.name = name
        self.prefix = list(prefix)
        self.variables = variables or {}

    def start(self, command, profile):
        """The command and the additional environment; without a profile where it is None."""
        replaced = {"{object}": f"{TOOLS}/libcoldboost.so", "{profile}": profile or ""}
        variables = {name: replaced.get(value, value) for name, value in self.variables.items()}
        if not profile:
            variables.pop("COLDBOOST_PROFILE", None)
        return self.prefix + command, variables


PLAIN = Way("plain")
PRELOAD = Way("LD_PRELOAD", (), {"LD_PRELOAD": "{object}", "COLDBOOST_PROFILE": "{profile}"})
AUDIT = Way("LD_AUDIT", (), {"LD_AUDIT": "{object}", "COLDBOOST_PROFILE": "{profile}"})
RUN = Way("run", [f"{TOOLS}/coldboost", "run", "--"], {"COLDBOOST_PROFILE": "{profile}", "COLDBOOST_STORE": "off"})
WRAPPER = Way("wrapper", [f"{TOOLS}/coldboost-wrapper"], {"COLDBOOST_PROFILE": "{profile}"})


# Debian's programs only; what somebody has put into /usr/local is another.
SEARCH_PATH = "/usr/bin:/bin:/usr/sbin:/sbin:/usr/games"


def plain_environment():
    """The least that ordinary programs want, the same on every machine."""
    return {
        "PATH": SEARCH_PATH,
        "HOME": WORK,
        "TMPDIR": WORK,
        "XDG_RUNTIME_DIR": f"{WORK}/run",
        "LC_ALL": "C.UTF-8",
        "SHELL": "/bin/sh",
        "TERM": "xterm",
        "TZ": "UTC",
    }


class Outcome:
    """What a run was: `status` is minus the signal's number for a killed program, None for one that
    was still there at the time limit; `left` are the names of the processes that outlived it,
    `answer` and `tree` what a server answered and which processes it had then."""

    def __init__(self):
        self.status = None
        self.stdout = self.stderr = self.answer = b""
        self.left = []
        self.tree = []
        self.files = []


class Started:
    """A program under observation. Its output goes to files, which no process left behind can keep
    anybody waiting for; with `terminal` to a terminal of its own."""

    def __init__(self, command, environment, user, stdin=b"", terminal=False):
        bury(children_of(os.getpid()), None)
        self.others = set(children_of(os.getpid()))
        self.files = []
        self.terminal = None
        for name in ("stdin", "stdout", "stderr"):
            # pylint: disable-next=consider-using-with
            self.files.append(open(f"{HOUSE}/{name}", "w+b"))
            os.fchown(self.files[-1].fileno(), user.uid, user.uid)
        self.files[0].write(stdin)
        self.files[0].seek(0)
        ends = [file.fileno() for file in self.files]
        if terminal:
            self.terminal, end = pty.openpty()
            os.fchown(end, user.uid, user.uid)
            fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
            ends = [end, end, end]
        # pylint: disable-next=consider-using-with,subprocess-popen-preexec-fn
        self.process = subprocess.Popen(
            command,
            env=environment,
            cwd=WORK,
            stdin=ends[0],
            stdout=ends[1],
            stderr=ends[2],
            user=user.uid,
            group=user.uid,
            extra_groups=[],
            start_new_session=True,
            preexec_fn=(lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)) if terminal else None,
        )
        if terminal:
            os.close(ends[0])

    def type(self, words, limit):
        """Types each word once the terminal has said something and is quiet; then only reads, until
        the terminal is closed or has been quiet for long."""
        words = list(words)
        heard = False
        end = time.monotonic() + limit
        deadline = time.monotonic() + SILENCE_SECONDS
        while time.monotonic() < min(deadline, end):
            if select.select([self.terminal], [], [], QUIET_SECONDS)[0]:
                try:
                    text = os.read(self.terminal, 65536)
                except OSError:  # the last who had it open has closed it
                    break
                self.files[1].write(text)
                heard = True
                deadline = time.monotonic() + SILENCE_SECONDS
            elif words and heard:
                os.write(self.terminal, words.pop(0))
            elif self.process.poll() is not None:
                break

    def ask(self, command, environment, user, limit):
        """What the server says once it answers, or None."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                asked = subprocess.run(
                    command,
                    env=environment,
                    cwd=WORK,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    user=user.uid,
                    group=user.uid,
                    extra_groups=[],
                    timeout=limit,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                break
            if asked.returncode == 0:
                return asked.stdout + asked.stderr
            time.sleep(0.05)
        return None

    def tree(self, pid, expected, unseen):
        """The names of a process and of its descendants, zombies included, without the unseen one;
        once they are as expected, or have not changed for a while."""
        seen, since = None, time.monotonic()
        deadline = since + SETTLE_SECONDS
        while time.monotonic() < deadline:
            names = (describe(one) for one in [pid, *descendants_of(pid)])
            now = sorted(name for name in names if name != unseen)
            if now != seen:
                seen, since = now, time.monotonic()
            if seen == expected or (not expected and time.monotonic() > since + STEADY_SECONDS):
                break
            time.sleep(0.02)
        return seen

    def wait(self, limit):
        """The outcome, after `limit` seconds at the latest."""
        outcome = Outcome()
        try:
            outcome.status = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            pass
        outcome.left = self.end_the_rest(0 if outcome.status is None else GRACE_SECONDS)
        if outcome.status is None:
            self.process.wait()
        if self.terminal is not None:
            os.close(self.terminal)
        for file in self.files[1:]:
            file.seek(0)
        outcome.stdout, outcome.stderr = self.files[1].read(), self.files[2].read()
        for file in self.files:
            file.close()
        return outcome

    def end_the_rest(self, grace):
        """The names of the processes that are still there after the grace; none of them stays."""
        deadline = time.monotonic() + grace
        while (alive := self.alive()) and time.monotonic() < deadline:
            time.sleep(0.02)
        names = sorted(name for pid in alive for name in [name_of(pid)] if name)
        while alive:
            for pid in alive:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.01)
            alive = self.alive()
        return names

    def alive(self):
        """Process ids of all descendants that have not ended; those that have are buried. Whose
        parent ends while we look may be missed once, but not twice."""
        return self.alive_now() or self.alive_now()

    def alive_now(self):
        tree = family()
        found = [pid for pid in tree.get(os.getpid(), []) if pid not in self.others]
        for pid in found:
            found += tree.get(pid, [])
        bury(found, self.process.pid)
        return [pid for pid in found if state_of(pid) not in (None, "Z")]


def bury(pids, spared):
    """Those of our children that have ended are gone thereafter."""
    for pid in pids:
        if pid != spared:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:  # not ours but theirs
                pass


def stat_of(pid):
    """Name, state and parent of a process, or None."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            before, _, after = file.read().rpartition(")")
    except OSError:
        return None
    fields = after.split()
    return before.partition("(")[2], fields[0], int(fields[1])


def describe(pid):
    found = stat_of(pid)
    return "gone" if not found else found[0] + (" <defunct>" if found[1] == "Z" else "")


def name_of(pid):
    found = stat_of(pid)
    return found and found[0]


def state_of(pid):
    found = stat_of(pid)
    return found and found[1]


def children_of(parent):
    return family().get(parent, [])


def descendants_of(ancestor):
    tree = family()
    found = list(tree.get(ancestor, []))
    for pid in found:
        found += tree.get(pid, [])
    return found


def family():
    """The children of every process."""
    tree = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (found := stat_of(entry)):
            tree.setdefault(found[2], []).append(int(entry))
    return tree
