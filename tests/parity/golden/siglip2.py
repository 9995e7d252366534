"""Family siglip2: transformers' SiglipModel (fixed resolution) and Siglip2Model (NaFlex)."""

import json
import pathlib

import torch
from transformers import Siglip2Config, Siglip2Model, SiglipConfig, SiglipModel

from .case import Case, Draft, Expected, Random, json_bytes, save_tensors, within
from .versions import versions

PRODUCER = {**versions("transformers", "torch"),
            "note": "SiglipModel or Siglip2Model (NaFlex); fp32, CPU, sdpa, random weights"}


def _load(case: Case):
    naflex = json.loads((case.model / "config.json").read_text())["model_type"] == "siglip2"
    return (Siglip2Model if naflex else SiglipModel).from_pretrained(case.model, dtype=torch.float32).eval()


def _see(model, case: Case):
    """Tower output, and which patches count: bool [B, N], or None at fixed resolution."""
    images = {name: case.inputs[name] for name in ("pixel_values", "pixel_attention_mask", "spatial_shapes")
              if name in case.inputs}
    valid = images["pixel_attention_mask"].bool() if "pixel_attention_mask" in images else None
    return model.vision_model(**images), valid


def _zero_padding(tokens, valid):
    return tokens if valid is None else tokens.masked_fill(~valid[:, :, None], 0)


@torch.no_grad()
def image_features(case: Case) -> Expected:
    model = _load(case)
    seen, valid = _see(model, case)
    tensors = {"last_hidden_state": _zero_padding(seen.last_hidden_state, valid)}
    if getattr(model.config.vision_config, "vision_use_head", True):
        tensors["pooled"] = seen.pooler_output
    return Expected(tensors)


@torch.no_grad()
def text_features(case: Case) -> Expected:
    read = _load(case).text_model(input_ids=case.inputs["input_ids"])
    return Expected({"last_hidden_state": read.last_hidden_state, "pooled": read.pooler_output})


@torch.no_grad()
def logits(case: Case) -> Expected:
    result = _load(case)(**case.inputs)
    return Expected({"image_embeds": result.image_embeds, "text_embeds": result.text_embeds,
                     "logits_per_image": result.logits_per_image, "probs": torch.sigmoid(result.logits_per_image)})


def _unit(x):
    return x / x.norm(dim=-1, keepdim=True)


@torch.no_grad()
def dense_grounding(case: Case) -> Expected:
    """The pooling head on one patch, or on the patches of a box. The head sees a box as if nothing else were there."""
    model = _load(case)
    seen, valid = _see(model, case)
    tokens, head = seen.last_hidden_state, model.vision_model.head
    batch, count, width = tokens.shape
    text = _unit(model.text_model(input_ids=case.inputs["input_ids"]).pooler_output)

    def pool(some):  # [B, n, D] -> [B, D]
        return head(some)

    patches = _zero_padding(pool(tokens.reshape(batch * count, 1, width)).reshape(tokens.shape), valid)
    cosines = torch.nan_to_num(_unit(patches)) @ text.T  # [B, N, K]
    covered = cosines if valid is None else cosines.masked_fill(~valid[:, :, None], -1)
    largest = covered.amax(dim=1)
    if valid is None:
        side = int(count**0.5)
        shapes = [(side, side)] * batch
    else:
        shapes = [tuple(shape) for shape in case.inputs["spatial_shapes"].tolist()]
    boxes = case.inputs["boxes"].tolist()
    regions = torch.stack([
        torch.stack([pool(tokens[i, : h * w].reshape(h, w, width)[y0:y1, x0:x1].reshape(1, -1, width))[0]
                     for y0, x0, y1, x1 in boxes[i]]) for i, (h, w) in enumerate(shapes)])
    return Expected({"patch_embeds": patches, "map": cosines.transpose(1, 2), "max": largest, "score": largest.mean(1),
                     "region_embeds": regions, "region_cos": (_unit(regions) @ text.T).transpose(1, 2)})


OPS = {"image_features": image_features, "text_features": text_features, "logits": logits,
       "dense_grounding": dense_grounding}

VOCABULARY, TEXT_LENGTH = 41, 64
TEXT = dict(hidden_size=12, intermediate_size=20, num_hidden_layers=2, num_attention_heads=3, vocab_size=VOCABULARY)
VISION = dict(hidden_size=16, intermediate_size=22, num_hidden_layers=2, num_attention_heads=2)
MODELS = {  # vision, text
    "fixed_p7": (VISION | dict(image_size=26, patch_size=7), TEXT | dict(hidden_size=16, num_attention_heads=4)),
    "fixed_widths_differ": (VISION | dict(image_size=18, patch_size=6, layer_norm_eps=1e-5),
                            TEXT | dict(projection_size=16, layer_norm_eps=1e-4)),
    "fixed_no_head": (VISION | dict(image_size=20, patch_size=8, num_hidden_layers=1, vision_use_head=False),
                      TEXT | dict(num_hidden_layers=1, projection_size=16)),
    "naflex_p5": (VISION | dict(patch_size=5, num_patches=36, num_attention_heads=4), TEXT | dict(projection_size=16)),
}


