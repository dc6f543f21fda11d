"""The rows of the matrix: each victim, in which circumstances, under which tool, beside which other object.
A row has a theme, a name, a libc, and how it is run: a command, given a bench, and what Bench.start()
knows, or "skip", with the reason.
"""

import ctypes
import errno
import os
import re
import resource
import shutil
import signal
import stat
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from coldboost_support import AS_NOBODY, NOBODY, PR_SET_CHILD_SUBREAPER, emulator, plain_environment, run  # noqa: E402
from victims_bench import victim  # noqa: E402
from victims_company import sanitized, tools, with_other_preloads  # noqa: E402

CAPABILITY_2_EFFECTIVE, CAPABILITY_RAW = 0x02000001, 1 << 13  # of linux/capability.h
BEFORE_MAIN = 1
LIBC = ctypes.CDLL(None)


def limit(kind, amount):
    return lambda: resource.setrlimit(kind, (amount, amount))


def in_new_mounts(script):
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script + ' && exec "$@"', "sh"]


# Circumstances that are there before the program is: a command or a function that makes them, or
# variables. Tried with a victim that looks around and one that waits for anybody.
CIRCUMSTANCES = {
    "process 1": {"prefix": ["unshare", "--pid", "--fork", "--kill-child"]},
    "child subreaper": {"before": lambda: LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)},
    "SIGCHLD ignored from the start": {"before": lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN)},
    "signals blocked from the start": {
        "before": lambda: signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    },
    "no /proc": {"prefix": in_new_mounts("mount -t tmpfs none /proc")},
    "everything read-only": {"prefix": in_new_mounts("mount -o remount,bind,ro /")},
    "full /tmp": {
        "prefix": in_new_mounts("mount -t tmpfs -o size=4k none /tmp && head -c 4096 /dev/zero > /tmp/full")
    },
    "later clock": {"prefix": ["unshare", "--time", "--monotonic", "10000000", "--fork"]},
    "1 MiB of environment": {"variables": {f"LARGE_{i}": "x" * 100000 for i in range(10)}},
    "64 KiB of stack": {"before": limit(resource.RLIMIT_STACK, 64 << 10)},
    "no file may be written": {"before": limit(resource.RLIMIT_FSIZE, 0)},
    "bound at once": {"variables": {"LD_BIND_NOW": "1"}},
    "somebody else's auditor": {"variables": {"LD_AUDIT": "PLUGIN"}},
}


def rows(libcs):
    """(theme, name, libc, how) of each victim: what Victims.judge() wants to know, or why it is left out."""
    for libc in libcs:
        for kind in (victims, circumstances, other_kinds, own_names):
            yield from kind(libc)
        if not emulator():
            yield from tools(libc)
    if "glibc" in libcs and not emulator():
        yield from with_other_preloads()
        yield from sanitized()


def victims(libc):
    listed = run([*emulator(), os.path.abspath(f"{libc}-victims"), "list"], plain_environment("/")).stdout.decode()
    for line in listed.splitlines():
        theme, flags, name = line.split("\t")
        early = {"VICTIM": name} if int(flags) & BEFORE_MAIN else {}
        how = {"variables": early, "memory_varies": "thread" in name}
        yield theme, name, libc, {"command_of": victim(name), **how}
        if theme == "identity" and re.search("unshare|setns", name):
            # The same, called by libc's names: who can see that beforehand takes another mode.
            yield "by name", name, libc, {"command_of": victim(name, "by-name"), **how}


def circumstances(libc):
    for name, how in CIRCUMSTANCES.items():
        how = dict(how)
        if emulator() and ("prefix" in how or "before" in how):
            continue  # they would be the emulator's, too
        why = missing(how.get("prefix"))
        if why:
            yield "circumstances", name, libc, {"skip": why}
            continue
        for what in ("looks around", "wait for anybody"):
            yield "circumstances", f"{name}, {what}", libc, {"command_of": victim(what), **how}


def missing(prefix):
    """Why a command cannot be put in front, or None."""
    if not prefix:
        return None
    if not shutil.which(prefix[0]):
        return f"{prefix[0]} is not installed"
    outcome = run([*prefix, "true"], plain_environment("/"))
    return outcome.stderr.decode().strip() if outcome.status else None


def is_understood(program):
    """Whether the kernel executes a program of this kind: it may have been built without 32-bit ones."""
    try:
        subprocess.run([program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    except OSError as error:
        return error.errno != errno.ENOEXEC
    return True


def other_kinds(libc):
    """Programs that cannot be preloaded into, and their children."""
    for kind in ("static", "static-pie", "32-bit"):
        program = os.path.abspath(f"{libc}-{kind}")
        why = None
        if not os.path.exists(program):
            if libc != "glibc" or emulator():
                continue
            why = f"no compiler for {kind}"
        elif not emulator() and not is_understood(program):
            why = f"this kernel runs no {kind} programs"
        for what in ("looks around", "fork and exec", "posix_spawn", "crash"):
            yield "kinds", f"{kind}, {what}", libc, {"skip": why} if why else {"command_of": victim(what, kind)}
    if emulator():
        return
    if os.getuid() == 0:
        somebody = {"user": NOBODY - 1, "group": NOBODY, "extra_groups": []}
        yield "kinds", "set-uid", libc, {"command_of": set_uid, **somebody}
        yield "kinds", "file capabilities", libc, {"command_of": with_capability, **somebody}
        how = {"before": limit(resource.RLIMIT_NPROC, 0), **AS_NOBODY}
        yield "kinds", "a user without processes", libc, {"command_of": victim("looks around"), **how}
    else:
        yield "kinds", "set-uid", libc, {"skip": "needs root"}


def set_uid(bench):
    path = f"{bench.folder}/set-uid"
    shutil.copy(bench.program("victims"), path)
    os.chown(path, NOBODY, NOBODY)
    os.chmod(path, stat.S_ISUID | 0o755)
    return [path, "looks around"]


def with_capability(bench):
    """To whom the loader is as careful: the program may use raw sockets."""
    path = f"{bench.folder}/capability"
    shutil.copy(bench.program("victims"), path)
    os.chmod(path, 0o755)
    os.setxattr(path, "security.capability", struct.pack("<5I", CAPABILITY_2_EFFECTIVE, CAPABILITY_RAW, 0, 0, 0))
    return [path, "looks around"]


def own_names(libc):
    """Functions of our names in the program, in a library, in a plugin."""
    yield "own names", "in the program", libc, {"command_of": lambda bench: [bench.program("own")]}
    for what in ("foreign", "nine"):
        for scope in ("local", "global", "deep"):
            def command_of(bench, what=what, scope=scope):
                plugin = bench.program(f"{what}.so")
                return [bench.program("loader"), f"{scope}={plugin}", "use", "use_tail", "close"]

            yield "own names", f"{what} plugin, {scope}", libc, {"command_of": command_of}

    def storm(bench):
        other = bench.program("nine.so")
        return [bench.program("loader"), "local=" + bench.program("foreign.so"), "use", f"storm={other}"]

    yield "own names", "plugins come and go", libc, {"command_of": storm}
