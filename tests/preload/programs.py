"""Real programs behave the same with libcoldboost.so in front of them as without.

Usage: programs.py OBJECT GROUP [--dealt N]

Every case of the group runs once as it is and once in each configuration: preloaded without a
profile, with one that names all the programs involved, with damaged ones, with every option. What
can be seen from outside (output, errors, exit status or signal, files left behind) must not differ
in a single byte.

--dealt N: each case runs without a profile, with one in each mode and with the auditor, and of the
other configurations every Nth, in turn, so that each runs in every Nth case, and in one at least.
"""

import concurrent.futures
import hashlib
import os
import random
import resource
import shutil
import stat
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from coldboost_support import (  # noqa: E402  (the folder must be known first)
    EXECUTABLE,
    HEADER,
    Checks,
    Profile,
    plain_environment,
    reseal,
    run,
)

PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable


class Case:
    """One program to run. `needs` are looked up in PATH; `command` runs in a folder of its own,
    a copy of nothing, beside the shared inputs at $DATA."""

    def __init__(self, name, needs, command, stdin=b""):
        self.name = name
        self.needs = needs
        self.command = command
        self.stdin = stdin


def shell(name, needs, script, stdin=b""):
    return Case(name, ["sh"] + needs, ["sh", "-c", script], stdin)


def bash(name, needs, script, stdin=b""):
    return Case(name, ["bash"] + needs, ["bash", "-c", script], stdin)


def python(name, script, stdin=b""):
    return Case(name, [PYTHON], [PYTHON, "-c", script], stdin)


PYTHON_CASES = [
    python("hello", "print('hello')"),
    python(
        "imports",
        "import json, decimal, email, http.client, logging, re, ssl, unittest\n"
        "print(json.dumps({'pi': str(decimal.Decimal(355) / 113)}), ssl.OPENSSL_VERSION)",
    ),
    python(
        "checksums",
        "import binascii, gzip, zlib, hashlib, os, random\n"
        "data = random.Random(1).randbytes(1 << 20)\n"
        "print(zlib.crc32(data), zlib.crc32(data[3:], 7), binascii.crc32(data), zlib.crc32(b''))\n"
        "print(zlib.adler32(data), hashlib.sha256(data).hexdigest())\n"
        "print(gzip.decompress(gzip.compress(data, 1, mtime=0)) == data)",
    ),
    python(
        "sqlite",
        "import sqlite3\n"
        "db = sqlite3.connect('data.db')\n"
        "db.execute('create table t (n integer, s text)')\n"
        "db.executemany('insert into t values (?, ?)', ((i, str(i * i)) for i in range(5000)))\n"
        "db.commit()\n"
        "print(db.execute('select sum(n), max(s) from t').fetchone())",
    ),
    python(
        "threads",
        "import concurrent.futures, hashlib\n"
        "with concurrent.futures.ThreadPoolExecutor(8) as pool:\n"
        "    print(sum(pool.map(lambda n: len(hashlib.md5(bytes(n)).hexdigest()), range(200))))",
    ),
    python(
        "processes",
        "import multiprocessing, os, subprocess\n"
        "with multiprocessing.Pool(3) as pool:\n"
        "    print(pool.map(abs, range(-20, 20)))\n"
        "print(subprocess.run(['sh', '-c', 'cat; exit 5'], input=b'x', capture_output=True))",
    ),
    python(
        "wait for anybody",
        "import os\n"
        "print([os.waitpid(-1, 0)[1] for n in range(3) if os.fork() or os._exit(n)])\n"
        "try:\n"
        "    os.waitpid(-1, 0)\n"
        "except ChildProcessError as error:\n"
        "    print(error)",
    ),
    python("exit status", "raise SystemExit(42)"),
    python("traceback", "def f(n):\n    return 1 / n\nf(0)"),
    python("signal", "import os, signal\nprint('dying', flush=True)\nos.kill(os.getpid(), 9)"),
    python("segmentation fault", "import ctypes\nctypes.string_at(0)"),
    python("abort", "import os\nos.abort()"),
    python("stdin", "import sys\nprint(sum(map(int, sys.stdin)))", b"1\n2\n3\n" * 1000),
    python("descriptors", "import os\nprint(sorted(os.listdir('/proc/self/fd')))"),
    python(
        "pipe to nobody",
        "import os, signal\n"
        "signal.signal(signal.SIGPIPE, signal.SIG_DFL)\n"
        "r, w = os.pipe()\n"
        "os.close(r)\n"
        "os.write(w, b'x')",
    ),
    python("zip application", "import runpy, sys\nsys.argv[0] = '-'\nrunpy.run_module('this')"),
]

