"""Starting programs: what all tests share that look at one from outside.

profiles.py has the format of profiles, cases.py the frame of a test.
"""

import os
import shlex
import shutil
import subprocess

NOBODY = 65534
AS_NOBODY = {"user": NOBODY, "group": NOBODY, "extra_groups": []}  # for run(), by root
PR_SET_CHILD_SUBREAPER = 36


class Outcome:
    """All that can be seen of a program from outside."""

    def __init__(self, status, stdout, stderr, files=()):
        self.status = status  # exit code, or minus the signal
        self.stdout = stdout
        self.stderr = stderr
        self.files = files

    def differences(self, other):
        for name in ("status", "stdout", "stderr", "files"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                yield f"{name}: {shorten(mine)} became {shorten(theirs)}"


def shorten(value):
    text = repr(value)
    return text if len(text) < 1000 else text[:480] + " ... " + text[-480:]


def plain_environment(home):
    """The least that ordinary programs want, the same on every machine. Tests that want a store say so."""
    return {
        "COLDBOOST_STORE": "off",
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": home,
        "TMPDIR": home,
        "LC_ALL": "C",
        "TZ": "UTC",
    }


def copy_tool(tool, folder):
    """Copies the command line: `coldboost` and, where that is only the front, what stands behind it."""
    if os.path.exists(f"{tool}-tool"):
        shutil.copy(f"{tool}-tool", folder)
    return shutil.copy(tool, folder)


def emulator():
    """The command in front of a program for another architecture, from meson; empty for our own."""
    return shlex.split(os.environ.get("MESON_EXE_WRAPPER", ""))


def wrapped(wrapper, environment, command):
    """Command and environment for a program under an emulator: what is meant for the program must
    not reach the emulator's own loader. qemu allocates from GLib, whose own locks fork() leaves held in
    the child; those of malloc() it does not."""
    if not wrapper:
        return command, environment
    ours = [name for name in environment if name.startswith(("COLDBOOST", "LD_"))]
    outside = {name: value for name, value in environment.items() if name not in ours}
    outside["G_SLICE"] = "always-malloc"
    settings = []
    for name in ours:
        settings += ["-E", f"{name}={environment[name]}"]
    return wrapper + settings + command, outside


def run(command, environment, stdin=b"", cwd=None, timeout=100, **more):
    """In a session of its own, by which a victim finds the processes that belong to its start."""
    result = subprocess.run(
        command,
        env=environment,
        input=stdin,
        capture_output=True,
        cwd=cwd,
        timeout=timeout,
        check=False,
        start_new_session=True,
        **more,
    )
    return Outcome(result.returncode, result.stdout, result.stderr)
