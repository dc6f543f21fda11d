"""Every COLDBOOST_* option of src/start/options.c stands in README.md's table, and none but those.

Usage: options.py SOURCE_ROOT
"""

import os
import re
import sys


def main():
    root = sys.argv[1]
    readme = os.path.join(root, "README.md")
    if not os.path.exists(readme):
        print("skipped: there is no README.md")
        return 77
    with open(os.path.join(root, "src", "start", "options.c"), encoding="utf-8") as source:
        names = re.findall(r'\{\s*"(_[A-Z0-9_]+|)",\s*OPTION_', source.read())
    options = {"COLDBOOST" + name for name in names}
    with open(readme, encoding="utf-8") as text:
        rows = set(re.findall(r"^\| *`(COLDBOOST\w*)` *\|", text.read(), re.M))
    for name in sorted(options - rows):
        print(f"{name} is an option, but not in README.md's table")
    for name in sorted(rows - options):
        print(f"{name} is in README.md's table, but no option")
    if len(options) < 5:
        print("src/start/options.c is not read as it is written: the check itself is broken")
    return 0 if options == rows and len(options) >= 5 else 1


sys.exit(main())
