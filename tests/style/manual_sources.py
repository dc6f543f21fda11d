"""Formats, functions and the Lambda table stand in the manual as they stand in the sources.

Usage: manual_sources.py SOURCE_ROOT PAGES COLDBOOST [CASE…]
"""

import re

from manual_case import ROOT, ManualCase, cases, find, read

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


class Sources(ManualCase):
    def test_formats(self):
        formats = [("profile.h", "coldboost-profile.5", name, text) for name, text in (
            ("profile_header", "The header has 64 bytes"), ("profile_executable", "Each executable has 32 bytes"),
            ("profile_file", "Each file has 64 bytes"), ("profile_range", "Each range has 16 bytes"))]
        formats += [("stacks.h", "coldboost-profile.5", name, text) for name, text in (
            ("stacks_counts", "The counts have 16 bytes"), ("stacks_stack", "Each stack has 16 bytes"),
            ("stacks_frame", "Each frame, the innermost call first, has 16 bytes"))]
        formats.append(("telemetry.h", "coldboost-telemetry.5", "telemetry_record", "one of version 1 has 104"))
        for header, page, name, text in formats:
            expected, offset = [], 0
            for size, field in fields_of_struct(find(header, f"struct {name} {{"), name):
                expected.append([offset, size, field])
                offset += size
            self.equal(rows_of_page(self.pages[page], text), expected, f"{name} in {page}")
            self.check(str(offset) in text, f"{page}: {name} has {offset} bytes")

    def test_functions(self):
        """Every function that coldboost.h offers is in the SYNOPSIS as it is declared."""
        page = self.pages["libcoldboost.3"]
        header = re.sub(r"(?s)/\*.*?\*/", "", read(f"{ROOT}/src/coldboost.h")).replace("COLDBOOST_RESTRICT", "restrict")
        declared = {re.sub(r"\s+", " ", name): re.sub(r"\s+", " ", arguments) for name, arguments in
                    re.findall(r"(?s)^(?:COLDBOOST_API|static inline) ([^(;]*?\w+)\(([^)]*)\)", header, re.M)}
        synopsis = page[page.index(".Sh SYNOPSIS"):page.index(".Sh DESCRIPTION")]
        shown = {}
        for kind, head, rest in re.findall(r"(?m)^\.Ft (.*)\n\.F[no] (\w+)(.*(?:\n\.Fa .*)*)", synopsis):
            kind = kind.strip('"')
            arguments = re.findall(r'"([^"]*)"', rest) or ["void"]
            shown[kind + ("" if kind.endswith("*") else " ") + head] = ", ".join(arguments)
        self.equal(shown, declared, "functions of libcoldboost(3) and coldboost.h")
        self.check(len(declared) > 15, f"functions found in coldboost.h: {sorted(declared)}")
        names = re.findall(r"(?m)^\.Nm (\w+)", page)
        for name in declared:
            self.check(name.split(" ")[-1].strip("*") in names, f"libcoldboost(3): {name} is missing under NAME")

    def test_lambda(self):
        """What each process of a Lambda function does of a replay."""
        page = self.pages["coldboost-lambda.7"]
        names = {"BURST": "burst", "GENTLE": "gentle", "SNAPSHOT": "before snapshot", "ONCE": "once", "NOTHING": "nothing"}
        source = find("*.c", "[ROLE_RUNTIME] = {[INIT_ON_DEMAND]")
        for role in ("RUNTIME", "SHELL", "EXTENSION", "CHILD"):
            row = re.search(rf"(?s)\[ROLE_{role}\] = {{\[INIT_(.*?)}}", source)[1]
            policies = dict(re.findall(r"(\w+)\] = POLICY_(\w+)", row.replace("[INIT_", " ")))
            expected = [names[policies[kind]] for kind in ("ON_DEMAND", "PROVISIONED", "SNAP_START", "MANAGED")]
            found = re.search(rf"(?m)^\.It {role.lower()} Ta (.*)$", page)[1].split(" Ta ")
            self.equal(found, expected, f"coldboost-lambda(7) of {role.lower()}")


cases.main()
