#!/usr/bin/env python3
"""Runs three steps of each preset on the embedded world, with the preset's own batch sizes.

    try_presets.py BIN_DIR [NAME ...]

One line a preset. Exit code 1 when one of them fails, or a step is not what it must be: ratios begin at exactly 1, images that the newest
weights sampled are evaluated to the same log-probs, gradients are finite and change the weights.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
STEPS = 3


def wrong(steps):
    """What is not as it must be."""
    if len(steps) != STEPS:
        return f"{len(steps)} steps"
    for step in steps:
        for figure in ("ratio_deviation_first_update", "sampler_log_prob_difference_same_version", "nonfinite"):
            if step.get(figure, 0) != 0:
                return f"{figure} is {step[figure]} in step {step['step']}"
    norms = [value for step in steps for name, value in step.items() if name in ("image_gradient_norm", "text_gradient_norm")]
    if not any(norm > 0 for norm in norms):
        return "no gradient"
    if len({step["digest"] for step in steps}) != STEPS:
        return "the weights did not change"
    return ""


def try_preset(bin_dir, preset, folder):
    began = time.monotonic()
    command = [f"{bin_dir}/lvrpo", "run", "--config", str(preset), "--run-id", preset.stem]
    for setting in (f"out={folder}", f"train.steps={STEPS}", "evaluation.every=0", "evaluation.prompts_per_kind=2", "evaluation.timesteps=10"):
        command += ["--set", setting]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return f"exit code {done.returncode}\n{(done.stdout + done.stderr)[-2000:]}"
    steps = [json.loads(line) for line in (folder / preset.stem / "metrics.jsonl").read_text().splitlines()]
    last = steps[-1] if steps else {}
    shown = ", ".join(f"{name} {last[name]:.4g}" for name in ("reward", "image_gradient_norm", "text_gradient_norm", "image_clip_low",
                                                              "image_clip_high", "text_clip_high") if name in last)
    print(f"{preset.stem:16} {time.monotonic() - began:5.0f} s  {shown}", flush=True)
    return wrong(steps)


def main():
    names = sys.argv[2:]
    presets = [p for p in sorted((ROOT / "configs/presets").glob("*.yaml")) if not names or p.stem in names]
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for preset in presets:
            problem = try_preset(pathlib.Path(sys.argv[1]).resolve(), preset, pathlib.Path(folder))
            if problem:
                failed = True
                print(f"{preset.stem:16} {problem}", flush=True)
    sys.exit(1 if failed or not presets else 0)


if __name__ == "__main__":
    main()
