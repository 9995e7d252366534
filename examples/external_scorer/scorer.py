"""The reward itself: replace `score` by yours, and change DIGEST whenever its scores change."""
import struct

DIGEST = "simplicity/1"


class CannotBeScored(ValueError):
    """Nobody could score this prompt or sample: asking again, or elsewhere, would not help."""


def score(prompt, png=None, text=None):
    """(value of 0 to 1, evidence in words) of one sample: a PNG file for image prompts, otherwise an answer in text.

    `prompt` is the prompt record as a dictionary, as in prompt files: prompt["text"] is what was asked. The same
    arguments must always give the same score.
    """
    return image_simplicity(png) if png is not None else text_brevity(text)


def image_simplicity(png):
    """1 for an image that takes no space as a PNG, 0 for one that cannot be compressed at all."""
    if png[:8] != b"\x89PNG\r\n\x1a\n" or png[12:16] != b"IHDR" or len(png) < 24:
        raise CannotBeScored("this is no PNG")
    width, height = struct.unpack(">II", png[16:24])
    if width == 0 or height == 0:
        raise CannotBeScored("this image has no pixels")
    share = len(png) / (3 * width * height)
    return max(0.0, 1.0 - share), f"{len(png)} bytes for {width} x {height} pixels"


def text_brevity(text, most_words=20):
    """1 up to `most_words` words, then falling in proportion."""
    words = len(text.split())
    return min(1.0, most_words / words if words else 1.0), f"{words} words"
