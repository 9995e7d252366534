#!/usr/bin/env python3
"""Peer of image rollouts: BAGEL's denoising loop in eager PyTorch on a CPU, written to be fast.

  image_sampling.py --make tiny --folder /tmp/bagel-tiny       writes a folder with random weights, then measures
  image_sampling.py --folder /tmp/bagel-tiny --inputs /tmp/inputs.safetensors --out /tmp/peer.safetensors

Eight prompts of equal length, eight samples each, n time values (n - 1 model calls), ODE steps, without guidance and
with text guidance. Each prompt's keys and values are computed once, in the timed part, at the start of a buffer whose
rest every call overwrites; q, k and v are one matrix, gate and up another; each expert gets only its own rows. Guidance takes two calls of the model or one of twice the batch: the faster is used.
Decoding to pixels and loading are not timed. Prints one line of JSON.

  --inputs  prompt_ids [P, L] with bos and eos, noise [P * G, N, D]; written when the file is not there
  --out     latent, latent_guided [P * G, N, D], rows in order (prompt 0 G times, ...)
"""

import argparse
import dataclasses
import json
import os
import pathlib
import sys

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "parity"))

import torch
import torch.nn.functional as F
from golden.autoencoder import AutoencoderConfig
from golden.bagel_folder import config_files, random_weights
from golden.bagel_model import Bagel, BagelConfig, Guidance, rms_norm, timestep_embedding, timesteps
from golden.case import Random
from measure import print_line, timed
from safetensors.torch import load_file, save_file

VISION = dict(vit_hidden=64, vit_mlp=256, vit_layers=1, vit_heads=4, vit_patch=8, vit_max_side=8)
SPECIAL = dict(bos=1, eos=2, start_of_image=3, end_of_image=4)
SIZES = {  # a call runs about 1 and 95 million parameters: one half of the layers; a folder holds both halves
    "tiny": BagelConfig(hidden=128, mlp=384, layers=4, heads=4, kv_heads=2, vocabulary=256, rms_eps=1e-6,
                        rope_theta=1e4, latent_patch=2, max_latent_side=8, autoencoder=AutoencoderConfig(),
                        **VISION, **SPECIAL),
    "100m": BagelConfig(hidden=768, mlp=2304, layers=14, heads=12, kv_heads=4, vocabulary=1024, rms_eps=1e-6,
                        rope_theta=1e6, latent_patch=2, max_latent_side=16, autoencoder=AutoencoderConfig(),
                        **VISION, **SPECIAL),
}


def write_folder(size: str, folder: pathlib.Path) -> None:
    """Random weights in the published layout, without an autoencoder's: nothing is decoded here."""
    config = SIZES[size]
    folder.mkdir(parents=True, exist_ok=True)
    save_file(random_weights(config, Random(f"image_sampling {size}")), folder / "ema.safetensors")
    for name, content in config_files(config, sections_inside=True).items():
        (folder / name).write_text(json.dumps(content, indent=1) + "\n")


@dataclasses.dataclass
class Half:
    """One half's weights of one layer."""

    qkv_weight: torch.Tensor
    qkv_bias: torch.Tensor
    o: torch.Tensor
    q_norm: torch.Tensor
    k_norm: torch.Tensor
    input_norm: torch.Tensor
    post_norm: torch.Tensor
    gate_up: torch.Tensor
    down: torch.Tensor


@dataclasses.dataclass
class Branch:
    """Keys and values: per layer a buffer [B, kv_heads, L + T, d] whose first L places are the prompt's."""

    keys: list[torch.Tensor]
    values: list[torch.Tensor]
    length: int

    @property
    def position(self) -> int:
        return self.length  # a prompt advances the position by one a token


