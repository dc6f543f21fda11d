"""The rows of the matrix whose victims run in company: under tools that look at every step, beside other
objects that are preloaded, and with a sanitizer's.
"""

import glob
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from victims_bench import MODES, victim  # noqa: E402


def tools(libc):
    """Under tools that look at every step of a program. What they say themselves goes elsewhere."""
    few = ["looks around", "wait for anybody", "fork and exec", "crash", "_exit"]
    commands = {
        "strace": lambda bench: ["strace", "-f", "-qq", "-o", f"{bench.folder}/strace.out"],
        "gdb": lambda bench: [
            "gdb", "-q", "-batch", "-nx", "-return-child-result",
            "-ex", f"run >{bench.folder}/out 2>&1", "--args",
        ],
        "valgrind": lambda bench: ["valgrind", "-q", "--error-exitcode=9", "--leak-check=no"],
    }
    for tool, prefix_of in commands.items():
        if not shutil.which(tool):
            yield "tools", tool, libc, {"skip": f"{tool} is not installed"}
            continue
        for what in few:
            if tool == "valgrind" and (libc != "glibc" or what not in few[:2]):
                continue  # it knows one libc, and takes its time

            def command_of(bench, prefix_of=prefix_of, what=what):
                return [*prefix_of(bench), bench.program("victims"), what]

            yield "tools", f"{tool}, {what}", libc, {
                "command_of": command_of, "output": "out" if tool == "gdb" else None,
                "modes": {mode: 1 for mode in MODES}, "memory_varies": True,
            }


def with_other_preloads():
    found = {
        "jemalloc": glob.glob("/usr/lib/*/libjemalloc.so.2"),
        "faketime": glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1"),
    }
    variables_of = {
        # Debian 12's does not know the last one: remove_faketime_memory().
        "faketime": {"FAKETIME": "@2000-01-01 00:00:00 x5", "FAKETIME_NO_CACHE": "1",
                     "FAKETIME_DISABLE_SHM": "1"},
        # Whoever the auditor is, glibc has too little room left for jemalloc's thread-local data.
        "jemalloc": {"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=8192"},
    }
    few = ["looks around", "start from many threads", "dlopen storm in threads", "clocks run forward",
           "threads before main", "exec"]
    for name, paths in found.items():
        if not paths:
            yield "other preloads", name, "glibc", {"skip": f"lib{name} is not installed"}
            continue
        for what in few:
            for place in ("first", "last"):
                how = {"command_of": victim(what), "variables": variables_of[name], place: paths[0],
                       "memory_varies": True}
                yield "other preloads", f"{name} {place}, {what}", "glibc", how
    if not shutil.which("fakeroot"):
        yield "other preloads", "fakeroot", "glibc", {"skip": "fakeroot is not installed"}
        return
    script = "touch f; chown 3:4 f; stat -c %u:%g f; id -u; rm f"
    orders = {"first": "fakeroot sh -c '{}'", "last": "fakeroot sh -c \"LD_PRELOAD=OURS:\\$LD_PRELOAD; {}\""}
    for place, order in orders.items():
        def command_of(bench, order=order):
            return ["sh", "-c", f"cd {bench.folder}; " + order.format(script)]

        yield "other preloads", f"fakeroot {place}", "glibc", {"command_of": command_of}


def sanitized():
    if not os.path.exists("glibc-address-sanitizer"):
        yield "sanitizers", "AddressSanitizer", "glibc", {"skip": "no compiler for it"}
        return
    for what in ("looks around", "start from many threads", "wait for anybody", "exec", "crash"):
        yield "sanitizers", f"AddressSanitizer, {what}", "glibc", {
            "command_of": victim(what, "address-sanitizer"), "memory_varies": True
        }
