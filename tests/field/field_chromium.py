"""Chromium, N cold starts in each way, as root and as an ordinary user, and N recordings.

Its zygote and its sandbox are what a helper that changes a process breaks first, so it is started
more often than the other programs: a fault that shows in one start of ten is one.
"""

import re

import field_house
from field_house import HOUSE, TOOLS, WORK
from field_start import AUDIT, NOBODY, PRELOAD, ROOT, RUN, WRAPPER, Started, plain_environment

LIMIT_SECONDS = 60
PAGE = f"{HOUSE}/page.html"
PAGE_TEXT = """<!doctype html><title>field</title><p id="answer">no</p>
<script>document.getElementById("answer").textContent = "yes " + 6 * 7;</script>
"""
ANSWER = b'<p id="answer">yes 42</p>'
COMPLAINTS = re.compile(
    rb"GPU process isn't usable|Did not receive ping from zygote child|FATAL:[^\n]*|Check failed"
    rb"|crashed[^\n]*|SIGSEGV|Received signal[^\n]*"
)
COMMAND = [
    "chromium",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--user-data-dir={WORK}/user-data",
    "--dump-dom",
    f"file://{PAGE}",
]


def failures(outcome):
    """What is wrong with a start of Chromium, nothing if it went well."""
    found = []
    if outcome.status is None:
        found.append(f"still there after {LIMIT_SECONDS} s")
    elif outcome.status:
        found.append(f"status {outcome.status}")
    if ANSWER not in outcome.stdout:
        found.append("no DOM")
    found += sorted({match.decode(errors="replace") for match in COMPLAINTS.findall(outcome.stderr)})
    if outcome.left:
        found.append("left: " + " ".join(outcome.left))
    return found


class Trial:
    """Counts the starts of one kind, and keeps what the failed ones said."""

    def __init__(self, name, user, logs):
        self.name = name
        self.user = user
        self.logs = logs
        self.starts = 0
        self.reasons = []

    def start(self, command, variables):
        field_house.fresh_work(self.user)
        field_house.drop_caches()
        environment = {**plain_environment(), **variables}
        outcome = Started(command, environment, self.user).wait(LIMIT_SECONDS)
        self.starts += 1
        wrong = failures(outcome)
        if wrong:
            self.reasons.append("; ".join(wrong))
            name = f"chromium-{self.user.name}-{self.name}-{self.starts}"
            self.logs.write(name, outcome.stdout + b"\n" + outcome.stderr)
        return not wrong

    def line(self):
        reasons = sorted(((self.reasons.count(why), why) for why in set(self.reasons)), reverse=True)
        what = f"{self.user.name:7} {self.name:11} {len(self.reasons):3} of {self.starts} failed"
        return "\n".join([what, *(f"{'':20} {count} times: {why}" for count, why in reasons)])


def chromium(times, ways, logs):
    """0 if each of the starts went well, each of the recordings too."""
    with open(PAGE, "w", encoding="ascii") as file:
        file.write(PAGE_TEXT)
    failed = 0
    for user in (ROOT, NOBODY):
        command = COMMAND[:1] + (["--no-sandbox"] if user is ROOT else []) + COMMAND[1:]
        profile = f"{HOUSE}/chromium-{user.name}.cbp"
        trials = []

        def done(trial):
            print(trial.line(), flush=True)
            trials.append(trial)

        plain = Trial("plain", user, logs)
        if not plain.start(command, {}):
            print(f"{plain.line()}\nChromium does not even start as it is; look into {logs.folder}")
            return 1
        done(plain)
        recording = Trial("record", user, logs)
        new = f"{WORK}/chromium.cbp"
        for _ in range(times if not ways or "record" in ways else 1):
            recording.start([f"{TOOLS}/coldboost", "record", "-o", new, "--", *command], {})
            try:
                with open(new, "rb") as made, open(profile, "wb") as kept:
                    kept.write(made.read())
            except FileNotFoundError:
                recording.reasons.append("no profile")
        done(recording)
        for way in (PRELOAD, RUN, AUDIT, WRAPPER):
            if ways and way.name not in ways:
                continue
            trial = Trial(way.name, user, logs)
            for _ in range(times):
                trial.start(*way.start(command, profile))
            done(trial)
        failed += sum(len(trial.reasons) for trial in trials)
    print(f"{failed} starts of Chromium failed; what they wrote is in {logs.folder}")
    return 1 if failed else 0
