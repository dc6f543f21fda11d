"""A Node function with the AWS SDK (S3 and DynamoDB clients), from the start of the runtime to its
first response through the local Runtime API: cold, with LD_PRELOAD, behind the wrapper, and warm.

Usage: benchmark.py COLDBOOST PACKAGES [ROUNDS]

Records once, unpacks the layer, then measures the variants interleaved with the page cache emptied
before each but the warm one: as root, on a quiet machine. Then, warm, a bash bootstrap with 50
short-lived children, with LD_PRELOAD and without.
"""

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.path.insert(0, HERE)
from runtime_api import RuntimeApi  # noqa: E402
from runtimes import IN_LAMBDA, unpack  # noqa: E402

VARIANTS = ("cold", "preload", "wrapper", "warm")
EVENT = b'{"n":1}'
CHILDREN = "for i in {1..50}; do /bin/true; done"


class Benchmark:
    def __init__(self, folder, tool, packages):
        self.folder, self.tool = folder, tool
        self.functions = os.path.join(HERE, "functions", "node")
        self.node = os.path.realpath(shutil.which("node"))
        ric = f"{packages}/node_modules/aws-lambda-ric/bin/index.mjs"
        self.command = [self.node, ric, "sdk.handler"]
        self.environment = {**IN_LAMBDA, "LAMBDA_TASK_ROOT": self.functions, "NODE_PATH": f"{packages}/node_modules"}
        self.profile = f"{folder}/node.cbp"
        self.opt = f"{folder}/opt"

    def first_response_ms(self, command, environment, made=None):
        api = RuntimeApi()
        variables = {**environment, "AWS_LAMBDA_RUNTIME_API": api.address}
        from_ns = time.perf_counter_ns()
        process = subprocess.Popen(command, env=variables, cwd=self.functions, stdout=subprocess.DEVNULL,
                                   start_new_session=True)
        reply = api.invoke(EVENT, lambda: process.poll() is None)
        ms = (time.perf_counter_ns() - from_ns) / 1e6
        while made and process.poll() is None and not os.path.exists(made):
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        api.close()
        if not reply or json.loads(reply.body) != {"event": {"n": 1}, "clients": 2}:
            sys.exit(f"{command}: {reply and reply.body}")
        return ms

    def record(self):
        record = [self.tool, "record", "-o", self.profile, "--until", "ready", "--"]
        self.first_response_ms(record + self.command, self.environment, made=self.profile)
        layer = f"{self.folder}/layer.zip"
        subprocess.run([self.tool, "layer", "-o", layer, "-p", self.profile], check=True)
        unpack(layer, self.opt)

    def start(self, variant):
        environment, command = dict(self.environment), self.command
        if variant in ("preload", "wrapper"):
            environment["COLDBOOST_PROFILE"] = f"{self.opt}/coldboost/profile.cbp"
        if variant == "preload":
            environment["LD_PRELOAD"] = f"{self.opt}/lib/libcoldboost.so"
        elif variant == "wrapper":
            command = [f"{self.opt}/coldboost-wrapper", *command]
        if variant != "warm":
            os.sync()
            with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as out:
                out.write("3")
        return self.first_response_ms(command, environment)

    def children_ms(self, **variables):
        """Not with the function's profile: bash is not in it, as in any layer for a bash function."""
        environment = {**self.environment, "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9", **variables}
        from_ns = time.perf_counter_ns()
        subprocess.run(["/bin/bash", "-c", CHILDREN], env=environment, check=True)
        return (time.perf_counter_ns() - from_ns) / 1e6


def ratio(times, variant, base):
    return statistics.median(a / b for a, b in zip(times[variant], times[base]))


def main():
    tool, packages = map(os.path.abspath, sys.argv[1:3])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 15
    if os.getuid() != 0 or not os.path.exists(f"{packages}/node_modules/@aws-sdk/client-dynamodb"):
        print("skipped: it takes root, and meson compile lambda-packages")
        return 77
    with tempfile.TemporaryDirectory(prefix="coldboost-lambda-", dir=os.getcwd()) as folder:
        benchmark = Benchmark(os.path.realpath(folder), tool, packages)
        benchmark.record()
        times = {variant: [] for variant in VARIANTS}
        for _ in range(rounds):
            for variant in VARIANTS:
                times[variant].append(benchmark.start(variant))
        for variant in VARIANTS:
            less = 100 * (1 - ratio(times, variant, "cold"))
            print(f"{variant:8} {statistics.median(times[variant]):7.1f} ms  {less:5.1f} % less than cold")
        settings = {
            "without": {},
            "preload": {"LD_PRELOAD": f"{benchmark.opt}/lib/libcoldboost.so",
                        "COLDBOOST_PROFILE": f"{benchmark.opt}/coldboost/profile.cbp"},
        }
        times = {name: [] for name in settings}
        for _ in range(10 * rounds):
            for name, variables in settings.items():
                times[name].append(benchmark.children_ms(**variables))
        more = 100 * (ratio(times, "preload", "without") - 1)
        print(f"bash with 50 children: {statistics.median(times['without']):.1f} ms, "
              f"preloaded {statistics.median(times['preload']):.1f} ms ({more:+.1f} %)")
    return 0


sys.exit(main())
