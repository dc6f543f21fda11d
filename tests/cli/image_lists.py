"""coldboost show --list: what builders of images make of it puts the working set first.

Usage: image_lists.py COLDBOOST OBJECT PRINT_ARGUMENTS PRINT_ARGUMENTS_STATIC COMPILER [CASE…]
"""

import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from cli_case import CliCase  # noqa: E402
from profiles import Profile  # noqa: E402

# A name each for what a list may get wrong: its order, blanks, signs of the lists' own languages.
NAMES = ("zebra", "a name  with blanks", "usr/lib/libz.so", "#comment", 'back\\slash"quote', "\u00e4", "it's [1]*")


class ImageLists(CliCase):
    def setUp(self):
        super().setUp()
        self.root = f"{self.folder}/root"
        self.content = {}
        others = [f"{where}other-{i}" for where in ("", "usr/lib/") for i in range(20)]
        for name in (*NAMES, *others):
            path = f"{self.root}/{name}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self.content[name] = os.urandom(20000)
            with open(path, "wb") as out:
                out.write(self.content[name])

    def profile(self, names=NAMES):
        """Paths as in a container whose root this is. The sections stand in another order than the
        first touches, and files are touched again; a folder, and a file that is only looked up, are
        no files to fetch."""
        profile = Profile()
        files = [profile.file(f"/{name}", size=20000, mtime_ns=0) for name in reversed(names)][::-1]
        folder = profile.file("/usr", kind=1, size=0, mtime_ns=0)
        looked_up = profile.file("/other-3", size=20000, mtime_ns=0)
        late, early = files[3:], files[:3]
        profile.section("/bin/child", [(file, 1, 1, 10 + i) for i, file in enumerate(late)])
        profile.section("/bin/first", [
            (looked_up, 0, 0, 0), (folder, 0, 0, 0), (early[0], 4, 1, 1), (early[1], 0, 2, 1), (early[2], 0, 5, 2),
            (early[0], 0, 1, 3), *((late[:1] and [(late[0], 0, 1, 99)]) or []),
        ])
        return profile.write(f"{self.folder}/app.cbp")

    def list(self, form="", path=None, stderr=b""):
        return self.expect(["show", f"--list{form}", path or self.profile()], 0, rb".", stderr).stdout

    def test_plain(self):
        expected = [f"/{name}".replace("\\", "\\\\") for name in NAMES]
        self.equal(self.list().decode().splitlines(), expected, "names")

    def test_squashfs(self):
        """In an image that is sorted by the list, the files stand in its order, before all others."""
        if not shutil.which("mksquashfs"):
            self.skipTest("there is no mksquashfs")
        order = self.image(self.list("=squashfs"))
        self.equal(order[:len(NAMES)], list(NAMES), "the first files of the image")
        self.check(sorted(order) == sorted(self.content), "files are missing")
        self.check(self.image(b"")[:len(NAMES)] != list(NAMES), "they stand there without the list, too")

    def image(self, sort):
        """The names of an image's files, as their content stands in it."""
        with open(f"{self.folder}/sort", "wb") as out:
            out.write(sort)
        image = f"{self.folder}/image"
        command = ["mksquashfs", self.root, image, "-noappend", "-noD", "-noF", "-quiet", "-no-progress", "-sort",
                   f"{self.folder}/sort"]
        made = subprocess.run(command, capture_output=True, check=False)
        self.equal((made.returncode, made.stderr), (0, b""), f"mksquashfs: {sort}")
        with open(image, "rb") as content:
            whole = content.read()
        places = {name: whole.find(self.content[name][:4096]) for name in self.content}
        self.check(min(places.values()) > 0, f"not in the image: {places}")
        return sorted(places, key=places.get)

    def test_estargz(self):
        lines = self.list("=estargz").decode().splitlines()
        self.equal([json.loads(line) for line in lines], [{"path": name} for name in NAMES], "record file")

    def test_nydus(self):
        self.equal(self.list("=nydus").decode().splitlines(), [f"/{name}" for name in NAMES], "prefetch list")

    def test_priorities(self):
        """There are fewer priorities than files may be: the last ones share one, above all others'."""
        profile = Profile()
        files = [profile.file(f"/{i}", size=4096, mtime_ns=0) for i in range(32770)]
        profile.section("/bin/app", [(file, 0, 1, 0) for file in files])
        lines = self.list("=squashfs", profile.write(f"{self.folder}/large.cbp")).decode().splitlines()
        expected = [f"{i} {max(32767 - i, 1)}" for i in range(32770)]
        self.check(lines == expected, f"{lines[:3]} … {lines[-6:]}")

    def test_names_that_are_no_line(self):
        """What a line cannot say is left out, and said; the plain list prints it escaped."""
        odd = ("new\nline", "not \udcff utf-8", "blank ", "bell\x07")
        path = self.profile((*odd, "zebra"))
        for form in ("squashfs", "estargz", "nydus"):
            lines = self.list(f"={form}", path, rb"^coldboost: 4 files are left out: [^\n]*\n$").splitlines()
            self.check(len(lines) == 1 and b"zebra" in lines[0], f"{form}: {lines}")
        plain = self.list("", path).splitlines()
        self.equal(plain, [rb"/new\nline", rb"/not \xff utf-8", rb"/blank ", rb"/bell\x07", b"/zebra"], "plain")

    def test_usage(self):
        path = self.profile()
        self.expect(["show", "--list=tar", path], 2, b"", rb"no form is called 'tar'")
        self.expect(["show", "--list", "--json", path], 2, b"", rb"two outputs")
        empty = Profile().write(f"{self.folder}/empty.cbp")
        self.expect(["show", "--list", empty], 0, b"")


cases.main()
