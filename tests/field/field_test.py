"""The runner of the field itself: it sees what it is there to see, and its table is sound.

Usage: field_test.py BUILD [CASE…]
"""

import os
import re
import sys

import field_house
import field_table
import field_trial
from field_start import ROOT, Way

sys.path.insert(0, os.path.join(field_house.HERE, "..", "support"))
import cases  # noqa: E402  (the folder must be known first)

BUILD = cases.take("BUILD")
OBSTACLE = field_house.enter_namespaces()  # starts this script again
PACKAGES = os.path.join(field_house.HERE, "..", "..", "tools", "packages.sh")

PRINTS = {"command": "echo word"}
ANSWERS = {"server": "python3 -u -m http.server 7000 --bind 127.0.0.1", "stop": "INT",
           "ask": "curl -sf http://127.0.0.1:7000/", "differs": "errors"}  # fmt: skip

# What a start may do to a program, the program, and how the difference begins.
FAULTS = [
    ("it says more", PRINTS, 'echo more; exec "$@"', "--- stdout"),
    ("it complains", PRINTS, 'echo more >&2; exec "$@"', "--- stderr"),
    ("it ends otherwise", PRINTS, '"$@"; exit 9', "status: 0 became 9"),
    ("it is killed", PRINTS, '"$@"; kill -9 $$', "status: 0 became -9"),
    ("it hangs", {**PRINTS, "limit": "1"}, '"$@"; sleep 100', "it hangs"),
    ("it leaves a process", PRINTS, '"$@"; sleep 100 &', "processes left: [] became ['sleep']"),
    ("it leaves a daemon", PRINTS, 'setsid -f sleep 100; "$@"', "processes left: [] became ['sleep']"),
    ("it leaves a file", PRINTS, '>more; exec "$@"', "files left: more: ["),
    ("it leaves shared memory", PRINTS, '>/dev/shm/more; exec "$@"', "files left: more: ["),
    ("it leaves a segment", PRINTS, 'ipcmk -M 9 >/dev/null; "$@"', "files left: more: ["),
    ("its server has a zombie", ANSWERS, 'true & exec "$@"', "its processes: ['python3'] became"),
    ("its server has a child", ANSWERS, 'sleep 9 & exec "$@"', "its processes: ['python3'] became"),
    ("its server does not stop", {**ANSWERS, "limit": "3"}, 'trap "" INT; exec "$@"', "it hangs"),
    ("its server does not answer", {**ANSWERS, "limit": "1"}, "sleep 9", "--- answer"),
]


def compare(case, name, fields, script, beginning):
    trial = field_trial.Trial(field_table.Program("fault", fields), False, forced=True)
    trial.make(ROOT)
    plain = trial.agreement(ROOT)
    if not case.check(plain is not None, f"{name}: plain: {trial.differences}"):
        return
    for way, bad in ((Way("exec", ["env"]), False), (Way("fault", ["sh", "-c", script, "sh"]), True)):
        trial.differences.clear()
        trial.boosted(ROOT, field_trial.HERE, way, field_trial.WARM, plain)
        texts = [text.partition("warm: ")[2] for text in trial.differences]
        seen = any(text.startswith(beginning) for text in texts)
        case.check(seen if bad else not texts, f"{name}: {way.name}: {trial.differences}")


class Table(cases.Case):
    def test_table(self):
        table = field_table.read_table()
        names = [program.name for program in table]
        self.equal(len(names), len(set(names)), "names that stand twice")
        for program in table:
            self.check(program.is_server == bool(program.ask), f"{program.name}: a server is asked")
        small = [program for program in table if program.small]
        needed = {package for program in small for package in program.packages}
        with open(PACKAGES, encoding="utf-8") as file:
            listed = re.search(r'^field_packages="([^"]*)"', file.read(), re.M)
        self.equal(set(listed[1].split()), needed, "field_packages")
        self.check(len(small) >= 20, f"{len(small)} small programs")


class Runner(cases.Case):
    @classmethod
    def setUpClass(cls):
        if OBSTACLE:
            raise cases.SkipTest(OBSTACLE)
        cls.addClassCleanup(field_house.tear_down, field_house.set_up(os.path.abspath(BUILD)))


for fault in FAULTS:
    Runner.add(fault[0], lambda case, fault=fault: compare(case, *fault))

cases.main()
