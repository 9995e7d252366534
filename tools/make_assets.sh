#!/usr/bin/env bash
# make_assets.sh BIN_DIR: makes the embedded default again: prompt files, autoencoder, referee, policy, and the manifest
# that says how. Settings: configs/pretrain_*.yaml. One thread, so that the result depends on the machine type alone;
# about an hour. Interrupted, it goes on from its checkpoints in build/assets when it is started again; after a change
# of settings it refuses to: remove build/assets first.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$1
work=build/assets  # where the configurations put the results
out=assets/shapes
mkdir -p "$work" "$out/policy" "$out/referee"
export OMP_NUM_THREADS=1
"$bin/lvrpo-pretrain" prompts --out "$out/prompts"
for model in autoencoder referee policy; do
  "$bin/lvrpo-pretrain" "$model" --config "configs/pretrain_$model.yaml" --resume
done
for file in ae.safetensors config.json ema.safetensors llm_config.json tokenizer.json vit_config.json; do
  cp "$work/policy/$file" "$out/policy/"
done
cp "$work/referee/"{config.json,model.safetensors,tokenizer.json} "$out/referee/"
"$bin/lvrpo-evaluate" --config configs/shapes.yaml --out "$work/scores" --samples-per-kind 0
python3 tools/write_manifest.py "$work/scores/scores.json"
