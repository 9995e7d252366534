"""Leaves: folders of C++ that are one library each. Checks their includes against the DEPS in CMake, and their size.

lvrpo_leaf in the folder's CMakeLists.txt names a leaf's target; lvrpo_library and lvrpo_binary name single files that
are separate targets (a client, a main).
"""
import collections
import re

MOST_FILES = 31  # in one folder: a larger one holds more than one subject
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')
CALL = re.compile(r"\blvrpo_(leaf|library|binary)\(([^)]*)\)")


def _words(arguments):
    """One call as {"": [name, options], "SOURCES": [...], "EXCLUDE": [...], "DEPS": [...]}."""
    parts, key = collections.defaultdict(list), ""
    for word in arguments.split():
        if word in ("SOURCES", "EXCLUDE", "DEPS"):
            key = word
        else:
            parts[key].append(word)
    return parts


class Targets:
    """The CMake targets of these folders: which file belongs to which, and what each links."""

    def __init__(self, root, folders):
        self.root = root
        self.files = {}  # "common/clock.cc" -> "common"
        self.deps = {}
        self.torch = set()
        for folder in folders:
            for cmake in sorted((root / folder).glob("**/CMakeLists.txt")):
                self._read(cmake)

    def _read(self, cmake):
        home, leaf, alone = cmake.parent, None, {}
        for kind, arguments in CALL.findall(re.sub(r"#.*", "", cmake.read_text())):
            parts = _words(arguments)
            name = parts[""][0]
            self.deps[name] = {dep for dep in parts["DEPS"] if "::" not in dep}
            if "TORCH" in parts[""]:
                self.torch.add(name)
            if kind == "leaf" or "${sources}" in parts["SOURCES"]:
                leaf = name
            else:
                alone.update({source.rsplit(".", 1)[0]: name for source in parts["SOURCES"]})
        for path in home.iterdir():
            if path.suffix in (".h", ".cc"):
                self.files[str(path.relative_to(self.root))] = alone.get(path.stem, leaf)

    def linked(self, target):
        """Targets that a target links, directly or indirectly, and itself."""
        reached, todo = set(), [target]
        while todo:
            name = todo.pop()
            if name not in reached:
                reached.add(name)
                todo.extend(self.deps.get(name, ()))
        return reached


def offences(root, folders):
    targets = Targets(root, folders)
    edges = collections.defaultdict(set)  # target -> targets it includes
    sizes = collections.Counter(name.rsplit("/", 1)[0] for name in targets.files)
    for folder, size in sorted(sizes.items()):
        if size > MOST_FILES:
            yield f"{folder} has {size} files: split it by subject ({MOST_FILES} at most)"
    for name, target in sorted(targets.files.items()):
        linked = targets.linked(target) if target else set()
        for number, line in enumerate((root / name).read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            other = targets.files.get(match.group(1)) if match else None
            if not other or other == target:
                continue
            edges[target].add(other)
            if target and other not in linked:
                yield (f"{name}:{number}: {match.group(1)} is in {other}, which {target} does not link "
                       "(DEPS in CMakeLists.txt)")
            if target and other in targets.torch and target not in targets.torch:
                yield (f"{name}:{number}: {target} is built without LibTorch and includes {match.group(1)}, "
                       "which needs it")
    yield from _circles(edges)


def _circles(edges):
    def reach(start):
        reached, todo = set(), list(edges[start])
        while todo:
            name = todo.pop()
            if name not in reached:
                reached.add(name)
                todo.extend(edges.get(name, ()))
        return reached

    for target in sorted(filter(None, list(edges))):
        if target in reach(target):
            yield f"{target} includes itself through others: leaves form no circle"
