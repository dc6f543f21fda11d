"""No file harms coldboost inspect, and no command line confuses it.

Usage: hostile_files.py COLDBOOST OBJECT PRINT_ARGUMENTS PRINT_ARGUMENTS_STATIC COMPILER [CASE…]
"""

import json
import os
import random
import resource
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from inspect_case import InspectCase  # noqa: E402


def limit_memory():
    resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20))


class HostileFiles(InspectCase):
    def damaged(self, path, what):
        outcome = self.inspect("--json", path, preexec_fn=limit_memory)
        self.check(outcome.status in (0, 1), f"{what}: status {outcome.status}, {outcome.stderr}")
        if outcome.status == 0:
            json.loads(outcome.stdout)
        else:
            self.check(path.encode() in outcome.stderr and not outcome.stdout,
                       f"{what}: {outcome.stderr}")
        return outcome.status

    def test_hostile(self):
        """Deterministic: the same damage each time."""
        chance, path, seen = random.Random(6), f"{self.folder}/damaged", set()
        for original in (self.printer, self.static, self.object):
            with open(original, "rb") as file:
                whole = file.read()
            for number in range(150):
                damaged = bytearray(whole)
                if number % 3 == 0:
                    del damaged[chance.randrange(len(damaged)):]
                else:
                    for _ in range(1 + number % 4):
                        size = (64, 1024, 4096, len(damaged))[number % 4]
                        damaged[chance.randrange(size)] ^= 1 << chance.randrange(8)
                with open(path, "wb") as file:
                    file.write(damaged)
                seen.add(self.damaged(path, f"{os.path.basename(original)}, damage {number}"))
        self.equal(seen, {0, 1}, "answers to damaged files")
        endless = ":".join(["$ORIGIN/../" * 50 + f"x{i}" for i in range(7)] * 800)[:4000]
        source = "int main(void) { return 0; }"
        libraries = []
        for i in range(40):
            libraries.append(self.compile(f"many/lib{i}.so", "int x;", "-shared", "-fPIC", f"-Wl,-soname,lib{i}.so"))
        program = self.compile("many/program", source, "-Wl,--no-as-needed", *libraries, f"-Wl,-rpath,{endless}")
        self.equal(self.damaged(program, "endless RUNPATH"), 0, "endless RUNPATH")
        with open(path, "wb") as file: # 1 TiB, nearly all of it a hole
            with open(self.printer, "rb") as whole:
                file.write(whole.read())
            file.truncate(1 << 40)
        self.damaged(path, "a sparse file")
        os.remove(path)
        os.mkfifo(path)
        self.equal(self.damaged(path, "a FIFO"), 1, "a FIFO")

    def test_usage(self):
        for arguments in (["-p"], ["a", "b"], []):
            self.equal(self.inspect(*arguments).status, 2, f"inspect {arguments}")
        outcome = self.inspect("/nowhere")
        self.check(outcome.status == 1 and b"/nowhere: No such file" in outcome.stderr, str(outcome.stderr))


cases.main()
