"""What must hold of every result of coldboost merge.

Usage: merge_properties.py COLDBOOST OBJECT PRINT_ARGUMENTS PRINT_ARGUMENTS_STATIC COMPILER [CASE…]
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from merge_case import SEED, MergeCase  # noqa: E402
from profiles import Contents  # noqa: E402

ROUNDS = 60


def sections(profile):
    """[(executable, [(path, first page, pages, epoch)])], as they stand there."""
    return [(path, [(entry.file.path, *entry[1:]) for entry in ranges]) for path, ranges in Contents(profile).sections]


class MergeProperties(MergeCase):
    def test_properties(self):
        for turn in range(ROUNDS):
            runs = [self.arbitrary(f"run{i}") for i in range(self.random.randrange(2, 6))]
            where = f"seed {SEED}, round {turn}"
            one = [self.merge(path) for path in runs]
            known = []
            for path, content in zip(runs, one):
                with open(path, "rb") as original:
                    original = original.read()
                known.append(self.pages(original))
                self.equal(sections(content), sections(original), f"{where}: one run")
                self.equal(self.merge(path, path), content, f"{where}: a run with itself")
                again = f"{self.folder}/again.cbp"
                with open(again, "wb") as out:
                    out.write(content)
                self.equal(self.merge(again), content, f"{where}: merged again")
            all_of_them = self.merge(*runs)
            union = {}
            for pages in known:
                for path, numbers in pages.items():
                    union.setdefault(path, set()).update(numbers)
            self.equal(self.pages(all_of_them), union, f"{where}: the union")
            self.equal(self.said.stderr, b"", f"{where}: stale")
            shuffled = self.random.sample(runs, len(runs))
            share = f"--min-share={self.random.randrange(101)}"
            for options in ([], [share]):
                self.equal(
                    self.merge(*options, *shuffled), self.merge(*options, *runs), f"{where}: another order"
                )
            fewer = self.pages(self.merge(share, *runs))
            self.check(
                all(pages <= union[path] for path, pages in fewer.items()), f"{where}: {share} adds pages"
            )
            for _, ranges in sections(all_of_them):
                epochs = [epoch for _, _, _, epoch in ranges]
                self.equal(epochs, sorted(epochs), f"{where}: epochs go back")


cases.main()
