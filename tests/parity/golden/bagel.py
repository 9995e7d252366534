"""Family bagel: two small models in the published layout, and cases for every op."""

import dataclasses
import pathlib

import PIL.Image
import torch

from . import bpe
from .autoencoder import AutoencoderConfig, random_autoencoder
from .bagel_folder import config_files, random_weights
from .bagel_model import Bagel, BagelConfig, timesteps
from .bagel_ops import OPS, PRODUCER
from .case import Case, Draft, Random, json_bytes, save_tensors, within
from .packing import Latents, Text, Vit, pack
from .pictures import picture, png
from .texts import CORPUS, HARD

__all__ = ["OPS", "PRODUCER", "drafts", "write_models"]


@dataclasses.dataclass
class Recipe:
    merges: int  # learnt by the tokenizer
    dtype: torch.dtype
    sections_inside: bool  # llm_config and vit_config in config.json too, not only in their own files
    config: BagelConfig  # vocabulary and special tokens are filled in


RECIPES = {
    "patch2": Recipe(30, torch.float32, True, BagelConfig(
        hidden=32, mlp=40, layers=2, heads=8, kv_heads=2, vocabulary=0, rms_eps=1e-5, rope_theta=5e5,
        vit_hidden=18, vit_mlp=28, vit_layers=2, vit_heads=3, vit_patch=8, vit_max_side=6,
        latent_patch=2, max_latent_side=6, bos=0, eos=0, start_of_image=0, end_of_image=0,
        autoencoder=AutoencoderConfig(ch=4, ch_mult=(1, 2), num_res_blocks=1, norm_groups=2))),
    "patch1_bf16": Recipe(12, torch.bfloat16, False, BagelConfig(
        hidden=24, mlp=36, layers=3, heads=6, kv_heads=3, vocabulary=0, rms_eps=1e-6, rope_theta=1e6,
        vit_hidden=20, vit_mlp=36, vit_layers=1, vit_heads=2, vit_patch=10, vit_max_side=5,
        latent_patch=1, max_latent_side=9, bos=0, eos=0, start_of_image=0, end_of_image=0,
        autoencoder=AutoencoderConfig(ch=4, ch_mult=(1, 1, 2), num_res_blocks=1, norm_groups=4))),
}


def write_models(root: pathlib.Path) -> None:
    for name, recipe in RECIPES.items():
        folder, random = root / name, Random(f"bagel {name}")
        tokenizer = bpe.byte_level(256 + recipe.merges)
        bpe.save(tokenizer, folder)
        bpe.save_qwen2_files(tokenizer, folder)
        special = {field: tokenizer.token_to_id(token) for field, token in zip(
            ("bos", "eos", "start_of_image", "end_of_image"), bpe.BAGEL_SPECIALS[1:])}
        # A few rows more than tokens, as published.
        c = dataclasses.replace(recipe.config, vocabulary=tokenizer.get_vocab_size() + 9, **special)
        for file, content in config_files(c, recipe.sections_inside).items():
            (folder / file).write_bytes(json_bytes(content))
        for file, tensors in (("ema", random_weights(c, random)), ("ae", random_autoencoder(c.autoencoder, random))):
            save_tensors({key: tensor.to(recipe.dtype) for key, tensor in tensors.items()},
                         folder / f"{file}.safetensors")


NEAR = within(1e-4, 1e-3)
GREEDY = {"sequence": "exact", "next_ids": "exact", "step_logits": NEAR, "next_logp": NEAR}
CLEAR = 0.02  # smallest margin between best and second logit of a greedy choice that must be met exactly


def _new_at(ids: list[int]) -> int | None:
    """The first place from 3 on where something stands that did not stand before."""
    return next((i for i in range(3, len(ids)) if ids[i] not in ids[:i]), None)


