"""Every C file is as clang-format would have it; every text file ends in one newline, without tabs
or blanks at line ends.

Usage: formatting.py SOURCE_ROOT CLANG_FORMAT
"""

import os
import subprocess
import sys

FOLDERS = ("src", "preload", "tools", "tests")
C_FILES = (".c", ".h")
TEXT_FILES = C_FILES + (".py", ".build")


def files_below(root):
    for folder in FOLDERS:
        for where, folders, names in os.walk(os.path.join(root, folder)):
            folders[:] = [name for name in folders if not name.startswith((".", "__"))]
            yield from (os.path.join(where, name) for name in sorted(names))


def is_clean_text(path):
    with open(path, "rb") as content:
        text = content.read()
    if not text:
        return True
    lines = text.split(b"\n")
    ends_well = text.endswith(b"\n") and not text.endswith(b"\n\n")
    return ends_well and not any(b"\t" in line or line.endswith((b" ", b"\r")) for line in lines)


def main():
    root, clang_format = sys.argv[1:3]
    paths = list(files_below(root))
    unclean = [path for path in paths if path.endswith(TEXT_FILES) and not is_clean_text(path)]
    for path in unclean:
        print(f"{path}: a tab, a blank at a line's end, or not one newline at the end")
    if not clang_format:
        print("skipped: clang-format is not installed, C files were not compared")
        return 1 if unclean else 77
    sources = [path for path in paths if path.endswith(C_FILES)]
    command = [clang_format, "--dry-run", "-Werror", "--style=file", *sources]
    formatted = subprocess.run(command, check=False).returncode == 0
    return 0 if formatted and sources and not unclean else 1


sys.exit(main())
