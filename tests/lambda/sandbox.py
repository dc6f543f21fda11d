"""One sandbox as Lambda makes it: a Runtime API of our own, the environment, and the runtime that is started."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from profiles import path_hash  # noqa: E402
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
        self.has_ended = False

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
        if self.has_ended:
            return
        self.has_ended = True
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.api.close()