NODE_CASES = [
    Case("hello", ["node"], ["node", "-e", "console.log('hello')"]),
    Case(
        "zlib and crypto",
        ["node"],
        [
            "node",
            "-e",
            "const zlib = require('zlib'), crypto = require('crypto');"
            "const data = Buffer.alloc(1 << 20, 'coldboost');"
            "const packed = zlib.gzipSync(data);"
            "console.log(zlib.gunzipSync(packed).equals(data), packed.length);"
            "console.log(crypto.createHash('sha256').update(data).digest('hex'));",
        ],
    ),
    Case(
        "child and worker",
        ["node"],
        [
            "node",
            "-e",
            "const { Worker } = require('worker_threads');"
            "const child = require('child_process');"
            "console.log(child.execFileSync('sh', ['-c', 'echo from the child']).toString());"
            "new Worker('require(\"worker_threads\").parentPort.postMessage(6 * 7)', { eval: true })"
            ".on('message', (answer) => console.log(answer));",
        ],
    ),
    Case("exit status", ["node"], ["node", "-e", "process.exitCode = 13"]),
    Case("exception", ["node"], ["node", "-e", "throw new Error('on purpose')"]),
    Case("signal", ["node"], ["node", "-e", "process.kill(process.pid, 'SIGTERM')"]),
    Case("stdin", ["node"], ["node", "-"], b"console.log([1, 2, 3].map((n) => n * n).join())"),
]

JAVA_CASES = [
    Case("version", ["java"], ["java", "-Xshare:auto", "-version"]),
    Case("no such class", ["java"], ["java", "-cp", ".", "Missing"]),
    shell("run a class", ["java", "javac"], "java -cp $DATA Hello 3"),
]

GIT_CASES = [
    shell("log", ["git"], "git -C $DATA/repository log --stat --format=fuller"),
    shell("status", ["git"], "git -C $DATA/repository status"),
    shell("diff", ["git"], "git -C $DATA/repository diff; git -C $DATA/repository diff HEAD~1"),
    shell("fsck", ["git"], "git -C $DATA/repository fsck --full --strict 2>&1"),
    shell(
        "clone, pack, commit",
        ["git"],
        "git clone -q $DATA/repository copy && cd copy && git gc -q && git checkout -q -b side &&"
        "git commit -q --allow-empty -m more && git log --oneline && rm -rf ../copy",
    ),
    shell("archive", ["git", "gzip"], "git -C $DATA/repository archive --format=tar.gz HEAD | gzip -t"),
    shell("not a repository", ["git"], "git -C / log"),
]

COMPILER_CASES = [
    shell("gcc", ["gcc"], "gcc -O1 -o program $DATA/program.c && ./program 3 4; echo $?; rm program"),
    shell("gcc with an error", ["gcc"], "gcc -c -Wall $DATA/wrong.c"),
    shell("gcc -E", ["gcc", "wc"], "gcc -E $DATA/program.c | wc"),
    shell("make", ["make", "gcc"], "make -s -j2 -f $DATA/Makefile DATA=$DATA && ./one && ./two; rm one two"),
    shell("make fails", ["make"], "make -f $DATA/Makefile DATA=$DATA missing"),
]

