#!/usr/bin/env bash
# bench_referee.sh BIN_DIR: images per second of a SigLIP 2 base referee, ONNX Runtime and transformers,
# alternating, with the same weights, pixels and two threads on the same two cores; outputs are compared
# before anything is timed. The peers' libraries (torch, transformers, onnxruntime: some gigabytes) go into
# .deps/peers at the first call. Half an hour, 10 minutes with BENCH_ROUNDS=1.
#   LVRPO_PEERS_PYTHON=/path   a Python that has them
#   BENCH_WORK=/path           where the model's folder is kept (1.5 GB)
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$1
deps=${LVRPO_DEPS:-$PWD/.deps}
python=${LVRPO_PEERS_PYTHON:-$deps/peers/bin/python}
work=${BENCH_WORK:-/tmp/lvrpo-bench-referee}
[ -x "$python" ] || python3 -m venv "$deps/peers"
if ! "$python" -c 'import onnxruntime, onnxscript, transformers' 2>/dev/null; then
  echo "bench-referee: installing the peers' libraries for $python"
  "$python" -m pip install --quiet --disable-pip-version-check -r tests/benchmarks/peers/requirements.txt
fi
mkdir -p "$work"
echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1); $(date +%F)"
peer() {
  taskset -c 0,1 "$python" tests/benchmarks/peers/referee.py --make base --folder "$work/siglip2-base" "$@" \
    2>>"$work/peers.log"
}
peer --prepare  # weights, inputs, expected outputs and ONNX files: nothing is measured yet
for round in $(seq "${BENCH_ROUNDS:-3}"); do
  for name in onnxruntime transformers; do
    peer --peers $name
    taskset -c 0,1 "$bin/lvrpo-bench-referee" --folder "$work/siglip2-base" $([ "$round$name" = 1onnxruntime ] && echo --profile)
  done
done | tee "$work/lines.jsonl" | python3 tests/benchmarks/peers/medians.py
