"""Real runtimes against the local Runtime API: with nothing, preloaded, audited, behind the wrapper,
cold and warm, and where a sandbox is odd. The layer is what coldboost layer makes, unpacked at /opt.

Usage: runtimes.py COLDBOOST FOREIGN_OBJECT PACKAGES [C_RUNTIME]

PACKAGES is a folder where npm may have installed aws-lambda-ric; without it that client is left out.
Every case looks at the bytes of the answers, at the errors, and at the record of the start.
"""

import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.path.insert(0, HERE)
from coldboost_support import Checks, Profile, path_hash  # noqa: E402
from runtime_api import RuntimeApi  # noqa: E402

EVENT = {"n": 1, "text": "grüße ☃", "nested": [None, True, {"": 0.5}]}
IN_LAMBDA = {
    "_HANDLER": "index.handler",
    "AWS_EXECUTION_ENV": "AWS_Lambda_test",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
    "AWS_LAMBDA_FUNCTION_NAME": "test",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/test",
    "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/22/[$LATEST]0",
    "AWS_REGION": "eu-west-1",
    "LANG": "en_US.UTF-8",
    "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/task:/var/task/lib:/opt/lib",
    "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin",
    "TZ": ":UTC",
}
MOUNT = 'mount --make-rprivate / && mount --bind "$1" /opt && shift && '
RANGE_PAGES = 64
PRELOAD = "/opt/lib/libcoldboost.so"
WRAPPER = "/opt/coldboost-wrapper"


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def unpack(path, folder):
    """As Lambda does: with the modes of the zip."""
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
        for entry in archive.infolist():
            os.chmod(os.path.join(folder, entry.filename), entry.external_attr >> 16)


def forget(paths):
    """Takes files out of the page cache, theirs and nobody else's."""
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def remember(paths):
    for path in paths:
        with open(path, "rb") as content:
            content.read()


class Client:
    def __init__(self, name, command, executable, folder, answers_as=None, cwd=None):
        self.name = name
        self.command = command
        self.executable = os.path.realpath(executable)
        self.answers_as = answers_as or name
        self.cwd = cwd or folder
        # Code that only the replay reads: whether it is in memory is up to nobody else.
        self.files = [f"{folder}/code-{name}-{i}" for i in range(4)]
        for path in self.files:
            with open(path, "wb") as out:
                out.write(os.urandom(256 << 10))

    def answer(self, event, filler=0):
        return compact({"runtime": self.answers_as, "event": event, "filler": filler})


