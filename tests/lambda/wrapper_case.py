"""A layer's folder, the wrapper with lib/libcoldboost.so beside it, and programs that it starts."""

import os
import re
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from cases import Case, take  # noqa: E402
from coldboost_support import plain_environment, run  # noqa: E402
from profiles import Profile  # noqa: E402

WRAPPER, OBJECT, VICTIM, FREEZE, PRINT_ARGUMENTS = map(
    os.path.abspath, take("WRAPPER OBJECT VICTIM FREEZE PRINT_ARGUMENTS"))
DONE = re.compile(
    rb"coldboost: role=other start=cold plan=profile mode=process ranges=(\d+)/\1 bytes=\d+ "
    rb"stale_files=0 us=\d+ state=done\n"
)
STARTED = re.compile(rb"coldboost: role=\w+ start=unknown plan=started [^\n]*\n")


class WrapperCase(Case):
    def setUp(self):
        self.folder = self.new_folder()
        os.makedirs(f"{self.folder}/opt/lib")
        self.wrapper = shutil.copy(WRAPPER, f"{self.folder}/opt")
        self.object = shutil.copy(OBJECT, f"{self.folder}/opt/lib")
        self.victim = shutil.copy(VICTIM, self.folder)
        self.printer = shutil.copy(PRINT_ARGUMENTS, self.folder)
        self.environment = plain_environment("/")
        profile = Profile()
        data = []
        for i in range(40):
            data.append(f"{self.folder}/data{i}")
            with open(data[-1], "wb") as out:
                out.write(os.urandom(4096) * 16)
        for program in (self.victim, self.printer):
            profile.section(program, profile.whole_files(data))
        self.profile = profile.write(f"{self.folder}/profile.cbp")
        self.boost = {"COLDBOOST": "force", "COLDBOOST_PROFILE": self.profile}

    def wrapped(self, *command, stdin=b"", environment=None, **more):
        variables = {**self.environment, **(self.boost if environment is None else environment)}
        return run([self.wrapper, *command], variables, stdin, cwd=self.folder, **more)

    def own_profile(self, program):
        profile = Profile()
        profile.section(os.path.realpath(program), profile.whole_files([f"{self.folder}/data0"]))
        return profile.write(f"{self.folder}/own.cbp")
