"""Family schedule: time values, embeddings of time and place, SDE windows, in float64."""

import numpy as np
import torch

from .bagel_model import sincos_table, timesteps
from .case import Case, Draft, Expected, within
from .versions import versions

PRODUCER = {"reference": "restatement in tests/parity/golden/schedule.py", **versions("numpy", "torch"),
            "note": "float64, stored as fp32"}


def _timesteps(n: int, shift: float) -> np.ndarray:
    u = np.linspace(1.0, 0.0, n)
    return shift * u / (1 + (shift - 1) * u)


def timesteps_op(case: Case) -> Expected:
    t = _timesteps(case.params["n"], case.params["shift"])
    return Expected({"timesteps": torch.from_numpy(t).float(), "dt": torch.from_numpy(np.diff(t)).float()})


def timestep_embedding(case: Case) -> Expected:
    half = case.params["dim"] // 2
    frequency = np.exp(-np.log(case.params["max_period"]) * np.arange(half) / half)
    angle = case.inputs["t"].double().numpy()[:, None] * frequency
    return Expected({"embedding": torch.from_numpy(np.concatenate([np.cos(angle), np.sin(angle)], axis=1)).float()})


def sincos_pos_embed(case: Case) -> Expected:
    return Expected({"table": sincos_table(case.params["dim"], case.params["grid"]).float()})


def sde_window(case: Case) -> Expected:
    p = case.params
    n, size, (low, high) = p["n"], p["window_size"], p["range"]
    t = timesteps(n, p["shift"]).tolist()
    windows = []
    for begin in range(low, high - size + 1):
        inside = range(begin, begin + size)
        windows.append({
            "begin": begin, "sde_steps": list(inside), "ode_steps": [i for i in range(n - 1) if i not in inside],
            "noise_level_per_step": [p["noise_level"] if i in inside else 0.0 for i in range(n - 1)],
            "stored_latent_indexes": list(range(begin, begin + size + 1)),
            "t": [t[i] for i in inside], "t_next": [t[i + 1] for i in inside]})
    return Expected(json={"begin_min": low, "begin_max": high - size, "windows": windows})


OPS = {"timesteps": timesteps_op, "timestep_embedding": timestep_embedding, "sincos_pos_embed": sincos_pos_embed,
       "sde_window": sde_window}


def write_models(_) -> None:
    pass


def drafts(_):
    for n, shift in ((2, 1.0), (3, 0.5), (11, 1.0), (11, 3.0), (40, 6.0)):
        yield Draft(f"timesteps_n{n}_s{shift}".replace(".", "p"), "timesteps",
                    {"timesteps": within(2e-7, 0), "dt": within(3e-7, 0)}, {"n": n, "shift": shift})
    yield Draft("timestep_embedding", "timestep_embedding", {"embedding": within(1e-6, 0)},
                {"dim": 256, "max_period": 10000}, {"t": torch.tensor([1.0, 0.0, 0.0625, 0.3333333, 0.98765])})
    for dim, grid in ((8, 3), (40, 7)):
        yield Draft(f"sincos_pos_embed_d{dim}_g{grid}", "sincos_pos_embed", {"table": within(1e-6, 0)},
                    {"dim": dim, "grid": grid})
    for n, size, window in ((8, 2, (1, 6)), (12, 4, (0, 4)), (6, 1, (0, 5))):
        yield Draft(f"sde_window_n{n}_w{size}_{window[0]}_{window[1]}", "sde_window", {"windows": within(2e-7, 0)},
                    {"n": n, "shift": 2.0, "window_size": size, "range": list(window), "noise_level": 0.9})
