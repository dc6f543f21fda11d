"""Starts that are recorded where nobody would reap a watcher, as in a container whose process 1 is an application.

Usage: unwatched.py COLDBOOST OBJECT [CASE…]
"""

import glob
import json
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import run  # noqa: E402
from store_case import NOBODY, OBJECT, PATIENCE_S, READS, StoreCase, as_nobody  # noqa: E402

PROCESS_1 = os.path.join(HERE, "..", "preload", "adopters", "process_1.py")
ALONE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
MANY = 3000  # files
IDLE_S = 10  # after that nobody adds to a trace any more
LISTENS = """use IO::Socket::INET; my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die;
$| = 1; print "ready\\n"; <STDIN>;"""


class Unwatched(StoreCase):
    @classmethod
    def setUpClass(cls):
        if subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode:
            raise cases.SkipTest("no new PID namespace here (unshare as root)")

    def setUp(self):
        super().setUp()
        self.copy_ours()
        self.copy_perl()

    def alone(self, *command, **environment):
        """As process 1 of a new PID namespace."""
        return run([*ALONE, *command], {**self.environment, **environment}, cwd=self.folder)

    def started(self, *arguments, **environment):
        return self.alone(self.command, "run", "--", self.perl, *(arguments or [self.script]), **environment)

    def traces(self):
        return sorted(glob.glob(f"{self.store}/*.trace"))

    def expect(self, recorded, traces, message):
        starts = self.status()
        kept = [start["recorded"] for start in starts if start["recorded"]]
        self.equal(kept, recorded, f"{message}: recordings in {starts}")
        self.equal(sum(start["waiting"] for start in starts), traces, f"{message}: waiting in {starts}")
        self.equal(len(self.traces()), traces, f"{message}: traces")

    def test_the_second_start_is_boosted(self):
        verbose = {"COLDBOOST": "force", "COLDBOOST_VERBOSE": "1"}
        for recorded, traces in (([], 1), ([1], 1), ([2], 0), ([2], 0)):
            outcome = self.started(**verbose)
            self.equal(outcome.stdout, b"4194304\n", "output")
            self.equal(b"plan=profile mode=sync" in outcome.stderr, bool(recorded), f"boosted: {outcome.stderr}")
            self.expect(recorded, traces, f"of {recorded}")
        self.equal(os.stat(glob.glob(f"{self.store}/*.cbp")[0]).st_mode & 0o777, 0o600, "mode of a profile")

    def test_two_variables(self):
        verbose = {"COLDBOOST": "force", "COLDBOOST_VERBOSE": "1"}
        for recorded, traces in (([], 1), ([1], 1), ([2], 0)):
            self.evict()
            outcome = self.alone("env", "LD_PRELOAD=" + OBJECT, self.perl, self.script, **verbose)
            self.equal(outcome.stdout, b"4194304\n", "output")
            self.equal(b"plan=profile" in outcome.stderr, bool(recorded), f"boosted: {outcome.stderr}")
            self.expect(recorded, traces, f"of {recorded}")

    def test_the_profile_is_that_of_a_watched_start(self):
        """But for the order, in which the recorder looks more seldom."""
        bytes_read = []
        for start in (self.started, lambda: self.coldboost("run", "--", self.perl, self.script)):
            for _ in range(2):
                start()
                self.await_watchers()
            bytes_read.append(self.status()[0]["bytes"])
            self.coldboost("forget", "--all")
        self.check(0.9 < bytes_read[0] / bytes_read[1] < 1.1, f"bytes of a start, unwatched and watched: {bytes_read}")

    def test_nothing_stays_behind(self):
        """No zombie below an application, no child for the program, the same output."""
        script = self.write("looks.pl", "print wait(), ' ', join(',', sort keys %SIG) eq '' || 1;")
        plain = self.alone(self.perl, script)
        for _ in range(3):
            self.same(plain, self.started(script), "a recorded start as process 1")
        seen = self.alone(sys.executable, PROCESS_1, "inside", "4", self.command, "run", "--", self.perl, self.script)
        self.equal(json.loads(seen.stdout), {"modes": [], "zombies": []}, "below an application")
        self.equal(sorted(start["recorded"] for start in self.status()), [2, 2], "recordings")

    def test_a_user(self):
        os.chown(self.folder, NOBODY, NOBODY)
        command = [*ALONE, "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        for recorded in ([], [1], [2]):
            outcome = run([*command, self.command, "run", "--", self.perl, self.script], self.environment, cwd=self.folder)
            self.equal((outcome.stdout, outcome.stderr), (b"4194304\n", b""), "output")
            starts = json.loads(self.coldboost("status", "--json", preexec_fn=as_nobody).stdout)["starts"]
            self.equal([start["recorded"] for start in starts if start["recorded"]], recorded, "recordings")

    def test_a_server_is_recorded_until_it_listens(self):
        script = self.write("listens.pl", LISTENS)
        command = [*ALONE, self.command, "run", "--", self.perl, script]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.environment)
        self.equal(server.stdout.readline(), b"ready\n", "output")
        self.equal(self.started(script).stdout, b"ready\n", "a second server")
        self.expect([1], 1, "while the first one runs")
        server.communicate(b"\n", timeout=PATIENCE_S)

    def test_killed_and_endless(self):
        """Whoever ends without a word, or never, has been recorded until then."""
        killed = self.write("killed.pl", READS + " kill 9, $$;")
        endless = self.write("endless.pl", "open(my $f, '<', $ENV{FOLDER} . '/data') or die; $| = 1; print <$f>; sleep 1 while 1;")
        inner = f"'{self.command}' run -- '{self.perl}' '{killed}' & '{self.command}' run -- '{self.perl}' '{endless}' & wait"
        # An application that is process 1, and goes on.
        outer = subprocess.Popen(
            [*ALONE, self.perl, "-e", f"""$0 = 'app'; system("sh", "-c", $ARGV[0]); sleep 100""", inner],
            stdout=subprocess.DEVNULL, env=self.environment, cwd=self.folder)
        self.addCleanup(outer.wait)
        self.addCleanup(outer.kill)
        deadline = time.monotonic() + PATIENCE_S
        while len(self.traces()) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        self.started(self.script)
        self.expect([], 3, "too early to tell")
        time.sleep(IDLE_S + 2)
        self.started(self.script)
        self.expect([1, 1, 1], 1, "later")
        for start in self.status():
            self.check(start["bytes"] > 4 << 20, f"what was read: {start}")

    def test_few_traces_at_most(self):
        """Each start of a program takes what others have left."""
        for i in range(7):
            self.equal(self.started("-e", f"print {i}").stdout, b"%d" % i, "output")
            self.check(len(self.traces()) <= 1, f"traces: {self.traces()}")
        starts = self.status()
        self.equal([start["start"].split()[-1] for start in starts if start["general"]], ["…"], f"general: {starts}")

    def test_traces_of_anything(self):
        self.started()
        trace = self.traces()[0]
        with open(trace, "rb") as file:
            whole = file.read()
        garbage = os.urandom(1 << 20)
        for name, content in (
                ("empty", b""), ("noise", garbage), ("cut", whole[:1 << 19]), ("too long", whole + whole),
                ("overwritten", whole[:300000] + garbage + whole[300000 + len(garbage):]),
                ("overwritten paths", whole[:280000] + b"/" * 20000 + whole[300000:])):
            with open(trace, "wb") as file:
                file.write(content)
            outcome = self.started()
            self.equal((outcome.status, outcome.stdout, outcome.stderr), (0, b"4194304\n", b""), name)
            for found in glob.glob(f"{self.store}/*"):
                os.remove(found)

    def test_traces_that_are_none(self):
        os.mkdir(self.store, 0o700)
        self.started()
        trace = self.traces()[0]
        for name, make in (
                ("a link", lambda: os.symlink(self.data, trace)), ("a folder", lambda: os.mkdir(trace)),
                ("a pipe", lambda: os.mkfifo(trace)), ("somebody's", lambda: self.somebodys(trace))):
            shutil.rmtree(self.store)
            os.mkdir(self.store, 0o700)
            make()
            outcome = self.started()
            self.equal((outcome.status, outcome.stdout, outcome.stderr), (0, b"4194304\n", b""), name)
            self.equal(self.status(), [], f"{name}: what is kept")
        self.equal(os.stat(self.data).st_size, 4 << 20, "behind the link")

    @staticmethod
    def somebodys(path):
        with open(path, "wb"):
            os.chown(path, NOBODY, NOBODY)

    def reads_many(self):
        """A script whose profile takes a while to make."""
        os.mkdir(f"{self.folder}/many")
        for i in range(MANY):
            self.write(f"many/{i}", "x")
        return self.write("many.pl", """for (glob("$ENV{FOLDER}/many/*")) { open(my $f, '<', $_) or die; <$f>; } print "read\\n";""")

    def test_whoever_ends_with_the_program_is_waited_for(self):
        """A watched start, in a container whose process 1 reaps: with that the container ends, and kills the watcher."""
        inside = f"'{self.command}' run -- '{self.perl}' '{self.reads_many()}'; exit $?"
        for recorded in ([1], [2]):
            self.equal(self.alone("sh", "-c", inside).stdout, b"read\n", "output")
            self.expect(recorded, 0, "at the container's end")

    def test_a_step_that_makes_an_image_is_waited_for(self):
        """In another root, without namespaces: what stands there when the program ends is the image."""
        root = f"{self.folder}/root"
        os.mkdir(root)
        binds = []
        for name in ("bin", "dev", "etc", "lib", "lib64", "proc", "usr", "var"):
            if os.path.islink(f"/{name}"):
                os.symlink(os.readlink(f"/{name}"), f"{root}/{name}")
            elif os.path.isdir(f"/{name}"):
                os.mkdir(f"{root}/{name}")
                binds.append(f"mount --rbind /{name} '{root}/{name}' && ")
        step = f"{''.join(binds)} chroot '{root}' '{self.command}' run -- '{self.perl}' '{self.reads_many()}'"
        outcome = run(["unshare", "--mount", "sh", "-c", step], self.environment, cwd=self.folder)
        made = os.listdir(self.store)
        self.equal(outcome.stdout, b"read\n", f"output: {outcome.stderr}")
        self.equal(sorted(os.path.splitext(name)[1] for name in made), ["", ".cbp", ".log"], "when the step ends")

    def test_what_waits_is_shown_and_forgotten(self):
        for words in (["--all"], ["reads.pl"]):
            for recorded in (b"  0  ", b"  1  "):  # without a profile, and beside one
                self.started()
                outcome = self.coldboost("status")
                self.check(recorded in outcome.stdout and b"reads.pl (recorded; " in outcome.stdout, f"{outcome.stdout}")
            self.coldboost("forget", *words)
            self.equal((self.status(), self.traces()), ([], []), f"after forget {words}")
            self.started()
            self.coldboost("forget", *words)
            self.equal((self.status(), self.traces()), ([], []), f"nothing but a trace, after forget {words}")

    def test_a_full_disk(self):
        """A trace has all of its room before the program runs, or there is none."""
        os.mkdir(self.store, 0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3M,mode=700", "none", self.store], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.store], check=True)
        outcome = self.started()
        self.equal((outcome.status, outcome.stdout, outcome.stderr), (0, b"4194304\n", b""), "a full disk")
        self.equal(os.listdir(self.store), [], "files")

    def test_limits(self):
        for limit in ("--fsize=0", "--fsize=1000000", "--as=300000000", "--nofile=8", "--nproc=1", "--data=16000000"):
            os.chown(self.folder, NOBODY, NOBODY)
            outcome = self.alone(
                "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                "prlimit", limit, self.command, "run", "--", self.perl, self.script)
            self.equal((outcome.status, outcome.stdout, outcome.stderr), (0, b"4194304\n", b""), limit)
            shutil.rmtree(self.store, ignore_errors=True)

    def test_another_program_at_the_same_path(self):
        """A container of another image shares the store: what was recorded of another file is not kept."""
        self.started()
        with open(self.perl, "ab") as file:
            file.write(b"more")
        self.equal(self.started().stdout, b"4194304\n", "output")
        self.expect([], 1, "after an upgrade")


cases.main()
