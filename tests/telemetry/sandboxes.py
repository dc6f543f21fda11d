"""The records of starts in Lambda's sandboxes: who was first, in which role, and whatever /tmp is.

Usage: sandboxes.py COLDBOOST OBJECT VICTIM [CASE…]
"""

import collections
import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import run  # noqa: E402
from profiles import Profile, path_hash  # noqa: E402
from telemetry_case import TelemetryCase  # noqa: E402
from telemetry_records import (  # noqa: E402
    CHILD, COLD, DONE, EXTENSION, MANAGED, NO_METHOD, NO_STATE, ON_DEMAND, OTHER, PROCESS,
    PROVISIONED, RESTART, RUNTIME, SHELL,
    SNAP_START, START, SYNC,
)


class Sandboxes(TelemetryCase):
    def test_restarts(self):
        """The second process of a program in a sandbox is no cold start."""
        for init_type, kind, again in (
            (None, ON_DEMAND, (PROCESS, DONE, 8 * 4096)),
            ("provisioned-concurrency", PROVISIONED, (PROCESS, DONE, 8 * 4096)),
            ("snap-start", SNAP_START, (SYNC, DONE, 8 * 4096)),
            ("lambda-managed-instances", MANAGED, (NO_METHOD, NO_STATE, 0)),
        ):
            self.forget_markers()
            settings = self.in_lambda(init_type=init_type)
            common = {"role": RUNTIME, "init_type": kind, "memory_mib": 256}
            name = init_type or "on-demand"
            _, records = self.start("wait", "leave", **settings)
            method = SYNC if kind == SNAP_START else PROCESS
            self.expect(name, records, {**common, "start": COLD, "state": DONE, "method": method})
            gentle = [record.workers == 1 for record in records]
            self.equal(gentle, [kind == PROVISIONED], f"{name} has one worker")
            _, records = self.start("wait", "leave", **settings)
            found = [(record.method, record.state, record.bytes_asked) for record in records]
            self.equal(found, [again], f"{name}, again")
            self.expect(f"{name}, again", records, {**common, "start": RESTART})
            outcome, _ = self.start("wait", COLDBOOST_VERBOSE="1", **settings)
            self.check(b" start=restart " in outcome.stderr, f"{name}: {outcome.stderr}")
        self.forget_markers()
        for role in (EXTENSION, OTHER):
            settings = self.in_lambda(role) if role == EXTENSION else {}
            kinds = [self.start("wait", "leave", **settings)[1][0].start for _ in range(2)]
            self.equal(kinds, [COLD, RESTART if role == EXTENSION else COLD], f"role {role}")
        self.forget_markers()

    def test_without_tmp(self):
        """No /tmp, one that is read-only, or somebody's traps in it: the start goes on."""
        marker = f"/tmp/.coldboost-{path_hash(self.programs[0]):016x}"
        target = f"{self.folder}/precious"
        with open(target, "w", encoding="utf-8") as out:
            out.write("precious")
        plain = run([self.victim, "errno", "state"], self.environment, cwd="/")
        for trap in (os.symlink, os.link, lambda _, path: os.mkfifo(path)):
            trap(target, marker)
            outcome, records = self.start("errno", "state", **self.in_lambda())
            found = "; ".join(plain.differences(outcome)).replace("variables", "")
            self.equal(outcome.status, 0, f"a trap in /tmp: {found}")
            self.check(all(record.start == RESTART for record in records), f"a trap: {records}")
            os.remove(marker)
        with open(target, encoding="utf-8") as content:
            self.equal(content.read(), "precious", "a file behind a trap")
        if os.getuid() != 0:
            self.skip("other forms of /tmp", "they need root")
            return
        for name, mount in (
            ("read-only /tmp", "mount -t tmpfs -o ro none /tmp"),
            ("full /tmp", "mount -t tmpfs -o nr_inodes=1 none /tmp"),
            ("/tmp of a foreign user", "mount -t tmpfs -o mode=700,uid=1 none /tmp"),
            ("no /tmp", "mount --bind /proc /tmp"),
        ):
            # Not in /tmp itself, which is about to be covered.
            files = "/var/tmp" if self.folder.startswith("/tmp") else self.folder
            with tempfile.TemporaryDirectory(prefix="coldboost-telemetry-", dir=files) as folder:
                os.chmod(folder, 0o777)
                copies = [shutil.copy(path, folder) for path in (self.object, self.victim, self.data)]
                profile = Profile()
                profile.section(os.path.realpath(copies[1]), profile.whole_files([copies[2]]))
                records = self.records_path
                self.records_path = f"{folder}/records"
                script = f'{mount} && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"'
                inside = [f"{key}={value}" for key, value in self.in_lambda().items()]
                outcome, found = self.start(
                    "wait", "leave",
                    command=["unshare", "-m", "sh", "-c", script, "sh", "env",
                             f"LD_PRELOAD={copies[0]}", *inside, copies[1]],
                    LD_PRELOAD=None, COLDBOOST_PROFILE=profile.write(f"{folder}/profile.cbp"),
                )
                self.records_path = records
                self.equal(outcome.status, 3, f"{name}: {outcome.stderr}")
                self.expect(name, found, {"start": COLD, "role": RUNTIME, "state": DONE})

    def test_shell_and_children(self):
        """A bootstrap script is a shell with children; each program of it is replayed once."""
        self.forget_markers()
        script = f'for i in 1 2 3; do "{self.victim}" wait errno; done; exec "{self.victim}" wait leave'
        _, records = self.start("-c", script, command=[self.shell], **self.in_lambda())
        # The shell's own comes when its replay is done, perhaps after its first child's.
        starts = collections.Counter(
            (record.role, record.program, record.start, record.method)
            for record in records if record.event == START
        )
        expected = [(SHELL, "bash", COLD, PROCESS), (CHILD, "victim", COLD, PROCESS),
                    (CHILD, "victim", RESTART, NO_METHOD), (CHILD, "victim", RESTART, NO_METHOD),
                    (RUNTIME, "victim", RESTART, PROCESS)]
        self.equal(starts, collections.Counter(expected), "a bootstrap script")
        self.forget_markers()
        _, records = self.start(
            "-c", f'"{self.victim}" wait errno; true', command=[self.shell],
            **self.in_lambda(init_type="snap-start"),
        )
        self.equal({record.role for record in records}, {SHELL}, "children and snap-start")
        self.forget_markers()
        without_profile = {**self.in_lambda(), "COLDBOOST_PROFILE": "/nowhere"}
        _, records = self.start("-c", f'"{self.victim}" errno; true', command=[self.shell], **without_profile)
        self.equal({record.role for record in records}, {SHELL}, "children without a profile")


cases.main()