class _Maker:
    """Drafts on one model."""

    def __init__(self, root: pathlib.Path, name: str):
        self.root, self.name, self.path = root, name, f"../models/{name}"
        self.model = Bagel.load(root / name)
        self.config = self.model.config
        self.tokenizer = bpe.load(root / name / "tokenizer.json")

    def ids(self, text: str) -> torch.Tensor:
        c = self.config
        return torch.tensor([c.bos, *self.tokenizer.encode(text).ids, c.eos])

    def random(self, case: str) -> Random:
        return Random(f"bagel {case} {self.name}")

    def latents(self, random: Random, grid: tuple[int, int]) -> torch.Tensor:
        return random.normal(grid[0] * grid[1], self.config.token_dim)

    def image(self, random: Random, rows: int, columns: int, unit: int | None = None) -> torch.Tensor:
        """[3, rows * unit, columns * unit] in [-1, 1]; unit: the vision tower's patch."""
        unit = unit or self.config.vit_patch
        return random.normal(3, rows * unit, columns * unit, scale=0.6).clamp(-1, 1)

    def draft(self, name: str, op: str, tolerance: dict, params: dict | None = None, **inputs: torch.Tensor) -> Draft:
        return Draft(f"{name}_{self.name}", op, tolerance, params or {}, inputs, model=self.path)

    def run(self, draft: Draft):
        """The op's result, before the case is on disk."""
        spec = {"model": self.path, "params": draft.params, "tolerance": {}}
        return OPS[draft.op](Case(self.root.parent / draft.name, spec, draft.inputs))

    def clear(self, name: str, op: str, tolerance: dict, params: dict, inputs_of, varied: bool = False) -> Draft:
        """The first of inputs_of(random) whose greedy choices are clear; `varied`: that says something new late."""
        for attempt in range(1000):
            draft = self.draft(name, op, tolerance, params, **inputs_of(self.random(f"{name} {attempt}")))
            result = self.run(draft)
            if result.params["min_top2_margin"] < CLEAR:
                continue
            if not varied or _new_at(result.tensors["next_ids"].tolist()) is not None:
                return draft
        raise RuntimeError(f"{name} {self.name}: no clear choices")


def _text_drafts(m: _Maker, packed: bool):
    texts = CORPUS[:9] + HARD[:12] + [text for text in HARD if "im_" in text] + ["caf\u00e9 \u7ea2 \U0001f600"]
    draft = m.draft("tokenize", "tokenize", {"ids": "exact"}, {"form": "[bos] + encode(text) + [eos]"})
    draft.files = {"texts.json": texts}
    yield draft
    logits = {"logits": NEAR, "hidden": within(2e-5, 2e-4)}
    prompts = [m.ids(text) for text in ("a star", "two", "left of")]
    if packed:
        yield m.draft("text_logits_packed", "text_logits", logits, input_ids=torch.cat(prompts),
                      seqlens=torch.tensor([len(ids) for ids in prompts]))
    else:
        yield m.draft("text_logits", "text_logits", logits, input_ids=prompts[2])

    def question(random):
        return {"input_ids": m.ids(" ".join(CORPUS[i] for i in random.ids(len(CORPUS), 2)))}

    greedy = m.clear("text_greedy", "text_greedy", GREEDY, {"max_length": 9, "end_token_id": None}, question,
                     varied=True)
    yield greedy
    said = m.run(greedy).tensors["next_ids"].tolist()
    yield m.draft("text_greedy_stop", "text_greedy", GREEDY, {"max_length": 9, "end_token_id": said[_new_at(said)]},
                  **greedy.inputs)
    response = torch.cat([m.random("text_logp").integers(0, m.config.vocabulary, 11), torch.tensor([m.config.eos])])
    yield m.draft("text_logp", "text_logp", {"logp": NEAR, "entropy": NEAR}, {"temperature": 1.0},
                  prompt_ids=prompts[1], response_ids=response)


def _velocity_drafts(m: _Maker, grid: tuple[int, int], other: tuple[int, int]):
    sides = {"grid_h": grid[0], "grid_w": grid[1]}
    prompt, random = m.ids(CORPUS[3]), m.random("velocity")
    t = timesteps(11, 2.5)
    for name, time, inputs in (("velocity", t[4].item(), {"prompt_ids": prompt}), ("velocity_uncond", 1.0, {}),
                               ("velocity_small_t", 0.015625, {"prompt_ids": prompt})):
        yield m.draft(name, "velocity", {"v": NEAR}, sides | {"t": time}, **inputs, x_t=m.latents(random, grid))
    yield m.draft("velocity_batch", "velocity_batch", {"v_0": NEAR, "v_1": NEAR},
                  {"t": t[2].item(), "grids": [list(grid), list(other)]}, prompt_ids_0=prompt,
                  prompt_ids_1=m.ids(CORPUS[0]), x_t_0=m.latents(random, grid), x_t_1=m.latents(random, other))


