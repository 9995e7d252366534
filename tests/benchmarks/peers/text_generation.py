#!/usr/bin/env python3
"""Peer of text rollouts: transformers' Qwen2ForCausalLM.generate on a CPU.

  text_generation.py --make tiny --folder /tmp/qwen2-tiny      writes a folder with random weights, then measures
  text_generation.py --folder /tmp/qwen2-tiny --out /tmp/peer.safetensors

Four prompts of 32 ids, eight samples each, 128 new tokens a sample, fp32, sdpa attention, no end token. Sampling is
timed (temperature 1, no top-k, no top-p); greedy is also timed and its ids are written, so that another program can
show that it computes the same. Loading is not timed. Prints one line of JSON. Written to --out:
  prompt_ids [4, 32]   greedy_ids [32, 128] of the rows in order (prompt 0 eight times, ...)
  prompt_logits [4, V] after each prompt   step_margin [32, 128] between the best and the second logit of each choice
"""

import argparse
import json
import os
import pathlib
import sys

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import torch
from measure import print_line, timed
from safetensors.torch import save_file
from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM

SIZES = {  # about 5.3 and 100 million parameters
    "tiny": dict(hidden_size=256, intermediate_size=512, num_hidden_layers=8, num_attention_heads=4,
                 num_key_value_heads=2, vocab_size=2048),
    "100m": dict(hidden_size=768, intermediate_size=2560, num_hidden_layers=12, num_attention_heads=12,
                 num_key_value_heads=4, vocab_size=8192),
}


def write_folder(size: str, folder: pathlib.Path) -> None:
    """Random weights, in the layout that Qwen2.5 is published in."""
    torch.manual_seed(0)
    config = Qwen2Config(**SIZES[size], max_position_embeddings=2048, tie_word_embeddings=False,
                         rope_parameters={"rope_type": "default", "rope_theta": 1e6}, bos_token_id=None,
                         eos_token_id=None, initializer_range=0.05)
    model = Qwen2ForCausalLM(config)
    with torch.no_grad():  # a sharper head: choices are clear, as a trained model's are
        model.lm_head.weight.mul_(4)
        for name, tensor in model.named_parameters():
            if name.endswith("bias"):
                tensor.normal_(std=0.1)
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()},
              folder / "model.safetensors", metadata={"format": "pt"})
    content = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", **SIZES[size], "hidden_act": "silu",
               "max_position_embeddings": 2048, "rms_norm_eps": config.rms_norm_eps, "rope_theta": 1e6,
               "tie_word_embeddings": False, "use_sliding_window": False, "torch_dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(content, indent=1) + "\n")


def prompts_of(vocabulary: int, count: int, length: int) -> torch.Tensor:
    return torch.randint(vocabulary, (count, length), generator=torch.Generator().manual_seed(1))


def generation(args, sample: bool, cache: str) -> GenerationConfig:
    return GenerationConfig(
        max_new_tokens=args.new_tokens, min_new_tokens=args.new_tokens, do_sample=sample, temperature=1.0, top_k=0,
        top_p=1.0, eos_token_id=None, pad_token_id=0, use_cache=True,
        cache_implementation=None if cache == "dynamic" else "static", disable_compile=True)


@torch.no_grad()
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, required=True, help="a Qwen2 folder")
    parser.add_argument("--make", choices=SIZES, help="write such a model into --folder first, if it has none")
    parser.add_argument("--out", type=pathlib.Path, help="safetensors file for the ids")
    parser.add_argument("--cache", nargs="+", choices=["dynamic", "static", "compiled"],
                        default=["dynamic", "static"],
                        help="compiled: static, with torch.compile of the model's forward (needs a C++ compiler)")
    parser.add_argument("--prompts", type=int, default=4)
    parser.add_argument("--group", type=int, default=8, help="samples of each prompt")
    parser.add_argument("--prompt-tokens", type=int, default=32)
    parser.add_argument("--new-tokens", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    if args.make and not (args.folder / "config.json").exists():
        write_folder(args.make, args.folder)
    model = Qwen2ForCausalLM.from_pretrained(args.folder, dtype=torch.float32, attn_implementation="sdpa").eval()
    prompts = prompts_of(model.config.vocab_size, args.prompts, args.prompt_tokens)
    rows = prompts.repeat_interleave(args.group, dim=0)
    mask = torch.ones_like(rows)

    def generate(sample: bool, cache: str, **more):
        return model.generate(rows, attention_mask=mask, generation_config=generation(args, sample, cache), **more)

    eager_forward = model.forward
    results = {}
    for cache in args.cache:
        model.forward = torch.compile(eager_forward, dynamic=None) if cache == "compiled" else eager_forward
        kind = "dynamic" if cache == "dynamic" else "static"
        for name, sample in (("sampling", True), ("greedy", False)):
            results[f"{cache}_{name}"] = timed(lambda: generate(sample, kind), args.repeats,
                                               len(rows) * args.new_tokens, "tokens")
    model.forward = eager_forward
    if args.out:
        greedy = generate(False, "dynamic", output_logits=True, return_dict_in_generate=True)
        best, second = torch.stack(greedy.logits, dim=1).topk(2, dim=-1).values.unbind(-1)
        save_file({"prompt_ids": prompts, "greedy_ids": greedy.sequences[:, args.prompt_tokens :].contiguous(),
                   "prompt_logits": model(prompts).logits[:, -1].contiguous(),
                   "step_margin": (best - second).contiguous()}, args.out)
        results["smallest_greedy_margin"] = round((best - second).min().item(), 5)
    settings = {key: str(value) if isinstance(value, pathlib.Path) else value for key, value in vars(args).items()}
    settings |= {"parameters": sum(tensor.numel() for tensor in model.parameters()), "attention": "sdpa", "dtype": "fp32"}
    print_line("transformers", settings, results, ("torch", "transformers", "safetensors"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
