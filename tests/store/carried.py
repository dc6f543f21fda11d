"""A store that is carried elsewhere: as one profile, or in a layer, where it is found without being named.

Usage: carried.py COLDBOOST OBJECT [CASE…]
"""

import os
import sys
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from coldboost_support import AS_NOBODY, run  # noqa: E402
from store_case import COLDBOOST, PERL, READS, StoreCase  # noqa: E402

MOUNT = ["unshare", "--mount", "--propagation", "private", "sh", "-c", 'mount --bind "$1" /opt && shift && exec "$@"', "-"]


class Carried(StoreCase):
    def two_starts(self):
        self.other = self.write("other.pl", READS)
        for count, script in ((1, self.script), (2, self.other)):
            self.start(PERL, script)
            self.settle(count, count=count)

    def test_one_profile_of_all(self):
        self.two_starts()
        profile = f"{self.folder}/all.cbp"
        outcome = self.coldboost("merge", "--store", self.store, "-o", profile)
        self.equal((outcome.status, outcome.stderr), (0, b""), "merge")
        self.check(outcome.stdout.startswith(f"{profile}: 2 profiles, ".encode()), f"{outcome.stdout}")
        for script in (self.script, self.other):
            outcome = self.coldboost("run", "-p", profile, "--", PERL, script,
                                     environment={"COLDBOOST": "force", "COLDBOOST_VERBOSE": "1"})
            self.check(self.is_boosted(outcome), f"{script}: {outcome.stderr}")

    def test_what_holds_no_profile(self):
        for folder in (f"{self.folder}/nothing", self.new_folder()):
            for command in ("merge", "layer"):
                outcome = self.coldboost(command, "--store", folder, "-o", "out")
                self.equal(outcome.status, 1, f"{command} of {folder}: {outcome.stderr}")
                self.check(not os.path.exists(f"{self.folder}/out"), f"{command} of {folder}: something is written")
        self.equal(self.coldboost("layer", "--store", self.store, "-p", "x", "-o", "out").status, 2, "two sources")

    def layer(self):
        """As Lambda unpacks it: root's, and with the modes of the zip."""
        self.two_starts()
        outcome = self.coldboost("layer", "--store", self.store, "-o", "layer.zip")
        self.equal((outcome.status, outcome.stderr), (0, b""), "layer")
        folder = f"{self.folder}/opt"
        with zipfile.ZipFile(f"{self.folder}/layer.zip") as archive:
            archive.extractall(folder)
            for entry in archive.infolist():
                os.chmod(f"{folder}/{entry.filename}", entry.external_attr >> 16)
        return folder

    def test_a_layer_is_found_without_being_named(self):
        self.coldboost("layer", "--help")
        folder = self.layer()
        before = self.listing(folder)
        del self.environment["COLDBOOST_STORE"]
        lambda_variables = {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1", "LAMBDA_TASK_ROOT": self.folder}
        forced = {**self.environment, "COLDBOOST": "force", "COLDBOOST_VERBOSE": "1"}
        ways = {"wrapper": (["/opt/coldboost-wrapper"], {}, b"role="),
                "preload": ([], {"LD_PRELOAD": "/opt/lib/libcoldboost.so"}, b"role=")}
        for name, (prefix, variables, _) in ways.items():
            for place in ({}, lambda_variables):
                for script in (self.script, self.other):
                    for user in ([], ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]):
                        settings = [f"{key}={value}" for key, value in {**forced, **variables, **place}.items()]
                        command = [*MOUNT, folder, *user, "env", "-i", *settings, *prefix, PERL, script]
                        outcome = run(command, self.environment, cwd=self.folder)
                        said = f"{name}, {place}, {user}: {outcome.stderr}"
                        self.equal((outcome.status, outcome.stdout), (0, b"4194304\n"), said)
                        self.check(b"plan=profile" in outcome.stderr, said)
        self.equal(self.listing(folder), before, "the layer's files")

    @staticmethod
    def listing(folder):
        return {name: os.stat(f"{folder}/coldboost/store/{name}").st_size
                for name in os.listdir(f"{folder}/coldboost/store")}


cases.main()
