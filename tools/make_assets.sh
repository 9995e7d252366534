#!/usr/bin/env bash
# make_assets.sh BIN_DIR: makes the embedded default again: prompt files, autoencoder, referee, policy in two
# stages, manifest that says how. Settings: configs/pretrain_*.yaml. One thread, so that the result depends on
# the machine type alone; about an hour and a half. After an interruption it resumes from its checkpoints in
# build/assets; after a change of settings it refuses to: remove build/assets first.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$1
work=build/assets  # where the configurations put the results
out=assets/shapes
mkdir -p "$work" "$out/policy" "$out/referee" "$out/vqa"
export OMP_NUM_THREADS=1
"$bin/lvrpo-pretrain" prompts --out "$out/prompts"
for model in autoencoder referee policy; do
  "$bin/lvrpo-pretrain" "$model" --config "configs/pretrain_$model.yaml" --resume
done
"$bin/lvrpo-pretrain" policy --config configs/pretrain_policy_noisy.yaml --resume
for file in config.json ema.safetensors llm_config.json tokenizer.json vit_config.json; do
  cp "$work/policy/$file" "$out/policy/"
  cp "$work/vqa/$file" "$out/vqa/"
done
cp "$work/policy/ae.safetensors" "$out/policy/"
cp "$work/referee/"{config.json,model.safetensors,tokenizer.json} "$out/referee/"
"$bin/lvrpo-evaluate" --config configs/shapes.yaml --out "$work/scores" --samples-per-kind 0
python3 tools/write_manifest.py "$work/scores/scores.json"