def _guided(text_scale, image_scale, interval, renorm, renorm_min) -> dict:
    return {"cfg_text_scale": text_scale, "cfg_img_scale": image_scale, "cfg_interval": list(interval),
            "renorm_type": renorm, "renorm_min": renorm_min}


GUIDANCE = {  # name: time, settings
    "global": (0.9, _guided(2.5, 1.0, (0.0, 1.0), "global", 0.0)),
    "global_img_min": (0.7, _guided(3.0, 1.4, (0.2, 0.7), "global", 0.9)),
    "channel_img": (0.35, _guided(5.0, 2.2, (0.0, 1.0), "channel", 0.3)),
    "text_channel": (1.0, _guided(7.0, 1.0, (0.5, 1.0), "text_channel", 0.0)),
    "text_channel_img": (0.6, _guided(2.0, 1.2, (0.0, 1.0), "text_channel", 0.5)),
    "at_low_edge": (0.25, _guided(4.0, 1.0, (0.25, 1.0), "global", 0.0)),  # low < t is not met
    "above_high_edge": (0.8125, _guided(4.0, 1.5, (0.0, 0.75), "channel", 0.0)),
    "img_only": (0.5, _guided(1.0, 3.0, (0.0, 1.0), "channel", 0.0)),  # without the text scale nothing acts
}


def _guidance_drafts(m: _Maker, grid: tuple[int, int], names: list[str]):
    prompt = m.ids(CORPUS[4])
    for name in names:
        time, settings = GUIDANCE[name]
        yield m.draft(f"velocity_cfg_{name}", "velocity_cfg", {"v": NEAR, "v_cond": NEAR, "v_text_uncond": NEAR},
                      {"grid_h": grid[0], "grid_w": grid[1], "t": time} | settings, prompt_ids=prompt,
                      x_t=m.latents(m.random(f"velocity_cfg {name}"), grid))


def _generate_draft(m: _Maker, name: str, grid: tuple[int, int], n: int, shift: float, settings: dict) -> Draft:
    path = within(2e-3, 2e-3)
    tolerance = {"timesteps": within(1e-6, 0), "x": path, "latent": path, "image": within(5e-3, 5e-3),
                 "image_u8": within(2, 0)}
    return m.draft(f"generate_ode_{name}", "generate_ode", tolerance,
                   {"grid_h": grid[0], "grid_w": grid[1], "n": n, "shift": shift} | settings,
                   prompt_ids=m.ids(CORPUS[5]), noise=m.latents(m.random(f"generate {name}"), grid))


def _image_drafts(m: _Maker, grid: tuple[int, int], edit: dict):
    seen = GREEDY | {"vit_patches": within(0, 0), "vit_position_ids": "exact", "vit_hidden": NEAR,
                     "vit_connected": NEAR}
    yield m.clear("understand", "understand", seen, {"max_length": 6, "end_token_id": None},
                  lambda random: {"vit_image": m.image(random, 3, 2), "question_ids": m.ids(CORPUS[7])})
    random = m.random("vit_features")
    yield m.draft("vit_features", "vit_features", {"vit_hidden": NEAR, "vit_seqlens": "exact"},
                  vit_image_0=m.image(random, 1, 4), vit_image_1=m.image(random, 3, 2),
                  vit_image_2=m.image(random, 1, 1))
    random, sides = m.random("edit"), {"grid_h": grid[0], "grid_w": grid[1]}
    yield m.draft(
        "edit_velocity", "edit_velocity",
        dict.fromkeys(("v", "v_cond", "v_text_uncond", "v_img_uncond"), NEAR)
        | {"source_latent": within(2e-5, 2e-4), "kv_len": "exact", "rope": "exact"},
        sides | edit | {"ae": "mean"}, instruction_ids=m.ids(CORPUS[6]),
        vae_image=m.image(random, *grid, unit=m.config.latent_patch * m.config.autoencoder.downsample),
        vit_image=m.image(random, 2, 3), x_t=m.latents(random, grid))
    settings = {"max_think": 7, "cfg_text_scale": 3.0, "cfg_img_scale": 1.8, "renorm_type": "global", "renorm_min": 0.0,
                "think_segment": "token ids are appended as they are"}
    yield m.clear("think_then_image", "think_then_image",
                  {"think_sequence": "exact", "think_ids": "exact", "v_cond": NEAR, "v": NEAR, "rope": "exact"},
                  sides | {"t": 0.71875} | settings,
                  lambda random: {"system_ids": m.ids(CORPUS[12]), "prompt_ids": m.ids(CORPUS[random.ids(5, 1)[0]]),
                                  "x_t": m.latents(random, grid)})


