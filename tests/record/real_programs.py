"""Real programs do not notice that they are recorded; see record_case.py.

Usage: real_programs.py HOW COLDBOOST VICTIM OBJECT CALLER STATIC_VICTIM [CASE…]
"""

import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from record_case import COLDBOOST, HOW, STATIC, RecordCase  # noqa: E402

# The static victim becomes each of them: then all of it is watched from outside.
PREFIX = [STATIC, '--'] if HOW == "outside" else []
# In the end it has one thread again, as soon as those of its own have ended.
PYTHON = ('import concurrent.futures as c, multiprocessing as m, subprocess, os, sys, time\n'
          'print(list(c.ThreadPoolExecutor(4).map(len, ["a", "bb"])))\n'
          'pool = m.get_context("fork").Pool(2)\n'
          'print(pool.map(abs, range(-5, 5)))\n'
          'pool.close(); pool.join()\n'  # python 3.11 hangs now and then in a pool that is collected
          'print(subprocess.run(["sh", "-c", "echo $0; exit 3"], close_fds=True))\n'
          'print(subprocess.run(["env"], env={"A": "1"}, stdout=-1).stdout[:4])\n'
          'while "Threads:\\t1\\n" not in open("/proc/self/status").read(): time.sleep(0.01)\n'
          'sys.stdout.flush(); os._exit(9)\n')
PROGRAMS = {
    'bash': 'for i in 1 2 3; do (exit $i) | cat; echo ${PIPESTATUS[0]}; done;'
            'while read -r line; do echo "$line"; done < A.java | sort | tail -1;'
            'exec 5< a.c; cat <&5; trap "echo bye; exit 4" TERM; kill $$; sleep 1',
    'python': ['/usr/bin/python3', '-c', PYTHON],
    'perl': ['perl', '-e', 'open F, "<A.java"; print <F>; system("exit 3"); print $?;'
                           'print `echo sub`; kill 9, $$'],
    'node': ['node', '-e', 'const c = require("child_process"), fs = require("fs");'
             'console.log(fs.readFileSync("A.java", "utf8"), fs.readdirSync("."));'
             'console.log(c.execSync("echo child; cat a.c").toString());'
             'fs.promises.readFile("a.c").then(b => { console.log(b.length);'
             'process.exit(5) })'],
    'java': ['java', 'A.java', 'x'],
    'gcc': 'gcc -O1 -o a a.c && ./a && rm a',
    'git': 'git init -q g && cd g && git add -A && git -c user.name=a -c user.email=b@c'
           ' commit --allow-empty -qm m && git log --format=%s && cd .. && rm -r g',
    'tar': 'tar -cf - A.java a.c | gzip -n | gunzip | tar -tvf - ;'
           'find . -name "*.c" | xargs -n1 wc',
    'env -i': ['env', '-i', '/bin/sh', '-c', 'echo $A; /bin/echo x'],
}


class RealPrograms(RecordCase):
    def setUp(self):
        super().setUp()
        java = 'class A { public static void main(String[] a) throws Exception {' \
               ' new ProcessBuilder("echo", "child").inheritIO().start().waitFor();' \
               ' System.out.println(a.length); System.exit(7); } }'
        with open(os.path.join(self.folder, 'A.java'), 'w') as f:
            f.write(java)
        with open(os.path.join(self.folder, 'a.c'), 'w') as f:
            f.write('#include <stdio.h>\nint main(void) { puts("built"); return 0; }\n')

    def compare(self, name, options=()):
        if options:
            self.needs_stacks()
        command = PROGRAMS[name]
        if isinstance(command, str):
            command = ['bash', '-c', command]
        program = name if shutil.which(name) else command[0]
        if not shutil.which(program):
            self.skipTest(f"{program} is not installed")
        self.profile = self.folder + '.cbp'
        plain = subprocess.run(command, cwd=self.folder, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        record = [COLDBOOST, 'record', '-o', self.profile, *options, '--', *PREFIX]
        recorded = subprocess.run(record + command, cwd=self.folder, check=False,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        status = plain.returncode if plain.returncode >= 0 else 128 - plain.returncode
        self.assertEqual(recorded.returncode, status, recorded.stderr)
        self.assertEqual(recorded.stdout, plain.stdout)
        lines = recorded.stderr.splitlines(keepends=True)
        self.assertEqual(b''.join(lines[:-1]), plain.stderr)
        self.assertTrue(lines[-1].startswith(b'coldboost: recorded '), lines[-1])
        os.unlink(self.profile)


for name in PROGRAMS:
    RealPrograms.add(name, lambda case, name=name: case.compare(name))
    if HOW != "outside":
        RealPrograms.add(f"{name}, stacks", lambda case, name=name: case.compare(name, ['--stacks']))

cases.main()
