"""Family flux_ae: the autoencoder alone."""

import pathlib

import torch

from .autoencoder import Autoencoder, AutoencoderConfig, patchify, random_autoencoder, to_uint8, unpatchify
from .case import Case, Draft, Expected, Random, json_bytes, save_tensors, within
from .versions import versions

PRODUCER = {"reference": "restatement in tests/parity/golden/autoencoder.py", **versions("torch"),
            "note": "fp32, CPU; random weights; BF16 weights are widened on load"}

MODELS = {
    # 32 groups, as published; BF16, as some publishers store it.
    "one_level_bf16": (AutoencoderConfig(ch=32, ch_mult=(1,), num_res_blocks=1), torch.bfloat16),
    # Three levels, shortcuts, several channels in a group.
    "three_levels": (AutoencoderConfig(ch=4, ch_mult=(1, 2, 2), num_res_blocks=2, z_channels=6, scale_factor=0.47,
                                       shift_factor=-0.08, norm_groups=2), torch.float32),
}


@torch.no_grad()
def encode_mean(case: Case) -> Expected:
    model = Autoencoder.load(case.model)
    mean, logvar = model.encode(case.inputs["image"])
    return Expected({"mean": mean, "logvar": logvar, "z": model.normalize(mean)})


@torch.no_grad()
def encode_sample(case: Case) -> Expected:
    model = Autoencoder.load(case.model)
    mean, logvar = model.encode(case.inputs["image"])
    return Expected({"z": model.normalize(mean + torch.exp(logvar / 2) * case.inputs["noise"])})


@torch.no_grad()
def decode(case: Case) -> Expected:
    image = Autoencoder.load(case.model).decode(case.inputs["z"])
    return Expected({"image": image, "image_u8": to_uint8(image)})


def patchify_op(case: Case) -> Expected:
    p, h, w = (case.params[key] for key in ("p", "h", "w"))
    tokens = patchify(case.inputs["latent"], p)
    return Expected({"tokens": tokens, "latent_back": unpatchify(tokens, p, h, w)})


OPS = {"encode_mean": encode_mean, "encode_sample": encode_sample, "decode": decode, "patchify": patchify_op}


def write_models(root: pathlib.Path) -> None:
    for name, (config, dtype) in MODELS.items():
        folder = root / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_bytes(json_bytes(config.to_json()))
        tensors = random_autoencoder(config, Random(f"flux_ae {name}"))
        save_tensors({key: tensor.to(dtype) for key, tensor in tensors.items()}, folder / "ae.safetensors")


def drafts(_: pathlib.Path):
    encoded, near = within(2e-5, 2e-4), {"image": within(5e-5, 5e-4), "image_u8": within(1, 0)}
    for name, (batch, height, width) in {"one_level_bf16": (1, 7, 9), "three_levels": (2, 12, 20)}.items():
        random, model = Random(f"flux_ae inputs {name}"), f"../models/{name}"
        config = MODELS[name][0]
        latent = (batch, config.z_channels, height // config.downsample, width // config.downsample)
        image = random.normal(batch, 3, height, width, scale=0.6).clamp(-1, 1)
        yield Draft(f"encode_mean_{name}", "encode_mean", dict.fromkeys(("z", "mean", "logvar"), encoded),
                    inputs={"image": image}, model=model)
        yield Draft(f"encode_sample_{name}", "encode_sample", {"z": encoded},
                    inputs={"image": image, "noise": random.normal(*latent)}, model=model)
        yield Draft(f"decode_{name}", "decode", near, inputs={"z": random.normal(*latent)}, model=model)
    for p, h, w, channels in ((2, 2, 7, 5), (3, 1, 2, 16)):
        yield Draft(f"patchify_p{p}_{h}x{w}", "patchify", {"tokens": "exact", "latent_back": "exact"},
                    params={"p": p, "h": h, "w": w},
                    inputs={"latent": Random(f"patchify {p}").normal(channels, h * p, w * p)})
