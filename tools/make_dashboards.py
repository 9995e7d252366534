#!/usr/bin/env python3
"""Writes deploy/grafana/*.json from tools/dashboards. Edit the panels there, run this (`make dashboards`), commit both.

    make_dashboards.py [--check]     --check: exit 1 when a file is not up to date, and write nothing
"""
import importlib
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
NAMES = ["overview", "pools", "health", "learner", "kubernetes"]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))


def main():
    texts = {ROOT / f"deploy/grafana/{name}.json": json.dumps(importlib.import_module(f"dashboards.{name}").DASHBOARD, indent=1) + "\n"
             for name in NAMES}
    if "--check" in sys.argv:
        stale = [path.name for path, text in texts.items() if not path.exists() or path.read_text() != text]
        stale += [path.name for path in (ROOT / "deploy/grafana").glob("*.json") if path not in texts]
        if stale:
            sys.exit(f"deploy/grafana: {', '.join(stale)}: not what tools/dashboards says; run `make dashboards`")
        return
    for path, text in texts.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
