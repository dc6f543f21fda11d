"""A Node function with the AWS SDK (S3 and DynamoDB clients), from the start of the runtime to its
first response through the local Runtime API: cold, with LD_PRELOAD, with LD_AUDIT too, behind the
wrapper, and warm; on the local disk, and on a slow store (tests/bench/slowfs). Then, warm, a bash
bootstrap with 50 short-lived children.

Usage: benchmark.py COLDBOOST PACKAGES [--slowfs PROGRAM] [--rounds N] [--only local|slow|children]

Records once, unpacks the layer, then measures the variants interleaved with the page cache emptied
before each but the warm one: as root, on a quiet machine. The layer is as cold as the function.
"""

import argparse
import ctypes
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
from profiles import Profile  # noqa: E402
from runtime_api import RuntimeApi  # noqa: E402
from sandbox import IN_LAMBDA, unpack  # noqa: E402

CLONE_NEWNS = 0x20000
VARIANTS = ("cold", "preload", "audit", "wrapper", "warm")
EVENT = b'{"n":1}'
CHILDREN = "for i in {1..50}; do /bin/true; done"


class Store:
    """The machine's files once more, as they come from a slow store; in a mount namespace of our own."""

    def __init__(self, slowfs, folder):
        self.slowfs, self.folder = slowfs, folder
        os.mkdir(folder)
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        subprocess.run([slowfs, "/", folder], check=True)
        for path in ("/proc", "/sys", "/dev"):
            subprocess.run(["mount", "--rbind", path, folder + path], check=True)

    def forget(self):
        subprocess.run([self.slowfs, "--forget", self.folder], check=True)

    def end(self):
        subprocess.run(["umount", "--recursive", self.folder], check=True)


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
        self.store = None

    def enter_store(self):
        if self.store:
            os.chroot(self.store.folder)
        os.chdir(self.functions)

    def first_response_ms(self, command, environment, made=None):
        api = RuntimeApi()
        variables = {**environment, "AWS_LAMBDA_RUNTIME_API": api.address}
        from_ns = time.perf_counter_ns()
        process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, start_new_session=True,
                                   preexec_fn=self.enter_store)
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
        if variant in ("preload", "audit", "wrapper"):
            environment["COLDBOOST_PROFILE"] = f"{self.opt}/coldboost/profile.cbp"
        if variant == "preload":
            environment["LD_PRELOAD"] = f"{self.opt}/lib/libcoldboost.so"
        elif variant == "audit":
            environment["LD_AUDIT"] = environment["LD_PRELOAD"] = f"{self.opt}/lib/libcoldboost.so"
        elif variant == "wrapper":
            command = [f"{self.opt}/coldboost-wrapper", *command]
        if variant != "warm":
            os.sync()
            if self.store:
                self.store.forget()
            with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as out:
                out.write("3")
        return self.first_response_ms(command, environment)

    def measure(self, rounds):
        times = {variant: [] for variant in VARIANTS}
        for _ in range(rounds):
            for variant in VARIANTS:
                times[variant].append(self.start(variant))
        for variant in VARIANTS:
            ratios = [a / b for a, b in zip(times[variant], times["cold"])]
            print(f"{variant:8} {statistics.median(times[variant]):7.1f} ms  "
                  f"{100 * (1 - statistics.median(ratios)):5.1f} % less than cold", flush=True)

    def children(self, rounds):
        """A bootstrap script is in no profile, alone in one, or there with its children."""
        bash, preload = os.path.realpath("/bin/bash"), f"{self.opt}/lib/libcoldboost.so"
        settings = {"without": {}, "no profile": {"LD_PRELOAD": preload}}
        for name, programs in (("its own", [bash]), ("with its children", [bash, os.path.realpath("/bin/true")])):
            profile = Profile()
            for program in programs:
                profile.section(program, profile.whole_files([program]))
            path = profile.write(f"{self.folder}/children{len(programs)}.cbp")
            settings[name] = {"LD_PRELOAD": preload, "COLDBOOST_PROFILE": path}
        environment = {**self.environment, "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9"}
        times = {name: [] for name in settings}
        for _ in range(rounds):
            for name, variables in settings.items():
                from_ns = time.perf_counter_ns()
                subprocess.run([bash, "-c", CHILDREN], env={**environment, **variables}, check=True)
                times[name].append((time.perf_counter_ns() - from_ns) / 1e6)
        for name in settings:
            ratios = [a / b for a, b in zip(times[name], times["without"])]
            print(f"{name:17} {statistics.median(times[name]):6.1f} ms  "
                  f"{100 * (statistics.median(ratios) - 1):+5.1f} %", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool", type=os.path.abspath)
    parser.add_argument("packages", type=os.path.abspath)
    parser.add_argument("--slowfs", type=os.path.abspath)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", choices=("local", "slow", "children"))
    arguments = parser.parse_args()
    if os.getuid() != 0 or not os.path.exists(f"{arguments.packages}/node_modules/@aws-sdk/client-dynamodb"):
        print("skipped: it takes root, and meson compile lambda-packages")
        return 77
    with tempfile.TemporaryDirectory(prefix="coldboost-lambda-", dir=os.getcwd()) as folder:
        benchmark = Benchmark(os.path.realpath(folder), arguments.tool, arguments.packages)
        benchmark.record()
        if arguments.only in (None, "local"):
            print("node with the AWS SDK, local disk:")
            benchmark.measure(arguments.rounds)
        if arguments.slowfs and arguments.only in (None, "slow"):
            benchmark.store = Store(arguments.slowfs, f"{benchmark.folder}/store")
            print("node with the AWS SDK, slow store:")
            try:
                benchmark.measure(arguments.rounds)
            finally:
                benchmark.store.end()
                benchmark.store = None
        if arguments.only in (None, "children"):
            print("bash with 50 children, by the profile:")
            benchmark.children(10 * arguments.rounds)
    return 0


sys.exit(main())
