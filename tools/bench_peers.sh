#!/usr/bin/env bash
# bench_peers.sh BIN_DIR: rollouts compared with transformers and eager PyTorch, alternating, with the same
# weights, inputs and threads; outputs are compared before anything is timed. The peers' libraries (torch,
# transformers: some gigabytes) go into .deps/peers at the first call. About 4 minutes, 15 more with
# BENCH_SIZES="tiny 100m".
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$1
deps=${LVRPO_DEPS:-$PWD/.deps}
python=${LVRPO_PEERS_PYTHON:-$deps/peers/bin/python}
work=${BENCH_WORK:-/tmp/lvrpo-bench-peers}
if [ ! -x "$python" ]; then
  echo "bench-peers: installing the peers' libraries into $deps/peers"
  python3 -m venv "$deps/peers"
  "$deps/peers/bin/pip" install --quiet --disable-pip-version-check -r tests/benchmarks/peers/requirements.txt
fi
mkdir -p "$work"
echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1); $(date +%F)"
for size in ${BENCH_SIZES:-tiny}; do
  repeats=7 images=()
  [ "$size" = 100m ] && repeats=2 && images=(--prompts 2 --grid 8 --guided-calls apart --batches all)
  {
    taskset -c 0,1 "$python" tests/benchmarks/peers/text_generation.py --make "$size" --folder "$work/qwen2-$size" \
      --out "$work/qwen2-$size.safetensors" --repeats $repeats
    taskset -c 0,1 "$bin/lvrpo-bench-text" --folder "$work/qwen2-$size" --peer "$work/qwen2-$size.safetensors" \
      --repeats $repeats
    taskset -c 0,1 "$python" tests/benchmarks/peers/image_sampling.py --make "$size" --folder "$work/bagel-$size" \
      --inputs "$work/bagel-$size-inputs.safetensors" --out "$work/bagel-$size.safetensors" --repeats $repeats \
      "${images[@]}"
    taskset -c 0,1 "$bin/lvrpo-bench-images" --folder "$work/bagel-$size" \
      --inputs "$work/bagel-$size-inputs.safetensors" --peer "$work/bagel-$size.safetensors" --repeats $repeats
  } | tee -a "$work/lines.jsonl" | python3 tests/benchmarks/peers/ratios.py
done