SHELL_CASES = [
    bash("pipeline", ["sort", "uniq", "wc"], "for i in {1..500}; do echo $((i % 17)); done | sort -n | uniq -c | wc"),
    bash("pipe status", ["true", "false"], "true | false | exit 3; echo ${PIPESTATUS[@]}"),
    bash("early reader", ["head", "yes"], "yes | head -n 3; echo ${PIPESTATUS[@]}"),
    bash("background and wait", ["sleep"], "for i in 1 2 3; do (sleep 0.0$i; exit $i) & p[i]=$!; done; for i in 1 2 3; do wait ${p[i]}; echo $?; done"),
    bash("here document", ["cat"], "cat <<< 'here'; cat <(echo there)"),
    bash("trap", [], "trap 'echo bye' EXIT; trap 'echo usr1' USR1; kill -USR1 $$; exit 7"),
    bash("descriptors", ["ls"], "exec 7< /dev/null; ls /proc/self/fd | tail -n +2 | wc -l; exec 7<&-; { echo 8 >&8; } 8>&1"),
    bash("no such command", [], "no-such-command-anywhere"),
    bash("dies of SIGSEGV", [], "kill -SEGV $$"),
    bash("dies of SIGTERM", [], "echo before; kill -TERM $$"),
    bash("exec", ["cat"], "exec cat", b"passed through\0\xff" * 1000),
    shell("child dies", [], "sh -c 'kill -ABRT $$'; echo $?; sh -c 'kill -PIPE $$'; echo $?; sh -c 'exit 9'; echo $?"),
    shell("stdin", ["cat", "tr"], "tr a-z A-Z | cat", b"line\n" * 5000),
    shell("exit status", [], "exit 113"),
    shell("xargs", ["xargs", "echo"], "seq 100 | xargs -n 7 -P 1 echo"),
    shell("timeout", ["timeout", "sleep"], "timeout -s KILL 0.05 sleep 5"),
    Case("true", ["true"], ["true"]),
    Case("false", ["false"], ["false"]),
    Case("env -i", ["env"], ["env", "-i", "A=1", "sh", "-c", "env | sort"]),
    Case("env -i, preload removed", ["env"], ["env", "-i", "/bin/cat", "/dev/null"]),
]

FILE_CASES = [
    shell("find", ["find", "sort"], "cd $DATA/tree && find . -type f -size +1k | sort; find . -newer / -name '*.none'"),
    shell("find -exec", ["find"], "find $DATA/tree -name 'f1*' -exec sh -c 'cksum < $1' - {} \\;"),
    shell("find complains", ["find"], "find /no/such/place"),
    shell("tar and gzip", ["tar", "gzip", "md5sum"], "cd $DATA && tar --sort=name --mtime=@0 -cf - tree | gzip -n | tee $OLDPWD/a.tgz | md5sum; cd $OLDPWD; gunzip -c a.tgz | tar tvf - | wc; tar xzf a.tgz; rm a.tgz"),
    shell("gzip -t on rubbish", ["gzip"], "gzip -t < $DATA/tree/f0"),
    shell("gunzip", ["gzip"], "gunzip -c $DATA/large.gz"),
    shell("gunzip a damaged file", ["gzip"], "gunzip -c $DATA/damaged.gz > out"),
    shell("xz", ["xz"], "xz -c -T1 $DATA/large | tee a.xz | cksum; xz -lv a.xz | tail -n 3; xz -dc a.xz | cksum; rm a.xz"),
    shell("zstd", ["zstd"], "zstd -q -c $DATA/large > a.zst; zstd -qdc a.zst | cksum"),
    shell("bzip2", ["bzip2"], "bzip2 -c $DATA/large | bunzip2 | cksum"),
    shell("sed", ["sed"], "sed -n 's/\\(.\\)x/\\1y/gp' $DATA/text | tail"),
    shell("awk", ["awk"], "awk '{ n[$1 % 10] += $2 } END { for (i = 0; i < 10; i++) print i, n[i] }' $DATA/text"),
    shell("sort", ["sort"], "sort -k2,2nr -k1 --parallel=4 -S 64k $DATA/text | cksum"),
    shell("grep", ["grep"], "grep -c 7 $DATA/text; grep -r needle $DATA/tree; grep -q absent $DATA/text"),
    shell("cmp", ["cmp"], "cmp $DATA/large $DATA/text"),
    shell("dd", ["dd"], "dd if=$DATA/large bs=4k count=3 skip=1 status=none | od -c | head"),
    shell("perl", ["perl"], "perl -MPOSIX -MData::Dumper -e '$Data::Dumper::Sortkeys = 1; print Dumper({map { $_ => floor($_ / 3) } 1..20}); exit 4'"),
    shell("perl forks", ["perl"], "perl -e '$| = 1; for (1..3) { my $p = fork; if (!$p) { exit $_ } waitpid $p, 0; print $? >> 8, \"\\n\" } print wait, \" $!\\n\"; die qq(done\\n)'"),
    shell("sqlite3", ["sqlite3"], "sqlite3 new.db 'create table t(a); insert into t values(1),(2); select sum(a) from t; pragma integrity_check'"),
    shell("openssl", ["openssl"], "openssl dgst -sha256 < $DATA/large; openssl rand -hex 8 | wc -c"),
    shell("curl", ["curl"], "curl -s file://$DATA/text | cksum; curl -sS file:///no/such/file"),
    shell("static program", ["busybox"], "busybox sh -c 'echo $((6 * 7))'"),
]

