"""The manual is clean, and says the same as the commands, the table of options and README.md.

Usage: manual.py SOURCE_ROOT PAGES COLDBOOST [CASE…]

PAGES is the folder with the pages as they are installed.
"""

import glob
import os
import re
import shutil
import subprocess

from manual_case import COLDBOOST, PAGES, ROOT, ManualCase, cases, find, read, read_pages

COMMANDS = ("run", "status", "forget", "link", "unlink", "record", "show", "merge", "bench", "layer", "report",
            "inspect")
README_LINES = 150


def usage_of(*command):
    return subprocess.run([COLDBOOST, *command, "--help"], capture_output=True, text=True, check=True).stdout


class Documents:
    """What speaks of the COLDBOOST_* variables."""

    def __init__(self, table, sources, pages, readme, usage):
        self.table, self.sources, self.pages, self.readme, self.usage = table, sources, pages, readme, usage

    def changed(self, **parts):
        return Documents(**{**self.__dict__, **parts})

    def with_page(self, name, change):
        return self.changed(pages={**self.pages, name: change(self.pages[name])})


def option_faults(documents):
    """What contradicts the table of options, or repeats it."""
    rows = re.findall(r'^OPTION\(\s*"(\w*)",', documents.table, re.M)
    users = {f"COLDBOOST{name}" for name in rows}
    if len(rows) != len(re.findall(r"^OPTION\(", documents.table, re.M)) or len(users) < 5:
        yield "the table of options is not written as expected: the check itself is broken"
    listed = {name: re.findall(r"^\.It Ev (COLDBOOST\w*)", page, re.M) for name, page in documents.pages.items()}
    if sorted(listed["coldboost.1"]) != sorted(users):
        yield f"coldboost(1) lists {listed['coldboost.1']}, the table {sorted(users)}"
    if sorted(re.findall(r"^  (COLDBOOST\w*) ", documents.usage, re.M)) != sorted(users):
        yield "coldboost run --help lists other variables than the table"
    for name, source in documents.sources.items():
        if ".It Ev COLDBOOST" in source:
            yield f"the source of {name} lists variables: only the table does"
    for name in listed:
        if name != "coldboost.1" and listed[name]:
            yield f"{name} lists variables as coldboost(1) does"
    if re.search(r"(?m)^\| *`COLDBOOST", documents.readme):
        yield "README.md has a table of variables"
    for name, text in {**documents.pages, "README.md": documents.readme}.items():
        # Constants of coldboost.h are .Dv, and the width of a list of them.
        prose = re.sub(r"(?m)^\.(Dv|It Dv|Bl) .*$", "", text)
        for other in sorted(set(re.findall(r"\bCOLDBOOST(?:_[A-Z0-9]+)*\b", prose)) - users):
            if not (name.startswith("coldboost") and text.startswith(".Dd") and f".Dt {other}" in text):
                yield f"{name} speaks of {other}, which is no variable for users"


