"""Container images: what the Containerfile beside this makes is boosted wherever it is unpacked; and two variables in a container.

The base is made of this machine's python3, with coldboost installed. The image is built by buildah, pushed, and
unpacked as a runtime does: whole seconds, other inodes, an overlay.

Usage: images.py COLDBOOST OBJECT SOURCE_ROOT [CASE…]
"""

import glob
import gzip
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402

COLDBOOST, OBJECT, SOURCE_ROOT = map(os.path.abspath, cases.take("COLDBOOST OBJECT SOURCE_ROOT"))
BUILD = os.path.dirname(os.path.dirname(COLDBOOST))
NOBODY = 65534
# Leaves out what a start of a small script never needs.
LEFT_OUT = ("test", "config-*", "dist-packages", "lib2to3", "pydoc_data", "distutils", "ensurepip", "idlelib")
APP = """import argparse, decimal, json, email.parser, os
parser = argparse.ArgumentParser()
parser.parse_args()
try:
    os.wait()
except ChildProcessError:
    print("hello,", sum(name.isdigit() for name in os.listdir("/proc")), "process")
"""
PODMAN = ["podman", "--cgroup-manager", "cgroupfs", "--runtime", "runc", "run", "--rm", "--network=none",
          "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
BOOSTED = re.compile(r"plan=profile mode=sync ranges=(\d+)/\1 .* stale_files=0")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def libraries(*programs):
    """What the loader maps for them, itself included."""
    listed = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    return sorted(set(re.findall(r"(/\S+) \(0x", listed)))


def make_base(root):
    python = os.path.realpath("/usr/bin/python3")
    modules = f"/usr/lib/{os.path.basename(python)}"
    programs = [python, "/bin/dash", "/bin/chmod"]
    for path in programs + libraries(
            *programs, f"{os.path.dirname(COLDBOOST)}/coldboost-tool", *glob.glob(f"{modules}/lib-dynload/*.so")):
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        shutil.copy2(path, root + path)
    shutil.copytree(modules, root + modules, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
    os.symlink("dash", f"{root}/bin/sh")
    os.symlink(os.path.basename(python), f"{root}/usr/bin/python3")
    for folder in ("dev", "etc", "proc", "run", "sys", "tmp", "store"):
        os.makedirs(f"{root}/{folder}", exist_ok=True)
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild"], env={**os.environ, "DESTDIR": root},
                   stdout=subprocess.DEVNULL, check=True)


class Manual(cases.Case):
    def test_the_recipe_is_this_file(self):
        recipe = read(f"{HERE}/Containerfile")
        for name in ("README.md", "tools/man/coldboost-run.1"):
            self.check(recipe in read(f"{SOURCE_ROOT}/{name}"), f"{name} has another recipe than {HERE}/Containerfile")


class Images(cases.Case):
    @classmethod
    def setUpClass(cls):
        for program in ("buildah", "meson", "ldd"):
            if not shutil.which(program):
                raise cases.SkipTest(f"{program} is not installed")
        if os.geteuid() != 0 or not os.path.isdir(f"/usr/lib/{os.path.basename(os.path.realpath('/usr/bin/python3'))}"):
            raise cases.SkipTest("it takes root, and Debian's python3")
        cls.folder = cls.shared_folder(dir="/var/tmp")
        os.chmod(cls.folder, 0o755)
        make_base(f"{cls.folder}/base")
        cls.build()
        cls.unpack()

    @classmethod
    def buildah(cls, *arguments):
        return subprocess.run(
            ["buildah", "--root", f"{cls.folder}/storage", "--runroot", f"{cls.folder}/state", "--storage-driver", "vfs",
             *arguments], capture_output=True, text=True, check=True).stdout.strip()

    @classmethod
    def build(cls):
        context = f"{cls.folder}/context"
        os.mkdir(context)
        shutil.copy(f"{HERE}/Containerfile", context)
        with open(f"{context}/app.py", "w", encoding="utf-8") as out:
            out.write(APP)
        container = cls.buildah("from", "scratch")
        cls.buildah("copy", "-q", container, f"{cls.folder}/base", "/")
        cls.buildah("commit", "-q", container, "localhost/base")
        cls.buildah("build", "--isolation", "chroot", "--from", "localhost/base", "-q", "-t", "app", context)
        cls.buildah("push", "-q", "app", f"oci:{cls.folder}/oci:app")
        shutil.rmtree(f"{cls.folder}/base")
        shutil.rmtree(f"{cls.folder}/storage")

    @classmethod
    def blob(cls, descriptor):
        return f"{cls.folder}/oci/blobs/{descriptor['digest'].replace(':', '/')}"

    @classmethod
    def unpack(cls):
        manifest = json.loads(read(cls.blob(json.loads(read(f"{cls.folder}/oci/index.json"))["manifests"][0])))
        cls.config = json.loads(read(cls.blob(manifest["config"])))["config"]
        cls.layers = []
        for layer in manifest["layers"]:
            cls.layers.insert(0, f"{cls.folder}/layer{len(cls.layers)}")
            os.mkdir(cls.layers[0])
            with gzip.open(cls.blob(layer)) as archive:
                subprocess.run(["tar", "-C", cls.layers[0], "-xp"], input=archive.read(), check=True)
        shutil.rmtree(f"{cls.folder}/oci")

    def mounted(self, read_only=False):
        """An overlay of the layers."""
        folder = self.new_folder(dir=self.folder)
        for name in ("root", "upper", "work"):
            os.mkdir(f"{folder}/{name}")
        options = f"lowerdir={':'.join(self.layers)}"
        if not read_only:
            options += f",upperdir={folder}/upper,workdir={folder}/work"
        if subprocess.run(["mount", "-t", "overlay", "-o", options, "none", f"{folder}/root"], check=False).returncode:
            self.skipTest("no overlay can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", f"{folder}/root"], check=True)
        return folder

    def inside(self, root, user=0, **environment):
        """The image's entry point as process 1, as its configuration says."""
        command = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "sh", "-c",
                   'mount -t proc proc "$0/proc" && exec chroot --userspec "$1" "$0" sh -c \'cd "$1"; shift; exec "$@"\' "$@"',
                   root, f"{user}:{user}", self.config["WorkingDir"], *self.config["Entrypoint"]]
        return subprocess.run(command, env={**self.environment(), **environment}, capture_output=True, text=True, check=False)

    def environment(self):
        return {**dict(variable.split("=", 1) for variable in self.config["Env"]),
                "COLDBOOST": "force", "COLDBOOST_VERBOSE": "1"}

    def boosted(self, outcome, name):
        self.equal((outcome.returncode, outcome.stdout), (0, "hello, 1 process\n"), f"{name}: {outcome.stderr}")
        found = BOOSTED.search(outcome.stderr)
        self.check(found and int(found[1]) > 100, f"{name} is not boosted: {outcome.stderr}")

    def test_unpacked(self):
        folder = self.mounted()
        self.boosted(self.inside(f"{folder}/root"), "root")
        self.boosted(self.inside(f"{folder}/root", user=NOBODY), "another user")
        self.equal(glob.glob(f"{folder}/upper/opt/coldboost/*.trace"), [], "recorded in the container")
        self.boosted(self.inside(f"{self.mounted(read_only=True)}/root"), "read-only")

    def test_without_the_last_variable(self):
        """Where a container may write its store, each would be recorded: the times of change are those of the unpacking.
        But the files are found to be the same, though only whole seconds are left of them."""
        folder = self.mounted()
        for _ in range(3):
            outcome = self.inside(f"{folder}/root", COLDBOOST_RECORD="")
            self.boosted(outcome, "the second recording")
        self.equal(glob.glob(f"{folder}/upper/opt/coldboost/*.trace"), [], "recorded for the third time")

    def podman(self, *options, command):
        if not shutil.which("podman"):
            self.skipTest("podman is not installed")
        outcome = subprocess.run([*PODMAN, *options, *command], capture_output=True, text=True, check=False)
        if outcome.returncode in (125, 126, 127):
            self.skipTest(f"podman runs nothing here: {outcome.stderr}")
        return outcome

    def test_by_a_runtime(self):
        folder = self.mounted()
        variables = [f"--env={name}={value}" for name, value in self.environment().items()]
        for options in ([], ["--read-only", f"--user={NOBODY}"]):
            outcome = self.podman(*options, *variables, "--workdir", self.config["WorkingDir"], "--rootfs",
                                  f"{folder}/root", command=self.config["Entrypoint"])
            self.boosted(outcome, f"podman {options}")

    def test_two_variables_and_a_volume(self):
        """In a real container: the first cold start is recorded, the second is boosted, the third for good."""
        folder = self.mounted()
        library = glob.glob(f"{folder}/root/usr/local/lib*/**/libcoldboost.so", recursive=True)[0].removeprefix(f"{folder}/root")
        for user in (0, NOBODY):
            volume = self.new_folder(dir=self.folder)
            os.chown(volume, user, user)
            for start, kept in enumerate(([".trace"], [".cbp", ".log", ".trace"], [".cbp", ".log"])):
                for path in (f"{folder}/root/usr/bin/python3", f"{folder}/root/usr/lib/python3.11/argparse.py"):
                    self.evict(path)
                outcome = self.podman(
                    "--read-only", f"--user={user}", "--volume", f"{volume}:/store", "--env=COLDBOOST_VERBOSE=1",
                    "--env=COLDBOOST=force", f"--env=LD_PRELOAD={library}", "--env=COLDBOOST_STORE=/store",
                    "--workdir", "/srv", "--rootfs", f"{folder}/root", command=["python3", "app.py"])
                if start:
                    self.boosted(outcome, f"start {start + 1} as {user}")
                self.equal(outcome.stdout, "hello, 1 process\n", f"start {start + 1} as {user}: {outcome.stderr}")
                suffixes = sorted(os.path.splitext(name)[1] for name in os.listdir(volume) if name != "lock")
                self.equal(suffixes, kept, f"in the volume after start {start + 1} as {user}")

    @staticmethod
    def evict(path):
        file = os.open(path, os.O_RDONLY)
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


cases.main()
