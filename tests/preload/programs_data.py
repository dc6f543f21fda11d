"""The inputs that real programs share, and what they leave behind."""

import hashlib
import os
import random
import shutil
import stat
import subprocess


def write(path, content, mode="w"):
    with open(path, mode) as out:
        out.write(content)


GIT = {
    "GIT_AUTHOR_DATE": "1700000000 +0000",
    "GIT_COMMITTER_DATE": "1700000000 +0000",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_OPTIONAL_LOCKS": "0",
}


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
