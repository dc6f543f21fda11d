"""Where a program is started: below this runner, as PID 1 of a PID namespace, as PID 1 of a real
container whose root is this machine's."""

import os
import subprocess

from field_house import HOUSE, WORK
from field_start import ROOT, children_of

CONTAINERS = f"{HOUSE}/containers"
LAYERS = f"{HOUSE}/layers"
IMAGE = f"{HOUSE}/image"


class Place:
    """The command that starts `command` there, as which user that is to be run, and which process
    the started one is."""

    def __init__(self, name):
        self.name = name

    def start(self, user, command, variables, _environment, _terminal):
        return command, variables, user

    def process(self, pid):
        return pid


class Bare(Place):
    """PID 1, which reaps only its own children, and whose end is the end of all."""

    def start(self, user, command, variables, _environment, _terminal):
        unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
        become = ["setpriv", f"--reuid={user.uid}", f"--regid={user.uid}", "--clear-groups"]
        put = ["env", *(f"{name}={value}" for name, value in variables.items())]
        return unshare + (become if user is not ROOT else []) + put + command, {}, ROOT

    def process(self, pid):
        return next(iter(children_of(pid)), pid)


class Container(Place):
    """A container of podman and runc; `tight`: it is read-only and has 128 MiB."""

    PODMAN = [
        *("podman", "--cgroup-manager", "cgroupfs", "--runtime", "runc"),
        *("--root", f"{CONTAINERS}/root", "--runroot", "/run/field", "--tmpdir", "/run/field/tmp"),
    ]

    def __init__(self, name, tight=False):
        super().__init__(name)
        self.tight = tight

    def start(self, user, command, variables, environment, terminal):
        options = ["--rm", "--name=field", "--network=host", f"--user={user.uid}:{user.uid}"]
        options += ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", f"--workdir={WORK}"]
        options += [f"--volume={HOUSE}:{HOUSE}", "--interactive"]
        options += ["--tty"] if terminal else []
        options += ["--read-only", "--memory=128m"] if self.tight else []
        for name, value in {**environment, **variables}.items():
            options.append(f"--env={name}={value}")
        return [*self.PODMAN, "run", *options, "--rootfs", IMAGE, *command], {}, ROOT

    def process(self, pid):
        """podman hands signals on, and shows the process itself by its own means."""
        found = subprocess.run(
            [*self.PODMAN, "inspect", "--format", "{{.State.Pid}}", "field"],
            capture_output=True,
            text=True,
            check=False,
        )
        return int(found.stdout) if found.returncode == 0 and int(found.stdout) > 0 else pid


HERE = Place("here")
BARE = Bare("PID 1")
CONTAINER = Container("container")
TIGHT = Container("read-only container of 128 MiB", tight=True)


def mount_image():
    """The container's root: this machine's, but what is written to it is kept apart."""
    for folder in (CONTAINERS, LAYERS, IMAGE):
        os.makedirs(folder)
    subprocess.run(["mount", "-t", "tmpfs", "layers", LAYERS], check=True)
    upper, scratch = f"{LAYERS}/upper", f"{LAYERS}/scratch"
    os.makedirs(scratch)
    for folder, mode in (("run", 0o755), ("tmp", 0o1777), ("var/tmp", 0o1777)):
        os.makedirs(f"{upper}/{folder}")
        os.chmod(f"{upper}/{folder}", mode)
        os.setxattr(f"{upper}/{folder}", "trusted.overlay.opaque", b"y")
    # As is a mount point of the engine's in every image.
    os.makedirs(f"{upper}/run/.container")
    options = f"lowerdir=/,upperdir={upper},workdir={scratch}"
    subprocess.run(["mount", "-t", "overlay", "-o", options, "field", IMAGE], check=True)


def stop_engine():
    """Whatever is left of a container that was killed."""
    remove = [*Container.PODMAN, "rm", "--force", "--time=0", "field"]
    subprocess.run(remove, capture_output=True, check=False)
