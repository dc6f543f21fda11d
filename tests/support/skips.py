"""Prints what a run of `meson test` has left out and why, a line each: whole tests and parts of them.

Usage: skips.py TESTLOG.json

A test says "skipped: WHAT: WHY" for each case and each part of one that it leaves out; one of C that is
skipped whole says why in its last line.
"""

import json
import sys


def main():
    with open(sys.argv[1], encoding="utf-8") as log:
        for line in log:
            test = json.loads(line)
            said = [text.strip() for text in f"{test.get('stdout', '')}\n{test.get('stderr', '')}".splitlines()]
            reasons = [text.removeprefix("skipped: ") for text in said if text.startswith("skipped: ")]
            if test["result"] == "SKIP" and not reasons:
                reasons = [text for text in said if text][-1:] or ["it does not say why"]
            name = test["name"].split(":", 1)[-1]
            for reason in reasons:
                print(f"skipped: {name}: {reason}")


main()
