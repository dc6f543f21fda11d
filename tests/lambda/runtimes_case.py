"""Functions in sandboxes where the layer that coldboost layer makes is unpacked at /opt: what their tests
share. Every case looks at the bytes of the answers, at the errors, and at the record of the start.
"""

import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from cases import Case, SkipTest, take  # noqa: E402
from page_cache import evict  # noqa: E402
from profiles import Profile  # noqa: E402
from sandbox import EVENT, MOUNT, Client, Start, unpack  # noqa: E402

COLDBOOST, FOREIGN_OBJECT, PACKAGES, C_RUNTIME = take("COLDBOOST FOREIGN_OBJECT PACKAGES C_RUNTIME")
RANGE_PAGES = 64


def evict_all(paths):
    for path in paths:
        evict(path)


class RuntimesCase(Case):
    tool = os.path.abspath(COLDBOOST)

    @classmethod
    def setUpClass(cls):
        cls.folder = cls.shared_folder(dir=os.getcwd())
        namespace = subprocess.run(
            ["unshare", "--mount", "sh", "-c", MOUNT + "true", "sh", cls.folder], capture_output=True, check=False)
        if namespace.returncode != 0:
            raise SkipTest("no mount namespace here (unshare as root)")
        if not os.path.isdir("/opt"):
            raise SkipTest("there is no /opt to mount a layer at")
        cls.functions = shutil.copytree(os.path.join(HERE, "functions"), f"{cls.folder}/task")
        cls.python = os.path.realpath(sys.executable)
        cls.python_client = Client("python", [cls.python, f"{cls.functions}/bootstrap.py"], cls.python, cls.functions)
        cls.layers = {}
        cls.starts = 0

    @classmethod
    def c_client(cls):
        if not C_RUNTIME:
            raise SkipTest("built without libcurl")
        program = shutil.copy(C_RUNTIME, f"{cls.functions}/bootstrap")
        return Client("c", [program], program, cls.functions)

    def sandbox(self, *arguments, **variables):
        """A start with the errors in a file of its own; its end is seen to."""
        type(self).starts += 1
        start = Start(*arguments, f"{self.folder}/stderr{self.starts}", **variables)
        self.addCleanup(start.end)
        return start

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
        script = MOUNT + "".join(f"{step} && " for step in before) + 'exec "$@"'
        prefix = ["unshare", "--mount", "sh", "-c", script, "sh", opt or self.layer(client)]
        return self.sandbox(prefix, client, variant, **variables)

    def answers(self, name, start, filler=0):
        """Two answers, an error in between, and nothing that the API minds."""
        client = start.client
        for event in (EVENT, {"do": "fail"}, {"do": "go on"}):
            reply = start.invoke(event)
            if not self.check(reply, f"{name}: no reply to {event}: {start.stderr()[-600:]}"):
                return False
            if event.get("do") == "fail":
                self.is_failure(name, reply)
            else:
                self.equal((reply.kind, reply.body), ("response", client.answer(event, filler)), name)
        self.equal(start.api.violations, [], f"{name}: the API minds")
        return True

    def is_failure(self, name, reply):
        error = reply.error()
        self.equal(
            (reply.kind, error["errorType"], error["errorMessage"]), ("error", "ValueError", "asked to fail"), name)
        if not name.startswith("ric"):  # which leaves this header out, as it may
            self.check(reply.headers.get("Lambda-Runtime-Function-Error-Type"), f"{name}: no error type")

    def has_record(self, name, start, variant, state, kind=rb"\w+"):
        """Exactly one replay, of the runtime, in the mode of its variant, as far as it had to go."""
        lines = start.record()
        done = len(start.client.files) if state == b"done" else 0
        role = b"shell" if os.path.basename(start.client.executable) == "bash" else b"runtime"
        pattern = (rb"coldboost: role=%b start=%b plan=profile mode=process ranges=%d/%d bytes=\d+ "
                   rb"stale_files=0 us=\d+ state=%b" % (role, kind, done, len(start.client.files), state))
        self.check(
            len(lines) == 1 and re.fullmatch(pattern, lines[0]), f"{name}: record {lines}, not {pattern}")
        started = start.stderr().count(b"plan=started")
        self.equal(started, int(variant != "preload"), f"{name}: starts that were begun ahead")
