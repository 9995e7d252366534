#!/usr/bin/env bash
# make_assets.sh BIN_DIR: makes the embedded default again: prompt files, autoencoder, referee, policy, and the manifest
# that says how. One thread, so that the result depends on the machine type alone; about an hour. Interrupted, it goes on
# from its checkpoints in build/assets when it is started again.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$1
work=build/assets
out=assets/shapes
mkdir -p "$work" "$out/policy" "$out/referee"
export OMP_NUM_THREADS=1
"$bin/lvrpo-pretrain" prompts --out "$out/prompts"
"$bin/lvrpo-pretrain" autoencoder --out "$work/ae" --steps 1800 --ema 0.995 --checkpoint "$work/ae.ckpt" --resume
"$bin/lvrpo-pretrain" referee --out "$work/referee" --steps 5000 --ema 0.998 --checkpoint "$work/referee.ckpt" --resume
"$bin/lvrpo-pretrain" policy --out "$work/policy" --autoencoder "$work/ae" --referee "$work/referee" --prompts "$out/prompts" \
  --cached-pairs 30000 --steps 4200 --understanding-every 2 --checkpoint "$work/policy.ckpt" --resume
for file in ae.safetensors config.json ema.safetensors llm_config.json tokenizer.json vit_config.json; do
  cp "$work/policy/$file" "$out/policy/"
done
cp "$work/referee/"{config.json,model.safetensors,tokenizer.json} "$out/referee/"
"$bin/lvrpo-evaluate" --config configs/shapes.yaml --out "$work/scores" --samples-per-kind 0
python3 tools/write_manifest.py "$work/scores/scores.json"
