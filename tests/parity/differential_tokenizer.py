#!/usr/bin/env python3
"""Writes parity cases of random strings for tokenizer.json files, answered by the Python package `tokenizers`.

    pip install tokenizers==0.23.3
    differential_tokenizer.py --out FOLDER [--count 10000] [--seed 1] TOKENIZER_JSON...
    lvrpo-parity FOLDER

For each file: encode as it is, encode lower-cased and cut to 16 ids, and decode of both random and real ids. The
strings mix scripts, emoji, combining marks, controls, white space, contractions, all of Unicode, and the file's
added tokens: whole, misspelled, decomposed, and with marks or letters next to them.
"""

import argparse
import json
import os
import pathlib
import random
import unicodedata

import tokenizers
from tokenizers import Tokenizer, normalizers

ALL = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
BLOCKS = [0, 0x80, 0x300, 0x370, 0x400, 0x5D0, 0x900, 0xE00, 0x1100, 0x1E00, 0x2000, 0x2500, 0x3040, 0x4E00, 0xA700]
BLOCKS += [0xAC00, 0x10D40, 0x11380, 0x13460, 0x16EA0, 0x1F300]
# Characters that normalisation, case or white space treat specially.
ODD = "\u0130\u03a3\u03c2\u017f\u212a\u0958\u212b\u1e9e\u01c5\ufb01\u200b\u200d\u180e\u2028\u0085\u00a0\u3000\ufeff\ufffd"
ODD += "\x00\x1c\x7f\u0301\u0323\u0338\u0345\u093c\u3099\u1100\u1161\u11a8\uac00\U0010ffff\ufe0f\u2581\u0120\u24b6\ua7cb"
WORDS = "the cats don'T we'LL it's I'M they'VE You'RE he'D '\u017f caf\u00e9 na\u00efve 3 12345 <0x0A> ... !?! // x=1;".split()
WORDS += "\u0441\u043b\u043e\u0432\u043e \u4e2d\u6587 \u0639\u0631\u0628 \u0939\u093f\u0928\u094d\u0926\u0940 \ud55c\uad6d".split()
WORDS += "\U0001f468\u200d\U0001f469 \U0001f1e9\U0001f1ea \u0e44\u0e17\u0e22".split()
SPACES = [" ", "  ", "   ", "\n", "\n\n\n", "\r\n", "\t", "\u00a0", "\u3000", " \n ", "\u2028", " " * 7, "\n" * 13]


def near(dice, token):
    """A token, or something that is almost one."""
    at = dice.randrange(len(token))
    return dice.choice(
        [
            token,
            token,
            token.upper(),
            token[:at] + token[at + 1 :],
            token[:at] + dice.choice(" \u0301A\u0338") + token[at:],
            unicodedata.normalize("NFD", token),
            dice.choice(["e", " ", "\n"]) + token + dice.choice(["\u0301", "\u0338", "y", " "]),
        ]
    )


def part(dice, tokens):
    kind = dice.randrange(9)
    if kind < 2:
        return dice.choice(WORDS)
    if kind < 4:
        return dice.choice(SPACES)
    if kind == 4:
        return near(dice, dice.choice(tokens))
    if kind == 5:
        return "".join(chr(dice.choice(ALL)) for _ in range(dice.randint(1, 4)))
    if kind == 6:
        return "".join(dice.choice(ODD) for _ in range(dice.randint(1, 6)))
    if kind == 7:
        block = dice.choice(BLOCKS)
        return "".join(chr(block + dice.randrange(0x80)) for _ in range(dice.randint(1, 6)))
    return dice.choice(["aa", "lll", "....", "999", "\u0301\u0323", "\u4e2d\u4e2d"]) * dice.randint(1, 4)


def write_case(folder, op, params, inputs, expected):
    (folder / "inputs").mkdir(parents=True, exist_ok=True)
    case = {"family": "tokenizer", "op": op, "params": params, "tolerance": {"*": "exact"}}
    case["producer"] = {"tokenizers": tokenizers.__version__, "note": "tests/parity/differential_tokenizer.py"}
    (folder / "case.json").write_text(json.dumps(case, indent=1))
    (folder / "inputs" / ("ids.json" if op == "decode" else "texts.json")).write_text(json.dumps(inputs))
    (folder / "expected.json").write_text(json.dumps(expected))


def write_cases(path, out, count, dice):
    def load(lowercase):
        tokenizer = Tokenizer.from_file(str(path))
        if lowercase:
            steps = [normalizers.Lowercase()] + ([tokenizer.normalizer] if tokenizer.normalizer else [])
            tokenizer.normalizer = normalizers.Sequence(steps)
        return tokenizer

    tokenizer = load(False)
    tokens = [t.content for t in tokenizer.get_added_tokens_decoder().values()] or ["<s>"]
    texts = ["".join(part(dice, tokens) for _ in range(dice.choice([1, 2, 3, 5, 8, 15]))) for _ in range(count)]
    ids = [tokenizer.encode(text).ids for text in texts]
    for lowercase in (False, True):
        params = {"tokenizer": None, "lowercase": lowercase, "add_special_tokens": True}
        folder = out / ("encode_lowercase_16" if lowercase else "encode")
        params["tokenizer"] = os.path.relpath(path.resolve(), folder.resolve())
        expected = ids
        if lowercase:
            params |= {"max_length": 16, "pad_id": 0}
            other = load(True)
            other.enable_truncation(16)
            other.enable_padding(length=16, pad_id=0)
            expected = [other.encode(text).ids for text in texts]
        write_case(folder, "encode", params, texts, expected)
    size = tokenizer.get_vocab_size()
    lists = ids[: count // 2] + [[dice.randrange(size) for _ in range(dice.randint(0, 12))] for _ in range(count // 2)]
    both = [{"keep_special": tokenizer.decode(i, False), "skip_special": tokenizer.decode(i, True)} for i in lists]
    relative = os.path.relpath(path.resolve(), (out / "decode").resolve())
    write_case(out / "decode", "decode", {"tokenizer": relative, "lowercase": False}, lists, both)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    for number, path in enumerate(options.files):
        out = options.out / f"{number:02d}_{path.resolve().parent.parent.name}"
        write_cases(path, out, options.count, random.Random(f"{options.seed} {number}"))
        print(f"{path}: {options.count} strings, written to {out}")


if __name__ == "__main__":
    main()
