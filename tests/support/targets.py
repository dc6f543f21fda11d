#!/usr/bin/env python3
"""Prints what ninja has to build for the tests of some suites: targets.py BUILD SUITE…

What the tests depend on, and all of the suite's folder: a test's setup is no dependency.
"""
import json
import os
import sys


def read(build, what):
    with open(f"{build}/meson-info/intro-{what}.json", encoding="utf-8") as file:
        return json.load(file)


def main():
    build, suites = sys.argv[1], sys.argv[2:]
    names = {f"coldboost:{suite}" for suite in suites}
    needed = {target for test in read(build, "tests") if names.intersection(test["suite"]) for target in test["depends"]}
    folders = tuple(f"/tests/{suite}/meson.build" for suite in suites)
    files = [name for target in read(build, "targets") for name in target["filename"]
             if target["id"] in needed or target["defined_in"].endswith(folders) and target["build_by_default"]]
    print(*sorted(os.path.relpath(name, build) for name in files), sep="\n")


main()
