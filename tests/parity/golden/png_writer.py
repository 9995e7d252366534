"""Writes PNG files of every kind, also those that Pillow does not write: 16-bit colour, interlaced, with gAMA, keys."""

import struct
import zlib

import numpy as np

GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _rows(samples: np.ndarray, depth: int) -> bytes:
    """[h, w, channels] -> scan lines without filter."""
    lines = []
    for row in samples.reshape(len(samples), -1):
        if depth == 16:
            packed = row.astype(">u2").tobytes()
        elif depth == 8:
            packed = row.astype(np.uint8).tobytes()
        else:
            bits = "".join(format(value, f"0{depth}b") for value in row.tolist())
            packed = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
        lines.append(b"\0" + packed)
    return b"".join(lines)


def write_png(samples: np.ndarray, kind: int, depth: int, interlaced: bool = False,
              palette: np.ndarray | None = None, transparency: bytes = b"", gamma: int | None = None) -> bytes:
    """samples [h, w, channels] of `depth` bits; transparency is the content of tRNS."""
    height, width, _ = samples.shape
    parts = [_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, int(interlaced)))]
    if gamma is not None:
        parts.append(_chunk(b"gAMA", struct.pack(">I", gamma)))
    if palette is not None:
        parts.append(_chunk(b"PLTE", palette.astype(np.uint8).tobytes()))
    if transparency:
        parts.append(_chunk(b"tRNS", transparency))
    if interlaced:
        passes = [samples[y::dy, x::dx] for y, x, dy, dx in ADAM7]
        content = b"".join(_rows(one, depth) for one in passes if one.size)
    else:
        content = _rows(samples, depth)
    parts += [_chunk(b"IDAT", zlib.compress(content, 9)), _chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
