#!/usr/bin/env python3
"""Peers of the referee: SigLIP 2's vision tower by transformers and by ONNX Runtime on a CPU.

  referee.py --make base --folder /tmp/siglip2-base     writes a folder with random weights, then measures
  referee.py --folder /tmp/siglip2-base --peers onnxruntime

Two cases, each at every batch size, fp32, from given pixels (no resizing):
  pooled  the embedding of a whole image, [B, D]
  dense   what grounding takes: the pooling head on every patch alone, unit length, and the probability of each of K
          phrases there, sigmoid(scale cos + bias), [B, N, K]. Softmax over one key is 1, so of the head's attention the
          value and output projections remain.
transformers: SiglipModel, eval, sdpa, inference mode. ONNX Runtime: the same modules through torch.onnx.export, with
attention as products and softmax and as one operator; the faster counts. (onnxruntime.transformers.optimizer gains
nothing here, and its GELU is not the model's.) Loading, exporting and the session's optimisations are not
timed. Prints one line of JSON for each peer. Writes peer.safetensors next to the model if it is missing: pixels
[32, 3, S, S], phrases [K, D], and transformers' pooled and dense.
"""

import argparse
import os
import pathlib
import sys

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import torch
import torch.nn.functional as F
from measure import print_line, timed
from safetensors.torch import load_file, save_file
from transformers import SiglipConfig, SiglipModel

IMAGES, PHRASES = 32, 4
MOST_DIFFERENCE = 1e-4  # between ONNX Runtime and transformers, of the largest number
OPSETS = {"plain": 20, "attention": 23}  # attention as products and softmax, or as one operator
SIZES = {  # of the published base-patch16-224 and of a toy; text towers and vocabularies are short: not measured
    "base": dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, image_size=224,
                 patch_size=16),
    "toy": dict(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2, image_size=32,
                patch_size=8),
}


def write_folder(size: str, folder: pathlib.Path) -> None:
    """Random weights, in the layout that SigLIP 2 is published in."""
    torch.manual_seed(0)
    shape = SIZES[size]
    text = {key: shape[key] for key in ("hidden_size", "intermediate_size", "num_attention_heads")}
    config = SiglipConfig(vision_config=shape, text_config=dict(
        **text, num_hidden_layers=1, vocab_size=1000, max_position_embeddings=64, projection_size=shape["hidden_size"]))
    model = SiglipModel(config)
    with torch.no_grad():  # biases as a trained model has them, and maps that are neither 0 nor 1
        for name, tensor in model.named_parameters():
            if name.endswith("bias"):
                tensor.normal_(std=0.1)
        model.logit_scale.fill_(2.5)
        model.logit_bias.fill_(-2)
    model.save_pretrained(folder)


class Pooled(torch.nn.Module):
    def __init__(self, model: SiglipModel):
        super().__init__()
        self.vision = model.vision_model

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.vision(pixel_values=pixels).pooler_output


class Dense(torch.nn.Module):
    """The pooling head reduced to one key, so that the peer does no work that ours leaves out."""

    def __init__(self, model: SiglipModel, phrases: torch.Tensor):
        super().__init__()
        self.vision, head = model.vision_model, model.vision_model.head
        self.tower, self.norm = self.vision.encoder, self.vision.post_layernorm
        width = head.attention.embed_dim
        self.value = torch.nn.Linear(width, width)
        self.value.load_state_dict({"weight": head.attention.in_proj_weight[2 * width :].clone(),
                                    "bias": head.attention.in_proj_bias[2 * width :].clone()})
        self.out, self.head_norm, self.mlp = head.attention.out_proj, head.layernorm, head.mlp
        self.register_buffer("phrases", phrases)
        self.register_buffer("scale", model.logit_scale.detach().exp())
        self.register_buffer("bias", model.logit_bias.detach().clone())

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        tokens = self.norm(self.tower(inputs_embeds=self.vision.embeddings(pixels)).last_hidden_state)
        y = self.out(self.value(tokens))
        y = y + self.mlp(self.head_norm(y))
        return torch.sigmoid(F.normalize(y, dim=-1, eps=0) @ self.phrases.t() * self.scale + self.bias)


def write_peer_file(cases: dict[str, torch.nn.Module], pixels: torch.Tensor, phrases: torch.Tensor,
                    path: pathlib.Path) -> None:
    out = {name: torch.cat([module(part) for part in pixels.split(8)]).contiguous() for name, module in cases.items()}
    save_file({"pixels": pixels, "phrases": phrases, **out}, path)


