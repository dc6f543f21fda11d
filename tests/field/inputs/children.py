"""A program that waits for any child, as many shells and supervisors do."""

import os
import signal

signals = []
signal.signal(signal.SIGCHLD, lambda number, frame: signals.append(number))
for status in range(3):
    if os.fork() == 0:
        os._exit(status)
found = []
while True:
    try:
        found.append(os.waitstatus_to_exitcode(os.wait()[1]))
    except ChildProcessError:
        break
print(sorted(found), len(signals) >= 1)
print(sorted(os.listdir("/proc/self/task")) == [str(os.getpid())])
