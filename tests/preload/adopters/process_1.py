"""What the tests of adopters run inside a PID namespace.

Usage: process_1.py inside TIMES COMMAND…     starts the command so often, and prints what was seen
       process_1.py become NAME COMMAND…      is called so, runs the command, and reaps whatever ends
"""

import ctypes
import json
import os
import re
import subprocess
import sys
import time

PR_SET_NAME = 15


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


if sys.argv[1] == "inside":
    start_often(int(sys.argv[2]), sys.argv[3:])
else:
    become(sys.argv[2])
