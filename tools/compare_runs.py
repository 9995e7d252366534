#!/usr/bin/env python3
"""compare_runs.py RUN...: prints a Markdown table of finished runs from their summary.json."""
import json
import pathlib
import sys

KINDS = ["single", "two", "counting", "colors", "position", "attribution"]


def main():
    runs = [json.loads((pathlib.Path(p) / "summary.json").read_text()) for p in sys.argv[1:]]
    print("| seed | held-out before -> after | gain (95 %) | " + " | ".join(KINDS) + " | presence only | objects per image (asked) | training |")
    print("|" + "---|" * (6 + len(KINDS)))
    for r in runs:
        kinds = []
        for kind in KINDS:
            v = r["by_kind"][kind]
            kinds.append(f"{v['before']['score']:.2f} -> {v['after']['score']:.2f}")
        seconds = r["seconds_by_phase"]["training"]
        print(f"| {r['seed']} | {r['heldout_score_before']:.3f} -> {r['heldout_score_after']:.3f} "
              f"| {r['heldout_gain']:+.3f} +- {r['heldout_gain_confidence_95']:.3f} | " + " | ".join(kinds) +
              f" | {r['presence_only_before']:.3f} -> {r['presence_only_after']:.3f} "
              f"| {r['objects_per_image_before']:.2f} -> {r['objects_per_image_after']:.2f} ({r['objects_asked_per_image']:.2f}) "
              f"| {seconds / 60:.1f} min |")


if __name__ == "__main__":
    main()