class Start:
    """One sandbox: a Runtime API and the runtime that was started against it."""

    def __init__(self, prefix, client, variant, stderr, before=(), **variables):
        self.api = RuntimeApi()
        self.client = client
        self.stderr_path = stderr
        self.environment = {**IN_LAMBDA, "AWS_LAMBDA_RUNTIME_API": self.api.address}
        self.environment["LAMBDA_TASK_ROOT"] = client.cwd
        command = list(client.command)
        if variant == "preload":
            self.environment["LD_PRELOAD"] = PRELOAD
        elif variant == "audit":
            self.environment["LD_AUDIT"] = self.environment["LD_PRELOAD"] = PRELOAD
        elif variant == "wrapper":
            self.environment["AWS_LAMBDA_EXEC_WRAPPER"] = WRAPPER
            command.insert(0, WRAPPER)
        self.environment.update(variables)
        self.prefix = [*prefix, "env", "-i"]
        self.before = before
        marker = f"/tmp/.coldboost-{path_hash(client.executable):016x}"
        if os.path.lexists(marker):  # a new sandbox has none
            os.remove(marker)
        self.process = self.start(command)

    def start(self, command):
        settings = [f"{name}={value}" for name, value in self.environment.items() if value is not None]
        with open(self.stderr_path, "ab") as stderr:
            return subprocess.Popen(
                [*self.prefix, *settings, *command], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=stderr, cwd=self.client.cwd, start_new_session=True,
            )

    def alive(self):
        return self.process.poll() is None

    def invoke(self, event):
        return self.api.invoke(compact(event), self.alive)

    def stderr(self):
        with open(self.stderr_path, "rb") as content:
            return content.read()

    def record(self, wanted=b"plan=profile"):
        """The lines of the start record with a word, waited for: the replay may be slower."""
        for _ in range(3000):
            lines = [line for line in self.stderr().splitlines() if wanted in line]
            if lines:
                return lines
            time.sleep(0.02)
        return []

    def end(self):
        """Everything that was started in the session, as the service does at a shutdown."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.api.close()


class Runtimes:
    def __init__(self, folder, tool, foreign, packages, c_runtime=None):
        self.checks = Checks()
        self.folder, self.tool = folder, tool
        self.foreign = foreign
        self.starts = 0
        self.large = None
        functions = shutil.copytree(os.path.join(HERE, "functions"), f"{folder}/task")
        python, bash, node = os.path.realpath(sys.executable), shutil.which("bash"), shutil.which("node")
        self.python = python
        clients = [Client("python", [python, f"{functions}/bootstrap.py"], python, functions)]
        if bash and shutil.which("curl"):
            clients.append(Client("bash", [f"{functions}/bootstrap.sh"], bash, functions))
        else:
            self.checks.skip("bash runtime", "no bash, or no curl")
        if c_runtime:
            program = shutil.copy(c_runtime, f"{functions}/bootstrap")
            clients.append(Client("c", [program], program, functions))
        else:
            self.checks.skip("C runtime", "built without libcurl")
        if node:
            program = [node, f"{functions}/bootstrap.mjs"]
            clients.append(Client("node", program, node, functions))
            ric = f"{packages}/node_modules/aws-lambda-ric/bin/index.mjs"
            if os.path.exists(ric):
                clients.append(Client("ric", [node, ric, "index.handler"], node, functions,
                                      answers_as="node", cwd=f"{functions}/node"))
            else:
                self.checks.skip("aws-lambda-ric", f"not installed in {packages}: meson compile lambda-packages")
        else:
            self.checks.skip("node runtimes", "no node")
        self.clients = {client.name: client for client in clients}
        self.layers = {}

    def layer(self, client):
        """The unpacked layer of a client, with a profile of its code."""
        if client.name not in self.layers:
            profile = Profile()
            pages = os.stat(client.files[0]).st_size // 4096
            profile.section(client.executable, [
                (profile.file(path), first, RANGE_PAGES, epoch)
                for epoch, path in enumerate(client.files) for first in range(0, pages, RANGE_PAGES)
            ])
            path = profile.write(f"{self.folder}/{client.name}.cbp")
            zipped = f"{self.folder}/{client.name}.zip"
            subprocess.run([self.tool, "layer", "-o", zipped, "-p", path], check=True)
            self.layers[client.name] = f"{self.folder}/opt-{client.name}"
            unpack(zipped, self.layers[client.name])
        return self.layers[client.name]

    def start(self, client, variant, *before, opt=None, **variables):
        """In a mount namespace of its own, where the layer is at /opt."""
        self.starts += 1
        script = MOUNT + "".join(f"{step} && " for step in before) + 'exec "$@"'
        prefix = ["unshare", "--mount", "sh", "-c", script, "sh", opt or self.layer(client)]
        return Start(prefix, client, variant, f"{self.folder}/stderr{self.starts}", **variables)

    def answers(self, name, start, filler=0):
        """Two answers, an error in between, and nothing that the API minds."""
        client = start.client
        for event in (EVENT, {"do": "fail"}, {"do": "go on"}):
            reply = start.invoke(event)
            if not self.checks.check(reply, f"{name}: no reply to {event}: {start.stderr()[-600:]}"):
                return False
            if event.get("do") == "fail":
                self.is_failure(name, reply)
            else:
                self.checks.equal((reply.kind, reply.body), ("response", client.answer(event, filler)), name)
        self.checks.equal(start.api.violations, [], f"{name}: the API minds")
        return True

    def is_failure(self, name, reply):
        error = reply.error()
        self.checks.equal(
            (reply.kind, error["errorType"], error["errorMessage"]), ("error", "ValueError", "asked to fail"), name)
        if not name.startswith("ric"):  # which leaves this header out, as it may
            self.checks.check(reply.headers.get("Lambda-Runtime-Function-Error-Type"), f"{name}: no error type")

    def has_record(self, name, start, variant, state, kind=rb"\w+"):
        """Exactly one replay, of the runtime, in the mode of its variant, as far as it had to go."""
        lines = start.record()
        done = len(start.client.files) if state == b"done" else 0
        role = b"shell" if os.path.basename(start.client.executable) == "bash" else b"runtime"
        pattern = (rb"coldboost: role=%b start=%b plan=profile mode=process ranges=%d/%d bytes=\d+ "
                   rb"stale_files=0 us=\d+ state=%b" % (role, kind, done, len(start.client.files), state))
        self.checks.check(
            len(lines) == 1 and re.fullmatch(pattern, lines[0]), f"{name}: record {lines}, not {pattern}")
        started = start.stderr().count(b"plan=started")
        self.checks.equal(started, int(variant != "preload"), f"{name}: starts that were begun ahead")

    def every_client(self):
        for client in self.clients.values():
            self.layer(client)
            for variant in ("nothing", "preload", "audit", "wrapper"):
                name = f"{client.name}, {variant}"
                forget(client.files)
                start = self.start(client, variant, COLDBOOST_VERBOSE="1")
                if self.answers(f"{name}, cold", start):
                    if variant == "nothing":
                        self.checks.equal(start.stderr(), b"", f"{name}: stderr")
                    else:
                        self.has_record(f"{name}, cold", start, variant, b"done", b"cold")
                start.end()
                remember(client.files)
                start = self.start(client, variant, COLDBOOST_VERBOSE="1")
                if self.answers(f"{name}, warm", start) and variant != "nothing":
                    self.has_record(f"{name}, warm", start, variant, b"skipped", b"warm")
                start.end()
                self.silent_and_failing(client, variant)

    def silent_and_failing(self, client, variant):
        forget(client.files)
        start = self.start(client, variant)
        self.answers(f"{client.name}, {variant}, silent", start)
        self.checks.equal(start.stderr(), b"", f"{client.name}, {variant}: stderr when not asked for")
        start.end()
        start = self.start(client, variant, FAIL_INIT="1")
        try:
            status = start.process.wait(20)
        except subprocess.TimeoutExpired:
            status = None
        name = f"{client.name}, {variant}, init error"
        self.checks.check(status, f"{name}: exit status {status}")
        if self.checks.equal(len(start.api.init_errors), 1, f"{name}: reports"):
            self.is_failure(name, start.api.init_errors[0])
        start.end()

    def odd_sandboxes(self):
        python = self.clients["python"]
        for variant in ("preload", "wrapper"):
            boosted = {"preload": PRELOAD, "wrapper": None}[variant]
            cases = {
                "foreign preload": (
                    [], {"LD_PRELOAD": f"{boosted}:{self.foreign}" if boosted else self.foreign}),
                "4 KiB of environment": ([], {"FILLER": "x" * 4096}),
                "read-only file system": (["mount -o remount,ro,bind /"], {}),
                "/tmp full and read-only": (["mount -t tmpfs -o size=4k,ro none /mnt"], {"TMPDIR": "/mnt"}),
                "128 MiB": ([], {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128"}),
            }
            for case, (steps, variables) in cases.items():
                forget(python.files)
                name = f"{case}, {variant}"
                start = self.start(python, variant, *steps, COLDBOOST_VERBOSE="1", **variables)
                if self.answers(name, start, len(variables.get("FILLER", ""))):
                    self.has_record(name, start, variant, b"done", b"cold")
                if case == "foreign preload":
                    self.checks.equal(start.stderr().count(b"foreign preload\n"), 1, name)
                self.checks.check(b"ERROR: ld.so" not in start.stderr(), f"{name}: {start.stderr()}")
                start.end()
            self.extension(variant)
            self.crash_and_restart(variant)
            self.damaged_layer(variant)
            self.small_memory(variant)

    def extension(self, variant):
        """An extension inherits LD_PRELOAD; it is another role, and the runtime is served as ever."""
        python = self.clients["python"]
        forget(python.files)
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
        self.checks.equal(len(start.api.extensions), 1, f"extension, {variant}: registered")
        self.checks.check(beside.poll() is None, f"extension, {variant}: has ended")
        self.checks.check(b"role=extension" in start.stderr(), f"extension, {variant}: {start.stderr()}")
        runtime = [line for line in start.record() if b"role=runtime" in line]
        self.checks.check(
            len(runtime) == 1 and b"start=" in runtime[0], f"extension, {variant}: runtime {runtime}")
        os.killpg(beside.pid, signal.SIGKILL)
        beside.wait()
        start.end()

    def crash_and_restart(self, variant):
        """The second start in a sandbox finds its files in memory and leaves it at that."""
        python = self.clients["python"]
        name = f"crash and restart, {variant}"
        forget(python.files)
        start = self.start(python, variant, COLDBOOST_VERBOSE="1")
        self.answers(name, start)
        self.has_record(name, start, variant, b"done", b"cold")
        self.checks.equal(start.invoke({"do": "crash"}), None, f"{name}: reply")
        self.checks.equal(start.process.wait(), 3, f"{name}: exit status")
        remember(python.files)
        start.process = start.start([WRAPPER, *python.command] if variant == "wrapper" else python.command)
        self.answers(name, start)
        for _ in range(3000):
            lines = start.record()
            if len(lines) == 2:
                break
            time.sleep(0.02)
        start.end()
        self.checks.check(len(lines) == 2 and b"state=skipped" in lines[1], f"{name}: record {lines}")

    def damaged_layer(self, variant):
        """A profile that is none, and no library at all: the function runs."""
        python = self.clients["python"]
        broken = shutil.copytree(self.layer(python), f"{self.folder}/broken-{variant}")
        with open(f"{broken}/coldboost/profile.cbp", "r+b") as out:
            out.seek(200)
            out.write(b"\xff" * 8)
        start = self.start(python, variant, opt=broken)
        self.answers(f"damaged profile, {variant}", start)
        self.checks.equal(start.stderr(), b"", f"damaged profile, {variant}: stderr")
        start.end()
        if variant == "wrapper":
            shutil.rmtree(f"{broken}/lib")
            shutil.rmtree(f"{broken}/coldboost")
            start = self.start(python, variant, opt=broken)
            self.answers("nothing but the wrapper", start)
            self.checks.equal(start.stderr(), b"", "nothing but the wrapper: stderr")
            start.end()

    def small_memory(self, variant):
        """In 128 MiB no more than half is paged in, and the function is not killed for it."""
        python = self.clients["python"]
        client = self.large
        if not client:
            client = self.large = Client("large", python.command, self.python, python.cwd, answers_as="python")
            for path in client.files:
                with open(path, "wb") as out:
                    out.truncate(30 << 20)
        group = "/sys/fs/cgroup/memory/coldboost-test" if os.path.isdir("/sys/fs/cgroup/memory") else \
            "/sys/fs/cgroup/coldboost-test"
        limit = f"{group}/memory.limit_in_bytes" if "/memory/" in group else f"{group}/memory.max"
        try:
            os.makedirs(group, exist_ok=True)
            with open(limit, "w", encoding="ascii") as out:
                out.write(str(128 << 20))
            limited = True
        except OSError as error:
            self.checks.skip("memory control group", str(error))
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
            self.checks.check(match and (60 << 20) < int(match[1]) <= (66 << 20), f"{name}: record {lines}")
            start.end()
        if limited:
            os.rmdir(group)

    def recorded_here(self):
        """Functions that record themselves into their log, as a user without rights who can write to
        nothing but /tmp; the next start is boosted by what is read back from the log of them all."""
        if not os.path.exists(f"{os.path.dirname(self.tool)}/coldboost-record"):
            self.checks.skip("functions record themselves", "built without a static libelf")
            return
        layer = f"{self.folder}/opt-recorder"
        zipped = f"{self.folder}/recorder.zip"
        subprocess.run([self.tool, "layer", "--record", "-o", zipped], check=True)
        unpack(zipped, layer)
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]
        script = ('mount --make-rprivate / && mount --bind "$1" /opt && mount --bind "$2" /mnt && shift 2 && '
                  'mount --bind /tmp /tmp && mount -o remount,ro,bind / && mount -o remount,ro,bind /mnt && exec "$@"')
        clients = []
        for name, program, code in (("python", "/usr/bin/python3", "bootstrap.py"), ("node", shutil.which("node"),
                                                                                     "bootstrap.mjs")):
            if not program or subprocess.run([*nobody, "test", "-x", program], check=False).returncode:
                self.checks.skip(f"{name} records itself", f"nobody can start no {program}")
                continue
            client = Client(name, [program, f"/mnt/{code}"], program, f"{self.folder}/task", cwd="/mnt")
            clients.append((client, f"/mnt/{code}"))

        def start(client, opt, **variables):
            self.starts += 1
            prefix = ["unshare", "--mount", "sh", "-c", script, "sh", opt, f"{self.folder}/task", *nobody]
            return Start(prefix, client, "wrapper", f"{self.folder}/stderr{self.starts}", **variables)

        log = []
        for client, _ in clients:
            name = f"{client.name} records itself"
            started = start(client, layer, COLDBOOST_RECORD="log")
            reply = started.invoke(EVENT)
            lines = started.stderr().splitlines()  # now, when the sandbox may be frozen
            if self.checks.check(reply, f"{name}: no reply, {lines}"):
                self.checks.equal(reply.body, client.answer(EVENT), name)
            self.answers(name, started)
            started.end()
            frames = [line for line in lines if line.startswith(b"coldboost-profile/1 ")]
            others = [line for line in lines if line not in frames]
            self.checks.check(
                frames and all(re.match(rb"coldboost: recorded \d+ pages .*: the log$", line) for line in others),
                f"{name}: {len(frames)} frames, {others}")
            log.append([b"2026-11-22T10:00:0%d.000Z\t%b" % (i % 10, line) for i, line in enumerate(lines)])
        # The logs of all, line by line in turn and backwards, among lines of the function.
        mixed = [line for lines in zip(*log, [b"START RequestId: 1"] * 1000) for line in lines]
        mixed += [line for lines in log for line in lines[len(mixed) // (len(log) + 1):]]
        written = f"{self.folder}/from-log.cbp"
        merged = subprocess.run(
            [self.tool, "merge", "-o", written, "--from-log", "-"], input=b"\n".join(reversed(mixed)) + b"\n",
            capture_output=True, check=False)
        self.checks.equal((merged.returncode, merged.stderr), (0, b""), "merge --from-log")
        shown = json.loads(subprocess.run([self.tool, "show", "--json", written], capture_output=True,
                                          check=True).stdout)
        paths = {file["path"] for file in shown["files"] if file["ranges"]}
        self.checks.equal(
            {executable["path"] for executable in shown["executables"]},
            {client.executable for client, _ in clients}, "executables that were recorded")
        subprocess.run([self.tool, "layer", "-p", written, "-o", zipped], check=True)
        unpack(zipped, f"{self.folder}/opt-recorded")
        for client, code in clients:
            name = f"{client.name}, recorded by itself"
            self.checks.check(code in paths, f"{name}: nothing of {code} in {len(paths)} files")
            started = start(client, f"{self.folder}/opt-recorded", COLDBOOST_VERBOSE="1", COLDBOOST="force")
            if self.answers(name, started):
                lines = started.record()
                self.checks.check(
                    len(lines) == 1 and re.search(rb"role=runtime .*plan=profile mode=process ranges=(\d+)/\1 .*"
                                                  rb"stale_files=0 .*state=done", lines[0]), f"{name}: record {lines}")
            started.end()

    def chroot(self):
        """A root with nothing but the function, its libraries and the layer: no /tmp, then no /proc."""
        client = self.clients.get("c")
        if not client:
            return
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
                forget(data)
                self.starts += 1
                name = f"chroot, {variant}" + ("" if proc else ", no /proc")
                start = Start(prefix, inside, variant, f"{self.folder}/stderr{self.starts}", COLDBOOST_VERBOSE="1")
                if self.answers(name, start) and proc:
                    self.has_record(name, start, variant, b"done", b"cold")
                start.end()


def main():
    folder = tempfile.mkdtemp(prefix="coldboost-runtimes-", dir=os.getcwd())
    try:
        test = Runtimes(os.path.realpath(folder), *map(os.path.abspath, sys.argv[1:5]))
        namespace = subprocess.run(
            ["unshare", "--mount", "sh", "-c", MOUNT + "true", "sh", folder], capture_output=True, check=False)
        if namespace.returncode != 0:
            print("skipped: no mount namespace here (unshare as root)")
            return 77
        if not os.path.isdir("/opt"):
            print("skipped: there is no /opt to mount a layer at")
            return 77
        test.every_client()
        test.odd_sandboxes()
        test.recorded_here()
        test.chroot()
        return test.checks.exit_code()
    finally:
        for left in glob.glob("/sys/fs/cgroup/memory/coldboost-test") + glob.glob("/sys/fs/cgroup/coldboost-test"):
            os.rmdir(left)
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
