"""coldboost run keeps its own profiles: the first starts are recorded, later ones are boosted.

Usage: starts.py COLDBOOST [CASE…]
"""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import plain_environment, run  # noqa: E402

COLDBOOST = os.path.abspath(cases.take("COLDBOOST"))
PERL = os.path.realpath("/usr/bin/perl")
PAGE = 4096
PATIENCE_S = 30
NOBODY = 65534

# Reads a file as large as perl itself, so that a change of it is one of more than a twentieth.
READS = """open(my $f, '<', "$ENV{FOLDER}/data") or die; local $/; my $t = <$f>; print length($t), "\\n";"""
LOOKS = """use POSIX; print join(' ', $$, getppid(), POSIX::getpgrp(), getpwuid($<), wait()), "\\n";"""


def as_nobody():
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


class StoreCase(cases.Case):
    def setUp(self):
        self.folder = self.new_folder(dir="/var/tmp")
        os.chmod(self.folder, 0o755)
        self.store = f"{self.folder}/store"
        self.environment = {
            **plain_environment(self.folder), "COLDBOOST_STORE": self.store, "FOLDER": self.folder}
        self.script = self.write("reads.pl", READS)
        self.data = self.write("data", "x" * (4 << 20))

    def write(self, name, text):
        with open(f"{self.folder}/{name}", "w", encoding="utf-8") as out:
            out.write(text)
        return f"{self.folder}/{name}"

    def coldboost(self, *arguments, **more):
        how = {"cwd": self.folder, **more}
        environment = {**self.environment, **how.pop("environment", {})}
        return run([COLDBOOST, *arguments], environment, **how)

    def status(self):
        return json.loads(self.coldboost("status", "--json").stdout)["starts"]

    def settle(self, recordings, count=1):
        """Waits for the watcher, which ends some time behind the program."""
        for _ in range(PATIENCE_S * 20):
            starts = self.status()
            if len(starts) == count and sum(start["recorded"] for start in starts) == recordings:
                return starts
            time.sleep(0.05)
        self.fail(f"the store never came to {recordings} recordings of {count} starts: {self.status()}")

    def start(self, *command, **environment):
        return self.coldboost("run", "--", *(command or [PERL, self.script]), environment=environment)

    def settled(self):
        """A start that has been recorded twice."""
        for recordings in (1, 2):
            self.equal(self.start().stdout, b"4194304\n", "output of a recorded start")
            self.settle(recordings)

    def is_boosted(self, outcome):
        return b"role=run" in outcome.stderr and b"plan=profile" in outcome.stderr

    def boosted(self, **environment):
        return self.is_boosted(self.start(COLDBOOST="force", COLDBOOST_VERBOSE="1", **environment))


