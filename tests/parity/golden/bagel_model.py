"""BAGEL restated from its description, in plain fp32: one sequence at a time, nothing clever.

Tensor names are the published ones (ema.safetensors). Text, ViT and start/end-of-image tokens run through the base
half of each layer, latent tokens through the half named `_moe_gen`; all meet in one attention. Functional over named
tensors, so gradients reach whichever of them ask for it.
"""

import dataclasses
import json
import math
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from .autoencoder import AutoencoderConfig


@dataclasses.dataclass
class BagelConfig:
    hidden: int
    mlp: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int
    rms_eps: float
    rope_theta: float
    vit_hidden: int
    vit_mlp: int
    vit_layers: int  # used and stored; vit_config.json says one more
    vit_heads: int
    vit_patch: int
    vit_max_side: int
    latent_patch: int
    max_latent_side: int
    bos: int
    eos: int
    start_of_image: int
    end_of_image: int
    autoencoder: AutoencoderConfig

    @property
    def head_dim(self) -> int:
        return self.hidden // self.heads

    @property
    def token_dim(self) -> int:
        return self.latent_patch**2 * self.autoencoder.z_channels

    @staticmethod
    def load(folder: pathlib.Path) -> "BagelConfig":
        top = json.loads((folder / "config.json").read_text())

        def section(name):  # a separate file, or a section of config.json, which wins
            file = folder / f"{name}.json"
            return (json.loads(file.read_text()) if file.exists() else {}) | top.get(name, {})

        llm, vit = section("llm_config"), section("vit_config")
        return BagelConfig(
            hidden=llm["hidden_size"], mlp=llm["intermediate_size"], layers=llm["num_hidden_layers"],
            heads=llm["num_attention_heads"], kv_heads=llm["num_key_value_heads"], vocabulary=llm["vocab_size"],
            rms_eps=llm["rms_norm_eps"], rope_theta=llm["rope_theta"],
            vit_hidden=vit["hidden_size"], vit_mlp=vit["intermediate_size"], vit_layers=vit["num_hidden_layers"] - 1,
            vit_heads=vit["num_attention_heads"], vit_patch=vit["patch_size"],
            vit_max_side=top["vit_max_num_patch_per_side"],
            latent_patch=top["latent_patch_size"], max_latent_side=top["max_latent_size"],
            bos=llm["bos_token_id"], eos=llm["eos_token_id"],
            start_of_image=top["start_of_image_id"], end_of_image=top["end_of_image_id"],
            autoencoder=AutoencoderConfig.from_json(top["vae_config"]))


@dataclasses.dataclass
class Context:
    """Keys and values [layers][P, kv_heads, head_dim] of what came before, and the next position."""

    keys: list[torch.Tensor]
    values: list[torch.Tensor]
    position: int = 0

    def __len__(self) -> int:
        return self.keys[0].shape[0]

    def copy(self) -> "Context":
        return Context(list(self.keys), list(self.values), self.position)

    def detached(self) -> "Context":
        return Context([k.detach() for k in self.keys], [v.detach() for v in self.values], self.position)


@dataclasses.dataclass
class Guidance:
    text_scale: float = 1.0
    image_scale: float = 1.0
    interval: tuple[float, float] = (0.0, 1.0)
    renorm: str = "global"
    renorm_min: float = 0.0

    @staticmethod
    def from_params(params: dict) -> "Guidance":
        return Guidance(params.get("cfg_text_scale", 1.0), params.get("cfg_img_scale", 1.0),
                        tuple(params.get("cfg_interval", (0.0, 1.0))), params.get("renorm_type", "global"),
                        params.get("renorm_min", 0.0))

    def active(self, t: float) -> bool:
        return self.text_scale > 1 and self.interval[0] < t <= self.interval[1]

    def combine(self, v, v_text_free, v_image_free):
        """Velocities [N, D] of the three contexts -> the guided one."""

        def shrunk(guided, dims):
            size = torch.linalg.vector_norm(v, dim=dims, keepdim=True)
            scale = size / (torch.linalg.vector_norm(guided, dim=dims, keepdim=True) + 1e-8)
            return guided * scale.clamp(self.renorm_min, 1.0)

        guided = v_text_free + self.text_scale * (v - v_text_free)
        if self.renorm == "text_channel":
            guided = shrunk(guided, -1)
        if self.image_scale > 1:
            guided = v_image_free + self.image_scale * (guided - v_image_free)
        if self.renorm == "global":
            guided = shrunk(guided, (-2, -1))
        elif self.renorm == "channel":
            guided = shrunk(guided, -1)
        return guided


