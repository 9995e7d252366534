"""Family philox: the counter-based noise generator, in Python integers and double precision."""

import math

import numpy as np
import torch

from .case import Case, Draft, Expected, Random, within
from .versions import python_version

PRODUCER = {"reference": "restatement in tests/parity/golden/philox.py (Salmon et al. 2011, Philox4x32-10)",
            "python": python_version(), "note": "integers; normals with double-precision libm, then rounded to fp32"}

MASK = 0xFFFFFFFF

# Random123's published known answers: counter, key, output.
KNOWN_ANSWERS = [
    ([0, 0, 0, 0], [0, 0], [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([MASK] * 4, [MASK] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    ([0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0],
     [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]),
]


def philox4x32(counter: list[int], key: list[int]) -> list[int]:
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        a, b = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (b >> 32) ^ c1 ^ k0, b & MASK, (a >> 32) ^ c3 ^ k1, a & MASK
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return [c0, c1, c2, c3]


def words(seed: int, group: int, slot: int, step: int, count: int) -> list[int]:
    blocks = (philox4x32([block, step, slot, group], [seed & MASK, seed >> 32]) for block in range(-(-count // 4)))
    return [word for block in blocks for word in block][:count]


def normals(seed: int, group: int, slot: int, step: int, count: int) -> list[float]:
    """Pairs of words by Box and Muller."""
    all_words = words(seed, group, slot, step, -(-count // 4) * 4)
    made = []
    for a, b in zip(all_words[::2], all_words[1::2]):
        u1, u2 = ((word // 512 + 0.5) * 2**-23 for word in (a, b))
        radius = math.sqrt(-2 * math.log(u1))
        made += [radius * math.cos(2 * math.pi * u2), radius * math.sin(2 * math.pi * u2)]
    return made[:count]


def philox4x32_10(case: Case) -> Expected:
    rows = zip(case.inputs["counter"].tolist(), case.inputs["key"].tolist())
    return Expected({"output": torch.tensor([philox4x32(counter, key) for counter, key in rows])})


def philox_normal(case: Case) -> Expected:
    p = case.params
    place = (int(p["run_seed"]), p["group"], p["slot"], p["step"], p["count"])
    wide = np.array(normals(*place))
    return Expected({"words": torch.tensor(words(*place)), "normal_f64": torch.from_numpy(wide),
                     "normal": torch.from_numpy(wide.astype(np.float32))})


OPS = {"philox4x32_10": philox4x32_10, "philox_normal": philox_normal}


def write_models(_) -> None:
    for counter, key, output in KNOWN_ANSWERS:
        if philox4x32(counter, key) != output:
            raise AssertionError("this Philox does not give the published known answers")


def drafts(_):
    counters, keys, _ = (torch.tensor(column) for column in zip(*KNOWN_ANSWERS))
    yield Draft("known_answers", "philox4x32_10", {"output": "exact"}, {"rounds": 10},
                {"counter": counters, "key": keys})
    random = Random("philox blocks")
    yield Draft("blocks", "philox4x32_10", {"output": "exact"}, {"rounds": 10},
                {"counter": random.integers(0, 2**32, 20, 4), "key": random.integers(0, 2**32, 20, 2)})
    tolerance = {"words": "exact", "normal": within(3e-7, 3e-7), "normal_f64": within(1e-13, 1e-12)}
    places = {"smallest": ("0", 0, 0, 0, 1), "one_block": ("7", 5, 2, 9, 4),
              "odd_count": ("1234567890123456789", 70, 3, 1, 131), "largest": (str(2**64 - 1), MASK, MASK, MASK, 22)}
    for name, place in places.items():
        yield Draft(f"normal_{name}", "philox_normal", tolerance,
                    dict(zip(("run_seed", "group", "slot", "step", "count"), place)))
