"""Small BPE tokenizers trained on CORPUS, in the layouts of the published files."""

import json
import pathlib

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from .texts import CORPUS

# Qwen2's split of text into words.
WORDS = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
         r"|\s+(?!\S)|\s+")
BAGEL_SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"]


def byte_level(vocabulary: int, added: list[AddedToken] = ()) -> Tokenizer:
    """Qwen2's layout: NFC, WORDS, bytes, BPE; BAGEL's special tokens after the vocabulary, then `added`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(WORDS), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=vocabulary, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False))
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in BAGEL_SPECIALS])
    tokenizer.add_tokens(list(added))
    return tokenizer


# Splits of published tokenizers that need a regular-expression engine.
DEEPSEEK3 = [r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
             r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
             r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]
MARKS = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]"
          r"|\s+(?!\S)|\s+")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def byte_level_with(parts: list, normalizer=None, use_regex: bool = False) -> Tokenizer:
    """These pre-tokenizers followed by bytes, with few merges: the words can be told from the ids."""
    tokenizer = Tokenizer(models.BPE())
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [*parts, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=420, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False))
    tokenizer.add_special_tokens([AddedToken("<|im_end|>", normalized=False, special=True)])
    return tokenizer


def metaspace(scheme: str, split: bool) -> Tokenizer:
    """SentencePiece's layout in newer files: Metaspace as pre-tokenizer and decoder."""
    tokenizer = _sentencepiece_like(360, ["<unk>", "<bos>", "<eos>"], [f"<0x{byte:02X}>" for byte in range(256)])
    tokenizer.normalizer = None
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split)
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme=scheme, split=split)])
    return tokenizer


def parts() -> dict[str, Tokenizer]:
    """One tokenizer a part that published files have."""
    split, isolated = pre_tokenizers.Split, "isolated"
    made = {
        "split_deepseek3": byte_level_with([split(Regex(p), isolated) for p in DEEPSEEK3]),
        "split_marks": byte_level_with([split(Regex(MARKS), isolated)]),
        "split_cl100k": byte_level_with([split(Regex(CL100K), "removed", invert=True)]),
        "split_o200k": byte_level_with([split(Regex(O200K), isolated)]),
        "split_borders": byte_level_with([split(Regex(r"\b\w+\b|\B[^\w\s]|(?<=\d)\s"), "merged_with_next")]),
        "nfkc": byte_level_with([split(Regex(WORDS), isolated)], normalizers.NFKC()),
        "nfkd": byte_level_with([split(Regex(WORDS), isolated)], normalizers.NFKD()),
        "whitespace": byte_level_with([pre_tokenizers.Whitespace()], use_regex=True),
        "whitespace_split": byte_level_with([pre_tokenizers.WhitespaceSplit()]),
        "digits": byte_level_with([pre_tokenizers.Digits(individual_digits=False)]),
        "digits_single": byte_level_with([pre_tokenizers.Digits(individual_digits=True)], use_regex=True),
    }
    for behavior in ("isolated", "removed", "contiguous", "merged_with_previous"):
        made[f"punctuation_{behavior}"] = byte_level_with([pre_tokenizers.Punctuation(behavior)], use_regex=True)
    for scheme in ("always", "first", "never"):
        made[f"metaspace_{scheme}"] = metaspace(scheme, True)
    made["metaspace_whole"] = metaspace("first", False)
    return made


def gemma_like(vocabulary: int) -> Tokenizer:
    """Gemma's layout: spaces become U+2581, the text is one word, unknown characters fall back to bytes, eos appended.

    Runs of newlines and of U+2581 are added tokens, as in the published file.
    """
    specials = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    tokenizer = _sentencepiece_like(vocabulary, specials, [f"<0x{byte:02X}>" for byte in range(256)])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A <eos>", pair="$A <eos> $B:1 <eos>:1",
                                                             special_tokens=[("<eos>", 1)])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")  # finds nothing: no space is left
    runs = ["\n" * n for n in range(2, 7)] + ["\u2581" * n for n in range(2, 7)] + ["\t", "<unused0>", "<h1>"]
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in runs])
    tokenizer.add_special_tokens([AddedToken("<start_of_turn>", normalized=False, special=True)])
    return tokenizer


def partial_bytes(vocabulary: int) -> Tokenizer:
    """Only some bytes have tokens, so some characters are unknown and runs of them fuse; bos and eos around."""
    some = [f"<0x{byte:02X}>" for byte in [*range(0x20), *range(0xC2, 0xC8), *range(0x80, 0xB0)]]
    tokenizer = _sentencepiece_like(vocabulary, ["<unk>", "<bos>", "<eos>"], some)
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A <eos>", pair="<bos> $A <eos> $B:1",
                                                             special_tokens=[("<bos>", 1), ("<eos>", 2)])
    return tokenizer


def _sentencepiece_like(vocabulary: int, specials: list[str], byte_tokens: list[str]) -> Tokenizer:
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.normalizer = normalizers.Replace(" ", "\u2581")
    trained.pre_tokenizer = pre_tokenizers.Split("\u2581", "merged_with_next")  # merges stay within a word
    trained.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=["<unk>"],
                                                            show_progress=False))
    learnt = json.loads(trained.to_str())["model"]
    pieces = [piece for piece in learnt["vocab"] if piece != "<unk>"]
    vocab = {token: index for index, token in enumerate(specials + byte_tokens + pieces)}
    tokenizer = Tokenizer(models.BPE(vocab, [tuple(merge) for merge in learnt["merges"]], unk_token="<unk>",
                                     fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in specials])
    return tokenizer


def save(tokenizer: Tokenizer, folder: pathlib.Path, merges_as_strings: bool = False) -> None:
    """tokenizer.json; merges as pairs, or as strings like older files."""
    content = json.loads(tokenizer.to_str())
    if merges_as_strings:
        content["model"]["merges"] = [" ".join(merge) for merge in content["model"]["merges"]]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")


def save_qwen2_files(tokenizer: Tokenizer, folder: pathlib.Path) -> None:
    """vocab.json, merges.txt and tokenizer_config.json next to tokenizer.json, as Qwen2 publishes them."""
    content = json.loads(tokenizer.to_str())
    vocab, merges = content["model"]["vocab"], content["model"]["merges"]
    added = {str(token.pop("id")): token for token in content["added_tokens"]}
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False) + "\n")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(" ".join(merge) + "\n" for merge in merges))
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "add_prefix_space": False, "added_tokens_decoder": added, "additional_special_tokens": BAGEL_SPECIALS[1:],
        "bos_token": None, "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>", "errors": "replace",
        "pad_token": "<|endoftext|>", "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None}, indent=1) + "\n")


def load(path: pathlib.Path, lowercase: bool = False) -> Tokenizer:
    """`lowercase` puts Lowercase in front of the file's normalizer, as SigLIP 2's published tokenizer class does."""
    tokenizer = Tokenizer.from_file(str(path))
    if lowercase:
        first = normalizers.Lowercase()
        tokenizer.normalizer = normalizers.Sequence([first, tokenizer.normalizer]) if tokenizer.normalizer else first
    return tokenizer


VERSION = tokenizers.__version__
