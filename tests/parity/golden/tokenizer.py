"""Family tokenizer: the `tokenizers` library on small BPE models in the published layouts."""

import hashlib
import json
import pathlib

from tokenizers import AddedToken

from . import bpe
from .case import Case, Draft, Expected, Random, compact_json_bytes
from .texts import CORPUS, HARD, mixtures

PRODUCER = {"tokenizers": bpe.VERSION, "note": "Tokenizer.from_file; with lowercase, Lowercase before its normalizer"}


def _load(case: Case):
    tokenizer = bpe.load(case.folder / case.params["tokenizer"], case.params.get("lowercase", False))
    if "max_length" in case.params:
        length = case.params["max_length"]
        tokenizer.enable_truncation(length)
        tokenizer.enable_padding(pad_id=case.params["pad_id"], pad_token=case.params["pad_token"], length=length)
    return tokenizer


def _encode(case: Case, texts: list[str]) -> list[list[int]]:
    tokenizer = _load(case)
    return [tokenizer.encode(text, add_special_tokens=case.params["add_special_tokens"]).ids for text in texts]


def encode(case: Case) -> Expected:
    return Expected(json=_encode(case, json.loads(case.file("texts.json").read_text())))


def encode_long(case: Case) -> Expected:
    texts = json.loads(case.file("texts.json").read_text())
    summaries = {}
    for name, ids in zip(texts, _encode(case, list(texts.values()))):
        digest = hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()
        summaries[name] = {"count": len(ids), "first": ids[:40], "last": ids[-40:],
                           "sha256_of_comma_joined_ids": digest}
    return Expected(json=summaries)


def decode(case: Case) -> Expected:
    tokenizer = _load(case)
    rows = json.loads(case.file("ids.json").read_text())
    return Expected(json=[{"keep_special": tokenizer.decode(row, skip_special_tokens=False),
                           "skip_special": tokenizer.decode(row, skip_special_tokens=True)} for row in rows])


OPS = {"encode": encode, "encode_long": encode_long, "decode": decode}

FLAGGED = [  # one of each flag of an added token
    AddedToken("<call>", normalized=False), AddedToken("fa\u00e7ade", normalized=True),
    AddedToken("<gap>", normalized=False, lstrip=True, rstrip=True),
    AddedToken("alone", normalized=False, single_word=True),
]
FLAGGED_TEXTS = ["x <call>y", "fac\u0327ade fa\u00e7ade", "left  <gap> \t right", "<gap>", "alone",
                 "alone, alone! lonealone aloner"]

PART_TEXTS = [  # what the parts treat in special ways
    " a  b ", "\u2581a \u2581", "  ", "<|im_end|> a<|im_end|>b", "<bos>a b<eos> c", "ab12cd345 6.5", "\u0661\u0662 \u2167 \u00bd",
    "a,b;;c...", "\u00abx\u00bb \u2014 \u3002", "$5+3=8 ~`^|", "\uff21\uff42\uff11 \ufb01 \u2460 \u3392 \u00b2", "\u0915\u094d\u0937 e\u0301",
    "don't DON'T \u017fo", "\u4e2d\u6587\u3068\u304b\u306a 123456", "path/to\r\n/x  \n\n y", "camelCaseWord XMLHttp", "_a_b 1_000", "\u00a0x\u3000y\u2028z",
]


def write_models(root: pathlib.Path) -> None:
    bpe.save(bpe.byte_level(400, FLAGGED), root / "byte_level", merges_as_strings=True)
    bpe.save(bpe.gemma_like(360), root / "gemma_like")
    bpe.save(bpe.partial_bytes(300), root / "partial_bytes")
    for name, tokenizer in bpe.parts().items():
        bpe.save(tokenizer, root / name)


def _long_texts() -> dict[str, str]:
    words = [word for line in CORPUS for word in line.split(" ")]
    picks = Random("tokenizer long").ids(len(words), 500)
    letters = Random("tokenizer letters").ids(5, 2000)
    return {"words": " ".join(words[i] for i in picks), "one_letter": "a" * 3000, "spaces": " " * 2001,
            "newlines": "\n" * 1001, "no_space": "".join("abcde"[i] for i in letters)}


def drafts(root: pathlib.Path):
    texts = HARD + CORPUS + FLAGGED_TEXTS + mixtures("encode", 60)
    long_texts = _long_texts()
    for name in ("byte_level", "gemma_like", "partial_bytes"):
        path = f"../models/{name}/tokenizer.json"
        base = {"tokenizer": path, "lowercase": False}
        vocabulary = bpe.load(root / name / "tokenizer.json").get_vocab_size()
        with_specials = name == "partial_bytes"
        yield Draft(f"{name}_encode", "encode", {"*": "exact"}, base | {"add_special_tokens": with_specials},
                    files={"texts.json": texts})
        yield Draft(f"{name}_encode_long", "encode_long", {"*": "exact"}, base | {"add_special_tokens": False},
                    files={"texts.json": long_texts})
        random = Random(f"tokenizer decode {name}")
        rows = [random.ids(vocabulary, 1 + length % 9) for length in range(80)]
        tokenizer = bpe.load(root / name / "tokenizer.json")
        rows += [tokenizer.encode(text).ids for text in HARD[:40]] + [[i] for i in range(0, vocabulary, 7)]
        yield Draft(f"{name}_decode", "decode", {"*": "exact"}, base, files={"ids.json": compact_json_bytes(rows)})
    part_texts = HARD + CORPUS[:8] + PART_TEXTS + mixtures("parts", 40)
    for name in bpe.parts():
        base = {"tokenizer": f"../models/{name}/tokenizer.json", "lowercase": False}
        yield Draft(f"{name}_encode", "encode", {"*": "exact"}, base | {"add_special_tokens": True},
                    files={"texts.json": part_texts})
    for name in ("metaspace_always", "metaspace_first", "metaspace_never"):
        tokenizer = bpe.load(root / name / "tokenizer.json")
        rows = [tokenizer.encode(text).ids for text in part_texts]
        yield Draft(f"{name}_decode", "decode", {"*": "exact"},
                    {"tokenizer": f"../models/{name}/tokenizer.json", "lowercase": False},
                    files={"ids.json": compact_json_bytes(rows)})
    base = {"tokenizer": "../models/gemma_like/tokenizer.json", "lowercase": True, "add_special_tokens": True}
    yield Draft("gemma_like_lower_encode", "encode", {"*": "exact"}, base | {"add_special_tokens": False},
                files={"texts.json": texts})
    yield Draft("gemma_like_lower_encode_24", "encode", {"*": "exact"},
                base | {"max_length": 24, "pad_id": 0, "pad_token": "<pad>"}, files={"texts.json": HARD + CORPUS})
