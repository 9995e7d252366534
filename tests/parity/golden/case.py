"""A parity case on disk: reading, writing, comparing.

A family module (qwen2.py, bagel.py, ...) offers
  PRODUCER   who makes its numbers, with versions
  OPS        {op: function(Case) -> Expected}: runs the reference on what the case folder holds
  write_models(folder), drafts(): what its own cases are made of
so that the same op makes our cases and can be checked against cases that others made.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file


@dataclasses.dataclass
class Case:
    """Inputs of an op."""

    folder: pathlib.Path
    spec: dict[str, Any]  # case.json
    inputs: dict[str, torch.Tensor]

    @property
    def params(self) -> dict[str, Any]:
        return self.spec.get("params", {})

    @property
    def model(self) -> pathlib.Path:
        return pathlib.Path(os.path.normpath(self.folder / self.spec.get("model", "model")))

    def file(self, name: str) -> pathlib.Path:
        return self.folder / "inputs" / name


@dataclasses.dataclass
class Expected:
    """Outputs of an op."""

    tensors: dict[str, torch.Tensor] = dataclasses.field(default_factory=dict)
    json: Any = None
    params: dict[str, Any] = dataclasses.field(default_factory=dict)  # remarks on the result, kept in case.json
    tolerance: dict[str, Any] = dataclasses.field(default_factory=dict)  # those that depend on the result


@dataclasses.dataclass
class Draft:
    """A case before its op has run."""

    name: str
    op: str
    tolerance: dict[str, Any]
    params: dict[str, Any] = dataclasses.field(default_factory=dict)
    inputs: dict[str, torch.Tensor] = dataclasses.field(default_factory=dict)
    files: dict[str, Any] = dataclasses.field(default_factory=dict)  # inputs/<name>: bytes, or what becomes JSON
    model: str | None = None  # relative to the case folder


def within(atol: float, rtol: float) -> dict[str, float]:
    return {"atol": atol, "rtol": rtol}


class Random:
    """Seeded by a name, so that one case's numbers do not depend on any other's."""

    def __init__(self, name: str):
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
        self.numpy = np.random.Generator(np.random.PCG64(seed))

    def normal(self, *shape: int, scale: float = 1.0) -> torch.Tensor:
        return torch.from_numpy((self.numpy.standard_normal(shape) * scale).astype(np.float32))

    def integers(self, low: int, high: int, *shape: int) -> torch.Tensor:
        """low <= value < high."""
        return torch.from_numpy(np.asarray(self.numpy.integers(low, high, shape), dtype=np.int64))

    def ids(self, high: int, count: int) -> list[int]:
        return self.integers(0, high, count).tolist()


def json_bytes(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=True) + "\n").encode()


def compact_json_bytes(rows: list) -> bytes:
    """A list with one row a line."""
    return ("[\n" + ",\n".join(json.dumps(row, ensure_ascii=True) for row in rows) + "\n]\n").encode()


def save_tensors(tensors: dict[str, torch.Tensor], path: pathlib.Path) -> None:
    save_file({name: tensor.detach().contiguous() for name, tensor in sorted(tensors.items())}, path)
    path.chmod(0o644)


def load_case(folder: pathlib.Path) -> Case:
    inputs = folder / "inputs.safetensors"
    return Case(folder=folder, spec=json.loads((folder / "case.json").read_text()),
                inputs=load_file(inputs) if inputs.exists() else {})


def load_expected(folder: pathlib.Path) -> Expected:
    tensors, members = folder / "expected.safetensors", folder / "expected.json"
    return Expected(tensors=load_file(tensors) if tensors.exists() else {},
                    json=json.loads(members.read_text()) if members.exists() else None)


def write_case(root: pathlib.Path, family, draft: Draft) -> None:
    """Writes the inputs, runs the op on the folder as it lies on disk, writes what it gave."""
    folder = root / draft.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    spec = {"family": root.name, "op": draft.op}
    if draft.model is not None:
        spec["model"] = draft.model
    spec |= {"params": draft.params, "tolerance": draft.tolerance, "producer": family.PRODUCER}
    (folder / "case.json").write_bytes(json_bytes(spec))
    if draft.inputs:
        save_tensors(draft.inputs, folder / "inputs.safetensors")
    for name, content in draft.files.items():
        (folder / "inputs").mkdir(exist_ok=True)
        (folder / "inputs" / name).write_bytes(content if isinstance(content, bytes) else json_bytes(content))

    expected = family.OPS[draft.op](load_case(folder))
    spec["params"] = draft.params | expected.params
    spec["tolerance"] = {name: expected.tolerance.get(name, tolerance) for name, tolerance in draft.tolerance.items()}
    (folder / "case.json").write_bytes(json_bytes(spec))
    if expected.tensors:
        save_tensors(expected.tensors, folder / "expected.safetensors")
    if expected.json is not None:
        rows = isinstance(expected.json, list)
        (folder / "expected.json").write_bytes((compact_json_bytes if rows else json_bytes)(expected.json))
    members = expected.json if isinstance(expected.json, dict) else {}
    unknown = set(draft.tolerance) - set(expected.tensors) - set(members)
    if unknown - {"*"}:
        raise ValueError(f"{folder}: tolerances of what the op does not give: {sorted(unknown)}")


def differences(case: Case, got: Expected, expected: Expected) -> tuple[dict[str, float], list[str]]:
    """(largest absolute error by name, failures in words) of an op's result."""
    tolerances = case.spec.get("tolerance", {})
    errors: dict[str, float] = {}
    failures: list[str] = []

    def tolerance_of(name):
        found = tolerances.get(name, tolerances.get("*", "exact"))
        return (0.0, 0.0) if found == "exact" else (found.get("atol", 0.0), found.get("rtol", 0.0))

    for name, want in expected.tensors.items():
        if name not in got.tensors:
            if name in tolerances or "*" in tolerances:  # the rest is remarks
                failures.append(f"{name}: not computed")
            continue
        have = got.tensors[name]
        if have.shape != want.shape:
            failures.append(f"{name}: shape {list(have.shape)} instead of {list(want.shape)}")
            continue
        atol, rtol = tolerance_of(name)
        a, b = have.double(), want.double()
        error = (a - b).abs().masked_fill((a == b) | (a.isnan() & b.isnan()), 0)
        errors[name] = error.max().item() if error.numel() else 0.0
        if not bool((error <= atol + rtol * b.abs()).all()):
            failures.append(f"{name}: largest error {errors[name]:.3g}")
    if expected.json is not None:
        wanted = expected.json if isinstance(expected.json, dict) else {"*": expected.json}
        have_all = got.json if isinstance(expected.json, dict) else {"*": got.json}
        for name, want in wanted.items():
            if name not in (have_all or {}):
                if name in tolerances or "*" in tolerances:  # the rest is remarks
                    failures.append(f"{name}: not computed")
                continue
            atol, rtol = tolerance_of(name)
            if problem := _json_difference(have_all[name], want, atol, rtol, name):
                failures.append(problem)
    return errors, failures


def _json_difference(have, want, atol: float, rtol: float, where: str) -> str | None:
    if isinstance(want, dict) and isinstance(have, dict) and want.keys() == have.keys():
        return next((p for key in want if (p := _json_difference(have[key], want[key], atol, rtol, f"{where}.{key}"))),
                    None)
    if isinstance(want, list) and isinstance(have, list) and len(want) == len(have):
        return next((p for i, (h, w) in enumerate(zip(have, want))
                     if (p := _json_difference(h, w, atol, rtol, f"{where}[{i}]"))), None)
    if isinstance(want, (int, float)) and isinstance(have, (int, float)) and not isinstance(want, bool):
        return None if abs(have - want) <= atol + rtol * abs(want) else f"{where}: {have} instead of {want}"
    return None if have == want else f"{where}: {str(have)[:80]!r} instead of {str(want)[:80]!r}"
