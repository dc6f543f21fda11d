"""Workers by fork, by spawn and by a fork server, and what they have computed."""

import multiprocessing
import os
import subprocess
import sys


def square(number):
    return number * number


if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(3) as pool:
            print(method, pool.map(square, range(8)))
    queue = multiprocessing.Queue()
    process = multiprocessing.Process(target=queue.put, args=("a word",))
    process.start()
    print(queue.get(), process.join(), process.exitcode)
    print(subprocess.run(["sh", "-c", "exit 3"], check=False).returncode)
    try:
        os.waitpid(-1, os.WNOHANG)
        print("a child that nobody knows")
    except ChildProcessError:
        print("no child is left")
    sys.exit(5)
