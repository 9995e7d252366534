#!/usr/bin/env python3
"""write_manifest.py SCORES_JSON [NOTE]: writes assets/shapes/manifest.json: how the weights were made, their checksums, and what
they score. NOTE: what was otherwise than `make assets` does it."""
import hashlib
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
ASSETS = ROOT / "assets/shapes"


def main():
    scores = json.loads(pathlib.Path(sys.argv[1]).read_text())
    files = {str(p.relative_to(ASSETS)): hashlib.sha256(p.read_bytes()).hexdigest()
             for p in sorted(ASSETS.rglob("*")) if p.is_file() and p.suffix in (".safetensors", ".json", ".jsonl") and p.name != "manifest.json"}
    manifest = {
        "made_by": "make assets: tools/make_assets.sh with configs/pretrain_*.yaml",
        "seed": "that of each configs/pretrain_*.yaml",
        "note": sys.argv[2] if len(sys.argv) > 2 else "",
        "sha256": files,
        "scores": {
            "held_out_score": round(scores["score"], 4),
            "standard_error": round(scores["standard_error"], 4),
            "images": scores["images"],
            "presence_only": round(scores["presence_only"], 4),
            "by_kind": {kind: round(v["score"], 4) for kind, v in scores["by_kind"].items()},
            "answers_exact": round(scores["text"]["exact_match"], 4),
            "weights_digest": scores["weights_digest"],
        },
    }
    (ASSETS / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main()
