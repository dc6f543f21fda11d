"""Installs what the Node clients of tests/lambda are made of, with npm, into a build folder: AWS's
own runtime interface client (which compiles; it takes minutes), the SDK of the benchmark, and koffi for
the program in libcoldboost(3).

Usage: packages.py FOLDER [NAME…]      all of them, or those alone
"""

import os
import subprocess
import sys

PACKAGES = ("aws-lambda-ric@3.3.0", "@aws-sdk/client-s3@3.1169.0", "@aws-sdk/client-dynamodb@3.1164.0",
            "koffi@3.3.4")


def main():
    folder, *names = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    for package in PACKAGES:
        name = package.rpartition("@")[0]
        if name in (names or [name]) and not os.path.exists(f"{folder}/node_modules/{name}"):
            # Without a network it shall end soon: tests go on without the package then.
            command = ["npm", "install", "--prefix", folder, "--no-fund", "--no-audit", "--fetch-retries=1", package]
            subprocess.run(command, check=True)


main()
