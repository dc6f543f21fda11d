"""The exported names found at run time and checked, from C and from python's ctypes, with every
set of CPU features.

Usage: exports.py OBJECT PROGRAM CPU_FEATURES_H [CASE…]
"""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import emulator, plain_environment, run, wrapped  # noqa: E402

OBJECT, PROGRAM, HEADER = map(os.path.abspath, cases.take("OBJECT PROGRAM CPU_FEATURES_H"))

# Prints checksums of a megabyte by zlib and of a gunzipped file; the same with and without us.
ZLIB = """
import gzip, random, sys, zlib
data = random.Random(3).randbytes(1 << 20)
print(zlib.crc32(data), zlib.crc32(data[1:77]), zlib.crc32(b"", 5), zlib.crc32(data, 0xffffffff))
with gzip.open(sys.argv[1]) as packed:
    print(zlib.crc32(packed.read()))
"""

CTYPES = """
import ctypes, random, zlib
us = ctypes.CDLL(None)
for name in ("hardware_crc32", "coldboost_crc32c", "coldboost_telemetry_checksum"):
    function = getattr(us, name)
    function.restype, function.argtypes = ctypes.c_uint32, [ctypes.c_char_p, ctypes.c_size_t]
assert us.hardware_crc32(b"123456789", 9) == 0xCBF43926
assert us.coldboost_telemetry_checksum(b"123456789", 9) == 0xCBF43926
assert us.coldboost_crc32c(b"123456789", 9) == 0xE3069283
data = random.Random(5).randbytes(100003)
for n in (0, 1, 63, 64, 65, 1000, len(data)):
    assert us.hardware_crc32(data, n) == zlib.crc32(data[:n]), n
us.crc32.restype, us.crc32.argtypes = ctypes.c_ulong, [ctypes.c_ulong, ctypes.c_char_p, ctypes.c_uint]
us.crc32_z.restype = ctypes.c_ulong
us.crc32_z.argtypes = [ctypes.c_ulong, ctypes.c_char_p, ctypes.c_size_t]
assert us.crc32(7, data, len(data)) == us.crc32_z(7, data, len(data)) == zlib.crc32(data, 7)
us.is_cold_start.restype = us.is_cold_start_asm.restype = ctypes.c_bool
assert [us.is_cold_start(), us.is_cold_start_asm(), us.is_cold_start()] == [True, False, False]
to = ctypes.create_string_buffer(300)
us.fast_memcpy.restype = ctypes.c_void_p
us.fast_memcpy.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
for n in range(300):
    assert us.fast_memcpy(to, data, n) == ctypes.addressof(to) and to.raw[:n] == data[:n], n
us.prefetch_critical_memory(data, len(data))
us.optimized_spin_wait(ctypes.c_uint64(10))
us.coldboost_version.restype = ctypes.c_char_p
assert us.coldboost_version().count(b".") == 2
assert us.coldboost_critical_init() in (1, 2)
print("all right")
"""


class Exports(cases.Case):
    def setUp(self):
        with open(HEADER, encoding="utf-8") as text:
            self.features = re.findall(r'\{"([^"]+)", CPU_', text.read())

    def test_from_c(self):
        masks = ["", "none", "all", "no-such-feature"] + self.features
        base = plain_environment("/")
        present = [PROGRAM, "present"] + (["emulated"] if emulator() else [])
        absent = run(*wrapped(emulator(), base, [PROGRAM, "absent"]))
        self.equal((absent.status, absent.stdout), (0, b""), "names without the preload")
        for mask in masks:
            environment = {**base, "LD_PRELOAD": OBJECT}
            if mask:
                environment["COLDBOOST_CPU"] = mask
            command, outside = wrapped(emulator(), environment, present)
            outcome = run(command, outside)
            self.equal(
                (outcome.status, outcome.stdout, outcome.stderr), (0, b"", b""), f"CPU features '{mask}'"
            )
        off = {**base, "LD_PRELOAD": OBJECT, "COLDBOOST": "off"}
        outcome = run(*wrapped(emulator(), off, present))
        self.equal((outcome.status, outcome.stdout), (0, b""), "COLDBOOST=off keeps the functions")

    def test_from_python(self):
        if emulator():
            self.skipTest("python is of this machine")
        python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
        folder = self.new_folder()
        packed = f"{folder}/large.gz"
        make = "import gzip, sys\nwith gzip.open(sys.argv[1], 'wb', 1) as out:\n" + (
            "    for i in range(1 << 17):\n        out.write(b'line %d\\n' % i * 16)\n"
        )
        run([python, "-c", make, packed], plain_environment(folder))
        base = plain_environment(folder)
        plain = run([python, "-c", ZLIB, packed], base)
        self.equal(plain.status, 0, f"zlib without the preload: {plain.stderr}")
        for mask in ["all", "none"] + self.features:
            environment = {**base, "LD_PRELOAD": OBJECT, "COLDBOOST_CPU": mask}
            boosted = run([python, "-c", ZLIB, packed], environment)
            self.equal(boosted.stdout, plain.stdout, f"zlib with features '{mask}'")
            self.equal(boosted.status, 0, f"zlib with features '{mask}': {boosted.stderr}")
            gunzip = run(["gzip", "-t", packed], environment)
            self.equal((gunzip.status, gunzip.stderr), (0, b""), "gzip -t")
        outcome = run([python, "-c", CTYPES], {**base, "LD_PRELOAD": OBJECT})
        self.equal(
            (outcome.stdout, outcome.stderr), (b"all right\n", b""), "the names through ctypes"
        )


cases.main()
