"""Functions that record themselves where they run, and are boosted by it at their next start.


Usage: recorded_here.py COLDBOOST FOREIGN_OBJECT PACKAGES C_RUNTIME [CASE…]
"""

import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from runtimes_case import RuntimesCase  # noqa: E402
from sandbox import EVENT, Client, unpack  # noqa: E402


class RecordedHere(RuntimesCase):
    def test_recorded_here(self):
        """Functions that record themselves into their log, as a user without rights who can write to
        nothing but /tmp; the next start is boosted by what is read back from the log of them all."""
        if not os.path.exists(f"{os.path.dirname(self.tool)}/coldboost-record"):
            self.skipTest("built without a static libelf")
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
                self.skip(f"{name} records itself", f"nobody can start no {program}")
                continue
            client = Client(name, [program, f"/mnt/{code}"], program, f"{self.folder}/task", cwd="/mnt")
            clients.append((client, f"/mnt/{code}"))

        def start(client, opt, **variables):
            prefix = ["unshare", "--mount", "sh", "-c", script, "sh", opt, f"{self.folder}/task", *nobody]
            return self.sandbox(prefix, client, "wrapper", **variables)

        log = []
        for client, _ in clients:
            name = f"{client.name} records itself"
            started = start(client, layer, COLDBOOST_RECORD="log")
            reply = started.invoke(EVENT)
            lines = started.stderr().splitlines()  # now, when the sandbox may be frozen
            if self.check(reply, f"{name}: no reply, {lines}"):
                self.equal(reply.body, client.answer(EVENT), name)
            self.answers(name, started)
            started.end()
            frames = [line for line in lines if line.startswith(b"coldboost-profile/1 ")]
            others = [line for line in lines if line not in frames]
            self.check(
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
        self.equal((merged.returncode, merged.stderr), (0, b""), "merge --from-log")
        shown = json.loads(subprocess.run([self.tool, "show", "--json", written], capture_output=True,
                                          check=True).stdout)
        paths = {file["path"] for file in shown["files"] if file["ranges"]}
        self.equal(
            {executable["path"] for executable in shown["executables"]},
            {client.executable for client, _ in clients}, "executables that were recorded")
        subprocess.run([self.tool, "layer", "-p", written, "-o", zipped], check=True)
        unpack(zipped, f"{self.folder}/opt-recorded")
        for client, code in clients:
            name = f"{client.name}, recorded by itself"
            self.check(code in paths, f"{name}: nothing of {code} in {len(paths)} files")
            started = start(client, f"{self.folder}/opt-recorded", COLDBOOST_VERBOSE="1", COLDBOOST="force")
            if self.answers(name, started):
                lines = started.record()
                self.check(
                    len(lines) == 1 and re.search(rb"role=runtime .*plan=profile mode=process ranges=(\d+)/\1 .*"
                                                  rb"stale_files=0 .*state=done", lines[0]), f"{name}: record {lines}")
            started.end()


cases.main()
