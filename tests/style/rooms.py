"""The house: a room includes only rooms below it, parts of one go in no circle, and no two files or
structs share a name.

Usage: rooms.py SOURCE_ROOT

A room is a folder of src/, preload/ or tools/. The table below says what each may include. It is
compared with the #include lines themselves.
"""

import collections
import os
import re
import sys

ROOTS = ("src", "preload", "tools")
# From the ground up. "src" is coldboost.h, which everybody sees.
FLOORS = {
    "src": [],
    "src/arch": [],
    "src/base": [],
    "src/primitives": ["src", "src/base"],
    "src/replay": ["src", "src/base"],
    "src/start": ["src", "src/base", "src/replay"],
    "preload/boost": ["src", "src/base", "src/primitives", "src/replay", "src/start"],
    "preload/trace": ["src/base"],
    "preload/recorder": ["src/base", "preload/trace"],
    "tools/cli": ["src/base"],
    "tools/elf": [],
    "tools/profile": ["src", "src/base", "src/replay", "src/start", "tools/cli", "tools/elf"],
    "tools/start": ["src/base", "src/start", "tools/cli"],
    "tools/begin": ["src/base", "src/replay", "src/start", "preload/trace", "tools/cli", "tools/start"],
    "tools/convert": ["src", "src/replay", "preload/trace", "tools/cli", "tools/elf", "tools/profile"],
    "tools/watch": ["src/base", "preload/trace", "tools/cli"],
    "tools/record": ["src/base", "src/start", "preload/trace", "tools/cli", "tools/profile", "tools/begin",
                     "tools/start", "tools/convert", "tools/watch"],
    "tools/store": ["src/base", "src/replay", "src/start", "tools/cli", "tools/profile", "tools/start", "tools/record",
                    "tools/measure"],
    "tools/measure": ["src/replay", "src/start", "tools/cli", "tools/profile"],
    "tools/plot": ["src/replay", "tools/cli", "tools/profile", "tools/measure"],
    "tools/show": ["src/base", "src/replay", "tools/cli", "tools/profile", "tools/convert", "tools/plot"],
    "tools/inspect": ["src/base", "src/replay", "preload/trace", "tools/cli", "tools/elf", "tools/profile",
                      "tools/start"],
    "tools/bench": ["src/base", "src/replay", "tools/cli", "tools/profile", "tools/start", "tools/store", "tools/measure",
                    "tools/plot", "tools/inspect"],
    "tools/run": ["src/base", "src/replay", "src/start", "tools/cli", "tools/begin", "tools/start", "tools/store"],
    "tools/layer": ["src/replay", "tools/cli", "tools/profile"],
}
# A folder of many files is a heap.
MOST_FILES = 14
# Made in the build folder.
GENERATED = ("crc_factors.h", "crc_tables.h", "layer_licence.h")


def source_files(root):
    for top in ROOTS:
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in names:
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(folder, name), root)


def room_of(path):
    return "/".join(path.split("/")[:2]) if path.count("/") > 1 else path.split("/")[0]


def included(text):
    return re.findall(r'^#include "([^"]+)"', text, re.M)


def is_arch_header(name, texts):
    return any(path.startswith("src/arch/") and path.endswith(f"/{os.path.basename(name)}") for path in texts)


def upward_includes(texts):
    """What is included, but does not lie below."""
    for path, text in texts.items():
        room = room_of(path)
        if room not in FLOORS:
            yield f"{path}: {room} is no room of tests/style/rooms.py"
        for name in included(text):
            if is_arch_header(name, texts) or name in GENERATED:
                continue
            targets = [f"{top}/{name}" for top in ROOTS if f"{top}/{name}" in texts]
            if not targets:
                yield f"{path}: there is no {name} below {', '.join(ROOTS)}"
            for target in targets:
                if room_of(target) not in (room, *FLOORS.get(room, [])):
                    yield f"{path}: {room} includes {target}"