def inputs_of(model: SiglipModel) -> tuple[torch.Tensor, torch.Tensor]:
    """The same on every machine."""
    side = model.config.vision_config.image_size
    generator = torch.Generator().manual_seed(1)
    pixels = torch.rand(IMAGES, 3, side, side, generator=generator) * 2 - 1
    phrases = torch.randn(PHRASES, model.config.vision_config.hidden_size, generator=generator)
    return pixels, F.normalize(phrases, dim=-1)


def exported(name: str, module: torch.nn.Module, pixels: torch.Tensor, folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """ONNX files of a case by how they say attention; written once."""
    files = {}
    for way, opset in OPSETS.items():
        files[way] = folder / f"{name}-{way}.onnx"
        if not files[way].exists():
            torch.onnx.export(module, (pixels[:2],), files[way], dynamo=True, external_data=True, verbose=False,
                              opset_version=opset, input_names=["pixels"], output_names=["out"],
                              dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=256)},))
    return files


def onnx_runs(name: str, module: torch.nn.Module, pixels: torch.Tensor, folder: pathlib.Path, threads: int) -> dict:
    """How each file of a case is run, on a batch of pixels."""
    import onnxruntime

    runs = {}
    for way, path in exported(name, module, pixels, folder).items():
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        runs[way] = lambda batch, session=session: session.run(None, {"pixels": batch.numpy()})[0]
    return runs


def measured(run, pixels: torch.Tensor, args) -> dict:
    """By batch size. Small batches are repeated more often, as they take less time."""
    return {batch: timed(lambda batch=batch: run(pixels[:batch]), args.repeats * max(1, 8 // batch), batch, "images")
            for batch in args.batches}


def measure_transformers(cases: dict[str, torch.nn.Module], pixels: torch.Tensor, args) -> dict:
    return {f"{name}_batch_{batch}": result for name, module in cases.items()
            for batch, result in measured(module, pixels, args).items()}


def measure_onnxruntime(cases: dict[str, torch.nn.Module], pixels: torch.Tensor, args) -> dict:
    expected = load_file(args.folder / "peer.safetensors")
    results = {}
    for name, module in cases.items():
        runs = onnx_runs(name, module, pixels, args.folder, args.threads)
        for way, run in runs.items():
            off = (torch.from_numpy(run(pixels[:8])) - expected[name][:8]).abs().max() / expected[name].abs().max()
            if off > MOST_DIFFERENCE:
                raise SystemExit(f"referee: ONNX Runtime ({name}, {way}) computes something else: {off:.1e}")
        for batch in args.batches:
            found = {way: timed(lambda: run(pixels[:batch]), args.repeats * max(1, 8 // batch), batch, "images")
                     for way, run in runs.items()}
            best = max(found, key=lambda way: found[way]["images_per_second"])
            results[f"{name}_batch_{batch}"] = found[best] | {"graph": best}
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, required=True, help="a fixed-resolution SigLIP 2 folder")
    parser.add_argument("--make", choices=SIZES, help="write such a model into --folder first, if it has none")
    parser.add_argument("--prepare", action="store_true", help="write all files, measure nothing")
    parser.add_argument("--peers", nargs="+", choices=["transformers", "onnxruntime"],
                        default=["transformers", "onnxruntime"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8, 32], help=f"at most {IMAGES}")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    if args.make and not (args.folder / "config.json").exists():
        write_folder(args.make, args.folder)
    model = SiglipModel.from_pretrained(args.folder, dtype=torch.float32, attn_implementation="sdpa").eval()
    pixels, phrases = inputs_of(model)
    with torch.no_grad():
        cases = {"pooled": Pooled(model).eval(), "dense": Dense(model, phrases).eval()}
    settings = {"folder": str(args.folder), "threads": args.threads, "dtype": "fp32", "phrases": PHRASES,
                "vision_parameters": sum(tensor.numel() for tensor in model.vision_model.parameters())}
    with torch.inference_mode():
        if not (args.folder / "peer.safetensors").exists():
            write_peer_file(cases, pixels, phrases, args.folder / "peer.safetensors")
        if "transformers" in args.peers and not args.prepare:
            print_line("transformers", settings | {"attention": "sdpa"}, measure_transformers(cases, pixels, args),
                       ("torch", "transformers"))
    if args.prepare:
        for name, module in cases.items():
            exported(name, module, pixels, args.folder)
    elif "onnxruntime" in args.peers:
        print_line("onnxruntime", settings, measure_onnxruntime(cases, pixels, args),
                   ("onnxruntime", "onnx", "torch", "transformers"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