def _write_model(folder: pathlib.Path, name: str) -> None:
    vision, text = MODELS[name]
    naflex, random = name.startswith("naflex"), Random(f"siglip2 {name}")
    config = (Siglip2Config if naflex else SiglipConfig)(vision_config=vision, text_config=text)
    tensors = {}
    for key, tensor in sorted((Siglip2Model if naflex else SiglipModel)(config).state_dict().items()):
        if key.endswith("position_ids"):
            continue
        shape = tensor.shape
        if key == "logit_scale":
            tensors[key] = torch.tensor([2.1])
        elif key == "logit_bias":
            tensors[key] = torch.tensor([-3.7])
        elif "embedding.weight" in key and "patch" not in key or key.endswith("probe"):
            tensors[key] = random.normal(*shape, scale=0.7)
        elif tensor.dim() == 1:
            is_norm = "norm" in key and key.endswith("weight")
            tensors[key] = random.normal(*shape, scale=0.2) + (1 if is_norm else 0)
        else:
            tensors[key] = random.normal(*shape, scale=shape[1:].numel() ** -0.5)
    folder.mkdir(parents=True)
    save_tensors(tensors, folder / "model.safetensors")
    if name == "fixed_p7":  # only what differs from the defaults
        content = {"architectures": ["SiglipModel"], "model_type": "siglip",
                   "text_config": {"model_type": "siglip_text_model", **text},
                   "vision_config": {"model_type": "siglip_vision_model", **vision}}
    else:
        content = config.to_dict() | {"architectures": ["Siglip2Model" if naflex else "SiglipModel"]}
    (folder / "config.json").write_bytes(json_bytes(content))


def write_models(root: pathlib.Path) -> None:
    for name in MODELS:
        _write_model(root / name, name)


def _images(name: str, random: Random, batch: int) -> dict[str, torch.Tensor]:
    vision = MODELS[name][0]
    if not name.startswith("naflex"):
        return {"pixel_values": random.normal(batch, 3, vision["image_size"], vision["image_size"])}
    shapes = torch.tensor([[2, 7], [5, 3], [1, 1], [4, 4]][:batch])
    slots = 18
    valid = torch.arange(slots) < shapes.prod(1)[:, None]
    # Padding holds noise: it must not matter.
    return {"pixel_values": random.normal(batch, slots, 3 * vision["patch_size"] ** 2),
            "pixel_attention_mask": valid.to(torch.int32), "spatial_shapes": shapes}


def _boxes(name: str, images: dict[str, torch.Tensor], random: Random) -> torch.Tensor:
    """Per image: everything, one patch, something between."""
    vision = MODELS[name][0]
    batch = len(images["pixel_values"])
    side = vision.get("image_size", 0) // vision["patch_size"]
    shapes = images["spatial_shapes"].tolist() if "spatial_shapes" in images else [[side, side]] * batch
    rows = []
    for h, w in shapes:
        y, x = random.ids(h, 1)[0], random.ids(w, 1)[0]
        rows.append([[0, 0, h, w], [y, x, y + 1, x + 1], [h // 2, 0, h, (w + 1) // 2]])
    return torch.tensor(rows)


def drafts(_: pathlib.Path):
    close = within(1e-5, 2e-5)
    for name in MODELS:
        random, model, naflex = Random(f"siglip2 inputs {name}"), f"../models/{name}", name.startswith("naflex")
        params = {"compare_valid_patches_only": True} if naflex else {}
        images = _images(name, random, 4 if naflex else 2)
        ids = random.integers(0, VOCABULARY, 3, TEXT_LENGTH)
        headless = name == "fixed_no_head"
        yield Draft(f"{name}_image_features", "image_features",
                    {"last_hidden_state": close} | ({} if headless else {"pooled": close}), params, images, model=model)
        if headless:
            continue
        yield Draft(f"{name}_text_features", "text_features", {"last_hidden_state": close, "pooled": close},
                    inputs={"input_ids": ids[:2]}, model=model)
        yield Draft(f"{name}_logits", "logits", {"image_embeds": close, "text_embeds": close, "probs": close,
                                                 "logits_per_image": within(4e-5, 2e-5)},
                    inputs=images | {"input_ids": ids}, model=model)
        names = ("patch_embeds", "map", "max", "score", "region_embeds", "region_cos")
        yield Draft(f"{name}_dense_grounding", "dense_grounding", dict.fromkeys(names, close), params,
                    images | {"input_ids": ids[:2], "boxes": _boxes(name, images, random)}, model=model)
