"""coldboost link: names that start the next program through the store, and drop-ins for systemd.

Usage: links.py COLDBOOST OBJECT [CASE…]
"""

import glob
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from store_case import COLDBOOST, StoreCase  # noqa: E402

UNITS = "/lib/systemd/system"


class Links(StoreCase):
    def setUp(self):
        super().setUp()
        self.bin = f"{self.folder}/bin"
        os.mkdir(self.bin)
        self.environment["PATH"] = f"{self.bin}:{self.environment['PATH']}"

    def test_a_name_starts_the_next_program(self):
        outcome = self.coldboost("link", "--dir", self.bin, "perl")
        self.equal((outcome.status, outcome.stderr), (0, b""), "link")
        for recordings in (1, 2):
            self.equal(self.plain(["perl", self.script]).stdout, b"4194304\n", "output")
            self.settle(recordings)
        outcome = self.plain(["perl", self.script], COLDBOOST="force", COLDBOOST_VERBOSE="1")
        self.check(self.is_boosted(outcome), f"the third start: {outcome.stderr}")

    def test_a_descriptor_is_no_link(self):
        descriptor = os.open(COLDBOOST, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        os.set_inheritable(descriptor, True)
        for path in (descriptor, f"/proc/self/fd/{descriptor}"):
            script = f"import os; os.execve({path!r}, ['coldboost', '--version'], os.environ)"
            outcome = subprocess.run([sys.executable, "-c", script], pass_fds=[descriptor], env=self.environment,
                                     capture_output=True, check=False)
            self.equal((outcome.returncode, outcome.stdout[:10]), (0, b"coldboost "), f"{path}: {outcome.stderr}")

    def test_a_script_that_env_starts(self):
        self.coldboost("link", "--dir", self.bin, "perl")
        script = self.write("script", "#!/usr/bin/env perl\nprint \"$0 @ARGV\";\n")
        os.chmod(script, 0o755)
        self.equal(self.plain([script, "a b"]).stdout, f"{script} a b".encode(), "output")
        self.settle(1)

    def test_it_never_finds_itself(self):
        self.coldboost("link", "--dir", self.bin, "no-such-program")
        outcome = self.plain(["no-such-program"])
        self.equal(outcome.status, 127, f"a name that nothing else has: {outcome.stderr}")

    def test_unlink_removes_its_own_alone(self):
        self.coldboost("link", "--dir", self.bin, "perl")
        other = self.write("bin/other", "")
        self.equal(self.coldboost("unlink", "--dir", self.bin, "perl").status, 0, "unlink")
        self.equal(os.path.lexists(f"{self.bin}/perl"), False, "the link is there")
        self.equal(self.coldboost("unlink", "--dir", self.bin, "other").status, 1, "somebody's file")
        self.equal(self.coldboost("link", "--dir", self.bin, "other").status, 1, "a name that is taken")
        self.check(os.path.exists(other), "somebody's file is gone")

    def test_wrong_names(self):
        for names in ([], ["a/b"], ["."], ["--systemd"]):
            self.equal(self.coldboost("link", "--dir", self.bin, *names).status, 2, f"{names}")


class Services(StoreCase):
    def test_drop_ins(self):
        """Of the services that are installed here, as systemd reads them."""
        analyze = shutil.which("systemd-analyze")
        units = [os.path.basename(path) for path in sorted(glob.glob(f"{UNITS}/*.service")) if self.is_plain(path)]
        if not analyze or not units:
            self.skipTest("there is no systemd-analyze, or no service")
        for unit in units[:12]:
            outcome = self.coldboost("link", "--systemd", "--dir", self.folder, unit)
            path = f"{self.folder}/{unit}.d/coldboost.conf"
            self.equal((outcome.status, outcome.stdout.decode()), (0, f"{path}\n"), f"{unit}: {outcome.stderr}")
            with open(path, encoding="utf-8") as file:
                text = file.read()
            self.check(f" run -- " in text and re.search(r"(?m)^ExecStart=$", text), f"{unit}: {text}")
            environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{self.folder}:"}
            plain = subprocess.run([analyze, "verify", unit], capture_output=True, check=False)
            ours = subprocess.run([analyze, "verify", unit], env=environment, capture_output=True, check=False)
            self.equal((ours.returncode, ours.stderr), (plain.returncode, plain.stderr), f"{unit}: verify")
            self.equal(self.coldboost("unlink", "--systemd", "--dir", self.folder, unit).status, 0, "unlink")
            self.check(not os.path.exists(f"{self.folder}/{unit}.d"), f"{unit}: the drop-in is there")
        self.equal(self.coldboost("link", "--systemd", "--dir", self.folder, "no-such.service").status, 1, "no unit")

    @staticmethod
    def is_plain(path):
        with open(path, encoding="utf-8", errors="replace") as unit:
            return "@" not in os.path.basename(path) and re.search(r"(?m)^ExecStart=[^@\n]", unit.read())


cases.main()
