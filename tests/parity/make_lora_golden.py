#!/usr/bin/env python3
"""Makes tests/model/testdata/lora with the PEFT library, or checks what lies there with it.

  make_lora_golden.py make    writes base/, peft_*/ and logits.safetensors
  make_lora_golden.py check   loads every adapter in PEFT again and compares the logits

base/ is a random Qwen2, peft_*/ are adapters that PEFT saved. ours/ is an adapter that this project saved:
tests/model/lora_peft_test.cc says from what, and checks that it still writes the same bytes. `make` takes it
as it lies there and stores the logits that PEFT gives with it. Needs torch, transformers and peft, whose
versions are in the metadata of logits.safetensors.
"""
import json
import pathlib
import sys
import tempfile

import peft
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file, save_file

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "model" / "testdata" / "lora"
IDS = torch.tensor([[3, 11, 0, 7, 7, 19], [1, 2, 18, 5, 9, 4]])
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ADAPTERS = {
    "peft_all_linear": dict(r=3, lora_alpha=6, target_modules=ALL),
    "peft_rslora_regex": dict(r=4, lora_alpha=5, use_rslora=True,
                              target_modules=r"model\.layers\.\d+\.self_attn\.(q|v)_proj"),
    "peft_one_layer_bf16": dict(r=2, lora_alpha=4, target_modules=["down_proj", "self_attn.o_proj"],
                                layers_to_transform=[1], exclude_modules=["lm_head"]),
}


def base_model():
    return transformers.AutoModelForCausalLM.from_pretrained(FOLDER / "base", dtype=torch.float32).eval()


def make_base():
    config = transformers.Qwen2Config(
        vocab_size=20, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=False)
    torch.manual_seed(1)
    model = transformers.Qwen2ForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(FOLDER / "base")
    (FOLDER / "base" / "generation_config.json").unlink()


def make_adapter(name, settings):
    torch.manual_seed(2)
    model = peft.get_peft_model(base_model(), peft.LoraConfig(**settings))
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "lora_B" in key:
                parameter.copy_(0.2 * torch.randn_like(parameter))
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        (FOLDER / name).mkdir(exist_ok=True)
        tensors = load_file(f"{folder}/adapter_model.safetensors")
        if name.endswith("bf16"):
            tensors = {key: tensor.to(torch.bfloat16) for key, tensor in tensors.items()}
        save_file(tensors, FOLDER / name / "adapter_model.safetensors", {"format": "pt"})
        config = json.loads(pathlib.Path(folder, "adapter_config.json").read_text())
        config["base_model_name_or_path"] = "base"
        for key, value in config.items():  # PEFT keeps lists of names as sets
            config[key] = sorted(value) if isinstance(value, list) else value
        (FOLDER / name / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")


def logits_of(folder):
    model = peft.PeftModel.from_pretrained(base_model(), folder).eval()
    with torch.no_grad():
        return model(IDS).logits.contiguous()


def all_logits():
    logits = {"base": base_model()(IDS).logits.detach().contiguous()}
    for config in sorted(FOLDER.glob("*/adapter_config.json")):
        logits[config.parent.name] = logits_of(config.parent)
        change = (logits[config.parent.name] - logits["base"]).abs().max().item()
        assert change > 0.01, f"{config.parent.name} changes nothing"
    return logits


def make():
    FOLDER.mkdir(parents=True, exist_ok=True)
    make_base()
    for name, settings in ADAPTERS.items():
        make_adapter(name, settings)
    versions = {module.__name__: module.__version__ for module in (peft, transformers, torch)}
    save_file({"ids": IDS, **all_logits()}, FOLDER / "logits.safetensors", versions)


def check():
    failed = False
    got = all_logits()
    with safe_open(FOLDER / "logits.safetensors", "pt") as stored:
        for name in sorted(set(stored.keys()) - {"ids"} | set(got)):
            error = (got[name] - stored.get_tensor(name)).abs().max().item()
            failed |= not error < 1e-5
            print(f"{name}: largest difference {error:.2g}")
    return int(failed)


if __name__ == "__main__":
    if sys.argv[1:] not in (["make"], ["check"]):
        sys.exit(__doc__)
    sys.exit(make() if sys.argv[1] == "make" else check())