class Starts(StoreCase):
    def test_two_recordings_settle_a_start(self):
        self.settled()
        self.check(self.boosted(), "the third start is not boosted")
        starts = self.settle(2)
        self.equal(starts[0]["replayed"], 1, "starts that were replayed")
        self.check(starts[0]["bytes"] > 4 << 20, f"the profile lacks the file that was read: {starts}")

    def test_silence(self):
        for _ in range(3):
            outcome = self.start()
            self.equal((outcome.status, outcome.stderr), (0, b""), "status and messages")

    def test_the_program_is_the_process_that_was_started(self):
        script = self.write("looks.pl", LOOKS)
        process = subprocess.Popen(
            [COLDBOOST, "run", "--", PERL, script], env=self.environment, stdout=subprocess.PIPE,
            cwd=self.folder, start_new_session=True)
        words = process.communicate(timeout=PATIENCE_S)[0].split()
        self.equal(words[:3], [b"%d" % process.pid, b"%d" % os.getpid(), b"%d" % process.pid], "ids")
        self.equal(words[-1], b"-1", "a child to wait for")
        self.settle(1)

    def test_paths_of_scripts_are_absolute(self):
        self.settled()
        for script in ("reads.pl", "./reads.pl"):
            self.equal(self.start(PERL, script).stdout, b"4194304\n", script)
        self.equal(self.settle(2)[0]["replayed"], 2, "starts that were replayed")

    def test_scripts_with_an_interpreter(self):
        script = self.write("script", f"#!{PERL}\n{READS}")
        os.chmod(script, 0o755)
        for recordings in (1, 2):
            self.equal(self.start(script).stdout, b"4194304\n", "output")
            self.settle(recordings)
        self.check(self.is_boosted(self.start("./script", COLDBOOST="force", COLDBOOST_VERBOSE="1")), "boosted")

    def test_each_argument_is_a_start_of_its_own(self):
        self.start()
        self.settle(1)
        self.start(PERL, "-e", "print 1")
        self.settle(2, count=2)

    def test_a_changed_file_is_recorded_again(self):
        self.settled()
        self.write("data", "y" * (5 << 20))
        self.equal(self.start().stdout, b"5242880\n", "output after the change")
        starts = self.settle(3)
        self.check(starts[0]["bytes"] > 5 << 20, f"the new pages are not in the profile: {starts}")
        self.check(self.boosted(), "the start after it is not boosted")

    def test_a_replaced_file_with_the_same_content_is_not(self):
        self.settled()
        before = os.stat(self.data)
        self.write("copy", "x" * (4 << 20))
        os.utime(f"{self.folder}/copy", ns=(before.st_mtime_ns, before.st_mtime_ns))
        os.rename(f"{self.folder}/copy", self.data)
        for _ in range(2):
            self.check(self.boosted(), "not boosted")
        self.settle(2)

    def test_only_one_of_many_first_starts_records(self):
        script = self.write("slow.pl", READS + "select(undef, undef, undef, 2);")
        command = [COLDBOOST, "run", "--", PERL, script]
        processes = [subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT) for _ in range(32)]
        outputs = {process.communicate(timeout=100)[0] for process in processes}
        self.equal(outputs, {b"4194304\n"}, "outputs of all")
        self.check(self.settle(1), "one recording")

    def test_arguments_that_never_repeat_share_a_profile(self):
        for i in range(4):
            self.start(PERL, "-e", f"print {i}")
            if i < 3:
                self.settle(i + 1, count=i + 1)
        starts = self.settle(4)
        self.check(starts[0]["general"], f"no general profile: {starts}")
        for i in (5, 6, 7):
            outcome = self.start(PERL, "-e", f"print {i}", COLDBOOST="force", COLDBOOST_VERBOSE="1")
            self.check(self.is_boosted(outcome), f"a start that is new: {outcome.stderr}")
        self.settle(4)
        self.start(PERL, "-e", "print 6")
        self.settle(5, count=2)

    def test_a_server_is_let_go_when_it_listens(self):
        server = self.write("server.pl", """use IO::Socket; my $s = IO::Socket::INET->new(Listen => 1,
            LocalAddr => '127.0.0.1') or die; $| = 1; print "up\\n"; sleep 100;""")
        process = subprocess.Popen([COLDBOOST, "run", "--", PERL, server], env=self.environment,
                                   stdout=subprocess.PIPE, cwd=self.folder)
        self.equal(process.stdout.readline(), b"up\n", "its output")
        self.settle(1)
        self.equal(process.poll(), None, "it still runs")
        process.kill()
        process.communicate()

    def test_recording_can_be_refused_and_wanted(self):
        self.start(COLDBOOST_RECORD="never")
        self.coldboost("run", "--no-record", "--", PERL, self.script)
        time.sleep(0.5)
        self.equal(self.status(), [], "what is kept")
        self.settled()
        self.coldboost("run", "--record", "--", PERL, self.script)
        self.settle(3)

    def test_a_named_profile_is_not_kept(self):
        profile = f"{self.folder}/own.cbp"
        self.coldboost("record", "-o", profile, "--", PERL, self.script)
        self.coldboost("run", "-p", profile, "--", PERL, self.script)
        time.sleep(0.3)
        self.equal(self.status(), [], "what is kept")

    def test_forget(self):
        self.settled()
        outcome = self.coldboost("forget", "nothing")
        self.equal(outcome.status, 2, f"a start that is not kept: {outcome.stderr}")
        self.equal(self.coldboost("forget", "reads.pl").status, 0, "forget")
        self.equal(self.status(), [], "what is kept")
        self.equal(os.listdir(self.store), ["lock"], "files")

    def test_killed_recordings_leave_no_profile(self):
        """At 200 moments, of starts of some 30 ms."""
        for moment in range(200):
            process = subprocess.Popen([COLDBOOST, "run", "--", PERL, self.script], env=self.environment,
                                       stdout=subprocess.PIPE, start_new_session=True)
            time.sleep(random.Random(moment).uniform(0, 0.04))
            watchers = subprocess.run(["pgrep", "-x", "coldboost"], capture_output=True, check=False).stdout
            for victim in [process.pid, *map(int, watchers.split())] if moment % 2 else [process.pid]:
                try:
                    os.kill(victim, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            process.communicate()
            if moment % 20 == 0:
                self.coldboost("forget", "--all")
        for name in os.listdir(self.store):
            self.check(name == "lock" or name.endswith((".cbp", ".log", ".new")), name)
            if name.endswith(".cbp"):
                shown = self.coldboost("show", f"{self.store}/{name}")
                self.equal(shown.status, 0, f"a profile that was kept: {shown.stderr}")
        outcome = self.start()
        self.equal((outcome.status, outcome.stdout, outcome.stderr), (0, b"4194304\n", b""), "a start after it")


class BadConditions(StoreCase):
    """The program runs as without us, in silence."""

    def plainly(self, name, **more):
        for _ in range(2):
            outcome = self.coldboost("run", "--", PERL, self.script, **more)
            self.equal((outcome.status, outcome.stdout, outcome.stderr), (0, b"4194304\n", b""), name)
        time.sleep(0.3)

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
        self.plainly("nobody", preexec_fn=as_nobody)
        store = f"{self.folder}/.cache/coldboost"
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
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k,mode=700", "none", self.store], check=False)
        if mounted.returncode:
            self.skipTest("nothing can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", self.store], check=True)
        self.plainly("a full disk")
        for name in os.listdir(self.store):
            self.check(not name.endswith((".cbp", ".new")), f"left behind: {name}")

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

    def test_what_cannot_be_started(self):
        self.equal(self.start("nothing-of-that-name").status, 127, "not found")
        self.equal(self.start(self.script).status, 126, "not executable")


cases.main()
