"""The table of the victims: a line for each, a column for each architecture and libc.

Usage: matrix_table.py FILE...      prints as one what several runs of matrix.py have left in matrix.tsv
"""

import sys


def show(rows, reasons=("known", "skip")):
    """The matrix: a line for each victim, a column for each architecture and libc; then why, for these verdicts."""
    columns = sorted({row[2] for row in rows})
    cells = {}
    for theme, name, column, verdict, _ in rows:
        cells.setdefault((theme, name), {})[column] = verdict
    width = max(len(name) for _, name in cells)
    print(" " * width, *columns, sep="  ")
    theme_before = None
    for (theme, name), verdicts in sorted(cells.items(), key=lambda item: item[0][0]):
        if theme != theme_before:
            print(f"{theme}:")
        theme_before = theme
        print(name.ljust(width), *(verdicts.get(column, "-").ljust(len(column)) for column in columns), sep="  ")
    titles = {"known": "known to differ, as the README says", "skip": "skipped"}
    for wanted in reasons:
        for why in sorted({f"{name}: {why}" for _, name, _, verdict, why in rows if verdict == wanted}):
            print(f"{titles[wanted]}: {why}")
    count = {verdict: sum(row[3] == verdict for row in rows) for verdict in ("ok", "DIFFERS", "known", "skip")}
    print(f"{len(cells)} victims, {len(columns)} columns: {count['ok']} as without us, {count['DIFFERS']} differ, "
          f"{count['known']} known to, {count['skip']} skipped")


def main():
    rows = []
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as table:
            rows += [tuple(line.rstrip("\n").split("\t")) for line in table]
    show(rows)


if __name__ == "__main__":
    main()