def _gradient_names(m: _Maker, *more: str) -> dict[str, None]:
    first, last = (f"language_model.model.layers.{layer}" for layer in (0, m.config.layers - 1))
    names = [f"{first}.self_attn.q_proj_moe_gen.weight", f"{first}.self_attn.k_proj_moe_gen.bias",
             f"{first}.self_attn.k_norm_moe_gen.weight", f"{first}.input_layernorm_moe_gen.weight",
             f"{first}.self_attn.v_proj.weight", f"{first}.self_attn.q_norm.weight",
             f"{first}.post_attention_layernorm.weight", f"{last}.post_attention_layernorm_moe_gen.weight",
             f"{last}.post_attention_layernorm.weight",
             "language_model.model.norm_moe_gen.weight", "vae2llm.bias", "llm2vae.bias", "time_embedder.mlp.0.bias"]
    return {f"grad/{name}": None for name in [*names, *more]}


def _train_velocity(m: _Maker, name: str, shift: float, documents, more: list[str] = ()) -> Draft:
    packed = pack(m.model, documents)
    latents = [segment for document in documents for segment in document if isinstance(segment, Latents)]
    with_text_loss = "ce_loss_indexes" in packed
    packed["w"] = m.latents(m.random(f"{name} w"), (len(packed["mse_loss_indexes"]), 1))
    tolerance = {"t": within(1e-6, 1e-5)} | dict.fromkeys(("x_t", "hidden", "velocity", "mse"), NEAR)
    tolerance |= _gradient_names(m, *more) | {"grad_norm": within(1e-4, 2e-3)}
    if with_text_loss:
        tolerance["ce"] = NEAR
    return m.draft(name, "train_velocity", tolerance, {
        "timestep_shift": shift, "sequence_plan": [[segment.plan() for segment in document] for document in documents],
        "latent_grids": [list(segment.grid) for segment in latents],
        "loss": "sum(velocity*w)" + (" + sum(ce)" if with_text_loss else "")}, **packed)


def _train_velocity_drafts(m: _Maker, grid: tuple[int, int], other: tuple[int, int], interleave: bool):
    random = m.random("train_velocity")

    def text(index, loss=False):
        return Text(m.tokenizer.encode(CORPUS[index]).ids[:9], loss)

    def latents(sides, time_logit):
        return Latents(m.latents(random, sides), m.latents(random, sides), sides, time_logit)

    if interleave:
        noisy, clean = latents(grid, 0.4), latents(other, None)
        documents = [
            [text(0), noisy, Latents(noisy.clean, noisy.noise, noisy.grid, None), text(1, loss=True),
             latents(other, -1.1)],
            [clean, Vit(m.image(random, 2, 3)), text(6), latents(other, 1.7), Vit(m.image(random, 1, 2)),
             text(7, loss=True)],
        ]
        yield _train_velocity(m, "train_velocity_interleave", 2.0, documents,
                              ["connector.fc1.bias", "language_model.model.norm.weight",
                               "vit_model.vision_model.encoder.layers.0.self_attn.k_proj.weight",
                               "vit_model.vision_model.embeddings.patch_embedding.bias"])
    else:  # one document has lost its caption
        yield _train_velocity(m, "train_velocity_t2i", 3.0,
                              [[text(2), latents(grid, -0.6)], [latents(other, 0.9)], [text(4), latents(other, 2.2)]])