def circles(texts):
    """Parts that need each other, where a part is a .c and its .h."""
    needs = collections.defaultdict(set)
    for path, text in texts.items():
        targets = (f"{top}/{name}" for top in ROOTS for name in included(text))
        needs[path[:-2]].update(target[:-2] for target in targets if target in texts and target[:-2] != path[:-2])
    done = set()

    def follow(part, way):
        if part in way:
            yield f"a circle of includes: {' -> '.join([*way[way.index(part):], part])}"
        elif part not in done:
            for other in sorted(needs[part]):
                yield from follow(other, [*way, part])
            done.add(part)

    for part in sorted(needs):
        yield from follow(part, [])


def twins(texts):
    """Names that stand for two things. The folders of src/arch share theirs on purpose."""
    places = collections.defaultdict(set)
    for path, text in texts.items():
        if path.startswith("src/arch/"):
            continue
        places[os.path.basename(path)].add(path)
        for name in re.findall(r"^(?:static )?(?:const )?struct (\w+) \{$", text, re.M):
            places[f"struct {name}"].add(path)
    for name, where in sorted(places.items()):
        if len(where) > 1:
            yield f"{name} stands in {' and '.join(sorted(where))}"


def heaps(texts):
    counts = collections.Counter(os.path.dirname(path) for path in texts)
    for folder, count in sorted(counts.items()):
        if folder.startswith("tools/") and count > MOST_FILES:
            yield f"{folder}: {count} files are more than {MOST_FILES}"


def unlisted_folders(folders, readmes):
    """Folders that their house's README has no row for, and rows without a folder."""
    for top in ROOTS:
        rows = re.findall(r"(?m)^\| `([\w-]+)/` \|", readmes[top])
        for folder in sorted(set(rows) ^ folders[top]):
            yield f"{top}/README.md: {folder}/ is {'no folder' if folder in rows else 'not listed'}"


def misplaced(readmes):
    """Rooms that include one which stands beside or above them in the picture of their house."""
    for top in ("src", "tools"):
        picture = re.search(r"(?s)## The floors.*?```\n(.*?)```", readmes[top])[1].split("\n")
        # A line is names, then blanks, then what they are.
        lines = {name if "/" in name else f"{top}/{name}": number
                 for number, line in enumerate(picture) for name in re.split(r" {4,}", line.strip())[0].split()}
        for room, targets in FLOORS.items():
            if room.startswith(f"{top}/") and room not in lines:
                yield f"{top}/README.md: {room} is not in the picture"
            for target in targets if room.startswith(f"{top}/") else []:
                if target != "src" and lines.get(room, 0) >= lines.get(target, -1):
                    yield f"{top}/README.md: {room} includes {target}, which does not stand below it"


def folders_and_readmes(root):
    folders, readmes = {}, {}
    for top in ROOTS:
        names = os.listdir(os.path.join(root, top))
        folders[top] = {name for name in names
                        if os.path.isdir(os.path.join(root, top, name)) and not name.startswith((".", "__"))}
        with open(os.path.join(root, top, "README.md"), encoding="utf-8") as readme:
            readmes[top] = readme.read()
    return folders, readmes


def main():
    root = sys.argv[1]
    texts = {}
    for path in source_files(root):
        with open(os.path.join(root, path), encoding="utf-8") as source:
            texts[path] = source.read()
    folders, readmes = folders_and_readmes(root)
    faults = [*upward_includes(texts), *circles(texts), *twins(texts), *heaps(texts),
              *unlisted_folders(folders, readmes), *misplaced(readmes)]
    if not list(unlisted_folders({**folders, "tools": folders["tools"] | {"attic"}}, readmes)):
        faults.append("a folder that no README lists is not noticed")
    print("\n".join(faults))
    unused = [room for room in FLOORS if not any(room_of(path) == room for path in texts)]
    for room in unused:
        print(f"{room}: a room without a file")
    return 1 if faults or unused else 0


sys.exit(main())
