"""Functions that product headers declare and no product code uses: their callers are tests alone, or nobody.

A name counts as used when any product file (everything outside tests/) names it where it is neither declared nor
defined. The source is read as text: overloads, and members of different classes with one name, count as one.
"""
import re

# What stays, with the reason. A name that is used or gone must leave this list.
ALLOWED = {
    "AwaitOpen": "tests of call deadlines wait on it instead of sleeping",
    "ForwardPacked": "tests/parity proves it equal to the reference's packed training forward",
    "GetMetricSpec": "KEDA calls it (proto/externalscaler.proto)",
    "GetMetrics": "KEDA calls it",
    "IsActive": "KEDA calls it",
    "MakeInProcess": "ranks as threads, for tests of what ranks do together",
    "PackedBytes": "tests/benchmarks report it next to the process's memory",
    "StreamIsActive": "KEDA calls it",
    "file_padding": "tests/parity encodes as a tokenizer.json itself asks to",
    "file_truncation": "tests/parity encodes as a tokenizer.json itself asks to",
    "wait_get": "declared because LibTorch has it there (collectives/gloo/shim)",
    "nonfinite_steps": "a part of the optimizer's state that tests can see only here",
}

NOT_TYPES = frozenset("return else case throw new delete goto co_return co_await not and or operator using namespace "
                      "typename if while for switch sizeof".split())
NOT_FUNCTIONS = frozenset("main operator if for while switch return sizeof alignof decltype defined catch "
                          "static_assert noexcept explicit".split())
COMMENT_OR_TEXT = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])+\'',
                             re.DOTALL)
PREPROCESSOR = re.compile(r"^\s*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
CALL = re.compile(r"\b([A-Za-z_]\w*)\(")
NAME = re.compile(r"\b[A-Za-z_]\w*\b")
QUALIFIER = re.compile(r"(?:\b\w+(?:<[\w:, ]*>)?::)+$")
TYPE_BEFORE = re.compile(r"(\w+|[\w>]\s*>|\w>|[\w>][*&]+)\s+$")


def strip(text):
    """The source without comments, texts and preprocessor lines."""
    return PREPROCESSOR.sub("", COMMENT_OR_TEXT.sub(lambda m: '""' if m[0][0] in "\"R'" else " ", text))


def is_declared_at(text, begin):
    """Whether the name at `begin` is being declared or defined: a type stands before it."""
    before = text[max(0, begin - 120):begin]
    if before.endswith("::"):
        qualifier = QUALIFIER.search(before)
        before = before[:qualifier.start()] if qualifier else before
    found = TYPE_BEFORE.search(before[-40:])
    return bool(found) and found[1] not in NOT_TYPES


def find_unused(sources):
    """{name: header} of functions declared in the headers of `sources` ({path: stripped text}) that nothing uses."""
    declared = {}
    for path, text in sources.items():
        for match in CALL.finditer(text) if path.endswith(".h") else ():
            name = match[1]
            if name not in declared and name not in NOT_FUNCTIONS and not name.isupper() and \
                    is_declared_at(text, match.start()):
                declared[name] = path
    for text in sources.values():
        for match in NAME.finditer(text):
            if match[0] in declared and not is_declared_at(text, match.start()):
                del declared[match[0]]
    return declared


def offences(root, folders):
    """Sentences about what is unused, and about entries of ALLOWED that are out of date."""
    sources = {str(path.relative_to(root)): strip(path.read_text())
               for folder in folders for path in sorted((root / folder).rglob("*")) if path.suffix in (".h", ".cc")}
    found = find_unused(sources)
    for name, header in sorted(found.items()):
        if name not in ALLOWED:
            yield f"{header}: {name}() has no caller in the product: remove it, or say in tests/layers/unused.py why not"
    for name in sorted(ALLOWED.keys() - found.keys()):
        yield f"tests/layers/unused.py: {name} is used, or gone: take it off the list"