def _train_logp_draft(m: _Maker, name: str, grid: tuple[int, int], index: int, settings: dict) -> Draft:
    t, random = timesteps(13, 2.0), m.random(f"train_logp {name}")
    params = {"grid_h": grid[0], "grid_w": grid[1], "t": t[index].item(), "t_next": t[index + 1].item(),
              "t_1": t[1].item(), "loss": "100.0 * logp"} | settings
    tolerance = {"v": NEAR, "mean": NEAR, "std": within(1e-6, 1e-5), "logp": within(1e-5, 1e-5)}
    tolerance |= _gradient_names(m) | {"grad_norm": within(1e-4, 2e-3)}
    x_t = m.latents(random, grid)
    draft = m.draft(f"train_logp_{name}", "train_logp", tolerance, params, prompt_ids=m.ids(CORPUS[8]), x_t=x_t,
                    x_next=x_t)
    # The next state is drawn around the policy's mean.
    result = m.run(draft).tensors
    draft.inputs["x_next"] = (result["mean"] + result["std"] * m.latents(random, grid)).detach()
    return draft


def _transform_drafts():
    def rgba(name, height, width):
        return PIL.Image.fromarray(picture(name, height, width, 4), "RGBA")

    palette = PIL.Image.fromarray(picture("palette", 33, 21)).quantize(11)
    files = {
        "down": (png(picture("down", 50, 35)), 36, 24, 12, 10**6),
        "up_rgba": (png(rgba("up", 11, 26)), 48, 16, 8, 10**6),
        "palette_key": (png(palette, transparency=3), 48, 24, 16, 10**6),
        "gray_alpha": (png(PIL.Image.fromarray(picture("la", 20, 20, 2), "LA")), 48, 24, 12, 10**6),
        "pixel_cap": (png(picture("cap", 36, 54)), 60, 40, 10, 1500),
        "thin": (png(picture("thin", 5, 140)), 56, 14, 14, 10**6),
    }
    for name, (content, max_size, min_size, stride, max_pixels) in files.items():
        yield Draft(f"image_transform_{name}", "image_transform",
                    {"rgb": "exact", "resized": "exact", "pixels": within(1e-6, 0), "size_hw": "exact"},
                    {"max_size": max_size, "min_size": min_size, "stride": stride, "max_pixels": max_pixels,
                     "mean": 0.5, "std": 0.5, "input": "inputs/image.png"}, files={"image.png": content})


def drafts(root: pathlib.Path):
    m, grid, other = _Maker(root, "patch2"), (2, 5), (4, 1)
    yield from _text_drafts(m, packed=True)
    yield from _velocity_drafts(m, grid, other)
    yield from _guidance_drafts(m, grid, ["global", "channel_img", "text_channel", "at_low_edge", "img_only"])
    yield _generate_draft(m, "plain", grid, 6, 2.0, _guided(1.0, 1.0, (0.0, 1.0), "global", 0.0))
    yield from _image_drafts(m, grid, {"t": 0.65, "cfg_text_scale": 5.0, "cfg_img_scale": 1.3, "renorm_type": "global",
                                       "renorm_min": 0.1})
    yield from _train_velocity_drafts(m, grid, other, interleave=True)
    plain = {"noise_level": 0.9, "cfg_text_scale": 1.0, "renorm_type": "global", "prompt_grad": False}
    yield _train_logp_draft(m, "plain", grid, 3, plain)
    yield _train_logp_draft(m, "guided_first_step", grid, 0, {
        "noise_level": 1.2, "cfg_text_scale": 3.0, "renorm_type": "text_channel", "prompt_grad": False})

    m, grid, other = _Maker(root, "patch1_bf16"), (2, 7), (5, 3)
    yield from _text_drafts(m, packed=False)
    yield from _velocity_drafts(m, grid, other)
    yield from _guidance_drafts(m, grid, ["global_img_min", "text_channel_img", "above_high_edge"])
    yield _generate_draft(m, "guided", other, 8, 4.0, _guided(3.5, 1.25, (0.3, 0.95), "text_channel", 0.0))
    yield from _image_drafts(m, grid, {"t": 0.4, "cfg_text_scale": 2.0, "cfg_img_scale": 1.6,
                                       "renorm_type": "text_channel", "renorm_min": 0.0})
    yield from _train_velocity_drafts(m, grid, other, interleave=False)
    yield _train_logp_draft(m, "prompt_grad", grid, 5, {"noise_level": 0.7, "cfg_text_scale": 2.5,
                                                        "renorm_type": "channel", "prompt_grad": True})
    yield from _transform_drafts()
