"""A guest with manners: a program with libcoldboost.so and without it, compared in every mode."""

import ctypes
import os
import re
import resource
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
from cases import Case, take  # noqa: E402
from coldboost_support import plain_environment, run  # noqa: E402
from profiles import Profile  # noqa: E402

ARCH, OBJECT, VICTIM, FREEZE = take("ARCH OBJECT VICTIM FREEZE")
LIBC = ctypes.CDLL(None)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class MannersCase(Case):
    @classmethod
    def setUpClass(cls):
        cls.folder = cls.shared_folder()
        os.chmod(cls.folder, 0o755)  # some victims are nobody's
        cls.object = shutil.copy(OBJECT, cls.folder)
        cls.victim = shutil.copy(VICTIM, cls.folder)
        cls.environment = plain_environment("/")
        files = []
        for i in range(300):
            files.append(f"{cls.folder}/data{i}")
            with open(files[-1], "wb") as out:
                out.write(os.urandom(4096) * 16)
        profile = Profile()
        ranges = []
        for epoch, path in enumerate(files):
            ranges += [(profile.file(path), page, 2, epoch) for page in (0, 12)]
        profile.section(os.path.realpath(cls.victim), ranges)
        cls.range_count = len(ranges)
        cls.profile = profile.write(f"{cls.folder}/victim.cbp")

    def boosted(self, mode, **more):
        return {
            "LD_PRELOAD": self.object,
            "COLDBOOST": "force",
            "COLDBOOST_PROFILE": self.profile,
            "COLDBOOST_MODE": mode,
            **more,
        }

    def compare(self, name, arguments, modes=("process", "thread", "sync"), times=3, prefix=(), **how):
        """With and without us, in every mode, a few times over: what races may show."""
        extra = how.pop("environment", {})
        command = [*prefix, self.victim, *arguments]
        plain = run(command, {**self.environment, **extra}, cwd="/", **how)
        settings = {mode: self.boosted(mode) for mode in modes}
        settings["16 workers"] = self.boosted("thread", COLDBOOST_WORKERS="16")
        settings["no profile"] = {"LD_PRELOAD": self.object}
        settings["off"] = {"LD_PRELOAD": self.object, "COLDBOOST": "off"}
        for mode, variables in settings.items():
            for _ in range(times):
                boosted = run(command, {**self.environment, **extra, **variables}, cwd="/", **how)
                boosted.stderr = re.sub(rb"(?m)^ERROR: ld.so: object.*\n", b"", boosted.stderr)
                found = "; ".join(plain.differences(boosted))
                self.check(not found, f"{name}, {mode}: {found}")
        return plain
