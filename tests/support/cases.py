"""The frame of every test in Python: unittest, whose cases are methods test_…, and checks that go on.

A script says which arguments it takes, has classes of Case, and ends with main(). What stands behind the
arguments are names of cases, without `test_`; without any, all of them run:

    script.py ARGUMENT… [CASE…]        meson test -C build NAME -v --test-args CASE

Each case runs by itself, in the order in which they are written. A line says how it went; the last one
counts: checks are what check(), equal() and same() have seen. Exit status: 0, 1 if something failed, 77 if
every case was skipped, 2 if there is no such case.
"""

import concurrent.futures
import fnmatch
import os
import shutil
import sys
import tempfile
import threading
import unittest
from unittest import SkipTest  # noqa: F401 (for setUpClass)

from coldboost_support import shorten

__unittest = True  # where a failure is looked for: not here

chosen = []  # names of cases from the command line


def take(names):
    """The values of the script's arguments, whose names are words; see main() for what follows them."""
    names = names.split()
    if len(sys.argv) <= len(names):
        sys.exit(f"usage: {os.path.basename(sys.argv[0])} {' '.join(names)} [CASE…]")
    chosen[:] = sys.argv[1 + len(names):]
    values = sys.argv[1:1 + len(names)]
    return values if len(values) > 1 else values[0]


class Case(unittest.TestCase):
    """A class of cases. Its checks print what is wrong, count, and let the case go on."""

    checks = 0

    def check(self, holds, message):
        self.checks += 1
        with self.subTest():
            if not holds:
                self.fail(f"{message}  [{place()}]")
        return holds

    def equal(self, got, expected, message):
        return self.check(got == expected, f"{message}: {shorten(got)}, not {shorten(expected)}")

    def same(self, plain, boosted, name):
        """Two outcomes of one program."""
        return self.check(not (found := "; ".join(plain.differences(boosted))), f"{name}: {found}")

    def skip(self, what, why):
        """Leaves a part of the case out; skipTest(why) leaves out all of it."""
        print(f"skipped: {what}: {why}")

    def new_folder(self, **how):
        """Gone when the case is over; `dir` says where, otherwise it may be in memory."""
        return removed_by(self.addCleanup, **how)

    @classmethod
    def shared_folder(cls, **how):
        """For setUpClass(): gone when all cases are over."""
        return removed_by(cls.addClassCleanup, **how)

    @classmethod
    def add(cls, name, function):
        """One more case of a table: function(case)."""
        setattr(cls, f"test_{name}", lambda case: function(case))

    @classmethod
    def names(cls):
        """In the order in which they are written."""
        written = {}
        for base in reversed(cls.__mro__):
            written.update({name: None for name in vars(base) if name.startswith("test_")})
        return [name for name in written if callable(getattr(cls, name))]


def place():
    """The line of the test that is running, in whichever file."""
    frame = sys._getframe(1)
    while "__unittest" in frame.f_globals:
        frame = frame.f_back
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"


def removed_by(cleanup, **how):
    folder = os.path.realpath(tempfile.mkdtemp(prefix="coldboost-", **how))
    cleanup(shutil.rmtree, folder)
    return folder


def short(test):
    """The name of a case, and of the part of it that subTest() has named."""
    return test.id().partition(".test_")[2].replace(" (<subtest>)", "")


class Result(unittest.TestResult):
    """Prints a line for each case and all that fails. Cases may run beside each other."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()
        self.checks = self.good = self.left_out = self.bad = 0

    def addSuccess(self, test):
        with self.lock:
            self.good += 1
            print("ok      ", short(test))

    def addSkip(self, test, reason):
        with self.lock:
            self.left_out += 1
            print(f"skipped: {short(test)}: {reason}")

    def addFailure(self, test, err):
        with self.lock:
            self.bad += 1
            print("FAILED: ", short(test))
            print(self._exc_info_to_string(err, test).replace("Traceback (most recent call last):\n", ""))

    def addError(self, test, err):
        self.addFailure(test, err)

    def addSubTest(self, test, subtest, err):
        if err:
            self.addFailure(subtest, err)

    def stopTest(self, test):
        with self.lock:
            self.checks += test.checks


def run_class(cls, names, result, workers):
    """The cases of a class, so many beside each other."""
    cases = [cls(name) for name in names]
    try:
        cls.setUpClass()
        if workers == 1:  # not in a thread: a case may fork
            for case in cases:
                case.run(result)
        else:
            with concurrent.futures.ThreadPoolExecutor(workers) as pool:
                list(pool.map(lambda case: case.run(result), cases))
        cls.tearDownClass()
    except unittest.SkipTest as why:
        for case in cases:
            result.addSkip(case, str(why))
    except Exception:
        result.addFailure(cases[0], sys.exc_info())
    finally:
        cls.doClassCleanups()
    for error in getattr(cls, "tearDown_exceptions", ()):
        result.addFailure(cases[0], error)


def main(workers=1):
    """Runs the cases of the script that were asked for, or all, so many beside each other; ends the script."""
    sys.stdout.reconfigure(line_buffering=True)
    classes = [cls for cls in vars(sys.modules["__main__"]).values()
               if isinstance(cls, type) and issubclass(cls, Case) and cls.__module__ == "__main__"]
    known = {name for cls in classes for name in cls.names()}
    for wanted in chosen:
        if not any(is_wanted(name, [wanted]) for name in known):
            print(f"there is no case {wanted} among:", *sorted(name[5:] for name in known), sep="\n  ")
            sys.exit(2)
    result = Result()
    for cls in classes:
        names = [name for name in cls.names() if is_wanted(name, chosen)]
        if names:
            run_class(cls, names, result, workers)
    print(f"{result.good} cases passed, {result.checks} checks; {result.left_out} skipped, {result.bad} failures")
    sys.exit(1 if result.bad else 77 if result.left_out and not result.good else 0)


def is_wanted(name, wanted):
    """Blanks and underscores are the same, and `*` stands for anything."""
    name = name[5:].replace(" ", "_")
    return not wanted or any(fnmatch.fnmatchcase(name, one.replace(" ", "_")) for one in wanted)
