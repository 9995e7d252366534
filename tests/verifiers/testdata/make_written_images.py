#!/usr/bin/env python3
"""Makes the images of tests/verifiers/ocr_test.cc: words on pictures, in the font that comes with Pillow.

    pip install pillow==13.0.0
    tests/verifiers/testdata/make_written_images.py        # writes the PNGs to its own folder
"""
import pathlib
import random

from PIL import Image, ImageDraw, ImageFont

HERE = pathlib.Path(__file__).resolve().parent


def shaded(size, color, contrast):
    """A ground that grows brighter towards its right lower corner."""
    width, height = size
    image = Image.new("RGB", size)
    image.putdata(
        [
            tuple(max(0, min(255, c + contrast * (x + y) // (width + height) - contrast // 2)) for c in color)
            for y in range(height)
            for x in range(width)
        ]
    )
    return image


def write(image, at, text, pixels, color):
    ImageDraw.Draw(image).text(at, text, font=ImageFont.load_default(pixels), fill=color)


def save(image, name):
    image.save(HERE / name, optimize=True)


def main():
    sign = shaded((384, 384), (200, 215, 230), 40)
    write(sign, (70, 150), "OPEN 24 HOURS", 30, (30, 30, 80))
    save(sign, "sign.png")

    small = Image.new("RGB", (96, 32), (250, 248, 240))
    write(small, (10, 9), "hello world", 11, (20, 20, 20))
    save(small, "small.png")

    dark = shaded((320, 200), (30, 40, 60), 30)
    write(dark, (40, 30), "GRAND", 52, (250, 230, 120))
    write(dark, (40, 110), "Theatre", 52, (250, 230, 120))
    save(dark, "dark.png")

    dice = random.Random(1)
    nothing = shaded((128, 128), (120, 160, 120), 60)
    for _ in range(12):
        x, y, side = dice.randrange(100), dice.randrange(100), dice.randrange(8, 28)
        color = tuple(dice.randrange(256) for _ in range(3))
        ImageDraw.Draw(nothing).ellipse((x, y, x + side, y + side), fill=color)
    save(nothing, "no_text.png")


if __name__ == "__main__":
    main()
