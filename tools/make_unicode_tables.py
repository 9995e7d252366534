#!/usr/bin/env python3
"""Writes data/unicode/unicode_tables.cc: what the tokenizers of data/tokenizer/hf_tokenizer.h know of Unicode.

    pip install tokenizers==0.23.3 unicodedata2==16.0.0
    tools/make_unicode_tables.py > data/unicode/unicode_tables.cc        # two minutes

Ids have to equal those of the Python package `tokenizers`, whose parts follow different versions of Unicode.
So it is asked about every code point, and what it answers becomes the table:

    \\p{L}, \\p{N}, \\s of split patterns      Oniguruma: Unicode 16.0 (unicodedata2 agrees on every code point)
    \\w, \\s next to added tokens             the Rust crate `regex`; \\s is the same set
    Lowercase                              Rust's char::to_lowercase: Unicode 17.0
    NFC                                    crate unicode-normalization-alignments: Unicode 9.0

The assertions below hold these statements against the answers. NFC by the tables is compared with the
package on every code point, on every decomposition and on 200,000 random strings.
"""
import random
import sys
import unicodedata

import tokenizers
import unicodedata2
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

VERSION = "0.23.3"
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
HANGUL = range(0xAC00, 0xAC00 + 11172)

nfc = normalizers.NFC().normalize_str
nfd = normalizers.NFD().normalize_str
lower = normalizers.Lowercase().normalize_str


def matched_by(regex):
    """The code points that a one-character regex matches."""
    split = pre_tokenizers.Split(Regex(regex), "removed", invert=True)
    return {ord(c) for run, _ in split.pre_tokenize_str("".join(map(chr, CODE_POINTS))) for c in run}


def word_characters():
    """\\w as the single_word flag of added tokens sees it: a token that touches a word character is no match."""
    tokenizer = Tokenizer(models.BPE({"#": 0}, [], unk_token=None))
    tokenizer.add_tokens([AddedToken("\u00a7", single_word=True, normalized=False)])
    token = tokenizer.token_to_id("\u00a7")
    texts = ["\u00a7" + chr(c) for c in CODE_POINTS]
    return {c for c, e in zip(CODE_POINTS, tokenizer.encode_batch(texts)) if token not in e.ids} - {0xA7}


def stripped_characters():
    """\\s as the rstrip flag of added tokens sees it."""
    tokenizer = Tokenizer(models.BPE({}, [], unk_token=None))
    tokenizer.add_tokens([AddedToken("\u00a7", rstrip=True, normalized=False)])
    texts = ["\u00a7" + chr(c) for c in CODE_POINTS]
    return {c for c, e in zip(CODE_POINTS, tokenizer.encode_batch(texts)) if e.offsets[0][1] == 2}


def combining_classes():
    """Canonical combining classes, found by which of two marks NFD puts first."""
    # One mark of each class that is known to both, from Python's table; the order of marks confirms it.
    top = unicodedata.combining("\u0345")  # 240, the greatest
    marks = {unicodedata.combining(chr(c)): chr(c) for c in CODE_POINTS if nfd("\u0345" + chr(c))[0] != "\u0345"}
    marks[top] = "\u0345"
    classes = {ord(marks[top]): top}
    for c in CODE_POINTS:
        mark = chr(c)
        if nfd(mark) != mark:
            continue  # a decomposing character is never looked up
        moves = nfd(marks[top] + mark) != marks[top] + mark  # 0 < class < top
        if not moves and nfd(mark + marks[232]) == mark + marks[232]:
            continue  # class 0
        below = [k for k in marks if nfd(marks[k] + mark) != marks[k] + mark]  # classes greater than this one
        above = [k for k in marks if nfd(mark + marks[k]) != mark + marks[k]]  # classes smaller than this one
        rest = set(marks) - set(below) - set(above)
        assert len(rest) == 1, (hex(c), rest)
        classes[c] = rest.pop()
    return classes


def ranges(members):
    out = []
    for c in sorted(members):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def case_ranges(mapping):
    """(first, last, step, delta) of one-to-one mappings; neighbours or every second character."""
    out = []
    for c in sorted(mapping):
        delta = mapping[c] - c
        if out and out[-1][3] == delta:
            first, last, step, _ = out[-1]
            if (first == last and c - last in (1, 2)) or (first != last and c - last == step):
                out[-1] = (first, c, c - last, delta)
                continue
        out.append((c, c, 1, delta))
    return out


def check_normalisation(decompositions, compositions, classes):
    """NFC by the tables against the reference: every code point, and random strings of what composes."""

    def table_nfc(text):
        points = []
        for c in map(ord, text):
            if c in HANGUL:
                points += map(ord, unicodedata.normalize("NFD", chr(c)))
            else:
                points += decompositions.get(c, [c])
        i = 0
        while i < len(points):
            j = i
            while j < len(points) and classes.get(points[j], 0):
                j += 1
            points[i:j] = sorted(points[i:j], key=lambda c: classes[c])
            i = max(j, i + 1)
        out, starter, last_class = [], -1, 0
        for c in points:
            k = classes.get(c, 0)
            if starter >= 0 and (last_class < k or (last_class == 0 and starter == len(out) - 1)):
                a = out[starter]
                composed = compositions.get((a, c))
                if 0x1100 <= a < 0x1113 and 0x1161 <= c < 0x1176:
                    composed = 0xAC00 + ((a - 0x1100) * 21 + c - 0x1161) * 28
                elif a in HANGUL and (a - 0xAC00) % 28 == 0 and 0x11A8 <= c < 0x11C3:
                    composed = a + c - 0x11A7
                if composed:
                    out[starter] = composed
                    continue
            if k == 0:
                starter, last_class = len(out), 0
            else:
                last_class = k
            out.append(c)
        return "".join(map(chr, out))

    for c in CODE_POINTS:
        assert table_nfc(chr(c)) == nfc(chr(c)), hex(c)
        assert table_nfc(nfd(chr(c))) == nfc(nfd(chr(c))), hex(c)
    dice = random.Random(1)
    pool = sorted({c for pair in compositions for c in pair} | set(compositions.values()) | set(classes))
    pool += [0x61, 0x20, 0x1100, 0x1112, 0x1161, 0x1175, 0x11A7, 0x11A8, 0x11C2, 0xAC00, 0xAC01, 0xD7A3] * 20
    for _ in range(200000):
        text = "".join(chr(dice.choice(pool)) for _ in range(dice.randint(2, 8)))
        assert table_nfc(text) == nfc(text), ascii(text)


