"""COLDBOOST_TELEMETRY=emf: one valid line for CloudWatch, from the runtime alone.

Usage: emf_lines.py COLDBOOST OBJECT VICTIM [CASE…]
"""

import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
import emf  # noqa: E402
from telemetry_case import TelemetryCase  # noqa: E402


class EmfLines(TelemetryCase):
    def settings(self):
        return {
            **self.in_lambda(), "COLDBOOST_TELEMETRY": "emf", "AWS_LAMBDA_FUNCTION_NAME": "my-function",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        }

    def emf_document(self, name, outcome):
        line = outcome.stderr
        self.check(
            line.endswith(b"\n") and line.count(b"\n") == 1 and len(line) <= 4096, f"emf, {name}: {line}"
        )
        try:
            document = json.loads(line.decode("utf-8"))
        except ValueError as error:
            self.check(False, f"emf, {name}: {error}: {line}")
            return {}
        found = list(emf.problems(document))
        self.equal(found, [], f"emf, {name}")
        return document

    def test_rules(self):
        """The rules accept the specification's kind of document and refuse each that breaks one."""
        self.equal(list(emf.problems(emf.example())), [], "a valid document")
        for document in emf.spoilt():
            self.check(list(emf.problems(document)), f"rules that accept {document}")

    def test_modes(self):
        for mode in ("process", "thread", "sync"):
            self.forget_markers()
            outcome, records = self.start("wait", "leave", COLDBOOST_MODE=mode, **self.settings())
            self.expect("emf", records)
            document = self.emf_document(mode, outcome)
            expected = {
                "FunctionName": "my-function", "FunctionVersion": "$LATEST", "Arm": "boosted",
                "Start": "cold", "InitType": "on-demand", "Program": "victim", "Method": mode,
                "State": "done", "Starts": 1, "BytesAsked": 8 * 4096, "BytesResident": 8 * 4096,
                "BudgetHits": 0, "Plan": "profile", "ProfileId": self.profile_id,
            }
            found = {name: document.get(name) for name in expected}
            self.equal(found, expected, f"members of the line, {mode}")
            self.equal("MajorFaults" in document, mode != "process", f"faults in the line, {mode}")

    def test_holdout(self):
        outcome, _ = self.start("errno", COLDBOOST_HOLDOUT="100", **self.settings())
        document = self.emf_document("holdout", outcome)
        self.equal(document.get("Arm"), "holdout", "arm in the line")
        self.check("ReplayTime" not in document, "a replay's time without a replay")

    def test_run(self):
        outcome, _ = self.start(
            "wait", "leave", command=[self.tool, "run", "-p", self.profile, self.victim],
            **{**self.settings(), "LD_PRELOAD": None},
        )
        self.equal(self.emf_document("run", outcome).get("Method"), "run", "method in the line")

    def test_names(self):
        """What is no UTF-8 becomes U+FFFD; all else stays, and is not cut within a character."""
        for name in ('"quoted" \\ \t\n\x01\x7f', "\udcff\udc80grün€🎈", "n" + "ü" * 40, "n" * 64, "n" * 3000,
                     "\x01" * 3000):
            outcome, _ = self.start(
                "wait", "leave",
                **{**self.settings(), "AWS_LAMBDA_FUNCTION_NAME": name, "AWS_LAMBDA_FUNCTION_VERSION": name},
            )
            document = self.emf_document(repr(name[:20]), outcome)
            shown = document.get("FunctionName", "")
            kept = name
            while len(kept.encode("utf-8", "surrogateescape")) > 64:
                kept = kept[:-1]
            self.equal(shown, re.sub("[\udc80-\udcff]", "\ufffd", kept), "a function's name in the line")

    def test_quiet(self):
        quiet = [
            {"AWS_LAMBDA_RUNTIME_API": None, "LAMBDA_TASK_ROOT": None},
            {"LAMBDA_TASK_ROOT": None},
            {"COLDBOOST": "off"},
        ]
        for fewer in quiet:
            self.forget_markers()
            outcome, _ = self.start("wait", "errno", **{**self.settings(), **fewer})
            self.equal(outcome.stderr, b"", f"a line of {fewer}")
        self.forget_markers()
        outcome, _ = self.start("-c", f'"{self.victim}" wait errno; true', command=[self.shell], **self.settings())
        self.equal(outcome.stderr, b"", "a line of a shell and its child")


cases.main()
