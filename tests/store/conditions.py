"""Stores that cannot be used: the program runs as without us, in silence.

Usage: conditions.py COLDBOOST OBJECT [CASE…]
"""

import os
import resource
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from hanging_store import HANGS, HangingStore  # noqa: E402
from store_case import COLDBOOST, NOBODY, PATIENCE_S, PERL, StoreCase, as_nobody  # noqa: E402


class BadConditions(StoreCase):
    """The program runs as without us, in silence."""

    def setUp(self):
        super().setUp()
        self.copy_ours()

    def plainly(self, name, **more):
        for _ in range(2):
            outcome = self.coldboost("run", "--", PERL, self.script, **more)
            self.equal((outcome.status, outcome.stdout, outcome.stderr), (0, b"4194304\n", b""), name)
        self.await_watchers()

    def test_no_home(self):
        self.environment.pop("COLDBOOST_STORE")
        self.environment.pop("HOME")
        self.plainly("nobody without a home", preexec_fn=as_nobody)

    def test_a_home_that_is_read_only(self):
        self.environment.pop("COLDBOOST_STORE")
        self.plainly("nobody in root's home", preexec_fn=as_nobody)
        self.equal(os.path.exists(f"{self.folder}/.cache"), False, "a folder was made")

    def test_a_home_of_ones_own(self):
        self.environment.pop("COLDBOOST_STORE")
        os.chown(self.folder, NOBODY, NOBODY)
        self.store = store = f"{self.folder}/.cache/coldboost"
        self.plainly("nobody", preexec_fn=as_nobody)
        self.equal(os.stat(store).st_mode & 0o777, 0o700, "mode of the store")
        self.equal({os.stat(f"{store}/{name}").st_mode & 0o777 for name in os.listdir(store)}, {0o600}, "of files")

    def test_a_store_that_is_a_file(self):
        self.write("store", "")
        self.plainly("a file")

    def test_a_store_that_is_a_link(self):
        os.mkdir(f"{self.folder}/elsewhere", 0o700)
        os.symlink("elsewhere", self.store)
        self.plainly("a link")
        self.equal(os.listdir(f"{self.folder}/elsewhere"), [], "behind the link")

    def test_a_store_that_others_may_write(self):
        os.mkdir(self.store)
        os.chmod(self.store, 0o777)
        self.plainly("mode 777")
        self.equal(os.listdir(self.store), [], "files")

    def test_a_store_of_somebody_else(self):
        os.mkdir(self.store)
        os.chown(self.store, NOBODY, NOBODY)
        self.plainly("nobody's, for root")
        self.equal(os.listdir(self.store), [], "files")

    def test_files_that_are_links(self):
        self.settled()
        for name in os.listdir(self.store):
            os.rename(f"{self.store}/{name}", f"{self.folder}/{name}")
            os.symlink(f"{self.folder}/{name}", f"{self.store}/{name}")
        self.plainly("links")

    def test_files_of_anything(self):
        self.settled()
        for content in (b"", b"x", b"CBSTORE1" + b"\xff" * 3000, os.urandom(4096)):
            for name in os.listdir(self.store):
                with open(f"{self.store}/{name}", "wb") as out:
                    out.write(content)
            self.plainly("damaged files")

    def test_a_full_disk(self):
        os.mkdir(self.store, 0o700)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,mode=700", "none", self.store], check=False)
        if mounted.returncode:
            self.skipTest("nothing can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", self.store], check=True)
        self.plainly("a full disk")
        for name in os.listdir(self.store):
            self.check(not name.endswith((".cbp", ".new")), f"left behind: {name}")

    def test_a_store_that_hangs(self):
        """Whoever waits for a FUSE server does not end, not even when killed: nothing may be asked of it."""
        wrapper = shutil.copy(f"{COLDBOOST}-wrapper", f"{self.folder}/tools")
        ways = {"run": ([self.command, "run", "--"], {}), "wrapper": ([wrapper], {}),
                "LD_PRELOAD": ([], {"LD_PRELOAD": f"{self.folder}/preload/libcoldboost.so"}),
                "LD_AUDIT": ([], {"LD_AUDIT": f"{self.folder}/preload/libcoldboost.so"})}
        os.mkdir(self.store)
        for hang, answered in HANGS.items():
            for name, (prefix, variables) in ways.items():
                for below in ("", "/below"):
                    for user in (None, as_nobody):
                        environment = {"COLDBOOST_STORE": self.store + below, **variables}
                        self.ends(f"{name}, {hang} hangs{below}, {user}", answered, [*prefix, PERL, self.script],
                                  environment, user)

    def ends(self, name, answered, command, environment, user):
        with HangingStore(self.store, answered) as server:
            process = subprocess.Popen(command, env={**self.environment, **environment}, preexec_fn=user,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                seen = process.communicate(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                seen = "it does not end"
        process.wait()
        self.equal((seen, process.returncode, server.taken), ((b"4194304\n", b""), 0, 0), name)

    def test_limits(self):
        for name, limit, value in (("fsize", resource.RLIMIT_FSIZE, 0), ("nproc", resource.RLIMIT_NPROC, 1),
                                   ("nofile", resource.RLIMIT_NOFILE, 6), ("data", resource.RLIMIT_DATA, 16 << 20)):
            os.chown(self.folder, NOBODY, NOBODY)

            def limited(limit=limit, value=value):
                as_nobody()
                resource.setrlimit(limit, (value, value))

            self.plainly(name, preexec_fn=limited)

    def test_a_program_that_leaves(self):
        script = self.write("leaves.pl", """use POSIX; exit if fork; POSIX::setsid(); exit if fork; sleep 1;""")
        self.equal(self.start(PERL, script).status, 0, "a daemon")
        self.settle(1)

    def test_a_program_that_execs(self):
        script = self.write("execs.pl", f"""exec '{PERL}', "$ENV{{FOLDER}}/reads.pl";""")
        self.equal(self.start(PERL, script).stdout, b"4194304\n", "what it becomes")
        self.settle(1)

    def test_without_standard_streams(self):
        def close_all():
            for stream in range(3):
                os.close(stream)

        for recordings in (1, 2):
            self.coldboost("run", "--", PERL, "-e", "exit 7", preexec_fn=close_all)
            self.settle(recordings)

    def test_what_cannot_be_started(self):
        self.equal(self.start("nothing-of-that-name").status, 127, "not found")
        self.equal(self.start(self.script).status, 126, "not executable")


cases.main()