class Denoiser:
    def __init__(self, folder: pathlib.Path):
        self.config = BagelConfig.load(folder)
        self.tensors = {name: tensor.float() for name, tensor in load_file(folder / "ema.safetensors").items()}
        self.layers = [(self._half(layer, ""), self._half(layer, "_moe_gen")) for layer in range(self.config.layers)]

    def _half(self, layer: int, suffix: str) -> Half:
        root = f"language_model.model.layers.{layer}"

        def tensor(name):
            return self.tensors[f"{root}.{name}"]

        def joined(parts):
            return torch.cat([tensor(part) for part in parts])

        return Half(joined([f"self_attn.{part}_proj{suffix}.weight" for part in "qkv"]),
                    joined([f"self_attn.{part}_proj{suffix}.bias" for part in "qkv"]),
                    tensor(f"self_attn.o_proj{suffix}.weight"),
                    tensor(f"self_attn.q_norm{suffix}.weight"), tensor(f"self_attn.k_norm{suffix}.weight"),
                    tensor(f"input_layernorm{suffix}.weight"), tensor(f"post_attention_layernorm{suffix}.weight"),
                    joined([f"mlp{suffix}.gate_proj.weight", f"mlp{suffix}.up_proj.weight"]),
                    tensor(f"mlp{suffix}.down_proj.weight"))

    # --- One layer's parts, for rows of one half: x [B, T, H].

    def _qkv(self, half: Half, x, cos, sin):
        c = self.config
        projected = F.linear(rms_norm(x, half.input_norm, c.rms_eps), half.qkv_weight, half.qkv_bias)
        heads = projected.view(*x.shape[:2], c.heads + 2 * c.kv_heads, c.head_dim).transpose(1, 2)
        q, k, v = heads.split([c.heads, c.kv_heads, c.kv_heads], dim=1)  # [B, heads, T, d]
        return (self._rotate(rms_norm(q, half.q_norm, c.rms_eps), cos, sin),
                self._rotate(rms_norm(k, half.k_norm, c.rms_eps), cos, sin), v)

    def _after(self, half: Half, x, mixed):
        x = x + F.linear(mixed, half.o)
        gate, up = F.linear(rms_norm(x, half.post_norm, self.config.rms_eps), half.gate_up).chunk(2, dim=-1)
        return x + F.linear(F.silu(gate) * up, half.down)

    @staticmethod
    def _rotate(x, cos, sin):
        first, second = x.chunk(2, dim=-1)
        return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)

    def _rope(self, positions):
        """positions [..., T] -> cos, sin [..., 1, T, d / 2]."""
        dim = self.config.head_dim
        frequency = self.config.rope_theta ** (-torch.arange(0, dim, 2) / dim)
        angle = positions[..., None, :, None] * frequency
        return angle.cos(), angle.sin()

    # --- Contexts.

    def prompt_branch(self, prompt_ids: torch.Tensor | None, group: int, batch: int, query: int) -> Branch:
        """Prompts [P, L] as the context of P * group rows; None: no context. `query` places are left free after it."""
        c = self.config
        length = 0 if prompt_ids is None else prompt_ids.shape[1]
        buffers = [[torch.empty(batch, c.kv_heads, length + query, c.head_dim) for _ in range(c.layers)]
                   for _ in range(2)]
        branch = Branch(*buffers, length)
        if prompt_ids is None:
            return branch
        x = self.tensors["language_model.model.embed_tokens.weight"][prompt_ids]
        cos, sin = self._rope(torch.arange(length))
        for layer, (base, _) in enumerate(self.layers):
            q, k, v = self._qkv(base, x, cos, sin)
            branch.keys[layer][:, :, :length] = k.repeat_interleave(group, dim=0)
            branch.values[layer][:, :, :length] = v.repeat_interleave(group, dim=0)
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
            x = self._after(base, x, mixed.transpose(1, 2).flatten(2))
        return branch

    # --- Velocities.

    def velocities(self, x_t, t: float, places, branches: list[Branch]) -> list[torch.Tensor]:
        """x_t [B, N, D] under each branch, all in one call: the layers see len(branches) * B rows.

        Tokens are kept as [start, end | latents]: their order does not matter, they share a position.
        """
        c, count = self.config, len(branches)
        time = F.silu(self._linear(timestep_embedding(torch.tensor([t])), "time_embedder.mlp.0"))
        latents = self._linear(x_t, "vae2llm") + self._linear(time, "time_embedder.mlp.2") + places
        g = latents.repeat(count, 1, 1)
        ends = self.tensors["language_model.model.embed_tokens.weight"][[c.start_of_image, c.end_of_image]]
        u = ends.expand(len(g), -1, -1)
        positions = torch.tensor([branch.position for branch in branches]).repeat_interleave(len(x_t))
        cos, sin = self._rope(positions[:, None])  # [rows, 1, 1, d / 2]
        for layer, (base, generation) in enumerate(self.layers):
            q_u, k_u, v_u = self._qkv(base, u, cos, sin)
            q_g, k_g, v_g = self._qkv(generation, g, cos, sin)
            q = torch.cat([q_u, q_g], dim=2)
            mixed = []
            for i, branch in enumerate(branches):
                rows = slice(i * len(x_t), (i + 1) * len(x_t))
                keys, values, start = branch.keys[layer], branch.values[layer], branch.length
                keys[:, :, start : start + 2], keys[:, :, start + 2 :] = k_u[rows], k_g[rows]
                values[:, :, start : start + 2], values[:, :, start + 2 :] = v_u[rows], v_g[rows]
                mixed.append(F.scaled_dot_product_attention(q[rows], keys, values, enable_gqa=True))
            joined = (mixed[0] if count == 1 else torch.cat(mixed)).transpose(1, 2).flatten(2)
            u, g = self._after(base, u, joined[:, :2]), self._after(generation, g, joined[:, 2:])
        norm = self.tensors["language_model.model.norm_moe_gen.weight"]
        return list(self._linear(rms_norm(g, norm, c.rms_eps), "llm2vae").chunk(count))

    def _linear(self, x, name):
        return F.linear(x, self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"])

    def sample(self, prompt_ids, noise, group: int, grid: int, t: torch.Tensor, guidance: Guidance,
               together: bool) -> torch.Tensor:
        """ODE path from noise [P * group, N, D] to latents."""
        places = (torch.arange(grid)[:, None] * self.config.max_latent_side + torch.arange(grid)).flatten()
        places = self.tensors["latent_pos_embed.pos_embed"][places]
        batch, query = len(noise), noise.shape[1] + 2
        full = self.prompt_branch(prompt_ids, group, batch, query)
        empty = self.prompt_branch(None, group, batch, query) if guidance.text_scale > 1 else None
        x = noise
        for now, following in zip(t[:-1].tolist(), t[1:].tolist()):
            if not guidance.active(now):
                v = self.velocities(x, now, places, [full])[0]
            else:
                if together:
                    v, v_free = self.velocities(x, now, places, [full, empty])
                else:
                    v, v_free = (self.velocities(x, now, places, [branch])[0] for branch in (full, empty))
                v = guidance.combine(v, v_free, v)
            x = x + v * (following - now)
        return x


def load_inputs(path: pathlib.Path | None, config: BagelConfig, args) -> dict[str, torch.Tensor]:
    if path and path.exists():
        return load_file(path)
    random = Random("image_sampling inputs")
    words = random.integers(5, config.vocabulary, args.prompts, args.prompt_tokens - 2)
    ends = [torch.full((args.prompts, 1), token) for token in (config.bos, config.eos)]
    inputs = {"prompt_ids": torch.cat([ends[0], words, ends[1]], dim=1),
              "noise": random.normal(args.prompts * args.group, args.grid**2, config.token_dim)}
    if path:
        save_file(inputs, path)
    return inputs


def deviation(denoiser: Denoiser, folder: pathlib.Path, inputs, args, t, guidance, latents) -> float:
    """Largest difference of the last row from the plain restatement that makes the goldens."""
    plain = Bagel.load(folder)
    context = plain.new_context()
    plain.append_text(context, inputs["prompt_ids"][-1])
    x = inputs["noise"][-1]
    for now, following in zip(t[:-1].tolist(), t[1:].tolist()):
        contexts = (context, plain.new_context(), context)
        x = x + (following - now) * plain.guided_velocity(contexts, x, now, (args.grid, args.grid), guidance)
    return (x - latents[-1]).abs().max().item()


@torch.no_grad()
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, required=True, help="a BAGEL folder")
    parser.add_argument("--make", choices=SIZES, help="write such a model into --folder first, if it has none")
    parser.add_argument("--inputs", type=pathlib.Path, help="safetensors file with prompts and noise")
    parser.add_argument("--out", type=pathlib.Path, help="safetensors file for the latents")
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--group", type=int, default=8, help="samples of each prompt")
    parser.add_argument("--prompt-tokens", type=int, default=24, help="bos and eos included")
    parser.add_argument("--grid", type=int, help="latent tokens a side (default: as many as the model has)")
    parser.add_argument("--n", type=int, default=15, help="time values: n - 1 calls")
    parser.add_argument("--shift", type=float, default=3.0)
    parser.add_argument("--text-scale", type=float, default=4.0, help="of the guided run; 1: no guided run")
    parser.add_argument("--batches", nargs="+", choices=["all", "group"], default=["all", "group"],
                        help="all samples in one batch, or one prompt's after another's")
    parser.add_argument("--guided-calls", choices=["auto", "together", "apart"], default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--verify", action="store_true", help="also compare one sample with the plain restatement")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    if args.make and not (args.folder / "config.json").exists():
        write_folder(args.make, args.folder)
    denoiser = Denoiser(args.folder)
    args.grid = args.grid or denoiser.config.max_latent_side
    inputs = load_inputs(args.inputs, denoiser.config, args)
    t, noise = timesteps(args.n, args.shift), inputs["noise"]

    def sample(guidance: Guidance, batches: str, together: bool) -> torch.Tensor:
        parts = 1 if batches == "all" else len(inputs["prompt_ids"])
        return torch.cat([denoiser.sample(ids, rows, args.group, args.grid, t, guidance, together)
                          for ids, rows in zip(inputs["prompt_ids"].chunk(parts), noise.chunk(parts))])

    runs = {"latent": Guidance()}
    if args.text_scale > 1:
        runs["latent_guided"] = Guidance(text_scale=args.text_scale)
    results, written = {}, {}
    for name, guidance in runs.items():
        for batches in args.batches:
            ways = {"auto": [True, False], "together": [True], "apart": [False]}[args.guided_calls]
            ways = ways if guidance.text_scale > 1 else [False]
            found = {together: timed(lambda: sample(guidance, batches, together), args.repeats, len(noise), "images")
                     for together in ways}
            best = min(found, key=lambda together: found[together]["seconds_median"])
            way = {"guided_calls": "together" if best else "apart"} if guidance.text_scale > 1 else {}
            results[f"{'guided' if guidance.text_scale > 1 else 'plain'}_batch_{batches}"] = found[best] | way
        if args.out or args.verify:
            written[name] = sample(guidance, args.batches[0], False)
        if args.verify:
            results[f"{name}_deviation"] = deviation(denoiser, args.folder, inputs, args, t, guidance, written[name])
    if args.out:
        save_file(written, args.out)
    settings = {key: str(value) if isinstance(value, pathlib.Path) else value for key, value in vars(args).items()}
    half = sum(value.numel() for name, value in denoiser.tensors.items() if ".layers." in name and "_moe_gen" in name)
    settings |= {"layer_parameters_of_a_half": half, "latent_tokens": args.grid**2, "dtype": "fp32", "renorm": "global"}
    print_line("pytorch", settings, results, ("torch", "safetensors", "numpy"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
