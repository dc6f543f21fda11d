"""What the runs found: a line for each program, and the table in README.md."""

import datetime
import json
import os
import platform
import re

from field_house import HERE

README = os.path.join(HERE, "README.md")
BEGIN, END = "<!-- written by tests/field/run --report -->", "<!-- end -->"


def line(trial):
    state = "same" if not trial.differences else f"{len(trial.differences)} DIFFERENCES"
    text = f"{trial.program.name:18} {state}, {trial.runs} runs, {trial.seconds:.0f} s"
    ways = [way for way, done in trial.replayed.items() if not done]
    if ways:
        text += f", no replay by {' and '.join(ways)}"
    return "\n".join([text, *("  " + what.replace("\n", "\n    ") for what in trial.differences)])


def encode(trial):
    found = {
        "name": trial.program.name,
        "runs": trial.runs,
        "compared": trial.compared,
        "differences": trial.differences,
        "left_out": trial.left_out,
        "replayed": trial.replayed,
        "seconds": round(trial.seconds, 1),
    }
    return json.dumps(found, indent=1).encode()


def skipped(program, why):
    return json.dumps({"name": program.name, "skipped": why}).encode()


def write(table, logs):
    """Puts what the last run of each program of the table found into README.md."""
    found, never = [], []
    for program in table:
        try:
            with logs.open(f"{program.name}.json") as file:
                found.append(json.load(file))
        except FileNotFoundError:
            never.append(program.name)
    with open(README, encoding="utf-8") as file:
        before, _, rest = file.read().partition(BEGIN)
    after = rest.partition(END)[2]
    text = "\n".join([*machine(), "", *counts(found, never), "", *left_out(found)])
    with open(README, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n{text}\n{END}{after}")
    return 0


def machine():
    with open("/proc/cpuinfo", encoding="ascii") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    with open("/etc/debian_version", encoding="ascii") as file:
        debian = file.read().strip()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    today = datetime.datetime.now(datetime.timezone.utc).date()
    processors = f"{os.cpu_count()} processors ({model[1] if model else platform.machine()})"
    yield f"{today}, {processors}, {memory:.0f} GiB, Linux {platform.release()}, Debian {debian}."


def counts(found, never):
    tried = [one for one in found if "skipped" not in one]
    total, differing, cells = 0, 0, {}
    for one in tried:
        for kind, (starts, bad) in one["compared"].items():
            user, place, way = [*kind.split(", "), ""][:3]
            row, column = ((user, place), way) if way else ((user, "here"), "record")
            cell = cells.setdefault(row, {}).setdefault(column, [0, 0])
            for i, number in enumerate((starts, bad)):
                cell[i] += number
            total, differing = total + starts, differing + bad
    bad = [one["name"] for one in tried if one["differences"]]
    yield f"{len(tried)} programs, {total} starts compared with a plain one: {differing} differ"
    yield f"({sum(one['runs'] for one in tried)} starts in all, the plain ones included)."
    for way in ("LD_PRELOAD", "run"):
        count = sum(one["replayed"].get(way, False) for one in tried)
        yield f"{count} of them said, when asked, that a profile was replayed by {way}."
    yield ""
    columns = ["record", "LD_PRELOAD", "run", "wrapper"]
    yield "| as | where | " + " | ".join(columns) + " |"
    yield "|---|---|" + "---|" * len(columns)
    for (user, place), row in cells.items():
        texts = [show(row.get(column)) for column in columns]
        yield f"| {user} | {place} | " + " | ".join(texts) + " |"
    if bad:
        yield ""
        yield "With differences: " + ", ".join(bad) + "."
    if never:
        yield ""
        yield "Not tried: " + ", ".join(never) + "."


def show(cell):
    if not cell:
        return "–"
    return f"{cell[0]}" + (f", {cell[1]} differ" if cell[1] else "")


def left_out(found):
    reasons = {}
    for one in found:
        if "skipped" in one:
            reasons.setdefault(("everywhere", one["skipped"]), []).append(one["name"])
        for what, why in one.get("left_out", ()):
            reasons.setdefault((what, why), []).append(one["name"])
    if not reasons:
        return
    yield "| left out | where | why |"
    yield "|---|---|---|"
    for (what, why), names in sorted(reasons.items(), key=lambda item: item[1]):
        yield f"| {', '.join(names)} | {what} | {why.replace('|', '/')} |"
