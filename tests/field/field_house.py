"""The place in which the field's programs run: the same for every run, and nobody else's.

The runner has mount, network and IPC namespaces of its own: /tmp, /run and /dev/shm are empty and
forgotten at its end, ports are never taken, and the only network is the loopback.
"""

import ctypes
import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
# On a disk, so that there is something to be cold; /tmp may be memory. Behind this name is a folder
# of this runner's own.
HOUSE = "/var/cache/coldboost-field"
TOOLS = f"{HOUSE}/tools"
INPUTS = f"{HOUSE}/inputs"
WORK = f"{HOUSE}/work"
SHARED = ("/tmp", "/var/tmp", "/run", "/dev/shm")
# The X server's and the container engine's own.
KEPT = (".X11-unix", ".X9-lock", "containers", "runc", "libpod", "crun", "netns", "field")

PR_SET_CHILD_SUBREAPER = 36
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
INSIDE = "COLDBOOST_FIELD_INSIDE"


def enter_namespaces():
    """Starts this script again in namespaces of its own, if it is not in them yet. The reason why
    that is impossible, or None."""
    if os.environ.pop(INSIDE, None):
        return None
    if os.geteuid() != 0:
        return "it drops the page cache and becomes other users: run it as root"
    unshare = ["unshare", "--mount", "--net", "--ipc", "--propagation", "private"]
    if subprocess.run([*unshare, "true"], check=False).returncode:
        return "there are no namespaces to be had here"
    os.environ[INSIDE] = "1"
    return os.execvp("unshare", [*unshare, sys.executable, *sys.argv])


class Logs:
    """Where the output of failed starts goes: a folder of the build folder, which may be below the
    /tmp that this runner no longer sees."""

    def __init__(self, build):
        self.folder = f"{build}/meson-logs/field"
        os.makedirs(self.folder, exist_ok=True)
        self.descriptor = os.open(self.folder, os.O_PATH | os.O_DIRECTORY)

    def open(self, name):
        return open(os.open(name, os.O_RDONLY, dir_fd=self.descriptor), "rb")

    def write(self, name, content):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with open(os.open(name, flags, 0o644, dir_fd=self.descriptor), "wb") as file:
            file.write(content)


def set_up(build):
    """Copies what is tested out of the build folder, hides what others have in /tmp, and returns the
    folder to remove in the end."""
    behind = tempfile.mkdtemp(prefix="coldboost-field-", dir="/var/cache")
    os.chmod(behind, 0o755)
    os.makedirs(HOUSE, exist_ok=True)
    subprocess.run(["mount", "--bind", behind, HOUSE], check=True)
    os.makedirs(f"{TOOLS}/lib")
    for part in ("coldboost", "coldboost-tool", "coldboost-wrapper"):
        if os.path.exists(f"{build}/tools/{part}"):
            shutil.copy(f"{build}/tools/{part}", TOOLS)
    for part in ("libcoldboost.so", "libcoldboost-record.so"):
        shutil.copy(f"{build}/preload/{part}", TOOLS)
    shutil.copy(f"{build}/preload/libcoldboost.so", f"{TOOLS}/lib")
    if os.path.isdir(f"{HERE}/inputs"):
        shutil.copytree(f"{HERE}/inputs", INPUTS)
    os.chdir(HOUSE)
    for place in SHARED:
        mode = "mode=755" if place == "/run" else "mode=1777"
        subprocess.run(["mount", "-t", "tmpfs", "-o", mode, "field", place], check=True)
    raise_loopback()
    # A shell's background jobs ignore these two, and so would all programs that we start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    # Orphans come to us, so that none goes unseen.
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    return behind


def tear_down(behind):
    """The mounts end with this process; the folder is all that would stay."""
    for mounted in (f"{HOUSE}/image", f"{HOUSE}/layers"):
        if os.path.ismount(mounted):
            subprocess.run(["umount", "--lazy", mounted], check=False)
    shutil.rmtree(behind, ignore_errors=True)


def raise_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack_from("16sh", fcntl.ioctl(control, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | IFF_UP))


def fresh_work(user, model=None):
    """A new folder, the user's own: current, home and temporary folder of the next run. It is empty
    or a copy of the model; nothing is in the other places where programs leave things."""
    shutil.rmtree(WORK, ignore_errors=True)
    if model:
        subprocess.run(["cp", "-a", model, WORK], check=True)
    else:
        os.makedirs(f"{WORK}/run", mode=0o700)
        for folder in (WORK, f"{WORK}/run"):
            os.chown(folder, user.uid, user.uid)
    for place in SHARED:
        for entry in os.scandir(place):
            if entry.name in KEPT:
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                os.unlink(entry.path)


def fresh_store(user):
    """A folder of profiles, the user's own; no run begins with a copy of it."""
    store = f"{HOUSE}/store"
    shutil.rmtree(store, ignore_errors=True)
    os.makedirs(store, mode=0o700)
    os.chown(store, user.uid, user.uid)
    return store


def await_store(store):
    """Until nobody writes to it: who does holds a lock."""
    if os.path.exists(f"{store}/lock"):
        with open(f"{store}/lock", "r+b") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)


def store_has_boosted(store):
    """Whether a start has found its profile there."""
    listed = subprocess.run([f"{TOOLS}/coldboost", "status", "--json", f"--store={store}"], capture_output=True, check=False)
    starts = json.loads(listed.stdout)["starts"] if listed.stdout else []
    return any(start["boosted"] + start["warm"] for start in starts)


def files_left():
    """What is in the folder of the run and in the places that all programs share."""
    found = []
    for place in (WORK, *SHARED):
        for where, folders, names in os.walk(place):
            folders[:] = [name for name in folders if name not in KEPT]
            found += [os.path.join(where, name) for name in folders + names if name not in KEPT]
    for kind in ("shm", "sem", "msg"):
        with open(f"/proc/sysvipc/{kind}", encoding="ascii") as file:
            found += [f"System V {kind}"] * (len(file.readlines()) - 1)
    return found


def drop_caches():
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as control:
        control.write("3")
