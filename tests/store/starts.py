"""coldboost run keeps its own profiles: the first starts are recorded, later ones are boosted.

Usage: starts.py COLDBOOST OBJECT [CASE…]
"""

import os
import random
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from openmetrics import samples_of  # noqa: E402
from store_case import COLDBOOST, LOOKS, PAGE, PATIENCE_S, PERL, READS, StoreCase  # noqa: E402


class Starts(StoreCase):
    def test_two_recordings_settle_a_start(self):
        self.settled()
        self.check(self.boosted(), "the third start is not boosted")
        starts = self.settle(2)
        self.equal(self.used(), 2, "starts that were replayed, or need not be")
        self.check(starts[0]["bytes"] > 4 << 20, f"the profile lacks the file that was read: {starts}")

    def test_the_second_start_is_boosted_and_recorded(self):
        self.start()
        self.settle(1)
        outcome = self.start(COLDBOOST="force", COLDBOOST_VERBOSE="1")
        self.equal(outcome.stdout, b"4194304\n", "output")
        self.check(self.is_boosted(outcome), f"not boosted: {outcome.stderr}")
        self.equal([(start["recorded"], start["boosted"]) for start in self.settle(2)], [(2, 1)], "recorded, boosted")

    def test_what_a_boosted_start_gains(self):
        """A cold start that is recorded, and cold ones that are boosted: both are timed, until four are known. Not
        the second, which is both. The script lingers, so that the watcher sees all that it has read."""
        self.use_what_lingers()
        for recordings in (1, 2):
            self.cold_start()
            self.settle(recordings)
        for timed in range(1, 7):
            self.cold_start()
            start = self.settle(2)[0]
            self.equal((start["boosted"], start["warm"]), (timed + 1, 0), f"after {timed} more boosted starts")
            self.await_timed(min(timed, 4))
        start = self.status()[0]
        self.check(start["cold_us"] > 1000 and start["boosted_us"] > 1000, f"times: {start}")
        self.coldboost("run", "--", self.perl, self.script)
        self.equal(self.status()[0]["warm"], 1, "warm starts")
        self.check(b" warm " in self.coldboost("status").stdout, "the table")

    def test_a_container_knows_what_its_first_start_took(self):
        """Where all of it ends with the program, that waits for its profile, and has not ended yet."""
        if os.geteuid():
            self.skipTest("needs root, for a PID namespace")
        self.use_what_lingers()
        self.cold_start("unshare", "--pid", "--fork", "--mount-proc", "bash", "-c", '"$@"; exit $?', "bash")
        for recordings in (1, 2):
            self.settle(recordings)
            self.cold_start()
        self.await_timed(1)

    def use_what_lingers(self):
        self.script = self.write("lingers.pl", f"{READS} select(undef, undef, undef, 0.5);")
        self.copy_perl()

    def cold_start(self, *where):
        self.evict(self.data)
        command = [*where, COLDBOOST, "run", "--", self.perl, self.script]
        self.equal(self.plain(command).stdout, b"4194304\n", "output of a cold start")

    def await_timed(self, count):
        for _ in range(PATIENCE_S * 20):
            if self.status()[0].get("timed") == count:
                return
            time.sleep(0.05)
        self.fail(f"not {count} starts were timed: {self.status()}")

    def test_no_start_is_lost_while_the_log_is_replaced(self):
        """Each time that the data is touched a start looks at all files, and counts what the log has."""
        self.settled()
        before = self.used()
        command = [COLDBOOST, "run", "--", PERL, self.script]
        for _ in range(10):
            os.utime(self.data, ns=(os.stat(self.data).st_atime_ns, os.stat(self.data).st_mtime_ns))
            starts = [subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE) for _ in range(8)]
            self.equal({start.communicate(timeout=PATIENCE_S)[0] for start in starts}, {b"4194304\n"}, "outputs")
        self.equal(self.used() - before, 80, "starts that are counted")
        self.settle(2)

    def test_a_look_at_the_files_does_not_make_them_warm(self):
        """To see whether they have changed, their first pages are read, which are what tells a warm start."""
        self.settled()
        before = self.status()[0]
        os.utime(self.data, ns=(os.stat(self.data).st_atime_ns, os.stat(self.data).st_mtime_ns))
        outcome = self.start(COLDBOOST_VERBOSE="1")
        self.check(re.search(rb"role=run .* ranges=[1-9].* state=(done|unfinished)", outcome.stderr), outcome.stderr)
        after = self.settle(2)[0]
        self.equal((after["boosted"] - before["boosted"], after["warm"] - before["warm"]), (1, 0), "boosted, warm")

    def test_a_full_log_is_counted(self):
        self.settled()
        before = self.used()
        for _ in range(130):
            self.start()
        self.equal(self.used() - before, 130, "starts that are counted")
        log, = (name for name in os.listdir(self.store) if name.endswith(".log"))
        self.check(os.stat(f"{self.store}/{log}").st_size <= PAGE, "the log is no page")

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
        before = self.used()
        for script in ("reads.pl", "./reads.pl"):
            self.equal(self.start(PERL, script).stdout, b"4194304\n", script)
        self.equal(self.used() - before, 2, "starts that found it")

    def test_scripts_with_an_interpreter(self):
        script = self.write("script", f"#!{PERL}\n{READS}")
        os.chmod(script, 0o755)
        for recordings in (1, 2):
            self.equal(self.start(script).stdout, b"4194304\n", "output")
            self.settle(recordings)
        self.check(self.is_boosted(self.start("./script", COLDBOOST="force", COLDBOOST_VERBOSE="1")), "boosted")

    def test_the_wrapper_finds_them(self):
        script = self.write("script", f"#!{PERL}\n{READS}")
        os.chmod(script, 0o755)
        wrapper = os.path.join(os.path.dirname(COLDBOOST), "coldboost-wrapper")
        for count, command in enumerate(([PERL, self.script], [script]), 1):
            for recordings in (2 * count - 1, 2 * count):
                self.start(*command)
                self.settle(recordings, count=count)
            found = self.used()
            outcome = self.plain([wrapper, *command], COLDBOOST="force", COLDBOOST_VERBOSE="1")
            self.equal(outcome.stdout, b"4194304\n", "output")
            self.check(b"plan=profile" in outcome.stderr, f"behind the wrapper: {outcome.stderr}")
            self.equal(self.used(), found + 1, "starts that found it")

    def test_each_argument_is_a_start_of_its_own(self):
        self.start()
        self.settle(1)
        self.start(PERL, "-e", "print 1")
        self.settle(2, count=2)

    def test_a_changed_file_is_recorded_again(self):
        self.settled()
        self.write("data", "y" * (5 << 20))
        outcome = self.start()
        self.equal((outcome.status, outcome.stdout, outcome.stderr), (0, b"5242880\n", b""), "the start after the change")
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

    def test_what_has_been_recorded_meanwhile_is_not_again(self):
        """A start of 10 ms is over before another's watcher looks whether somebody records."""
        self.copy_ours_with_a_slow_tool()
        self.start()
        self.command = COLDBOOST
        self.start()
        self.settle(1)
        before = self.profile()
        for _ in range(PATIENCE_S * 50):
            if os.path.exists(f"{self.folder}/done"):
                break
            time.sleep(0.02)
        else:
            self.fail("the slow tool does not end")
        self.equal(self.profile(), before, "the profile")

    def profile(self):
        """Its name and inode."""
        profile, = (entry for entry in os.scandir(self.store) if entry.name.endswith(".cbp"))
        return profile.path, profile.inode()

    def copy_ours_with_a_slow_tool(self):
        self.copy_ours()
        with open(f"{self.folder}/tools/coldboost-tool", "w", encoding="utf-8") as tool:
            tool.write(f'#!/bin/sh\nsleep 0.5\n{COLDBOOST}-tool "$@"\n: >{self.folder}/done\n')

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

    def test_openmetrics(self):
        """The figures of status, for Prometheus: of no start, and of one."""
        self.equal(samples_of(self, self.coldboost("status", "--openmetrics").stdout) or {}, {}, "an empty store")
        self.settled()
        self.check(self.boosted(), "the third start is not boosted")
        (start,) = self.settle(2)
        samples = samples_of(self, self.coldboost("status", "--openmetrics").stdout)
        labels = ("name", start["name"], "start", start["start"])
        figures = {name: (samples or {}).get((f"coldboost_store_{name}", *labels))
                   for name in ("recordings", "boosted", "warm", "bytes", "changed")}
        expected = {"recordings": 2, **{name: start[name] for name in ("boosted", "warm", "bytes", "changed")}}
        self.equal((start["boosted"] + start["warm"], start["changed"]), (2, 0), "starts with a profile, and changes")
        if samples is not None:
            self.equal(figures, expected, f"figures: {samples}")
            checked = samples[("coldboost_store_checked_timestamp_seconds", *labels)]
            self.equal(int(checked), start["checked"], "when it was checked")

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
            for victim in [process.pid, *self.watchers()] if moment % 2 else [process.pid]:
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


cases.main()
