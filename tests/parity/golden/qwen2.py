"""Family qwen2: transformers' Qwen2ForCausalLM."""

import pathlib

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from .case import Case, Draft, Expected, Random, json_bytes, save_tensors, within
from .versions import versions

PRODUCER = {**versions("transformers", "torch"), "note": "Qwen2ForCausalLM; fp32, CPU, sdpa, random weights"}


def _load(case: Case) -> Qwen2ForCausalLM:
    return Qwen2ForCausalLM.from_pretrained(case.model, dtype=torch.float32, attn_implementation="sdpa").eval()


@torch.no_grad()
def logits(case: Case) -> Expected:
    model, ids = _load(case), case.inputs["input_ids"]
    mask = case.inputs.get("attention_mask", torch.ones_like(ids))
    positions = (mask.cumsum(1) - 1).clamp(min=0)  # real tokens, from 0
    hidden = model.model(input_ids=ids, attention_mask=mask, position_ids=positions).last_hidden_state
    valid = mask.bool()[:, :, None]
    return Expected({"logits": model.lm_head(hidden).masked_fill(~valid, 0),
                     "last_hidden_state": hidden.masked_fill(~valid, 0)})


@torch.no_grad()
def token_logprobs(case: Case) -> Expected:
    model, ids = _load(case), case.inputs["input_ids"]
    prompts, completions = case.inputs["prompt_lengths"].tolist(), case.inputs["completion_lengths"].tolist()
    logprobs, entropy = (torch.zeros(len(ids), max(completions)) for _ in range(2))
    for row, (prompt, completion) in enumerate(zip(prompts, completions)):
        sequence = ids[row : row + 1, : prompt + completion]
        tempered = model(input_ids=sequence).logits[0, prompt - 1 : -1] / case.params["temperature"]
        log_p = tempered.log_softmax(-1)
        logprobs[row, :completion] = log_p.gather(1, sequence[0, prompt:, None])[:, 0]
        entropy[row, :completion] = -(log_p.exp() * log_p).sum(-1)
    return Expected({"logprobs": logprobs, "entropy": entropy})


@torch.no_grad()
def greedy(case: Case) -> Expected:
    """Each row alone from its own prompt."""
    model, p, eos = _load(case), case.params, case.params["eos_token_id"]
    lengths = case.inputs["prompt_lengths"].tolist()
    rows, margin = [], float("inf")
    for ids, length in zip(case.inputs["input_ids"], lengths):
        prompt = ids[None, :length]
        result = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=p["max_new_tokens"],
                                do_sample=False, eos_token_id=eos, pad_token_id=eos, output_logits=True,
                                return_dict_in_generate=True)
        rows.append(result.sequences[0, length:])
        best, second = torch.cat(result.logits).topk(2).values.T
        margin = min(margin, (best - second).min().item())
    generated = torch.full((len(rows), max(map(len, rows))), -1)
    for row, ids in enumerate(rows):
        generated[row, : len(ids)] = ids
    return Expected({"generated": generated, "lengths": torch.tensor([len(ids) for ids in rows])},
                    params={"min_top2_margin": margin})


OPS = {"logits": logits, "token_logprobs": token_logprobs, "greedy": greedy}

VOCABULARY = 71
CONFIGS = {
    "gqa8_1_tied": dict(hidden_size=32, intermediate_size=44, num_hidden_layers=2, num_attention_heads=8,
                        num_key_value_heads=1, rms_norm_eps=1e-5, rope_theta=5e5, tie_word_embeddings=True),
    "mha3_untied": dict(hidden_size=30, intermediate_size=44, num_hidden_layers=2, num_attention_heads=3,
                        num_key_value_heads=3, rms_norm_eps=1e-6, rope_theta=2e4, tie_word_embeddings=False),
}


