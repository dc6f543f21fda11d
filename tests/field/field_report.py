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
    raise NotImplementedError
