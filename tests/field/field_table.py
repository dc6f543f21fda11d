"""Reads the table of programs.

A name at the beginning of a line opens an entry; indented lines say one thing of it each, a word and
its value; what is indented deeper continues the value. `$INPUTS` is the folder tests/field/inputs,
`$WORK` the folder that the program starts in, its home and its own.

    packages  Debian's packages, beyond what every Debian has
    command   what is started, in the quoting of a shell
    server    what is started, answers `ask` over the loopback, and is stopped by a signal
    ask       a command that exits with 0 once the server answers; what it prints is compared
    stop      the signal that stops the server, TERM unless said
    setup     a shell script that makes, before, what is needed in $WORK, as the program's user
    stdin     what it reads
    keys      what is typed, each word once the terminal is quiet, with \\r, \\x1b and \\x20 as in C;
              the program gets a terminal
    display   the command is started with an X server; the value is what it needs it for
    status    the exit status, 0 unless said; minus its number for a signal
    differs   what may differ between two plain runs: `numbers`, `order` (of the lines), what regular
              expressions match; all of `output`, `errors`, `answer`, `files` (their names), `tree`
              (the server's processes)
    only      `root` or `nobody`, and why the other cannot
    bare      `no` and why: it is not started as PID 1
    container `no` and why: it is not started in a container
    limit     seconds after which it is taken to hang, 60 unless said
    small     it is one of the twenty of `meson test --suite field`; its packages are small
"""

import os
import re
import shlex
import shutil
import subprocess

from field_house import HERE, INPUTS, WORK
from field_start import SEARCH_PATH

KEYS = {
    "packages", "command", "server", "ask", "stop", "setup", "stdin", "keys", "display", "status",
    "differs", "only", "bare", "container", "limit", "small",
}  # fmt: skip


class Program:
    def __init__(self, name, fields):
        self.name = name
        self.packages = fields.get("packages", "").split()
        self.is_server = "server" in fields
        self.command = words(fields.get("server") or fields["command"])
        self.ask = words(fields.get("ask", ""))
        self.stop = fields.get("stop", "TERM")
        self.setup = replace(fields.get("setup", ""))
        self.stdin = bytes(fields["stdin"] + "\n" if "stdin" in fields else "", "utf-8")
        self.keys = [bytes(word, "utf-8").decode("unicode_escape").encode("latin-1")
                     for word in fields.get("keys", "").split()]  # fmt: skip
        self.display = "display" in fields
        self.status = int(fields.get("status", "0"))
        self.differs = shlex.split(fields.get("differs", ""))
        self.only, _, self.only_why = fields.get("only", "").partition(" ")
        self.bare_why = fields.get("bare", "").partition(" ")[2]
        self.container_why = fields.get("container", "").partition(" ")[2]
        self.limit = float(fields.get("limit", "60"))
        self.small = "small" in fields

    def missing(self):
        """Why it cannot be started on this machine, or None."""
        absent = [package for package in self.packages if not is_installed(package)]
        if absent:
            return "not installed: " + " ".join(absent)
        if not shutil.which(self.command[0], path=SEARCH_PATH):
            return f"there is no {self.command[0]}"
        return None


def replace(text):
    return text.replace("$INPUTS", INPUTS).replace("$WORK", WORK)


def words(text):
    return shlex.split(replace(text))


def read_table(path=os.path.join(HERE, "programs")):
    programs = []
    name, fields, key, is_block = None, {}, None, False

    def close():
        if name:
            programs.append(Program(name, fields))

    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            depth = len(line) - len(line.lstrip())
            text = line.strip()
            if not text or (text.startswith("#") and depth == 0):
                continue
            if depth == 0:
                close()
                name, fields, key = text, {}, None
            elif depth > 4 and key and is_block:
                fields[key] += line.rstrip()[8:] + "\n"
            elif depth > 4 and key:
                fields[key] += ("\n" if key == "stdin" else " ") + text
            else:
                key, _, value = text.partition(" ")
                is_block = not value
                if key not in KEYS:
                    raise ValueError(f"{path}:{number}: {key} is no field of an entry")
                fields[key] = value.strip()
    close()
    return programs


def is_installed(package, cache={}):  # pylint: disable=dangerous-default-value
    if not cache:
        query = ["dpkg-query", "-W", "-f", "${Package} ${Status}\n"]
        listed = subprocess.run(query, capture_output=True, text=True, check=True).stdout
        cache.update(re.findall(r"^(\S+) (\S+ ok installed)$", listed, re.M))
    return package in cache


def install(programs):
    """Installs what is missing, each program by itself so that one cannot hold up the others."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for program in programs:
        absent = [package for package in program.packages if not is_installed(package)]
        if absent:
            command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *absent]
            subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False)
