#!/usr/bin/env python3
"""Learning with one learner rank and with two, strict and with staleness 1: short runs of the default for several seeds,
their gain on held-out images, and the mean and the spread over seeds. Runs that learn alike differ by no more than the
spread.

    learning_curves.py BIN_DIR [--steps 60] [--seeds 3] [--out FOLDER] [--set FIELD=VALUE ...]

A run of 60 steps takes about two minutes on two cores. Runs that FOLDER has are not made again, so that it can be stopped
and started.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
KINDS = [(ranks, staleness) for ranks in (1, 2) for staleness in (0, 1)]


def summary(arguments, seed, ranks, staleness):
    """summary.json and the rewards by step of a run, which is made if it is not there."""
    name = f"seed{seed}-ranks{ranks}-staleness{staleness}-steps{arguments.steps}"
    folder = arguments.out / name
    if not (folder / "summary.json").exists():
        command = [arguments.bin_dir / "lvrpo", "run"]
        if folder.exists():
            command += ["--resume", folder]
        else:
            command += ["--config", "configs/shapes.yaml", "--run-id", name]
            for setting in (f"seed={seed}", f"train.steps={arguments.steps}", f"train.max_staleness={staleness}",
                            f"local.learner_ranks={ranks}", "evaluation.every=0", f"out={arguments.out}",
                            *arguments.set):
                command += ["--set", setting]
        with open(arguments.out / f"{name}.log", "a") as log:
            subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL, check=True)
    rewards = [json.loads(line)["reward"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return json.loads((folder / "summary.json").read_text()), rewards


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "runs/curves")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="for runs that are made")
    arguments = parser.parse_args()
    arguments.bin_dir, arguments.out = arguments.bin_dir.resolve(), arguments.out.resolve()
    arguments.out.mkdir(parents=True, exist_ok=True)
    print(f"{arguments.steps} steps; gain of the held-out score, each with its 95 % confidence, and rewards of the first "
          "and the last third", flush=True)
    for ranks, staleness in KINDS:
        gains = []
        for seed in range(1, arguments.seeds + 1):
            found, rewards = summary(arguments, seed, ranks, staleness)
            third = max(1, len(rewards) // 3)
            gains.append(found["heldout_gain"])
            print(f"  ranks {ranks}, staleness {staleness}, seed {seed}: {gains[-1]:+.3f} "
                  f"+- {found['heldout_gain_confidence_95']:.3f}  rewards {statistics.mean(rewards[:third]):.3f} -> "
                  f"{statistics.mean(rewards[-third:]):.3f}  {found['wall_seconds']:.0f} s", flush=True)
        spread = statistics.stdev(gains) if len(gains) > 1 else 0
        print(f"ranks {ranks}, staleness {staleness}: {statistics.mean(gains):+.3f}, standard deviation {spread:.3f}",
              flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
