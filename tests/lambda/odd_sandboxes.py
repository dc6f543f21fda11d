"""Functions where a sandbox is odd: other objects, a full or read-only file system, little memory, an
extension beside them, a damaged layer, a second start, and a root with nothing but the function.


Usage: odd_sandboxes.py COLDBOOST FOREIGN_OBJECT PACKAGES C_RUNTIME [CASE…]
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from profiles import Profile  # noqa: E402
from runtimes_case import FOREIGN_OBJECT, RuntimesCase, evict_all  # noqa: E402
from sandbox import PRELOAD, WRAPPER, Client, remember, unpack  # noqa: E402

FOREIGN = os.path.abspath(FOREIGN_OBJECT)


class OddSandboxes(RuntimesCase):
    def surroundings(self, variant):
        """Other objects and file systems, and much or little of what there usually is."""
        python = self.python_client
        boosted = {"preload": PRELOAD, "wrapper": None}[variant]
        cases = {
            "foreign preload": (
                [], {"LD_PRELOAD": f"{boosted}:{FOREIGN}" if boosted else FOREIGN}),
            "4 KiB of environment": ([], {"FILLER": "x" * 4096}),
            "read-only file system": (["mount -o remount,ro,bind /"], {}),
            "/tmp full and read-only": (["mount -t tmpfs -o size=4k,ro none /mnt"], {"TMPDIR": "/mnt"}),
            "128 MiB": ([], {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128"}),
        }
        for case, (steps, variables) in cases.items():
            evict_all(python.files)
            name = f"{case}, {variant}"
            start = self.start(python, variant, *steps, COLDBOOST_VERBOSE="1", **variables)
            if self.answers(name, start, len(variables.get("FILLER", ""))):
                self.has_record(name, start, variant, b"done", b"cold")
            if case == "foreign preload":
                self.equal(start.stderr().count(b"foreign preload\n"), 1, name)
            self.check(b"ERROR: ld.so" not in start.stderr(), f"{name}: {start.stderr()}")
            start.end()

    def extension(self, variant):
        """An extension inherits LD_PRELOAD; it is another role, and the runtime is served as ever."""
        python = self.python_client
        evict_all(python.files)
        start = self.start(python, variant, COLDBOOST_VERBOSE="1")
        extension = {**start.environment, "LAMBDA_TASK_ROOT": None, "LD_PRELOAD": PRELOAD}
        start.environment, runtime_environment = extension, start.environment
        beside = start.start([self.python, f"{self.folder}/task/extension.py"])
        start.environment = runtime_environment
        self.answers(f"extension, {variant}", start)
        for _ in range(3000):
            if start.api.extensions and b"role=extension" in start.stderr():
                break
            time.sleep(0.02)
        self.equal(len(start.api.extensions), 1, f"extension, {variant}: registered")
        self.check(beside.poll() is None, f"extension, {variant}: has ended")
        self.check(b"role=extension" in start.stderr(), f"extension, {variant}: {start.stderr()}")
        runtime = [line for line in start.record() if b"role=runtime" in line]
        self.check(
            len(runtime) == 1 and b"start=" in runtime[0], f"extension, {variant}: runtime {runtime}")
        os.killpg(beside.pid, signal.SIGKILL)
        beside.wait()
        start.end()

    def crash_and_restart(self, variant):
        """The second start in a sandbox finds its files in memory and leaves it at that."""
        python = self.python_client
        name = f"crash and restart, {variant}"
        evict_all(python.files)
        start = self.start(python, variant, COLDBOOST_VERBOSE="1")
        self.answers(name, start)
        self.has_record(name, start, variant, b"done", b"cold")
        self.equal(start.invoke({"do": "crash"}), None, f"{name}: reply")
        self.equal(start.process.wait(), 3, f"{name}: exit status")
        remember(python.files)
        start.process = start.start([WRAPPER, *python.command] if variant == "wrapper" else python.command)
        self.answers(name, start)
        for _ in range(3000):
            lines = start.record()
            if len(lines) == 2:
                break
            time.sleep(0.02)
        start.end()
        self.check(len(lines) == 2 and b"state=skipped" in lines[1], f"{name}: record {lines}")

    def damaged_layer(self, variant):
        """A profile that is none, and no library at all: the function runs."""
        python = self.python_client
        broken = shutil.copytree(self.layer(python), f"{self.folder}/broken-{variant}")
        with open(f"{broken}/coldboost/profile.cbp", "r+b") as out:
            out.seek(200)
            out.write(b"\xff" * 8)
        start = self.start(python, variant, opt=broken)
        self.answers(f"damaged profile, {variant}", start)
        self.equal(start.stderr(), b"", f"damaged profile, {variant}: stderr")
        start.end()
        if variant == "wrapper":
            shutil.rmtree(f"{broken}/lib")
            shutil.rmtree(f"{broken}/coldboost")
            start = self.start(python, variant, opt=broken)
            self.answers("nothing but the wrapper", start)
            self.equal(start.stderr(), b"", "nothing but the wrapper: stderr")
            start.end()

    def small_memory(self, variant):
        """In 128 MiB no more than half is paged in, and the function is not killed for it."""
        python = self.python_client
        client = Client("large", python.command, self.python, python.cwd, answers_as="python")
        for path in client.files:
            with open(path, "wb") as out:
                out.truncate(30 << 20)
        group = "/sys/fs/cgroup/memory/coldboost-test" if os.path.isdir("/sys/fs/cgroup/memory") else \
            "/sys/fs/cgroup/coldboost-test"
        limit = f"{group}/memory.limit_in_bytes" if "/memory/" in group else f"{group}/memory.max"
        self.addCleanup(lambda: os.path.isdir(group) and os.rmdir(group))
        try:
            os.makedirs(group, exist_ok=True)
            with open(limit, "w", encoding="ascii") as out:
                out.write(str(128 << 20))
            limited = True
        except OSError as error:
            self.skip("memory control group", str(error))
            limited = False
        cases = {"granted": ([], "128"), "control group": ([f"echo $$ > {group}/cgroup.procs"], "1024")}
        for case, (steps, granted) in cases.items():
            if steps and not limited:
                continue
            start = self.start(client, variant, *steps, COLDBOOST="force", COLDBOOST_VERBOSE="1",
                               AWS_LAMBDA_FUNCTION_MEMORY_SIZE=granted)
            name = f"large profile in 128 MiB, {case}, {variant}"
            self.answers(name, start)
            lines = start.record()
            match = lines and re.search(rb"bytes=(\d+) .*state=budget", lines[0])
            self.check(match and (60 << 20) < int(match[1]) <= (66 << 20), f"{name}: record {lines}")
            start.end()


class Chroot(RuntimesCase):
    def test_chroot(self):
        """A root with nothing but the function, its libraries and the layer: no /tmp, then no /proc."""
        client = self.c_client()
        root = f"{self.folder}/root"
        listed = subprocess.run(["ldd", client.executable], capture_output=True, text=True, check=True)
        for path in re.findall(r"(/\S+) \(0x", listed.stdout) + ["/etc/hosts"]:
            os.makedirs(root + os.path.dirname(path), exist_ok=True)
            shutil.copy(path, root + path)
        env = shutil.which("env")
        listed = subprocess.run(["ldd", env], capture_output=True, text=True, check=True)
        for path in re.findall(r"(/\S+) \(0x", listed.stdout) + [env]:
            os.makedirs(root + os.path.dirname(path), exist_ok=True)
            shutil.copy(path, root + path)
        os.makedirs(f"{root}/var/task")
        os.makedirs(f"{root}/proc")
        shutil.copy(client.executable, f"{root}/var/task/bootstrap")
        data = [shutil.copy(path, f"{root}/var/task") for path in client.files]
        profile = Profile()
        ranges = []
        for epoch, path in enumerate(data):
            status = os.stat(path)
            index = profile.file(path[len(root):], size=status.st_size, mtime_ns=status.st_mtime_ns)
            ranges.append((index, 0, status.st_size // 4096, epoch))
        profile.section("/var/task/bootstrap", ranges)
        zipped = f"{self.folder}/root.zip"
        written = profile.write(f"{self.folder}/root.cbp")
        subprocess.run([self.tool, "layer", "-o", zipped, "-p", written], check=True)
        unpack(zipped, f"{root}/opt")
        inside = Client("c", ["/var/task/bootstrap"], "/var/task/bootstrap", self.folder)
        script = 'mount --make-rprivate / && mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && '
        for proc in (True, False):
            step = 'mount -t proc none "$1/proc" && ' if proc else ""
            prefix = ["unshare", "--mount", "sh", "-c", script + step + 'exec chroot "$@"', "sh", root]
            for variant in ("preload", "wrapper"):
                evict_all(data)
                name = f"chroot, {variant}" + ("" if proc else ", no /proc")
                start = self.sandbox(prefix, inside, variant, COLDBOOST_VERBOSE="1")
                if self.answers(name, start) and proc:
                    self.has_record(name, start, variant, b"done", b"cold")
                start.end()


for variant in ("preload", "wrapper"):
    for name in ("surroundings", "extension", "crash_and_restart", "damaged_layer", "small_memory"):
        OddSandboxes.add(f"{name}, {variant}", lambda case, row=(name, variant): getattr(case, row[0])(row[1]))

cases.main()