GROUPS = {
    "python": PYTHON_CASES,
    "node": NODE_CASES,
    "java": JAVA_CASES,
    "git": GIT_CASES,
    "compilers": COMPILER_CASES,
    "shells": SHELL_CASES,
    "files": FILE_CASES,
}


def write(path, content, mode="w"):
    with open(path, mode) as out:
        out.write(content)


def make_repository(folder, environment):
    os.mkdir(folder)

    def git(*arguments):
        subprocess.run(["git", "-C", folder, *arguments], env=environment, check=True)

    git("init", "-q", "-b", "main")
    for version in range(5):
        for name in range(20):
            write(f"{folder}/{name}.txt", f"file {name}\n" + f"version {version}\n" * (name * version))
        git("add", ".")
        git("commit", "-q", "-m", f"version {version}")
    write(f"{folder}/3.txt", "changed\n")
    write(f"{folder}/untracked", "new\n")


def make_data(data, environment):
    """The inputs that the cases share."""
    rng = random.Random(7)
    os.mkdir(f"{data}/tree")
    for i in range(40):
        write(f"{data}/tree/f{i}", rng.randbytes(i * 200), "wb")
    write(f"{data}/tree/text", "hay\nneedle\n")
    write(f"{data}/text", "".join(f"{i} {i * i % 1000} x{i:x}x\n" for i in range(4000)))
    large = b"".join(rng.choice((b"cold", b"boost", b"\0", b"page ")) for _ in range(60000))
    write(f"{data}/large", large, "wb")
    subprocess.run(["gzip", "-nk", f"{data}/large"], check=True)
    with open(f"{data}/large.gz", "rb") as packed:
        damaged = bytearray(packed.read())
    damaged[-6] ^= 1  # in the checksum
    write(f"{data}/damaged.gz", damaged, "wb")
    write(f"{data}/program.c", "#include <stdio.h>\n#include <stdlib.h>\nint main(int argc, char **argv)\n{\n"
          "    puts(\"compiled\");\n    return atoi(argv[1]) * atoi(argv[argc - 1]);\n}\n")
    write(f"{data}/wrong.c", "int main(void)\n{\n    int unused;\n    return missing;\n}\n")
    write(f"{data}/Makefile", "all: one two\none two:\n\tgcc -o $@ $(DATA)/program.c\n"
          "\nmissing: not-there\n")
    write(f"{data}/Hello.java", "public class Hello {\n    public static void main(String[] a) throws Exception {\n"
          "        java.util.zip.CRC32 crc = new java.util.zip.CRC32();\n        crc.update(\"123456789\".getBytes());\n"
          "        System.out.println(Long.toHexString(crc.getValue()));\n        System.exit(Integer.parseInt(a[0]));\n"
          "    }\n}\n")
    if shutil.which("javac", path=environment["PATH"]):
        subprocess.run(["javac", f"{data}/Hello.java"], env=environment, check=True)
    if shutil.which("git", path=environment["PATH"]):
        make_repository(f"{data}/repository", environment)


def programs_involved(cases, path):
    """The real paths of all programs that the cases start, with those behind the compiler."""
    names = {name for case in cases for name in case.needs} | {"sh", "cat", "sort", "wc", "head", "tail"}
    if "gcc" in names and shutil.which("gcc", path=path):
        for part in ("cc1", "collect2", "as", "ld"):
            asked = subprocess.run(["gcc", f"-print-prog-name={part}"], capture_output=True, text=True, check=True)
            names.add(asked.stdout.strip())
    found = (shutil.which(name, path=path) for name in names)
    return sorted({os.path.realpath(program) for program in found if program})


