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
    """Qwen2's layout: NFC, WORDS, bytes, BPE; BAGEL's special tokens behind the vocabulary, then `added`."""
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


def gemma_like(vocabulary: int) -> Tokenizer:
    """Gemma's layout: spaces become U+2581, the text is one word, unknown characters fall back to bytes, eos behind.

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
    """vocab.json, merges.txt and tokenizer_config.json beside tokenizer.json, as Qwen2 publishes them."""
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
