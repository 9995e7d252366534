"""The policy's image transform, restated: target size, transparency on white, bicubic resize, [-1, 1]."""

import numpy as np
import PIL.Image
import torch


def bagel_size(height: int, width: int, max_size: int, min_size: int, stride: int, max_pixels: int) -> tuple[int, int]:
    """Target size: long side at most max_size, short side at least min_size where that leaves room, both a multiple
    of the stride (rounded half to even), and at most about max_pixels."""

    def to_stride(value: float) -> int:
        return max(stride, round(value / stride) * stride)

    def scaled(scale: float) -> tuple[int, int]:
        return to_stride(round(height * scale)), to_stride(round(width * scale))

    scale = min(max_size / max(height, width), 1.0)
    scale = max(scale, min_size / min(height, width))
    height, width = scaled(scale)
    if height * width > max_pixels:  # both sides by the ratio of areas, not by its root
        height, width = scaled(max_pixels / (height * width))
    if max(height, width) > max_size:
        height, width = scaled(max_size / max(height, width))
    return height, width


def rgb_on_white(image: PIL.Image.Image) -> PIL.Image.Image:
    if image.mode in ("RGBA", "LA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = PIL.Image.new("RGB", image.size, (255, 255, 255))
        white.paste(image, mask=image.split()[3])
        return white
    return image.convert("RGB")


def pixels_of(image: PIL.Image.Image) -> torch.Tensor:
    """RGB image -> [3, H, W] in [-1, 1]: bytes divided by 255 in float, then (x - .5) / .5."""
    values = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
    return (values - 0.5) / 0.5


def bytes_of(image: PIL.Image.Image) -> torch.Tensor:
    """uint8 [H, W, C]."""
    values = torch.from_numpy(np.array(image))
    return values if values.dim() == 3 else values[:, :, None]