def make_profile(programs, data):
    """One section a program: itself, piece by piece, then the shared inputs and their folder."""
    profile = Profile()
    inputs = [f"{data}/text", f"{data}/large"] + [f"{data}/tree/f{i}" for i in range(1, 40)]
    folder = profile.file(f"{data}/tree", kind=1, size=0, mtime_ns=0)
    for program in programs:
        pages = min(-(-os.path.getsize(program) // 4096), 512)
        own = profile.file(program)
        ranges = [(own, first, min(5, pages - first), 0) for first in range(0, pages, 6)]
        profile.section(program, ranges + [(folder, 0, 0, 1)] + profile.whole_files(inputs))
    return profile


def hostile_profiles(profile, programs):
    """Damaged in every way that can be told apart: name and bytes."""
    good = profile.encode()
    yield "empty", b""
    yield "one byte", good[:1]
    yield "cut in the header", good[:63]
    yield "only a header", good[:64]
    yield "cut in the middle", good[: len(good) // 2]
    yield "cut by a byte", good[:-1]
    yield "a byte too long", good + b"\0"
    yield "text", b"#!/bin/sh\necho profile\n" * 100
    yield "zeros", bytes(len(good))
    yield "wrong magic", good[:3] + b"?" + good[4:]
    yield "wrong checksum", profile.encode(crc32=1)
    yield "next version", profile.encode(version=2)
    for field in ("executable_count", "file_count", "range_count", "string_bytes"):
        yield f"hostile {field}", profile.encode(**{field: 0xFFFFFFFF})
    yield "hostile size", profile.encode(size=1 << 63)
    # Counts that agree with the size, and entries that point anywhere.
    first = HEADER.size
    everywhere = bytearray(good)
    struct.pack_into("<QIII", everywhere, first, 0, 0xFFFFFFFF, 0xFFFFFFF0, 0x20)
    yield "section out of bounds", reseal(bytes(everywhere))
    ranges = HEADER.size + EXECUTABLE.size * len(profile.executables) + 64 * len(profile.files)
    everywhere = bytearray(good)
    struct.pack_into("<IIII", everywhere, ranges, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    yield "range out of bounds", reseal(bytes(everywhere))
    everywhere = bytearray(good)
    struct.pack_into("<III", everywhere, ranges, 0, 0xFFFFFFFE, 0xFFFFFFFE)
    yield "range beyond the file", reseal(bytes(everywhere))
    yield "strings without an end", reseal(good[:-1] + b"x")
    flipped = bytearray(good)
    rng = random.Random(11)
    for _ in range(20):
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    yield "twenty bits flipped", bytes(flipped)
    # Files that are never there, or never what they were.
    strange = Profile()
    for path in ("/dev/zero", "/dev/stdin", "/proc/self/mem", "/proc/kmsg", "/no/such/file", "/"):
        strange.file(path, size=1 << 40, mtime_ns=0)
    entries = [(i, 1, 1 << 20, i) for i in range(len(strange.files))]
    for program in programs:
        strange.section(program, entries)
    yield "devices as files", strange.encode()


ALWAYS = 7  # so many of the first ones run in each case


def configurations(folder, profile, programs, object_path):
    """Name and variables of every way to preload; None: it is not set."""
    good = profile.write(f"{folder}/good.cbp")
    yield "no profile", {}
    yield "profile", {"COLDBOOST_PROFILE": good}
    forced = {"COLDBOOST_PROFILE": good, "COLDBOOST": "force"}
    for mode in ("process", "thread", "sync"):
        yield f"forced, {mode}", {**forced, "COLDBOOST_MODE": mode}
    yield "forced, auditor", {**forced, "LD_AUDIT": object_path, "LD_PRELOAD": None}
    yield "forced, auditor and preloaded", {**forced, "LD_AUDIT": object_path}
    yield "off", {"COLDBOOST_PROFILE": good, "COLDBOOST": "off"}
    yield "forced without a profile", {"COLDBOOST": "force"}
    yield "1 worker", {**forced, "COLDBOOST_WORKERS": "1"}
    yield "16 workers", {**forced, "COLDBOOST_WORKERS": "16"}
    yield "budget of a byte", {**forced, "COLDBOOST_BUDGET": "1"}
    yield "no crc32", {"COLDBOOST_CRC32": "off"}
    yield "no CPU features", {"COLDBOOST_CPU": "none"}
    names = ("", "_MODE", "_BUDGET", "_WORKERS", "_CRC32", "_CPU", "_VERBOSE")
    yield "bad values", {f"COLDBOOST{name}": "nonsense" for name in names}
    yield "empty values", {f"COLDBOOST{name}": "" for name in names + ("_PROFILE", "_STARTED")}
    yield "overflowing values", {
        "COLDBOOST_BUDGET": "99999999999999999999G",
        "COLDBOOST_WORKERS": "4294967297",
        "COLDBOOST_STARTED": "99999999999999999999",
    }
    for name, content in hostile_profiles(profile, programs):
        path = f"{folder}/{name.replace(' ', '-')}.cbp"
        write(path, content, "wb")
        yield f"profile: {name}", {"COLDBOOST_PROFILE": path, "COLDBOOST": "force"}
    os.mkfifo(f"{folder}/fifo.cbp")
    os.symlink("nowhere", f"{folder}/dangling.cbp")
    os.symlink("good.cbp", f"{folder}/link.cbp")
    os.symlink("loop.cbp", f"{folder}/loop.cbp")
    shutil.copy(good, f"{folder}/secret.cbp")
    os.chmod(f"{folder}/secret.cbp", 0)
    places = [folder] + [f"{folder}/{name}.cbp" for name in ("fifo", "dangling", "link", "loop", "secret")]
    for path in places + ["/dev/zero", "/dev/tty", "/proc/self/mem", "/proc/self/maps", "relative.cbp", "/" * 5000]:
        yield f"profile: {path[:40]}", {"COLDBOOST_PROFILE": path, "COLDBOOST": "force"}


def left_behind(folder):
    """Every file under the folder with its type and content; compiled code and databases too."""
    result = []
    for root, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(root, name)
            mode = os.lstat(path).st_mode
            digest = ""
            if stat.S_ISREG(mode):
                with open(path, "rb") as content:
                    digest = hashlib.sha256(content.read()).hexdigest()
            result.append((os.path.relpath(path, folder), stat.S_IFMT(mode), digest))
    return result


def run_case(case, base, settings, data):
    """In a fresh folder, whose name every run sees as the same."""
    with tempfile.TemporaryDirectory(dir=base) as folder:
        os.mkdir(f"{folder}/work")
        environment = plain_environment(f"{data}/..")
        environment.update(
            DATA=data,
            GIT_AUTHOR_DATE="1700000000 +0000",
            GIT_COMMITTER_DATE="1700000000 +0000",
            GIT_CONFIG_GLOBAL=f"{data}/gitconfig",
            GIT_CONFIG_NOSYSTEM="1",
            GIT_OPTIONAL_LOCKS="0",
            **settings,
        )
        outcome = run(case.command, environment, case.stdin, cwd=f"{folder}/work")
        outcome.files = left_behind(f"{folder}/work")
        # Nothing else of the run may depend on it: names of temporary files would.
        outcome.stdout = outcome.stdout.replace(folder.encode(), b"FOLDER")
        outcome.stderr = outcome.stderr.replace(folder.encode(), b"FOLDER")
        return outcome


def compare(checks, case, base, data, object_path, settings_of):
    plain = run_case(case, base, {}, data)
    noise = list(plain.differences(run_case(case, base, {}, data)))
    if not checks.check(not noise, f"{case.name} differs from itself without us: {noise}"):
        return
    for name, settings in settings_of:
        variables = {"LD_PRELOAD": object_path, **settings}
        given = {name: value for name, value in variables.items() if value is not None}
        boosted = run_case(case, base, given, data)
        found = "; ".join(plain.differences(boosted))
        checks.check(not found, f"{case.name}, {name}: {found}")


def main():
    object_path, group = os.path.abspath(sys.argv[1]), sys.argv[2]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    checks = Checks()
    with tempfile.TemporaryDirectory(prefix="coldboost-programs-") as base:
        base = os.path.realpath(base)
        data = f"{base}/data"
        os.mkdir(data)
        write(f"{data}/gitconfig", "[user]\n\tname = Nobody\n\temail = nobody@example.org\n"
              "[gc]\n\tauto = 0\n[safe]\n\tdirectory = *\n")
        environment = plain_environment(base)
        environment.update(
            GIT_AUTHOR_DATE="1700000000 +0000",
            GIT_COMMITTER_DATE="1700000000 +0000",
            GIT_CONFIG_GLOBAL=f"{data}/gitconfig",
            GIT_CONFIG_NOSYSTEM="1",
        )
        make_data(data, environment)
        runnable = []
        for case in GROUPS[group]:
            missing = [n for n in case.needs if not shutil.which(n, path=environment["PATH"])]
            if missing:
                checks.skip(case.name, f"{', '.join(missing)} not installed")
            else:
                runnable.append(case)
        programs = programs_involved(runnable, environment["PATH"])
        profile = make_profile(programs, data)
        settings_of = list(configurations(base, profile, programs, object_path))
        always, others, step = settings_of, [], 1
        if sys.argv[3:4] == ["--dealt"]:
            always, others = settings_of[:ALWAYS], settings_of[ALWAYS:]
            step = min(int(sys.argv[4]), len(runnable))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            jobs = [
                pool.submit(compare, checks, case, base, data, object_path, always + others[at::step])
                for at, case in enumerate(runnable)
            ]
            for job in jobs:
                job.result()
    return checks.exit_code()


if __name__ == "__main__":
    sys.exit(main())
