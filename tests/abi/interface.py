"""What programs were linked against stays as it was: names, types and the soname.

Usage: interface.py OBJECT ABIDIFF REFERENCE [CASE…]

REFERENCE is what libabigail says of the interface that the soname stands for. After something was added:
abidw --exported-interfaces-only --drop-private-types --drop-undefined-syms --no-parameter-names --no-show-locs
--no-corpus-path --no-comp-dir-path OBJECT makes it anew. After a change that breaks
such programs the soname changes, too (preload/meson.build), and so does the name of the package (tools/package).
"""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402

OBJECT, ABIDIFF, REFERENCE = cases.take("OBJECT ABIDIFF REFERENCE")


class Interface(cases.Case):
    def compare(self, reference):
        return subprocess.run([ABIDIFF, reference, OBJECT], capture_output=True, text=True, check=False)

    def test_is_what_it_was(self):
        result = self.compare(REFERENCE)
        self.equal(result.returncode, 0, f"{result.stdout}{result.stderr}")

    def test_a_change_would_be_noticed(self):
        with open(REFERENCE, encoding="utf-8") as source:
            text = source.read()
        for old, new in (
            ("<enumerator name='COLDBOOST_START_COLD' value='1'/>", "<enumerator name='COLDBOOST_START_COLD' value='7'/>"),
            ("layout-offset-in-bits='448'", "layout-offset-in-bits='416'"),
            ("libcoldboost.so.0", "libcoldboost.so.1"),
        ):
            self.check(old in text, f"the reference has no {old}")
            changed = f"{self.new_folder()}/changed.abi"
            with open(changed, "w", encoding="utf-8") as out:
                out.write(text.replace(old, new))
            self.check(self.compare(changed).returncode != 0, f"not noticed: {new}")


cases.main()