def options_of_help(text):
    """The options that --help explains, one a line or two."""
    heads = re.findall(r"(?m)^ +(-.*?)(?:  |$)", text)
    return {option for head in heads for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", head)}


def options_of_items(page, macro):
    lines = re.findall(rf"(?m)^\.{macro} .*$", page)
    return {f"-{name}" for line in lines for name in re.findall(r"\bFl (-?[a-z][a-z-]*)", line)}


def lint(path):
    """What mandoc and groff find in a page; None of one that is not here."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"}
    said = {}
    for tool, command in {
        "mandoc": ["mandoc", "-T", "lint", "-W", "warning", path],
        "man": ["man", "--warnings", "-E", "UTF-8", "-Tutf8", "-Z", "-l", path],
    }.items():
        said[tool] = None
        if shutil.which(tool):
            outcome = subprocess.run(command, env=environment, capture_output=True, check=False)
            # mandoc's own man knows no --warnings.
            unknown = tool == "man" and b"--warnings" in outcome.stderr
            said[tool] = None if unknown else (outcome.stdout if tool == "mandoc" else b"") + outcome.stderr
    return said


def heading_anchors(text):
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
            for heading in re.findall(r"(?m)^#+ (.*)$", text)}


class Manual(ManualCase):
    def test_options(self):
        sources = read_pages(f"{ROOT}/tools/man")
        documents = Documents(find("options_table.h"), sources, self.pages, read(f"{ROOT}/README.md"), usage_of("run"))
        self.equal(sorted(documents.pages), sorted(documents.sources), "pages that are built")
        self.equal(list(option_faults(documents)), [], "options")
        item = re.compile(r"(?ms)^\.It Ev COLDBOOST_MODE\n.*?(?=^\.It )")
        mode = item.search(documents.pages["coldboost.1"])[0]
        row = 'OPTION("_NEW", TEXT, 0, new, "none", "New.", NULL)\n'
        for planted, changed in {
            "an option that is new": documents.changed(table=documents.table + row),
            "a row that is gone": documents.changed(table=documents.table.replace("_MODE", "_MOOD")),
            "an option that is missing": documents.with_page("coldboost.1", lambda page: item.sub("", page)),
            "an option that is gone": documents.with_page("coldboost.1", lambda page: page + mode.replace("_MO", "_M")),
            "a second list": documents.with_page("coldboost-run.1", lambda page: page + mode),
            "a list by hand": documents.changed(sources={"coldboost.1": documents.pages["coldboost.1"]}),
            "a table in README.md": documents.changed(readme=documents.readme + "| `COLDBOOST_MODE` | x |\n"),
            "an option with another name": documents.changed(readme=documents.readme + "Set COLDBOOST_MODES.\n"),
            "an internal one": documents.with_page("libcoldboost.3", lambda page: page + "COLDBOOST_CPU\n"),
            "another help": documents.changed(usage=documents.usage.replace("  COLDBOOST_MODE ", "  ")),
        }.items():
            self.check(list(option_faults(changed)), f"{planted} is not found")

    def test_commands(self):
        for command in COMMANDS:
            usage = usage_of(command)
            page = self.pages[f"coldboost-{command}.1"]
            explained = options_of_items(page, "It")
            self.equal(sorted(explained), sorted(options_of_help(usage)), f"coldboost-{command}(1) and --help")
            synopsis = page[page.index(".Sh SYNOPSIS"):page.index(".Sh DESCRIPTION")]
            shown = {f"-{name}" for name in re.findall(r"\bFl (-?[a-z][a-z-]*)", synopsis)}
            for item in re.findall(r"(?m)^\.It (.*Fl.*)$", page):
                names = {f"-{name}" for name in re.findall(r"\bFl (-?[a-z][a-z-]*)", item)}
                good = names & shown or "--help" in names
                self.check(good, f"coldboost-{command}(1): {names} are not in the SYNOPSIS")
        usage = usage_of()
        listed = re.findall(r"(?m)^  (\w+) +\w", usage[usage.index("Commands:"):usage.index("Example")])
        self.equal(sorted(listed), sorted(COMMANDS), "commands")

    def test_lint(self):
        bad = f"{self.new_folder()}/bad.1"
        with open(bad, "w", encoding="utf-8") as file:
            file.write(self.pages["coldboost.1"].replace("\n.Bl", "\n.Xy\n.Bl", 1) + ".El\n")
        for tool, said in lint(bad).items():
            if said is None:
                self.skip(f"pages through {tool}", f"there is no {tool} here that checks them")
            else:
                self.check(said, f"{tool} finds nothing in a bad page")
        for name in self.pages:
            for tool, said in lint(f"{PAGES}/{name}").items():
                self.check(not said, f"{name}: {tool}: {said}")

    def test_references(self):
        for name, page in self.pages.items():
            for named in re.findall(r"(?<![\w/])((?:tools|tests)/[\w./-]*\w)", page.replace("\\-", "-")):
                self.check(os.path.exists(f"{ROOT}/{named}"), f"{name}: there is no {named}")
            for other, section in re.findall(r"\bXr ((?:lib)?coldboost\S*) (\d)", page):
                self.check(f"{other}.{section}" in self.pages, f"{name}: there is no page {other}({section})")

    def test_links(self):
        tracked = [path for path in glob.glob(f"{ROOT}/**/*.md", recursive=True)
                   if not os.path.relpath(path, ROOT).startswith(("build", "subprojects"))]
        self.check(f"{ROOT}/README.md" in tracked, "README.md is not found")
        for path in tracked:
            text, name = read(path), os.path.relpath(path, ROOT)
            for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text):
                there = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
                if self.check(os.path.exists(there), f"{name}: there is no {target}") and anchor:
                    self.check(anchor in heading_anchors(read(there)), f"{name}: {target} has no heading {anchor}")
            for named in re.findall(r"`((?:src|preload|tools|tests)/[\w./-]*\w)", text):
                found = glob.glob(f"{ROOT}/{named}*") + glob.glob(f"{os.path.dirname(path)}/{named}*")
                self.check(found, f"{name}: there is no {named}")
            # In a house's README, a room's file is named from there.
            for room, file in re.findall(r"`([\w-]+)/([\w-]+\.\w+)`", text):
                folder = os.path.join(os.path.dirname(path), room)
                if os.path.isdir(folder) and "NAME" not in file:
                    self.check(os.path.exists(f"{folder}/{file}"), f"{name}: there is no {room}/{file}")
        lines = read(f"{ROOT}/README.md").count("\n")
        self.check(lines <= README_LINES, f"README.md has {lines} lines, more than {README_LINES}")


cases.main()