def rms_norm(x, weight, eps):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight


def sincos_table(dim: int, side: int) -> torch.Tensor:
    """[side * side, dim] float64: the column's half first, each half [sin, cos]."""
    omega = 10000.0 ** (-torch.arange(dim // 4, dtype=torch.float64) / (dim // 4))
    angles = torch.arange(side, dtype=torch.float64)[:, None] * omega
    one_axis = torch.cat([angles.sin(), angles.cos()], dim=1)  # [side, dim / 2]
    return torch.cat([one_axis.repeat(side, 1), one_axis.repeat_interleave(side, 0)], dim=1)


def timestep_embedding(t: torch.Tensor, dim: int = 256) -> torch.Tensor:
    frequency = torch.exp(-math.log(10000.0) * torch.arange(dim // 2, dtype=torch.float32) / (dim // 2))
    angle = t[:, None] * frequency
    return torch.cat([angle.cos(), angle.sin()], dim=1)


def timesteps(n: int, shift: float) -> torch.Tensor:
    """fp32 as in the reference, which draws its guidance interval on these very values."""
    u = torch.linspace(1, 0, n)
    return shift * u / (1 + (shift - 1) * u)


class Bagel:
    def __init__(self, config: BagelConfig, tensors: dict[str, torch.Tensor]):
        self.config = config
        self.tensors = {name: tensor.float() for name, tensor in tensors.items()}

    @staticmethod
    def load(folder: pathlib.Path) -> "Bagel":
        return Bagel(BagelConfig.load(folder), load_file(folder / "ema.safetensors"))

    # --- The transformer.

    def run(self, x, generation, positions, allowed, context: Context | None, grow: bool = False):
        """x [T, H] through all layers and the final norm.

        generation bool [T]: which tokens take the `_moe_gen` half. allowed bool [T, P + T]. With `grow` the new keys
        and values join the context.
        """
        c = self.config

        def halves(part):  # part(suffix) for each token's own half
            return torch.where(generation[:, None], part("_moe_gen"), part(""))

        cos, sin = self._rope(positions)
        for layer in range(c.layers):
            prefix = f"language_model.model.layers.{layer}"
            attention = f"{prefix}.self_attn"
            normed = halves(lambda s: rms_norm(x, self.tensors[f"{prefix}.input_layernorm{s}.weight"], c.rms_eps))

            def projected(name, heads):
                return halves(lambda s: self._linear(normed, f"{attention}.{name}_proj{s}")).reshape(len(x), heads, -1)

            def head_normed(value, name):
                flat = halves(lambda s: rms_norm(value, self.tensors[f"{attention}.{name}_norm{s}.weight"],
                                                 c.rms_eps).flatten(1))
                return flat.reshape(value.shape)

            q = self._rotate(head_normed(projected("q", c.heads), "q"), cos, sin)
            k = self._rotate(head_normed(projected("k", c.kv_heads), "k"), cos, sin)
            v = projected("v", c.kv_heads)
            if context is not None:
                k, v = torch.cat([context.keys[layer], k]), torch.cat([context.values[layer], v])
                if grow:
                    context.keys[layer], context.values[layer] = k, v
            mixed = self._attend(q, k, v, allowed)
            x = x + halves(lambda s: self._linear(mixed, f"{attention}.o_proj{s}"))
            normed = halves(
                lambda s: rms_norm(x, self.tensors[f"{prefix}.post_attention_layernorm{s}.weight"], c.rms_eps))
            x = x + halves(lambda s: self._mlp(normed, f"{prefix}.mlp{s}"))
        return halves(lambda s: rms_norm(x, self.tensors[f"language_model.model.norm{s}.weight"], c.rms_eps))

    def _linear(self, x, name):
        return F.linear(x, self.tensors[f"{name}.weight"], self.tensors.get(f"{name}.bias"))

    def _mlp(self, x, name):
        gate = F.silu(self._linear(x, f"{name}.gate_proj"))
        return self._linear(gate * self._linear(x, f"{name}.up_proj"), f"{name}.down_proj")

    def _rope(self, positions):
        dim = self.config.head_dim
        frequency = self.config.rope_theta ** (-torch.arange(0, dim, 2, dtype=torch.float32) / dim)
        angle = positions.float()[:, None] * frequency
        angle = torch.cat([angle, angle], dim=1)[:, None, :]  # [T, 1, d]
        return angle.cos(), angle.sin()

    @staticmethod
    def _rotate(x, cos, sin):
        first, second = x.chunk(2, dim=-1)
        return x * cos + torch.cat([-second, first], dim=-1) * sin

    def _attend(self, q, k, v, allowed):
        """q [T, heads, d], k and v [P + T, kv_heads, d] -> [T, heads * d]; kv head j serves a block of q heads."""
        group = self.config.heads // self.config.kv_heads
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
        scores = torch.einsum("qhd,khd->hqk", q, k) / self.config.head_dim**0.5
        weights = scores.masked_fill(~allowed, -math.inf).softmax(dim=-1)
        return torch.einsum("hqk,khd->qhd", weights, v).flatten(1)

    def embed(self, ids):
        return self.tensors["language_model.model.embed_tokens.weight"][ids]

    def logits(self, hidden):
        return self._linear(hidden, "language_model.lm_head")

    # --- Contexts: each method appends one segment and returns its hidden states.

    def new_context(self) -> Context:
        empty = torch.zeros(0, self.config.kv_heads, self.config.head_dim)
        return Context([empty] * self.config.layers, [empty] * self.config.layers)

    def append_text(self, context: Context, ids: torch.Tensor):
        """Token ids [L] as they are, causal, one position each."""
        count = len(ids)
        allowed = torch.ones(count, len(context) + count, dtype=torch.bool).tril(len(context))
        positions = context.position + torch.arange(count)
        hidden = self.run(self.embed(ids), torch.zeros(count, dtype=torch.bool), positions, allowed, context, grow=True)
        context.position += count
        return hidden

    def append_vit(self, context: Context, image: torch.Tensor):
        """An image [3, H, W] in [-1, 1] as the understanding half sees it."""
        return self._append_image(context, self.embed_vit(*self.vit_tokens(image)), generation=False)

    def append_latents(self, context: Context, tokens: torch.Tensor, grid: tuple[int, int]):
        """Clean latent tokens [N, D]: time 0, generation half."""
        embedded = self.embed_latents(tokens, torch.zeros(len(tokens)), self.latent_positions(*grid))
        return self._append_image(context, embedded, generation=True)

    def _append_image(self, context, embedded, generation):
        hidden = self._image_segment(context, embedded, generation, grow=True)
        context.position += 1
        return hidden

    def _image_segment(self, context, embedded, generation, grow):
        """start-of-image, tokens, end-of-image: full attention, one shared position."""
        ends = self.embed(torch.tensor([self.config.start_of_image, self.config.end_of_image]))
        x = torch.cat([ends[:1], embedded, ends[1:]])
        half = torch.zeros(len(x), dtype=torch.bool)
        half[1:-1] = generation
        allowed = torch.ones(len(x), len(context) + len(x), dtype=torch.bool)
        return self.run(x, half, torch.full((len(x),), context.position), allowed, context, grow)

    # --- Images.

    def embed_latents(self, tokens, t, positions):
        time = F.silu(self._linear(timestep_embedding(t), "time_embedder.mlp.0"))
        return (self._linear(tokens, "vae2llm") + self._linear(time, "time_embedder.mlp.2")
                + self.tensors["latent_pos_embed.pos_embed"][positions])

    def latent_positions(self, h: int, w: int):
        return (torch.arange(h)[:, None] * self.config.max_latent_side + torch.arange(w)).flatten()

    def velocity(self, context: Context, x_t, t: float, grid: tuple[int, int]):
        """[N, D]: noise - data."""
        times = torch.full((len(x_t),), t, dtype=torch.float32)
        embedded = self.embed_latents(x_t, times, self.latent_positions(*grid))
        hidden = self._image_segment(context, embedded, generation=True, grow=False)
        return self._linear(hidden[1:-1], "llm2vae")

    def guided_velocity(self, contexts: tuple[Context, Context, Context], x_t, t: float, grid, guidance: Guidance):
        """contexts: full, without the last text, without images."""
        v = self.velocity(contexts[0], x_t, t, grid)
        if not guidance.active(t):
            return v
        v_image_free = self.velocity(contexts[2], x_t, t, grid) if guidance.image_scale > 1 else None
        return guidance.combine(v, self.velocity(contexts[1], x_t, t, grid), v_image_free)

    # --- Vision tower.

    def vit_patches(self, image):
        """[3, H, W] -> [N, 3 p p], each patch in (y, x, channel) order, and the patches' positions."""
        p = self.config.vit_patch
        channels, height, width = image.shape
        rows, columns = height // p, width // p
        grid = image.reshape(channels, rows, p, columns, p).permute(1, 3, 2, 4, 0)
        positions = (torch.arange(rows)[:, None] * self.config.vit_max_side + torch.arange(columns)).flatten()
        return grid.reshape(rows * columns, -1), positions

    def encode_patches(self, patches, positions):
        """One image's patches -> [N, vit_hidden] after post_layernorm."""
        c, root = self.config, "vit_model.vision_model"
        x = self._linear(patches, f"{root}.embeddings.patch_embedding")
        x = x + self.tensors[f"{root}.embeddings.position_embedding.weight"][positions]
        for layer in range(c.vit_layers):
            name = f"{root}.encoder.layers.{layer}"
            normed = self._layer_norm(x, f"{name}.layer_norm1")
            q, k, v = (self._linear(normed, f"{name}.self_attn.{part}_proj").reshape(len(x), c.vit_heads, -1)
                       for part in "qkv")
            weights = (torch.einsum("qhd,khd->hqk", q, k) / q.shape[-1] ** 0.5).softmax(dim=-1)
            mixed = torch.einsum("hqk,khd->qhd", weights, v).flatten(1)
            x = x + self._linear(mixed, f"{name}.self_attn.out_proj")
            inner = self._linear(self._layer_norm(x, f"{name}.layer_norm2"), f"{name}.mlp.fc1")
            x = x + self._linear(F.gelu(inner, approximate="tanh"), f"{name}.mlp.fc2")
        return self._layer_norm(x, f"{root}.post_layernorm")

    def vit_tokens(self, image):
        patches, positions = self.vit_patches(image)
        return self.encode_patches(patches, positions), positions

    def connect(self, tokens):
        return self._linear(F.gelu(self._linear(tokens, "connector.fc1"), approximate="tanh"), "connector.fc2")

    def embed_vit(self, tokens, positions):
        """Tower tokens as the transformer takes them."""
        return self.connect(tokens) + self.tensors["vit_pos_embed.pos_embed"][positions]

    def _layer_norm(self, x, name):
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        return F.layer_norm(x, weight.shape, weight, bias, eps=1e-6)

    # --- Text.

    def generate(self, context: Context, calls: int, stop: int | None):
        """Greedy, at most `calls` model calls.

        -> sequence (starts with bos, leaves the last predicted token out), step_logits [n, V], next_ids [n].
        """
        token, sequence, step_logits, next_ids = self.config.bos, [], [], []
        for _ in range(calls):
            sequence.append(token)
            logits = self.logits(self.append_text(context, torch.tensor([token])))[0]
            token = int(logits.argmax())
            step_logits.append(logits)
            next_ids.append(token)
            if token == stop:
                break
        return torch.tensor(sequence), torch.stack(step_logits), torch.tensor(next_ids)

    # --- Training.

    def packed(self, inputs: dict[str, torch.Tensor], x_t, t):
        """Hidden states [T, H] of a packed training sequence (tests/parity/golden/packing.py makes such inputs)."""
        total = len(inputs["packed_position_ids"])
        x = torch.zeros(total, self.config.hidden)
        x = x.index_copy(0, inputs["packed_text_indexes"], self.embed(inputs["packed_text_ids"]))
        if "packed_vit_tokens" in inputs:
            lengths = inputs["vit_token_seqlens"].tolist()
            tokens = torch.cat([self.encode_patches(*image) for image in
                                zip(inputs["packed_vit_tokens"].split(lengths),
                                    inputs["packed_vit_position_ids"].split(lengths))])
            x = x.index_copy(0, inputs["packed_vit_token_indexes"],
                             self.embed_vit(tokens, inputs["packed_vit_position_ids"]))
        latents = self.embed_latents(x_t, t, inputs["packed_latent_position_ids"])
        x = x.index_copy(0, inputs["packed_vae_token_indexes"], latents)
        generation = torch.zeros(total, dtype=torch.bool)
        generation[inputs["packed_vae_token_indexes"]] = True
        return self.run(x, generation, inputs["packed_position_ids"], inputs["attention_allowed"].bool(), None)

    def output_velocity(self, hidden):
        return self._linear(hidden, "llm2vae")
