"""A FLUX-style autoencoder restated from its description: functions over the published tensor names."""

import dataclasses
import json
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from .case import Random


@dataclasses.dataclass
class AutoencoderConfig:
    ch: int = 128
    ch_mult: tuple[int, ...] = (1, 2, 4, 4)
    num_res_blocks: int = 2
    z_channels: int = 16
    scale_factor: float = 0.3611
    shift_factor: float = 0.1159
    norm_groups: int = 32  # not a published key: published autoencoders always have 32

    @staticmethod
    def from_json(values: dict) -> "AutoencoderConfig":
        known = {field.name for field in dataclasses.fields(AutoencoderConfig)}
        return AutoencoderConfig(**{key: value for key, value in values.items() if key in known})

    def to_json(self) -> dict:
        values = {"in_channels": 3, "out_ch": 3, "downsample": self.downsample, **dataclasses.asdict(self)}
        values["ch_mult"] = list(self.ch_mult)
        if self.norm_groups == 32:
            del values["norm_groups"]
        return values

    @property
    def downsample(self) -> int:
        return 2 ** (len(self.ch_mult) - 1)


class Autoencoder:
    def __init__(self, config: AutoencoderConfig, tensors: dict[str, torch.Tensor]):
        self.config = config
        self.tensors = {name: tensor.float() for name, tensor in tensors.items()}

    @staticmethod
    def load(folder: pathlib.Path) -> "Autoencoder":
        """A folder with ae.safetensors and the parameters in config.json, or in its vae_config."""
        values = json.loads((folder / "config.json").read_text())
        return Autoencoder(AutoencoderConfig.from_json(values.get("vae_config", values)),
                           load_file(folder / "ae.safetensors"))

    def encode(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """[B, 3, H, W] -> mean, logvar [B, z, h, w], as they leave the network."""
        config = self.config
        x = self._conv(image, "encoder.conv_in")
        for level in range(len(config.ch_mult)):
            for block in range(config.num_res_blocks):
                x = self._residual(x, f"encoder.down.{level}.block.{block}")
            if level + 1 < len(config.ch_mult):  # one zero on the right and below, then stride 2 without padding
                x = self._conv(F.pad(x, (0, 1, 0, 1)), f"encoder.down.{level}.downsample.conv", stride=2, padding=0)
        x = self._middle(x, "encoder.mid")
        x = self._conv(F.silu(self._norm(x, "encoder.norm_out")), "encoder.conv_out")
        mean, logvar = x.chunk(2, dim=1)
        return mean, logvar

    def normalize(self, raw: torch.Tensor) -> torch.Tensor:
        return self.config.scale_factor * (raw - self.config.shift_factor)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """[B, z, h, w] -> [B, 3, H, W]; may leave [-1, 1]."""
        config = self.config
        x = self._conv(z / config.scale_factor + config.shift_factor, "decoder.conv_in")
        x = self._middle(x, "decoder.mid")
        for level in reversed(range(len(config.ch_mult))):
            for block in range(config.num_res_blocks + 1):
                x = self._residual(x, f"decoder.up.{level}.block.{block}")
            if level > 0:
                x = self._conv(F.interpolate(x, scale_factor=2, mode="nearest"), f"decoder.up.{level}.upsample.conv")
        return self._conv(F.silu(self._norm(x, "decoder.norm_out")), "decoder.conv_out")

    def _conv(self, x, name, stride=1, padding=None):
        weight = self.tensors[f"{name}.weight"]
        padding = weight.shape[-1] // 2 if padding is None else padding
        return F.conv2d(x, weight, self.tensors[f"{name}.bias"], stride=stride, padding=padding)

    def _norm(self, x, name):
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        return F.group_norm(x, self.config.norm_groups, weight, bias, eps=1e-6)

    def _residual(self, x, name):
        h = self._conv(F.silu(self._norm(x, f"{name}.norm1")), f"{name}.conv1")
        h = self._conv(F.silu(self._norm(h, f"{name}.norm2")), f"{name}.conv2")
        shortcut = f"{name}.nin_shortcut"  # exists where the number of channels changes
        return h + (self._conv(x, shortcut) if f"{shortcut}.weight" in self.tensors else x)

    def _attention(self, x, name):
        """One head over all pixels."""
        normed = self._norm(x, f"{name}.norm")
        q, k, v = (self._conv(normed, f"{name}.{part}").flatten(2).transpose(1, 2) for part in "qkv")  # [B, hw, C]
        weights = torch.softmax(q @ k.transpose(1, 2) / q.shape[-1] ** 0.5, dim=-1)
        mixed = (weights @ v).transpose(1, 2).reshape(x.shape)
        return x + self._conv(mixed, f"{name}.proj_out")

    def _middle(self, x, name):
        x = self._residual(x, f"{name}.block_1")
        x = self._attention(x, f"{name}.attn_1")
        return self._residual(x, f"{name}.block_2")


def patchify(latent: torch.Tensor, p: int) -> torch.Tensor:
    """[C, h*p, w*p] -> tokens [h*w, p*p*C], each token in (row, column, channel) order."""
    channels, height, width = latent.shape
    grid = latent.reshape(channels, height // p, p, width // p, p)
    return grid.permute(1, 3, 2, 4, 0).reshape(-1, p * p * channels)


def unpatchify(tokens: torch.Tensor, p: int, h: int, w: int) -> torch.Tensor:
    grid = tokens.reshape(h, w, p, p, -1)
    return grid.permute(4, 0, 2, 1, 3).reshape(-1, h * p, w * p)


def to_uint8(image: torch.Tensor) -> torch.Tensor:
    """[B, 3, H, W] -> [B, H, W, 3]; truncates."""
    return ((image * 0.5 + 0.5).clamp(0, 1) * 255).to(torch.uint8).permute(0, 2, 3, 1)


def random_autoencoder(config: AutoencoderConfig, random: Random) -> dict[str, torch.Tensor]:
    """Tensors of such an autoencoder, every bias and norm random too."""
    tensors: dict[str, torch.Tensor] = {}

    def conv(name, inputs, outputs, side=3):
        tensors[f"{name}.weight"] = random.normal(outputs, inputs, side, side, scale=(inputs * side * side) ** -0.5)
        tensors[f"{name}.bias"] = random.normal(outputs, scale=0.1)

    def norm(name, channels):
        tensors[f"{name}.weight"] = 1 + random.normal(channels, scale=0.2)
        tensors[f"{name}.bias"] = random.normal(channels, scale=0.2)

    def residual(name, inputs, outputs):
        norm(f"{name}.norm1", inputs)
        conv(f"{name}.conv1", inputs, outputs)
        norm(f"{name}.norm2", outputs)
        conv(f"{name}.conv2", outputs, outputs)
        if inputs != outputs:
            conv(f"{name}.nin_shortcut", inputs, outputs, side=1)

    def middle(name, channels):
        residual(f"{name}.block_1", channels, channels)
        norm(f"{name}.attn_1.norm", channels)
        for part in ("q", "k", "v", "proj_out"):
            conv(f"{name}.attn_1.{part}", channels, channels, side=1)
        residual(f"{name}.block_2", channels, channels)

    widths = [config.ch * multiple for multiple in config.ch_mult]
    top = len(widths) - 1
    conv("encoder.conv_in", 3, config.ch)
    width = config.ch
    for level, level_width in enumerate(widths):
        for block in range(config.num_res_blocks):
            residual(f"encoder.down.{level}.block.{block}", width, level_width)
            width = level_width
        if level < top:
            conv(f"encoder.down.{level}.downsample.conv", width, width)
    middle("encoder.mid", width)
    norm("encoder.norm_out", width)
    conv("encoder.conv_out", width, 2 * config.z_channels)

    conv("decoder.conv_in", config.z_channels, width)
    middle("decoder.mid", width)
    for level in reversed(range(len(widths))):
        for block in range(config.num_res_blocks + 1):
            residual(f"decoder.up.{level}.block.{block}", width, widths[level])
            width = widths[level]
        if level > 0:
            conv(f"decoder.up.{level}.upsample.conv", width, width)
    norm("decoder.norm_out", width)
    conv("decoder.conv_out", width, 3)
    return tensors
