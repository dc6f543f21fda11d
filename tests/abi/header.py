"""Compiles coldboost.h by itself, and again behind itself, as a strict user would.

Usage: header.py HEADER c|c++ -- COMPILER [OPTION]...
"""

import os
import subprocess
import sys
import tempfile

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


def main():
    header, language, compiler = sys.argv[1], sys.argv[2], sys.argv[4:]
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "user.c" if language == "c" else "user.cpp")
        with open(source, "w", encoding="utf-8") as out:
            out.write(SOURCE)
        command = compiler + ["-x", language, "-I", os.path.dirname(os.path.abspath(header)), source]
        # A C++ compiler may be missing where only C is built: then there is no cc1plus.
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode and "cc1plus" in result.stderr:
        print("skip: the compiler", compiler[0], "has no C++ part")
        return 77
    if result.returncode:
        print(" ".join(command))
        print(result.stderr)
        return 1
    return 0


sys.exit(main())
