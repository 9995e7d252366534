"""Small pictures with edges, gradients and noise, and their PNG files."""

import io

import numpy as np
import PIL.Image

from .case import Random


def picture(name: str, height: int, width: int, channels: int = 3) -> np.ndarray:
    """uint8 [height, width, channels], or [height, width] for one channel."""
    random = Random(f"picture {name}").numpy
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    planes = []
    for _ in range(channels):
        a, b, c, d = random.uniform(-1, 1, 4)
        plane = 128 + 90 * np.sin(a * x / 3 + b * y / 4 + 6 * c)
        plane += 60 * ((x - width * abs(c)) ** 2 + (y - height * abs(d)) ** 2 < (min(height, width) / 3) ** 2)
        plane += random.normal(0, 12, (height, width))
        planes.append(plane)
    stacked = np.stack(planes, axis=-1).clip(0, 255).astype(np.uint8)
    return stacked if channels > 1 else stacked[:, :, 0]


def png(image: PIL.Image.Image | np.ndarray, **options) -> bytes:
    if isinstance(image, np.ndarray):
        image = PIL.Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()
