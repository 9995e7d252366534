#!/usr/bin/env python3
"""Makes the project's own parity cases, or checks the reference side against cases that exist.

  make_goldens.py make [--out FOLDER] [--family NAME ...]   writes FOLDER/<family>/{models,<case>}/ in place of what
                                                            folders are in FOLDER/<family>/
  make_goldens.py check FOLDER ...                          runs every case in and below the folders

Needs the packages of golden/requirements.txt; runs on one thread of a CPU. The same machine gives the same bytes
every time. `check` prints one line a case and exits with 1 when one of them differs.
"""

import argparse
import importlib
import os
import pathlib
import shutil
import sys

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import torch

from golden.case import differences, load_case, load_expected, write_case

HERE = pathlib.Path(__file__).resolve().parent
FAMILIES = ["bagel", "flow_sde", "flux_ae", "image_processing", "philox", "qwen2", "schedule", "siglip2", "tokenizer"]


def family_module(name: str):
    return importlib.import_module(f"golden.{name}")


def make(out: pathlib.Path, families: list[str]) -> int:
    for name in families:
        family, root = family_module(name), out / name
        root.mkdir(parents=True, exist_ok=True)
        for old in root.iterdir():  # but for the family's README
            if old.is_dir():
                shutil.rmtree(old)
        family.write_models(root / "models")
        for draft in family.drafts(root / "models"):
            write_case(root, family, draft)
            print(f"{name}/{draft.name}", flush=True)
    return 0


def check(folders: list[pathlib.Path]) -> int:
    failed = 0
    for path in sorted(path for folder in folders for path in folder.rglob("case.json")):
        case = load_case(path.parent)
        name = case.spec["family"]
        op = family_module(name).OPS.get(case.spec["op"]) if name in FAMILIES else None
        if op is None:
            print(f"skipped {path.parent}: no op {name}/{case.spec['op']}")
            continue
        errors, failures = differences(case, op(case), load_expected(path.parent))
        failed += bool(failures)
        worst = max(errors.values(), default=0.0)
        print(f"{'FAILED' if failures else 'passed'} {path.parent} largest error {worst:.3g} {'; '.join(failures)}",
              flush=True)
    print(f"{failed} failed")
    return 1 if failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make", help="write the cases")
    making.add_argument("--out", type=pathlib.Path, default=HERE / "cases")
    making.add_argument("--family", nargs="+", choices=FAMILIES, default=FAMILIES)
    checking = commands.add_parser("check", help="run existing cases through the reference side")
    checking.add_argument("folders", nargs="+", type=pathlib.Path)
    args = parser.parse_args()

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    if args.command == "make":
        return make(args.out, args.family)
    return check(args.folders)


if __name__ == "__main__":
    sys.exit(main())