def _write_model(folder: pathlib.Path, name: str) -> None:
    values, random = CONFIGS[name], Random(f"qwen2 {name}")
    theta = values["rope_theta"]
    config = Qwen2Config(**{key: value for key, value in values.items() if key != "rope_theta"}, vocab_size=VOCABULARY,
                         max_position_embeddings=96, rope_parameters={"rope_type": "default", "rope_theta": theta})
    model = Qwen2ForCausalLM(config)
    tensors = {}
    for key, tensor in sorted(model.state_dict().items()):
        if key == "lm_head.weight" and config.tie_word_embeddings:
            continue
        if tensor.dim() == 1:
            tensors[key] = random.normal(*tensor.shape, scale=0.2) + (0 if key.endswith("bias") else 1)
        elif "embed" in key:
            tensors[key] = random.normal(*tensor.shape, scale=0.5)
        else:
            tensors[key] = random.normal(*tensor.shape, scale=(3 if "lm_head" in key else 1) * tensor.shape[1] ** -0.5)
    folder.mkdir(parents=True)
    save_tensors(tensors, folder / "model.safetensors")
    if config.tie_word_embeddings:  # as Qwen2.5 is published: theta at the top, a sliding window that is switched off
        content = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "attention_dropout": 0.0,
                   "hidden_act": "silu", "initializer_range": 0.02, "max_position_embeddings": 96,
                   "max_window_layers": 1, "sliding_window": 7, "use_sliding_window": False, "use_cache": True,
                   "torch_dtype": "float32", "vocab_size": VOCABULARY, **values}
    else:  # as transformers 5 writes it
        content = config.to_dict() | {"architectures": ["Qwen2ForCausalLM"]}
    (folder / "config.json").write_bytes(json_bytes(content))


def write_models(root: pathlib.Path) -> None:
    for name in CONFIGS:
        _write_model(root / name, name)


def drafts(root: pathlib.Path):
    close = within(5e-5, 1e-4)
    for name in CONFIGS:
        random, model = Random(f"qwen2 inputs {name}"), f"../models/{name}"
        batch, length = (4, 13) if name == "gqa8_1_tied" else (2, 17)
        both = {"logits": close, "last_hidden_state": close}
        ids = random.integers(0, VOCABULARY, batch, length)
        yield Draft(f"{name}_logits", "logits", both, inputs={"input_ids": ids}, model=model)
        padding = random.integers(0, length - 1, batch)
        mask = (torch.arange(length) >= padding[:, None]).long()
        yield Draft(f"{name}_logits_left_padded", "logits", both,
                    {"positions": "count real tokens from 0", "compare_valid_rows_only": True},
                    {"input_ids": ids.masked_fill(mask == 0, 1), "attention_mask": mask}, model=model)
        prompts = random.integers(1, 6, batch)
        completions = torch.minimum(random.integers(1, 12, batch), length - prompts)
        yield Draft(f"{name}_token_logprobs", "token_logprobs", {"logprobs": close, "entropy": close},
                    {"temperature": 1.3 if name == "mha3_untied" else 0.6},
                    {"input_ids": ids, "prompt_lengths": prompts, "completion_lengths": completions}, model=model)
        yield _greedy_draft(root, name, model)


def _greedy_draft(root: pathlib.Path, name: str, model: str) -> Draft:
    """Prompts whose greedy choices are clear, and an end token that some rows meet."""
    for attempt in range(1000):
        random = Random(f"qwen2 greedy {name} {attempt}")
        draft = Draft(f"{name}_greedy", "greedy", {"generated": "exact", "lengths": "exact"},
                      {"max_new_tokens": 14, "eos_token_id": random.ids(VOCABULARY, 1)[0]},
                      {"input_ids": random.integers(0, VOCABULARY, 3, 9), "prompt_lengths": random.integers(2, 10, 3)},
                      model=model)
        result = greedy(Case(root.parent / draft.name, {"model": model, "params": draft.params}, draft.inputs))
        lengths = result.tensors["lengths"]
        if result.params["min_top2_margin"] > 0.02 and 1 < lengths.min() < 14 and lengths.max() == 14:
            return draft
    raise RuntimeError(f"{name}: no clear choices")
