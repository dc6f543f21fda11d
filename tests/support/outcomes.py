"""Prints what a run of `meson test` has left out, or what failed in it, and why.

Usage: outcomes.py skipped|failed TESTLOG.json

A test says "skipped: WHAT: WHY" for each case and each part of one that it leaves out; one of C that is
skipped whole says why in its last line. A test that failed is named, with the end of what it said.
"""

import json
import sys

LAST_LINES = 30


def said(test):
    text = f"{test.get('stdout', '')}\n{test.get('stderr', '')}"
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def skipped(test):
    lines = [line.strip() for line in said(test)]
    reasons = [line.removeprefix("skipped: ") for line in lines if line.startswith("skipped: ")]
    if test["result"] == "SKIP" and not reasons:
        reasons = lines[-1:] or ["it does not say why"]
    return [f"skipped: {name(test)}: {reason}" for reason in reasons]


def failed(test):
    if test["result"] in ("OK", "SKIP", "EXPECTEDFAIL"):
        return []
    lines = [line for line in said(test) if not line.startswith("skipped: ")]
    return [f"failed: {name(test)} ({test['result']})"] + [f"    {line}" for line in lines[-LAST_LINES:]]


def name(test):
    return test["name"].split(":", 1)[-1]


def main():
    choose = {"skipped": skipped, "failed": failed}[sys.argv[1]]
    with open(sys.argv[2], encoding="utf-8") as log:
        for line in log:
            print("".join(f"{text}\n" for text in choose(json.loads(line))), end="")


main()
