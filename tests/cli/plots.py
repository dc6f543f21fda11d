"""--plot of coldboost show and coldboost bench: what is drawn, and where it cannot be.

Usage: plots.py COLDBOOST OBJECT PRINT_ARGUMENTS PRINT_ARGUMENTS_STATIC COMPILER [CASE…]
"""

import os
import re
import sys
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from cli_case import CliCase  # noqa: E402
from coldboost_support import NOBODY, run  # noqa: E402
from profiles import Profile  # noqa: E402


def shapes(svg, rgb):
    """[(left, top, right, bottom)] of what a picture fills with a colour, 0xRRGGBB."""
    found = []
    for element in xml.etree.ElementTree.parse(svg).iter():
        if element.get("fill") != f"#{rgb:06x}":
            continue
        if element.tag.endswith("rect"):
            x, y, width, height = (float(element.get(k, 0)) for k in ("x", "y", "width", "height"))
            found.append((x, y, x + width, y + height))
        elif element.get("d"):
            numbers = [float(number) for number in re.findall(r"-?[\d.]+", element.get("d"))]
            found.append((min(numbers[0::2]), min(numbers[1::2]), max(numbers[0::2]), max(numbers[1::2])))
    return found


class Plots(CliCase):
    def test_plot_profile(self):
        profile, _, _ = self.sample()
        path = profile.write(f"{self.folder}/sample.cbp")
        svg = f"{self.folder}/sample.svg"
        self.expect(["show", "--plot", svg, path], 0, rb"3 files")
        root = xml.etree.ElementTree.parse(svg).getroot()
        self.check(root.tag.endswith("svg"), f"a plot is a {root.tag}")
        # The strip of "data": 25 pages on 480 points from 320 on. The first range is the last five
        # of them, in the first colour; the last is the first three, seven tenths down the order.
        first = [shape for shape in shapes(svg, 0x440154) if shape[3] - shape[1] > 10]
        places = [(704, 800), (560, 800)]  # and the second page of two, first in the other section
        self.equal([(shape[0], shape[2]) for shape in first], places, "the first range's place")
        strip = first[0][1] if first else 0
        later = [s for s in shapes(svg, 0x46BE6F) if s[1] == strip]
        # Of the 58th column a part is needed: it is paler, and half overlapped.
        self.equal([(s[0], s[2]) for s in later], [(320, 377.5)], "the last range's place")
        mode = os.stat(svg).st_mode & 0o777
        self.equal(mode, 0o644, "mode of a plot")
        empty = Profile().write(f"{self.folder}/nothing.cbp")
        self.expect(["show", "--json", "--plot", svg, empty], 0, rb"\{")
        self.equal(shapes(svg, 0x440154), [], "the plot of nothing")
        many = Profile()
        index = many.file(f"{self.folder}/data")
        for number in range(40):
            many.section(f"/bin/{number}", [(index, 0, 1, 0)])
        self.expect(["show", "--plot", svg, many.write(f"{self.folder}/many.cbp")], 0, rb"40 executables")
        xml.etree.ElementTree.parse(svg)
        left = [name for name in os.listdir(self.folder) if "svg" in name and name != "sample.svg"]
        self.equal(left, [], "files beside the plot")

    def test_plot_bench(self):
        program, path = self.program_with_profile("true")
        tool, how = self.plain_user()
        os.mkdir(f"{self.folder}/own")
        os.chmod(f"{self.folder}/own", 0o777)
        svg = f"{self.folder}/own/bench.svg"
        cold, audited, boosted = 0x8C95A0, 0x2F8F9D, 0x1F66AD

        def plot():
            command = [tool, "bench", "-n", "1", "--plot", svg, "-p", path, program]
            outcome = run(command, self.environment, cwd="/", **how)
            self.equal(outcome.status, 0, f"bench --plot: {outcome.stderr}")
            return [len(shapes(svg, colour)) for colour in (cold, audited, boosted)]

        if how:
            # Of root's files mincore() tells nobody anything: bars alone.
            self.equal(plot(), [1, 1, 1], "bars without a timeline")
            os.chown(program, NOBODY, NOBODY)
        os.sync()
        self.equal(plot(), [2, 1, 2], "bars and a timeline of one file")
        self.equal(os.listdir(f"{self.folder}/own"), ["bench.svg"], "files beside the plot")

    def test_plot_refuses(self):
        """Without a folder to write to; before anything is measured."""
        program, path = self.program_with_profile("true")
        tool, how = self.plain_user()
        commands = (["show", path], ["bench", "-n", "1", "-p", path, program])

        def refuse(plot, pattern):
            for command in commands:
                arguments = [tool, command[0], "--plot", plot, *command[1:]]
                outcome = run(arguments, self.environment, cwd="/", **how)
                self.equal((outcome.status, outcome.stdout), (1, b""), f"{command} --plot {plot}")
                found = re.search(re.escape(plot.encode()) + b": .*" + pattern, outcome.stderr)
                self.check(found, f"{command} --plot {plot}: {outcome.stderr}")

        os.makedirs(f"{self.folder}/open", exist_ok=True)
        os.chmod(f"{self.folder}/open", 0o777)
        refuse("/no/such/folder/x.svg", b"there is no folder /no/such; make it")
        refuse(self.folder, b"is a folder, not a file")
        if how:
            refuse(f"{self.folder}/x.svg", b"cannot write into .*Permission denied")
        self.equal(os.listdir(f"{self.folder}/open"), [], "what a refused plot leaves")


cases.main()
