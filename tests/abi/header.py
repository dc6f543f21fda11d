"""Compiles coldboost.h by itself, and again behind itself, as a strict user would.

Usage: header.py HEADER COMPILER [CASE…]

COMPILER is one word, with its options. The header stands on its own in both languages, however strict the
compiler is told to be.
"""

import os
import shlex
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402

HEADER, COMPILER = cases.take("HEADER COMPILER")
STRICT = "-Wall -Wextra -Wshadow -Wconversion -pedantic -Werror -fsyntax-only".split()
SOURCE = """#include "coldboost.h"
#include "coldboost.h"

int main(void)
{
    unsigned char from[4] = {1, 2, 3, 4}, to[4];
    coldboost_memcpy_inline(to, from, sizeof from);
    struct coldboost_component component = {"c", 0, 0, 0, 0, 0, 0, COLDBOOST_COMPONENT_PENDING, 0};
    return (int)coldboost_preload_components(&component, 1, 0) + coldboost_is_cold_start_inline();
}
"""


class Header(cases.Case):
    def compile(self, language, *options):
        source = f"{self.new_folder()}/user.{'c' if language == 'c' else 'cpp'}"
        with open(source, "w", encoding="utf-8") as out:
            out.write(SOURCE)
        command = [*shlex.split(COMPILER), *options, *STRICT, "-x", language, "-I",
                   os.path.dirname(os.path.abspath(HEADER)), source]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        # A C++ compiler may be missing where only C is built: then there is no cc1plus.
        if result.returncode and "cc1plus" in result.stderr:
            self.skipTest(f"the compiler {command[0]} has no C++ part")
        self.equal(result.returncode, 0, f"{' '.join(command)}: {result.stderr}")

    def test_c11(self):
        self.compile("c", "-std=c11")

    def test_cxx11(self):
        self.compile("c++", "-std=c++11")


cases.main()
