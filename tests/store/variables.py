"""LD_PRELOAD and COLDBOOST_STORE alone: the first cold start is recorded, later ones are boosted.

Usage: variables.py COLDBOOST OBJECT [CASE…]
"""

import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from profiles import Profile  # noqa: E402
from store_case import COLDBOOST, LOOKS, OBJECT, PATIENCE_S, READS, StoreCase  # noqa: E402

OTHER_OBJECT = """
#include <stdio.h>
#include <unistd.h>
__attribute__((constructor)) static void begin(void)
{
    char path[4096] = "";
    readlink("/proc/self/exe", path, sizeof path - 1);
    FILE *log = fopen("%s", "a");
    fprintf(log, "%%s\\n", path);
    fclose(log);
}
"""


class Variables(StoreCase):
    def setUp(self):
        super().setUp()
        self.copy_perl()

    def preloaded(self, *arguments, cold=True, **environment):
        if cold:
            self.evict()
        return self.plain([self.perl, *arguments], LD_PRELOAD=OBJECT, **environment)

    def test_two_cold_starts_settle(self):
        for recordings in (1, 2):
            self.equal(self.preloaded(self.script).stdout, b"4194304\n", "output")
            self.settle(recordings)
        self.equal(self.status()[0]["boosted"], 1, "whether the second start was boosted by the first's profile")
        outcome = self.preloaded(self.script, COLDBOOST="force", COLDBOOST_VERBOSE="1")
        self.check(b"plan=profile" in outcome.stderr, f"the third start: {outcome.stderr}")
        self.equal(self.settle(2)[0]["boosted"], 2, "starts that were replayed")

    def test_a_warm_start_is_not_recorded(self):
        self.plain([self.perl, self.script])
        self.preloaded(self.script, cold=False)
        time.sleep(0.5)
        self.equal(self.status(), [], "what is kept")

    def test_the_process_stays(self):
        script = self.write("looks.pl", LOOKS + """print "$0 @ARGV\\n";""")
        self.evict()
        process = subprocess.Popen(
            ["another name", script, "a", "b"], executable=self.perl, stdout=subprocess.PIPE, cwd=self.folder,
            env={**self.environment, "LD_PRELOAD": OBJECT}, start_new_session=True)
        lines = process.communicate(timeout=PATIENCE_S)[0].splitlines()
        self.equal(lines[0].split()[:2], [b"%d" % process.pid, b"%d" % os.getpid()], "ids")
        self.equal(lines[0].split()[-1], b"-1", "a child to wait for")
        self.equal(lines[1], script.encode() + b" a b", "name and arguments")
        self.settle(1)

    def test_a_program_that_is_a_link(self):
        """redis-server, a link to redis-check-rdb, was seen by ps under the other name when it was recorded."""
        os.symlink("perl", f"{self.folder}/called")
        self.evict()
        comm = """open(my $f, '<', '/proc/self/comm'); print <$f>;"""
        outcome = self.plain([f"{self.folder}/called", "-e", comm], LD_PRELOAD=OBJECT)
        self.equal(outcome.stdout, b"called\n", "its name")
        self.settle(1)

    def test_a_script_of_its_own_name(self):
        """pgrep and killall find a script by its own name, also while it is recorded."""
        shown = """open(my $f, '<', '/proc/self/comm'); print <$f>, "$0 @ARGV";"""
        for scripts, option in enumerate(("", " -w"), 1):
            script = self.write(f"own{scripts}.pl", f"#!{self.perl}{option}\n{shown}")
            os.chmod(script, 0o755)
            for starts, called in enumerate((script, f"./own{scripts}.pl"), 2 * scripts - 1):
                self.evict()
                outcome = self.plain([called, "-a", called], LD_PRELOAD=OBJECT)
                self.equal(outcome.stdout.decode(), f"own{scripts}.pl\n{called} -a {called}", "name and arguments")
                self.settle(starts, scripts)

    def test_children_are_recorded_with_their_parent(self):
        script = self.write("parent.pl", f"""system('{self.perl}', '-e', 'print 1'); {READS}""")
        self.equal(self.preloaded(script).stdout, b"14194304\n", "output")
        self.settle(1)

    def test_a_script_that_is_a_link(self):
        """However it is called and started, one start has one name."""
        os.symlink("reads.pl", f"{self.folder}/link.pl")
        with open(self.script, "w", encoding="utf-8") as out:
            out.write(f"#!{self.perl}\n{READS}")
        os.chmod(self.script, 0o755)
        self.preloaded("link.pl")
        self.settle(1)
        self.evict()
        self.plain([f"{self.folder}/link.pl"], LD_PRELOAD=OBJECT)
        self.settle(2)
        self.coldboost("run", "--record", "--", "./link.pl")
        self.settle(3)

    def test_below_valgrind(self):
        """It knows none of the newer system calls, and says so."""
        if not shutil.which("valgrind"):
            self.skipTest("valgrind is not installed")
        profile = Profile()
        profile.section(os.path.realpath("/bin/true"), profile.whole_files([self.data]))
        for more in ({}, {"COLDBOOST_PROFILE": profile.write(f"{self.folder}/data.cbp")}):
            outcome = self.plain(["valgrind", "-q", "/bin/true"], LD_PRELOAD=OBJECT, **more)
            self.equal((outcome.status, outcome.stderr), (0, b""), f"below valgrind, {more}")

    def test_a_tool_that_does_not_start(self):
        """Its loader gives up where libc is older, as in another image: then nothing is recorded."""
        self.copy_ours()
        ours, self.command = self.command, COLDBOOST
        with open(f"{self.folder}/tools/coldboost-tool", "w", encoding="utf-8") as tool:
            tool.write(f"#!{shutil.which('false')}\n")
        alone = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
        for start in (["env", f"LD_PRELOAD={self.folder}/preload/libcoldboost.so"], [ours, "run", "--"]):
            for where in ([], alone):
                self.evict()
                outcome = self.plain([*where, *start, self.perl, self.script])
                self.equal((outcome.status, outcome.stdout, outcome.stderr), (0, b"4194304\n", b""), f"{start}, {where}")
        self.await_watchers()
        self.equal(self.status(), [], "what is kept")

    def test_the_tool_has_libraries_of_its_own(self):
        """A program's LD_LIBRARY_PATH is not meant for it, nor anything else that a loader is told."""
        self.copy_ours()
        seen = f"{self.folder}/seen"
        with open(f"{self.folder}/tools/coldboost-tool", "w", encoding="utf-8") as tool:
            tool.write(f'#!/bin/sh\nenv >>{seen}\nexec {COLDBOOST}-tool "$@"\n')
        for recordings in (1, 2):
            self.evict()
            outcome = self.plain([self.perl, self.script], LD_PRELOAD=f"{self.folder}/preload/libcoldboost.so",
                                 LD_LIBRARY_PATH=self.folder)
            self.equal((outcome.status, outcome.stdout), (0, b"4194304\n"), f"the program: {outcome.stderr}")
            self.settle(recordings)
        with open(seen, encoding="utf-8") as lines:
            variables = lines.read().splitlines()
        self.check(f"FOLDER={self.folder}" in variables, "the tool has not run")
        self.equal([variable for variable in variables if variable.startswith("LD_")], [], "what its loader is told")

    def test_the_programs_objects_are_not_the_tools(self):
        """Preloaded into coldboost-tool too, libfaketime shared memory with the program that the tool had made."""
        other, log = f"{self.folder}/other.so", f"{self.folder}/log"
        source = self.write("other.c", OTHER_OBJECT % log)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", other, source], check=True)
        self.evict()
        self.plain([self.perl, self.script], LD_PRELOAD=f"{OBJECT} {other}")
        self.settle(1)
        with open(log, encoding="utf-8") as lines:
            self.equal(set(lines.read().splitlines()), {self.perl}, "where it has run")

    def test_never(self):
        self.preloaded(self.script, COLDBOOST_RECORD="never")
        time.sleep(0.5)
        self.equal(self.status(), [], "what is kept")

    def test_a_read_only_store_is_read(self):
        for recordings in (1, 2):
            self.preloaded(self.script)
            self.settle(recordings)
        before = self.listing()
        for name in os.listdir(self.store):
            os.chmod(f"{self.store}/{name}", 0o444)
        subprocess.run(["mount", "--bind", "-o", "ro", self.store, self.store], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.store], check=True)
        outcome = self.preloaded(self.script, COLDBOOST="force", COLDBOOST_VERBOSE="1")
        self.check(b"plan=profile" in outcome.stderr, f"from a read-only store: {outcome.stderr}")
        self.equal(self.listing(), before, "files")

    def listing(self):
        return {name: os.stat(f"{self.store}/{name}").st_size for name in os.listdir(self.store)}


cases.main()
