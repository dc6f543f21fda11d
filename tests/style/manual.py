"""The manual is clean, and says the same as the programs, the sources and README.md: each thing once.

Usage: manual.py SOURCE_ROOT PAGES COLDBOOST

PAGES is the folder with the pages as they are installed.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from coldboost_support import Checks  # noqa: E402

COMMANDS = ("run", "record", "show", "merge", "bench", "layer", "report", "inspect")
README_LINES = 150


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def find(root, pattern, inside=""):
    """The one source file of this name that has this in it: rooms may be rearranged."""
    paths = [path for top in ("src", "preload", "tools")
             for path in glob.glob(f"{root}/{top}/**/{pattern}", recursive=True)]
    (path,) = [path for path in paths if inside in read(path)]
    return read(path)


# ---- options ------------------------------------------------------------------------------------

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


def check_options(checks, documents):
    checks.equal(list(option_faults(documents)), [], "options")
    item = re.compile(r"(?ms)^\.It Ev COLDBOOST_MODE\n.*?(?=^\.It )")
    mode = item.search(documents.pages["coldboost.1"])[0]
    row = 'OPTION("_NEW", TEXT, 0, new, "none", "New.", NULL)\n'
    for planted, changed in {
        "an option that is new": documents.changed(table=documents.table + row),
        "a row that is gone": documents.changed(table=documents.table.replace("_MODE", "_MOOD")),
        "an option that is missing": documents.with_page("coldboost.1", lambda page: item.sub("", page)),
        "an option that is gone": documents.with_page("coldboost.1", lambda page: page + mode.replace("MODE", "MOOD")),
        "a second list": documents.with_page("coldboost-run.1", lambda page: page + mode),
        "a list by hand": documents.changed(sources={"coldboost.1": documents.pages["coldboost.1"]}),
        "a table in README.md": documents.changed(readme=documents.readme + "| `COLDBOOST_MODE` | x |\n"),
        "an option with another name": documents.changed(readme=documents.readme + "Set COLDBOOST_MODES.\n"),
        "an internal one": documents.with_page("libcoldboost.3", lambda page: page + "COLDBOOST_CPU\n"),
        "another help": documents.changed(usage=documents.usage.replace("  COLDBOOST_MODE ", "  ")),
    }.items():
        checks.check(list(option_faults(changed)), f"{planted} is not found")


# ---- commands -----------------------------------------------------------------------------------

def options_of_help(text):
    """The options that --help explains, one a line or two."""
    heads = re.findall(r"(?m)^ +(-.*?)(?:  |$)", text)
    return {option for head in heads for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", head)}


def options_of_items(page, macro):
    lines = re.findall(rf"(?m)^\.{macro} .*$", page)
    return {f"-{name}" for line in lines for name in re.findall(r"\bFl (-?[a-z][a-z-]*)", line)}


def check_commands(checks, coldboost, pages):
    for command in COMMANDS:
        usage = subprocess.run([coldboost, command, "--help"], capture_output=True, text=True, check=True).stdout
        page = pages[f"coldboost-{command}.1"]
        explained = options_of_items(page, "It")
        checks.equal(sorted(explained), sorted(options_of_help(usage)), f"options of coldboost-{command}(1) and --help")
        synopsis = page[page.index(".Sh SYNOPSIS"):page.index(".Sh DESCRIPTION")]
        shown = {f"-{name}" for name in re.findall(r"\bFl (-?[a-z][a-z-]*)", synopsis)}
        for item in re.findall(r"(?m)^\.It (.*Fl.*)$", page):
            names = {f"-{name}" for name in re.findall(r"\bFl (-?[a-z][a-z-]*)", item)}
            checks.check(names & shown or "--help" in names, f"coldboost-{command}(1): {names} are not in the SYNOPSIS")
    usage = subprocess.run([coldboost, "--help"], capture_output=True, text=True, check=True).stdout
    listed = re.findall(r"(?m)^  (\w+) +\w", usage[usage.index("Commands:"):usage.index("Example")])
    checks.equal(sorted(listed), sorted(COMMANDS), "commands")


# ---- pages --------------------------------------------------------------------------------------

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


def check_lint(checks, folder, pages):
    with tempfile.TemporaryDirectory() as scratch:
        bad = f"{scratch}/bad.1"
        with open(bad, "w", encoding="utf-8") as file:
            file.write(pages["coldboost.1"].replace("\n.Bl", "\n.Xy\n.Bl", 1) + ".El\n")
        for tool, said in lint(bad).items():
            if said is None:
                checks.skip(f"pages through {tool}", f"there is no {tool} here that checks them")
            else:
                checks.check(said, f"{tool} finds nothing in a bad page")
    for name in pages:
        for tool, said in lint(f"{folder}/{name}").items():
            checks.check(not said, f"{name}: {tool}: {said}")


def check_references(checks, root, pages):
    for name, page in pages.items():
        for named in re.findall(r"(?<![\w/])((?:tools|tests)/[\w./-]*\w)", page.replace("\\-", "-")):
            checks.check(os.path.exists(f"{root}/{named}"), f"{name}: there is no {named}")
        for other, section in re.findall(r"\bXr ((?:lib)?coldboost\S*) (\d)", page):
            checks.check(f"{other}.{section}" in pages, f"{name}: there is no page {other}({section})")


def heading_anchors(text):
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
            for heading in re.findall(r"(?m)^#+ (.*)$", text)}


def check_links(checks, root):
    tracked = [path for path in glob.glob(f"{root}/**/*.md", recursive=True)
               if not os.path.relpath(path, root).startswith(("build", "subprojects"))]
    checks.check(f"{root}/README.md" in tracked, "README.md is not found")
    for path in tracked:
        text, name = read(path), os.path.relpath(path, root)
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text):
            there = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
            if checks.check(os.path.exists(there), f"{name}: there is no {target}") and anchor:
                checks.check(anchor in heading_anchors(read(there)), f"{name}: {target} has no heading {anchor}")
        for named in re.findall(r"`((?:src|preload|tools|tests)/[\w./-]*\w)", text):
            found = glob.glob(f"{root}/{named}*") + glob.glob(f"{os.path.dirname(path)}/{named}*")
            checks.check(found, f"{name}: there is no {named}")
    lines = read(f"{root}/README.md").count("\n")
    checks.check(lines <= README_LINES, f"README.md has {lines} lines, more than {README_LINES}")


# ---- what stands in the sources, too -----------------------------------------------------------

SIZES = {"uint8_t": 1, "char": 1, "uint16_t": 2, "uint32_t": 4, "uint64_t": 8, "int64_t": 8}


def fields_of_struct(text, name):
    """[bytes, name] of each field in order; what is scratch in memory is reserved on disk."""
    constants = {key: int(value) for key, value in re.findall(r"(?m)^#define (\w+) +(\d+)u", text)}
    body = re.sub(r"(?s)/\*.*?\*/", "", re.search(rf"(?s)^struct {name} {{(.*?)^}};", text, re.M)[1])
    fields = []
    for kind, declared in re.findall(r"(\w+) ([^;]+);", body):
        for field in declared.split(","):
            field, _, count = field.strip().partition("[")
            count = count.rstrip("]") or "1"
            size = SIZES[kind] * (int(count) if count.isdigit() else constants[count])
            field = "reserved" if field == "rank" else field
            if fields and fields[-1][1] == field:
                fields[-1][0] += size
            else:
                fields.append([size, field])
    return fields


def rows_of_page(page, beginning):
    """[offset, bytes, name] of each row of the first table behind this text."""
    table = page[page.index(beginning):]
    table = table[table.index(".Bl -column"):table.index(".El")]
    return [[int(offset), int(size), name]
            for offset, size, name in re.findall(r"(?m)^\.It (\d+) Ta (\d+) Ta (\w+) Ta", table)]


def check_formats(checks, root, pages):
    formats = [("profile.h", "coldboost-profile.5", name, text) for name, text in (
        ("profile_header", "The header has 64 bytes"), ("profile_executable", "Each executable has 32 bytes"),
        ("profile_file", "Each file has 64 bytes"), ("profile_range", "Each range has 16 bytes"))]
    formats += [("stacks.h", "coldboost-profile.5", name, text) for name, text in (
        ("stacks_counts", "The counts have 16 bytes"), ("stacks_stack", "Each stack has 16 bytes"),
        ("stacks_frame", "Each frame, the innermost call first, has 16 bytes"))]
    formats.append(("telemetry.h", "coldboost-telemetry.5", "telemetry_record", "one of version 1 has 104"))
    for header, page, name, text in formats:
        expected, offset = [], 0
        for size, field in fields_of_struct(find(root, header, f"struct {name} {{"), name):
            expected.append([offset, size, field])
            offset += size
        checks.equal(rows_of_page(pages[page], text), expected, f"{name} in {page}")
        checks.check(str(offset) in text, f"{page}: {name} has {offset} bytes")


def check_functions(checks, root, page):
    """Every function that coldboost.h offers is in the SYNOPSIS as it is declared."""
    header = re.sub(r"(?s)/\*.*?\*/", "", read(f"{root}/src/coldboost.h")).replace("COLDBOOST_RESTRICT", "restrict")
    declared = {re.sub(r"\s+", " ", name): re.sub(r"\s+", " ", arguments) for name, arguments in
                re.findall(r"(?s)^(?:COLDBOOST_API|static inline) ([^(;]*?\w+)\(([^)]*)\)", header, re.M)}
    synopsis = page[page.index(".Sh SYNOPSIS"):page.index(".Sh DESCRIPTION")]
    shown = {}
    for kind, head, rest in re.findall(r"(?m)^\.Ft (.*)\n\.F[no] (\w+)(.*(?:\n\.Fa .*)*)", synopsis):
        kind = kind.strip('"')
        arguments = re.findall(r'"([^"]*)"', rest) or ["void"]
        shown[kind + ("" if kind.endswith("*") else " ") + head] = ", ".join(arguments)
    checks.equal(shown, declared, "functions of libcoldboost(3) and coldboost.h")
    checks.check(len(declared) > 15, f"functions found in coldboost.h: {sorted(declared)}")
    names = re.findall(r"(?m)^\.Nm (\w+)", page)
    for name in declared:
        checks.check(name.split(" ")[-1].strip("*") in names, f"libcoldboost(3): {name} is missing under NAME")


def check_lambda(checks, root, page):
    """What each process of a Lambda function does of a replay."""
    names = {"BURST": "burst", "GENTLE": "gentle", "SNAPSHOT": "before snapshot", "ONCE": "once", "NOTHING": "nothing"}
    source = find(root, "*.c", "[ROLE_RUNTIME] = {[INIT_ON_DEMAND]")
    for role in ("RUNTIME", "SHELL", "EXTENSION", "CHILD"):
        row = re.search(rf"(?s)\[ROLE_{role}\] = {{\[INIT_(.*?)}}", source)[1]
        policies = dict(re.findall(r"(\w+)\] = POLICY_(\w+)", row.replace("[INIT_", " ")))
        expected = [names[policies[kind]] for kind in ("ON_DEMAND", "PROVISIONED", "SNAP_START", "MANAGED")]
        found = re.search(rf"(?m)^\.It {role.lower()} Ta (.*)$", page)[1].split(" Ta ")
        checks.equal(found, expected, f"coldboost-lambda(7) of {role.lower()}")


def main():
    root, folder, coldboost = map(os.path.abspath, sys.argv[1:4])
    pages = {os.path.basename(path): read(path) for path in sorted(glob.glob(f"{folder}/*.[1-9]"))}
    sources = {os.path.basename(path): read(path) for path in glob.glob(f"{root}/tools/man/*.[1-9]")}
    usage = subprocess.run([coldboost, "run", "--help"], capture_output=True, text=True, check=True).stdout
    checks = Checks()
    checks.equal(sorted(pages), sorted(sources), "pages that are built")
    check_options(checks, Documents(find(root, "options_table.h"), sources, pages, read(f"{root}/README.md"), usage))
    check_commands(checks, coldboost, pages)
    check_lint(checks, folder, pages)
    check_references(checks, root, pages)
    check_links(checks, root)
    check_formats(checks, root, pages)
    check_functions(checks, root, pages["libcoldboost.3"])
    check_lambda(checks, root, pages["coldboost-lambda.7"])
    return checks.exit_code()


sys.exit(main())
