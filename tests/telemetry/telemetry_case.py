"""A program that is started boosted and leaves records of telemetry: what the tests of them share."""

import ctypes
import os
import resource
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import PR_SET_CHILD_SUBREAPER, plain_environment, run  # noqa: E402
from profiles import Profile, header_of, path_hash  # noqa: E402
from telemetry_records import EXTENSION, LAYOUT, RUNTIME, Record  # noqa: E402

COLDBOOST, OBJECT, VICTIM = map(os.path.abspath, cases.take("COLDBOOST OBJECT VICTIM"))
WALL = 0x40000000
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wait_for_orphans():
    """A replay in a process of its own may outlive its program, and writes its record at its end."""
    try:
        while True:
            os.waitpid(-1, WALL)
    except ChildProcessError:
        pass


class TelemetryCase(cases.Case):
    tool = COLDBOOST

    def setUp(self):
        self.folder = self.new_folder()
        os.chmod(self.folder, 0o777)
        self.object = shutil.copy(OBJECT, self.folder)
        self.victim = shutil.copy(VICTIM, self.folder)
        self.shell = shutil.copy("/bin/bash", f"{self.folder}/bash")
        self.environment = plain_environment("/")
        self.data = f"{self.folder}/data"
        with open(self.data, "wb") as out:
            out.write(os.urandom(64 * 4096))
        profile = Profile()
        ranges = [(profile.file(self.data), page, 2, 0) for page in range(0, 64, 16)]
        self.programs = [self.victim, self.shell]
        for program in self.programs:
            profile.section(program, ranges)
        self.profile = profile.write(f"{self.folder}/profile.cbp")
        self.profile_id = header_of(profile.encode()).crc32
        self.records_path = f"{self.folder}/records"
        self.addCleanup(self.forget_markers)

    def forget_markers(self):
        for program in self.programs:
            marker = f"/tmp/.coldboost-{path_hash(program):016x}"
            if os.path.lexists(marker):
                os.remove(marker)

    def start(self, *arguments, command=None, how=None, **settings):
        """Runs the victim boosted; its outcome and the records that it leaves."""
        environment = {
            **self.environment,
            "LD_PRELOAD": self.object,
            "COLDBOOST": "force",
            "COLDBOOST_PROFILE": self.profile,
            "COLDBOOST_TELEMETRY": self.records_path,
            **settings,
        }
        environment = {name: value for name, value in environment.items() if value is not None}
        if os.path.exists(self.records_path):
            os.remove(self.records_path)
        outcome = run([*(command or [self.victim]), *arguments], environment, cwd="/", **(how or {}))
        wait_for_orphans()
        records = []
        if os.path.exists(self.records_path):
            with open(self.records_path, "rb") as content:
                raw = content.read()
            self.equal(len(raw) % LAYOUT.size, 0, f"size of the records of {settings}")
            records = [
                Record(raw[at : at + LAYOUT.size])
                for at in range(0, len(raw) - LAYOUT.size + 1, LAYOUT.size)
            ]
        return outcome, records

    def expect(self, name, records, *expected):
        """Each expected: the fields that a record must have."""
        if not self.equal(len(records), len(expected), f"{name}: records {records}"):
            return
        for record, fields in zip(records, expected):
            found = {field: getattr(record, field) for field in fields}
            self.equal(found, fields, name)

    def in_lambda(self, role=RUNTIME, init_type=None):
        settings = {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1", "LAMBDA_TASK_ROOT": "/var/task"}
        if role == EXTENSION:
            settings.pop("LAMBDA_TASK_ROOT")
        if init_type:
            settings["AWS_LAMBDA_INITIALIZATION_TYPE"] = init_type
        return {**settings, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256"}
