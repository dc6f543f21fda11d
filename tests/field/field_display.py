"""An X server without a screen, for the programs that want one."""

import os
import shutil
import subprocess
import time

NUMBER = 9
# Without the buses that the first program of a desktop would start for the next ones.
ENVIRONMENT = {
    "DISPLAY": f":{NUMBER}",
    "NO_AT_BRIDGE": "1",
    "DBUS_SESSION_BUS_ADDRESS": "disabled:",
}


def start():
    """The server's process, or None if there is no Xvfb."""
    if not shutil.which("Xvfb"):
        return None
    os.makedirs("/tmp/.X11-unix", mode=0o1777, exist_ok=True)
    os.chmod("/tmp/.X11-unix", 0o1777)
    # pylint: disable-next=consider-using-with
    server = subprocess.Popen(
        ["Xvfb", f":{NUMBER}", "-ac", "-nolisten", "tcp", "-screen", "0", "1024x768x24", "-noreset"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while server.poll() is None and not os.path.exists(f"/tmp/.X11-unix/X{NUMBER}"):
        time.sleep(0.02)
    return server if server.poll() is None else None
