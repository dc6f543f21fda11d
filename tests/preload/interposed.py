#!/usr/bin/env python3
"""What a preloaded crc32 is worth to programs that call zlib's: Python's zlib.crc32, and gunzip.

Prints the time without libcoldboost.so divided by the time with it, the median over interleaved
rounds. Usage: interposed.py LIBCOLDBOOST_SO [ROUNDS]
"""

import gzip
import os
import random
import statistics
import subprocess
import sys
import tempfile

# Each prints its own time in seconds, start-up left out. COMPRESSED names a gzip file.
PROGRAMS = [
    ("zlib.crc32, 1 MiB",
     "import time, zlib; data = bytes(1 << 20); zlib.crc32(data); begin = time.perf_counter();"
     "[zlib.crc32(data) for _ in range(200)]; print(time.perf_counter() - begin)"),
    ("zlib.crc32, 4 KiB",
     "import time, zlib; data = bytes(4096); zlib.crc32(data); begin = time.perf_counter();"
     "[zlib.crc32(data) for _ in range(20000)]; print(time.perf_counter() - begin)"),
    ("gzip.open().read(), 64 MiB of text",
     "import gzip, os, time; begin = time.perf_counter();"
     "gzip.open(os.environ['COMPRESSED']).read(); print(time.perf_counter() - begin)"),
    ("gzip.open().read(), 64 MiB of noise",
     "import gzip, os, time; begin = time.perf_counter();"
     "gzip.open(os.environ['COMPRESSED'] + '.noise').read(); print(time.perf_counter() - begin)"),
]


def seconds(code, environment):
    result = subprocess.run(["/usr/bin/python3", "-c", code], env=environment, check=True,
                            capture_output=True, text=True)
    return float(result.stdout)


def write_inputs(path):
    rng = random.Random(1)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9)))
             for _ in range(2000)]
    paragraph = " ".join(rng.choices(words, k=100000)).encode()
    text = (paragraph * ((64 << 20) // len(paragraph) + 1))[:64 << 20]
    for name, data in (path, text), (path + ".noise", rng.randbytes(64 << 20)):
        with gzip.open(name, "wb", compresslevel=1) as output:
            output.write(data)


def main():
    library = os.path.abspath(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 9
    with tempfile.TemporaryDirectory() as folder:
        plain = {"PATH": os.environ["PATH"], "COMPRESSED": os.path.join(folder, "input.gz")}
        write_inputs(plain["COMPRESSED"])
        preloaded = dict(plain, LD_PRELOAD=library)
        print(f"{'':36} {'without':>10} {'preloaded':>10}   speed-up")
        for name, code in PROGRAMS:
            pairs = [(seconds(code, plain), seconds(code, preloaded)) for _ in range(rounds)]
            without, with_it = (statistics.median(column) * 1e3 for column in zip(*pairs))
            ratio = statistics.median(a / b for a, b in pairs)
            print(f"{name:36} {without:7.2f} ms {with_it:7.2f} ms   {ratio:.2f}x", flush=True)


if __name__ == "__main__":
    main()
