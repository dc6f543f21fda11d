"""Figures for Prometheus, read by two who know the format: promtool, and Prometheus's client for Python,
whose parser of OpenMetrics is strict.
"""

import functools
import json
import shutil
import subprocess
import sys

# It prints a JSON list of (name, labels, value) of all samples.
PARSER = """
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
families = text_string_to_metric_families(sys.stdin.read())
json.dump([[s.name, s.labels, s.value] for family in families for s in family.samples], sys.stdout)
"""


@functools.cache
def interpreter():
    """A Python that has the client: perhaps the system's own, whatever runs this."""
    for python in (sys.executable, "/usr/bin/python3"):
        found = shutil.which(python) and subprocess.run(
            [python, "-c", "import prometheus_client.openmetrics.parser"], capture_output=True, check=False)
        if found and found.returncode == 0:
            return python
    return None


def samples_of(case, text):
    """{(name, label, value of the label, …): value} of what must be well-formed figures; None if nobody
    here can tell."""
    if shutil.which("promtool"):
        said = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
        case.equal((said.returncode, said.stdout, said.stderr), (0, b"", b""), "promtool check metrics")
    else:
        case.skip("promtool check metrics", "there is no promtool")
    if not interpreter():
        case.skip("the figures", "there is no prometheus_client for Python")
        return None
    parsed = subprocess.run([interpreter(), "-c", PARSER], input=text, capture_output=True, check=False)
    if not case.equal((parsed.returncode, parsed.stderr), (0, b""), f"OpenMetrics: {text.decode()}"):
        return None
    samples = [((name, *(part for label in sorted(labels.items()) for part in label)), value)
               for name, labels, value in json.loads(parsed.stdout)]
    case.equal(len(dict(samples)), len(samples), "samples of one name and the same labels")
    return dict(samples)
