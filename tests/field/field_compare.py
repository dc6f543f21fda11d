"""What of a boosted run is not as in the plain one."""

import difflib
import re

DIFF_LINES = 30
NUMBERS = re.compile(rb"0x[0-9a-f]+|\b[0-9a-f]*[0-9][0-9a-f]*\b|[0-9]+", re.IGNORECASE)


class Mask:
    """Hides what the table says may differ."""

    WORDS = ("numbers", "order", "output", "errors", "answer", "files", "tree")

    def __init__(self, differs):
        self.words = set(differs) & set(self.WORDS)
        self.patterns = [re.compile(word.encode(), re.M) for word in differs
                         if word not in self.WORDS]  # fmt: skip

    def text(self, text):
        for pattern in self.patterns:
            text = pattern.sub(b"*", text)
        if "numbers" in self.words:
            text = NUMBERS.sub(b"#", text)
        if "order" in self.words:
            text = b"\n".join(sorted(text.split(b"\n")))
        return text

    def names(self, names):
        masked = [NUMBERS.sub(b"#", name.encode()) if "numbers" in self.words else name.encode()
                  for name in names]  # fmt: skip
        for pattern in self.patterns:
            masked = [pattern.sub(b"*", name) for name in masked]
        return sorted({name.decode() for name in masked})


# Control characters, which are not for the reader's terminal.
VISIBLE = {code: f"\\x{code:02x}" for code in [*range(9), *range(11, 32), 127]}


def difference(name, before, after):
    diff = difflib.unified_diff(
        before.decode(errors="backslashreplace").splitlines(),
        after.decode(errors="backslashreplace").splitlines(),
        f"{name}, plain",
        f"{name}, boosted",
        lineterm="",
    )
    lines = [line.translate(VISIBLE)[:300] for line in diff]
    cut = [f"… and {len(lines) - DIFF_LINES} lines more"] if len(lines) > DIFF_LINES else []
    return "\n".join(lines[:DIFF_LINES] + cut)


def differences(mask, plain, boosted):
    """A text for each thing that is not as in the plain run."""
    if boosted.status is None and plain.status is not None:
        yield f"it hangs: {last_line(boosted.stderr)}"
    elif plain.status != boosted.status:
        yield f"status: {plain.status} became {boosted.status}"
    for word, name in (("output", "stdout"), ("errors", "stderr"), ("answer", "answer")):
        before, after = mask.text(getattr(plain, name)), mask.text(getattr(boosted, name))
        if word not in mask.words and before != after:
            yield difference(name, before, after)
    if "tree" not in mask.words and plain.tree != boosted.tree:
        yield f"its processes: {plain.tree} became {boosted.tree}"
    if plain.left != boosted.left:
        yield f"processes left: {plain.left} became {boosted.left}"
    before, after = mask.names(plain.files), mask.names(boosted.files)
    if "files" not in mask.words and before != after:
        more = sorted(set(after) - set(before))
        fewer = sorted(set(before) - set(after))
        yield "files left:" + (f" more: {more}" if more else "") + (f" fewer: {fewer}" if fewer else "")


def last_line(text):
    lines = text.decode(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it says nothing").translate(VISIBLE)[-200:]