def rows(items, width=108):
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > width:
            yield line
            line = "   "
        line += " " + item + ","
    yield line


def table(declaration, items):
    print(f"const {declaration}[] = {{")
    print("\n".join(rows(items)))
    print("};\n")


def span(name, kind):
    print(f"std::span<const {kind}> {name}() {{ return k{name}; }}")


def main():
    if tokenizers.__version__ != VERSION:
        sys.exit(f"tokenizers {tokenizers.__version__} is installed; the tables are those of {VERSION}")
    letters, numbers, spaces = matched_by(r"\p{L}+"), matched_by(r"\p{N}+"), matched_by(r"\s+")
    assert spaces == stripped_characters()
    assert matched_by(r"[^\s\p{L}\p{N}]+") == set(CODE_POINTS) - letters - numbers - spaces
    assert matched_by(r"\S+") == set(CODE_POINTS) - spaces
    word = word_characters()
    long_s = {chr(c) for c in CODE_POINTS if matched_alone("(?i:'s)", c)}
    assert long_s == set("sS\u017f"), long_s
    for letter in "tmdrevl":
        assert {chr(c) for c in CODE_POINTS if matched_alone(f"(?i:'{letter})", c)} == {letter, letter.upper()}

    classes = combining_classes()
    decompositions = {c: list(map(ord, nfd(chr(c)))) for c in CODE_POINTS if nfd(chr(c)) != chr(c)}
    for c in HANGUL:
        assert decompositions.pop(c) == list(map(ord, unicodedata.normalize("NFD", chr(c))))
    compositions = {}
    for c, parts in decompositions.items():
        if len(parts) > 1 and nfc(chr(c)) == chr(c):
            first = nfc("".join(map(chr, parts[:-1])))
            assert len(first) == 1 and nfc(first + chr(parts[-1])) == chr(c), hex(c)
            compositions[ord(first), parts[-1]] = c
    check_normalisation(decompositions, compositions, classes)
    lowered = {c: list(map(ord, lower(chr(c)))) for c in CODE_POINTS if lower(chr(c)) != chr(c)}
    single = {c: to[0] for c, to in lowered.items() if len(to) == 1}
    double = {c: to for c, to in lowered.items() if len(to) == 2}
    assert len(single) + len(double) == len(lowered)

    assert unicodedata2.unidata_version == "16.0.0"
    for members, group in [(letters, "L"), (numbers, "N")]:
        assert members == {c for c in CODE_POINTS if unicodedata2.category(chr(c))[0] == group}
    assert 0x1E944 in classes and 0x1DF6 not in classes  # marks of Unicode 9.0 and 10.0
    assert single[0x16EA0] == 0x16EBB  # a pair of Unicode 17.0
    print(
        f"""// Written by tools/make_unicode_tables.py, which explains it, from tokenizers {VERSION}; do not edit.
// Letters, numbers, spaces: Unicode 16.0. Lower-casing: 17.0. Normalisation: 9.0.
// clang-format off
#include "data/unicode/unicode_tables.h"

namespace lvrpo::unicode {{
namespace {{
"""
    )
    for name, members in [("Letters", letters), ("Numbers", numbers), ("Spaces", spaces), ("WordCharacters", word)]:
        table(f"Range k{name}", [f"{{{a:#x},{b:#x}}}" for a, b in ranges(members)])
    items, previous = [], None
    for c in sorted(classes):
        if previous and previous[1] == c - 1 and previous[2] == classes[c]:
            previous[1] = c
        else:
            previous = [c, c, classes[c]]
            items.append(previous)
    table("ClassRange kCombiningClasses", [f"{{{a:#x},{b:#x},{k}}}" for a, b, k in items])
    table(
        "Decomposition kDecompositions",
        ["{%#x,{%s}}" % (c, ",".join(f"{p:#x}" for p in d)) for c, d in sorted(decompositions.items())],
    )
    table("Composition kCompositions", [f"{{{a:#x},{b:#x},{c:#x}}}" for (a, b), c in sorted(compositions.items())])
    table("CaseRange kLowercase", [f"{{{a:#x},{b:#x},{s},{d}}}" for a, b, s, d in case_ranges(single)])
    table(
        "Decomposition kLowercaseLonger",
        ["{%#x,{%s}}" % (c, ",".join(f"{p:#x}" for p in d)) for c, d in sorted(double.items())],
    )
    print("}  // namespace\n")
    for name in ["Letters", "Numbers", "Spaces", "WordCharacters"]:
        span(name, "Range")
    span("CombiningClasses", "ClassRange")
    span("Decompositions", "Decomposition")
    span("Compositions", "Composition")
    span("Lowercase", "CaseRange")
    span("LowercaseLonger", "Decomposition")
    print("\n}  // namespace lvrpo::unicode")


def matched_alone(regex, c):
    split = pre_tokenizers.Split(Regex(regex), "removed", invert=True)
    return split.pre_tokenize_str("'" + chr(c)) == [("'" + chr(c), (0, 2))]


if __name__ == "__main__":
    main()
