"""One program through all users, places and ways, each compared with what it does plain."""

import os
import re
import shutil
import signal
import time

import field_display
import field_house
import field_places
from field_compare import Mask, difference, differences, last_line
from field_house import HOUSE, TOOLS, WORK
from field_places import BARE, CONTAINER, HERE, TIGHT
from field_start import (
    NOBODY,
    PLAIN,
    PRELOAD,
    ROOT,
    RUN,
    WRAPPER,
    Started,
    Way,
    plain_environment,
)

WAYS = (PRELOAD, RUN, WRAPPER)
# What the recorder says of its own.
RECORDED = re.compile(rb"coldboost: recorded \d+ pages .*\n")
# What a replay says of itself when it is asked to: it has read something.
REPLAYED = re.compile(rb"plan=profile [^\n]*ranges=[1-9]")
COLD, WARM, UNKNOWN = "cold", "warm", "without a profile"
OUT_OF_MEMORY = 128 + signal.SIGKILL  # as a container says it


class Trial:
    """What came of one program: differences by what was started, and what was left out and why.
    `forced`: the page cache is left alone, and each replay that would be of a cold start is forced."""

    def __init__(self, program, containers, forced):
        self.program = program
        self.forced = forced
        self.containers = containers
        self.mask = Mask(program.differs)
        self.profile = None
        self.model = None
        self.runs = 0
        self.compared = {}
        self.differences = []
        self.left_out = []
        self.replayed = {}
        self.seconds = 0.0

    def everything(self, tight):
        """All runs. `tight`: among them those in a read-only container of little memory."""
        began = time.monotonic()
        for user in (ROOT, NOBODY):
            if self.program.only and user.name != self.program.only:
                self.leave_out(f"as {user.name}", self.program.only_why)
            elif self.make(user) and self.as_user(user):
                self.as_first(user, tight)
        self.seconds = time.monotonic() - began

    def stores_only(self):
        """Plain, and through a store."""
        for user in (ROOT, NOBODY):
            if self.program.only in ("", user.name) and self.make(user) and (plain := self.agreement(user)):
                self.by_store(user, plain)

    def plain_only(self):
        """Whether two plain runs agree: for those who write the table."""
        for user in (ROOT, NOBODY):
            if self.program.only in ("", user.name) and self.make(user):
                self.agreement(user)

    def as_user(self, user):
        plain = self.agreement(user)
        if not plain:
            return False
        self.profile = None
        new = f"{WORK}/coldboost-field.cbp"
        record = [f"{TOOLS}/coldboost", "record", "-o", new, "--"]
        recorded = self.one(user, HERE, PLAIN, None, COLD, plain, record)
        if not os.path.exists(new):
            self.differences.append(f"{user.name}, record: no profile: {last_line(recorded.stderr)}")
        else:
            self.profile = shutil.copy(new, f"{HOUSE}/{user.name}.cbp")
            os.chmod(self.profile, 0o644)
        recorded.files = [name for name in recorded.files if name != new]
        if plain.status < 0 and recorded.status == 128 - plain.status:  # as `record --help` says
            recorded.status = plain.status
        recorded.stdout = RECORDED.sub(b"", recorded.stdout)
        recorded.stderr = RECORDED.sub(b"", recorded.stderr)
        self.compare(f"{user.name}, record", plain, recorded)
        for when in (COLD, WARM, UNKNOWN):
            for way in WAYS:
                self.boosted(user, HERE, way, when, plain)
        if user is ROOT or self.program.only:
            self.replays(user, plain)
        self.by_store(user, plain)
        return True

    def by_store(self, user, plain):
        """Two starts that are recorded meanwhile, and one that is boosted by them: by run, and by two variables alone."""
        for name, prefix, variables in (("store", RUN.prefix, {}), ("variables", (), {"LD_PRELOAD": "{object}"})):
            store = field_house.fresh_store(user)
            way = Way(name, prefix, {"COLDBOOST_STORE": store, **variables})
            for nth in ("first", "second", "third"):
                outcome = self.one(user, HERE, way, None, COLD, plain)
                self.compare(f"{user.name}, {HERE.name}, {name}, {nth}", plain, outcome)
                field_house.await_store(store)
            if user is ROOT or self.program.only:
                self.replayed[name] = field_house.store_has_boosted(store)

    def as_first(self, user, tight):
        """As PID 1, bare and in containers: as root, and as nobody where it is tight."""
        first = user is ROOT or self.program.only
        places = [BARE] if first else []
        places += [CONTAINER] if first else []
        places += [TIGHT] if tight and (user is NOBODY or self.program.only) else []
        for place in places:
            why = self.program.bare_why if place is BARE else self.program.container_why
            if why or (place is not BARE and not self.containers):
                self.leave_out(f"{place.name}, {user.name}", why or "no podman, no runc")
                continue
            plain = self.one(user, place, PLAIN, None, WARM)
            if plain.status is None:
                self.leave_out(f"{place.name}, {user.name}", "plain, it does not end there")
                continue
            if place is TIGHT and plain.status == OUT_OF_MEMORY:  # which of its processes, is chance
                self.leave_out(f"{place.name}, {user.name}", "plain, it is too large for there")
                continue
            if plain.status != self.program.status:
                why = f"plain, it fails there ({plain.status}): {last_line(plain.stderr)}"
                self.leave_out(f"{place.name}, {user.name}", why)
            for way in WAYS:
                self.boosted(user, place, way, COLD, plain)

    def make(self, user):
        """The folder that each run of this user begins with a copy of."""
        self.model = None
        if not self.program.setup:
            return True
        field_house.fresh_work(user)
        setup = Started(["sh", "-ec", self.program.setup], plain_environment(), user)
        outcome = setup.wait(300)
        if outcome.status != 0:
            self.differences.append(f"{user.name}: the setup fails: {last_line(outcome.stderr)}")
            return False
        self.model = f"{HOUSE}/model"
        shutil.rmtree(self.model, ignore_errors=True)
        os.rename(WORK, self.model)
        return True

    def agreement(self, user):
        """The plain outcome, if it is what the table says and a second one is the same."""
        plain = self.one(user, HERE, PLAIN, None, WARM)
        if plain.status != self.program.status:
            why = f"status {plain.status}: {last_line(plain.stderr or plain.stdout)}"
            self.differences.append(f"{user.name}, plain: {why}")
            return None
        again = self.one(user, HERE, PLAIN, None, WARM, plain)
        found = list(differences(self.mask, plain, again))
        self.differences += [f"{user.name}, plain, a second time: {what}" for what in found]
        return None if found else plain

    def replays(self, user, plain):
        """Whether there is a replay at all, by its own report."""
        for way in (PRELOAD, RUN):
            outcome = self.one(user, HERE, way, self.profile, COLD, plain, verbose=True)
            report = outcome.stderr + outcome.stdout
            self.replayed[way.name] = REPLAYED.search(report) is not None

    def boosted(self, user, place, way, when, plain):
        profile = self.profile if when != UNKNOWN else None
        outcome = self.one(user, place, way, profile, when, plain)
        self.compare(f"{user.name}, {place.name}, {way.name}, {when}", plain, outcome)

    def compare(self, name, plain, outcome):
        found = list(differences(self.mask, plain, outcome))
        kind = name.rpartition(", ")[0] if name.count(", ") == 3 else name
        compared = self.compared.setdefault(kind, [0, 0])
        compared[0] += 1
        compared[1] += bool(found)
        self.differences += [f"{name}: {what}" for what in found]

    def one(self, user, place, way, profile, when, plain=None, before=(), verbose=False):
        program = self.program
        self.runs += 1
        environment = plain_environment()
        if program.display:
            environment.update(field_display.ENVIRONMENT)
        command, variables = way.start(list(before) + program.command, profile)
        if verbose:
            variables["COLDBOOST_VERBOSE"] = "1"
        if self.forced and when == COLD and way is not PLAIN:
            variables["COLDBOOST"] = "force"
        terminal = bool(program.keys)
        command, variables, starter = place.start(user, command, variables, environment, terminal)
        field_house.fresh_work(user, self.model)
        if when != WARM and not self.forced:
            field_house.drop_caches()
        started = Started(command, {**environment, **variables}, starter, program.stdin, terminal)
        answer, tree = b"", []
        if program.is_server:
            answer = started.ask(program.ask, environment, user, program.limit)
            pid = place.process(started.process.pid)
            tree = started.tree(pid, plain and plain.tree, "coldboost-tool" if before else None)
            to = started.process.pid if isinstance(place, field_places.Container) else pid
            try:
                os.kill(to, signal.Signals["SIG" + program.stop])
            except ProcessLookupError:
                pass
        elif terminal:
            started.type(program.keys, program.limit)
        outcome = started.wait(program.limit)
        if outcome.status is None and isinstance(place, field_places.Container):
            field_places.stop_engine()
        outcome.answer = answer if answer is not None else b"it does not answer"
        outcome.tree = tree
        outcome.files = field_house.files_left()
        return outcome

    def leave_out(self, what, why):
        self.left_out.append([what, why])
