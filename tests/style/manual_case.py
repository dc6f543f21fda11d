"""What the tests of the manual share: the pages as they are installed, and the sources."""

import glob
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402

ROOT, PAGES, COLDBOOST = map(os.path.abspath, cases.take("SOURCE_ROOT PAGES COLDBOOST"))


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def find(pattern, inside=""):
    """The one source file of this name that has this in it: rooms may be rearranged."""
    paths = [path for top in ("src", "preload", "tools")
             for path in glob.glob(f"{ROOT}/{top}/**/{pattern}", recursive=True)]
    (path,) = [path for path in paths if inside in read(path)]
    return read(path)


def read_pages(folder):
    return {os.path.basename(path): read(path) for path in sorted(glob.glob(f"{folder}/*.[1-9]"))}


class ManualCase(cases.Case):
    pages = read_pages(PAGES)
