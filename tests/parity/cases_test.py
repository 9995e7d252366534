#!/usr/bin/env python3
"""Checks that every parity case below cases/ is complete: its files exist, and it names the producer of its numbers.

Plain Python, no packages. Prints each fault as case: sentence and exits 1 if there is one.
"""
import json
import pathlib
import re
import struct
import sys

CASES = pathlib.Path(__file__).resolve().parent / "cases"
KEYS = {"family": str, "op": str, "params": dict, "tolerance": dict, "producer": dict}
VERSION = re.compile(r"\b\d+(\.\d+)+\b|\b[0-9a-f]{7,40}\b")  # of a release, or a commit
MAKERS = {"reference", "transformers", "tokenizers", "safetensors", "torch", "pillow", "numpy"}
# Families whose cases make_goldens.py makes: the op names that must be there.
OPS = {
    "bagel": {"tokenize", "text_logits", "text_greedy", "text_logp", "velocity", "velocity_batch", "velocity_cfg",
              "generate_ode", "understand", "vit_features", "edit_velocity", "think_then_image", "train_velocity",
              "train_logp", "image_transform"},
    "flow_sde": {"sde_step", "image_loss"},
    "flux_ae": {"encode_mean", "encode_sample", "decode", "patchify"},
    "image_processing": {"resize", "decode_rgb", "decode_jpeg", "siglip_fixed", "siglip2_naflex", "bagel_transform",
                         "naflex_size", "bagel_size"},
    "philox": {"philox4x32_10", "philox_normal"},
    "qwen2": {"logits", "token_logprobs", "greedy"},
    "schedule": {"timesteps", "timestep_embedding", "sincos_pos_embed", "sde_window"},
    "siglip2": {"image_features", "text_features", "logits", "dense_grounding"},
    "tokenizer": {"encode", "encode_long", "decode"},
}


def tensor_names(path):
    """Names in a safetensors file, whose size must be what its header says."""
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    if len(content) != 8 + length + end:
        raise ValueError(f"{path.name} has {len(content)} bytes where its header says {8 + length + end}")
    return set(header)


def valid_tolerance(value):
    if value == "exact":
        return True
    return (isinstance(value, dict) and set(value) == {"atol", "rtol"}
            and all(isinstance(bound, (int, float)) and 0 <= bound < 10 for bound in value.values()))


def referenced_files(folder, spec):
    """Paths that the case names, relative to its folder."""
    params = spec["params"]
    if "model" in spec:
        yield f"{spec['model']}/config.json"
    if "tokenizer" in params:
        yield params["tokenizer"]
    if "input" in params:
        yield params["input"]
    for name in params.get("images", []) + [job["image"] for job in params.get("jobs", [])]:
        yield f"inputs/{name}"


def faults_of(path, spec):
    folder = path.parent
    for key, kind in KEYS.items():
        if not isinstance(spec.get(key), kind):
            yield f"{key} is missing or no {kind.__name__}"
            return
    if spec["family"] != folder.parent.name:
        yield f"family is {spec['family']}, the folder's is {folder.parent.name}"
    for name, value in spec["tolerance"].items():
        if not valid_tolerance(value):
            yield f"tolerance of {name} is neither \"exact\" nor atol and rtol below 10: {value}"
    producer = spec["producer"]
    if not MAKERS & set(producer):
        yield f"producer names none of {', '.join(sorted(MAKERS))}"
    if not any(VERSION.search(str(value)) for value in producer.values()):
        yield "producer says no version"
    for name in referenced_files(folder, spec):
        if not (folder / name).is_file():
            yield f"{name} is not there"

    given = set()
    if (folder / "inputs.safetensors").exists():
        tensor_names(folder / "inputs.safetensors")
    if (folder / "expected.safetensors").exists():
        given |= tensor_names(folder / "expected.safetensors")
    if (folder / "expected.json").exists():
        members = json.loads((folder / "expected.json").read_text())
        given |= set(members) if isinstance(members, dict) else {"*"}
    if not given:
        yield "expects nothing"
    for name in sorted(set(spec["tolerance"]) - given - {"*"}):
        yield f"has a tolerance for {name}, which it does not expect"
    if not spec["tolerance"]:
        yield "has no tolerance"


def main():
    paths, faults, ops = sorted(CASES.rglob("case.json")), [], {}
    for path in paths:
        try:
            spec = json.loads(path.read_text())
            ops.setdefault(path.parent.parent.name, set()).add(spec.get("op"))
            found = list(faults_of(path, spec))
        except (ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
            found = [f"cannot be read: {error!r}"]
        faults += [f"{path.parent.relative_to(CASES)}: {fault}" for fault in found]
    for family, wanted in OPS.items():
        faults += [f"{family}: no case of op {op}" for op in sorted(wanted - ops.get(family, set()))]
    for fault in faults:
        print(fault)
    print(f"{len(paths)} cases, {len(faults)} faults")
    return 1 if faults or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
