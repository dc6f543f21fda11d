"""The programs of programs.py, in groups: what each is called, needs, and runs."""

import os
import sys

PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable


class Program:
    """One program to run. `needs` are looked up in PATH; `command` runs in a folder of its own,
    a copy of nothing, beside the shared inputs at $DATA."""

    def __init__(self, name, needs, command, stdin=b""):
        self.name = name
        self.needs = needs
        self.command = command
        self.stdin = stdin


def shell(name, needs, script, stdin=b""):
    return Program(name, ["sh"] + needs, ["sh", "-c", script], stdin)


def bash(name, needs, script, stdin=b""):
    return Program(name, ["bash"] + needs, ["bash", "-c", script], stdin)


def python(name, script, stdin=b""):
    return Program(name, [PYTHON], [PYTHON, "-c", script], stdin)


PYTHON_PROGRAMS = [
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

NODE_PROGRAMS = [
    Program("hello", ["node"], ["node", "-e", "console.log('hello')"]),
    Program(
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
    Program(
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
    Program("exit status", ["node"], ["node", "-e", "process.exitCode = 13"]),
    Program("exception", ["node"], ["node", "-e", "throw new Error('on purpose')"]),
    Program("signal", ["node"], ["node", "-e", "process.kill(process.pid, 'SIGTERM')"]),
    Program("stdin", ["node"], ["node", "-"], b"console.log([1, 2, 3].map((n) => n * n).join())"),
]

JAVA_PROGRAMS = [
    Program("version", ["java"], ["java", "-Xshare:auto", "-version"]),
    Program("no such class", ["java"], ["java", "-cp", ".", "Missing"]),
    shell("run a class", ["java", "javac"], "java -cp $DATA Hello 3"),
]

GIT_PROGRAMS = [
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

COMPILER_PROGRAMS = [
    shell("gcc", ["gcc"], "gcc -O1 -o program $DATA/program.c && ./program 3 4; echo $?; rm program"),
    shell("gcc with an error", ["gcc"], "gcc -c -Wall $DATA/wrong.c"),
    shell("gcc -E", ["gcc", "wc"], "gcc -E $DATA/program.c | wc"),
    shell("make", ["make", "gcc"], "make -s -j2 -f $DATA/Makefile DATA=$DATA && ./one && ./two; rm one two"),
    shell("make fails", ["make"], "make -f $DATA/Makefile DATA=$DATA missing"),
]

SHELL_PROGRAMS = [
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
    Program("true", ["true"], ["true"]),
    Program("false", ["false"], ["false"]),
    Program("env -i", ["env"], ["env", "-i", "A=1", "sh", "-c", "env | sort"]),
    Program("env -i, preload removed", ["env"], ["env", "-i", "/bin/cat", "/dev/null"]),
]

FILE_PROGRAMS = [
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
    "python": PYTHON_PROGRAMS,
    "node": NODE_PROGRAMS,
    "java": JAVA_PROGRAMS,
    "git": GIT_PROGRAMS,
    "compilers": COMPILER_PROGRAMS,
    "shells": SHELL_PROGRAMS,
    "files": FILE_PROGRAMS,
}
