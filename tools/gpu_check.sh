#!/usr/bin/env bash
# gpu_check.sh pack OUT.tar | run [--dry-run] [--out PAGE.md]: everything that needs a GPU, as one page of figures:
# parity with the reference implementations on CUDA, captured graphs, a step at BAGEL's width with its share of the GPU's
# speed and its memory against the plan, collectives between GPUs, and a short strict run with every role on the GPU.
#   pack OUT.tar   on a machine that builds: links the CUDA flavour (tools/check_cuda.sh) and packs programs, the Debian
#                  libraries that they need, cases and the example run. Neither compiler nor gRPC is needed where it runs.
#   run            in the unpacked folder, or in the repository. LibTorch with CUDA is found as LVRPO_TORCH_DIR, as the
#                  torch 2.11 that python3 imports, or in .deps/torch-cuda.
#   run --dry-run  the same steps at a small size with device cpu, and the programs of build/release
#   PEAK_TFLOPS=N  what the GPU can do in bf16, dense (H200, H100: 989; A100: 312)
# The page says which steps failed and why; the exit code is 1 then.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '2,/^set -e/p' "$0" | sed '$d; s/^# \?//' >&2; exit 2; }

pack() {
  local out=$1 bin=build/cuda/bin stage
  tools/check_cuda.sh
  cmake --build build/cuda -j "${JOBS:-$(nproc)}" --target lvrpo lvrpo-coordinator lvrpo-parity
  stage=$(mktemp -d)
  trap 'rm -rf "$stage"' RETURN
  mkdir -p "$stage/gpu_check/bin" "$stage/gpu_check/lib" "$stage/gpu_check/tests/parity"
  cp "$bin"/lvrpo{,-coordinator,-learner,-rollout-worker,-reward-server,-evaluate,-model,-parity,-bench-gpu} "$stage/gpu_check/bin"
  strip "$stage"/gpu_check/bin/*
  # All libraries but the C library's, and LibTorch's with those that it brings.
  local libraries
  libraries=$(ldd "$stage"/gpu_check/bin/* | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u |
    grep -v -e "torch-cuda" -e '/libc\.so' -e '/libm\.so' -e '/libdl\.so' -e '/libpthread\.so' -e '/librt\.so' -e '/ld-linux')
  # shellcheck disable=SC2086
  cp $libraries "$stage/gpu_check/lib"
  cp -r tools assets configs "$stage/gpu_check"
  cp -r tests/parity/cases "$stage/gpu_check/tests/parity"
  tar -C "$stage" -cf "$out" gpu_check
  echo "gpu_check: packed $(du -h "$out" | cut -f1) into $out: unpack it, then tools/gpu_check.sh run"
}

# A step of the check: its heading, and a command whose lines "| what | figure |" go to the page.
failed=()
step() {
  local title=$1 started=$SECONDS log
  shift
  log=$work/$(tr -c 'a-z0-9\n' '_' <<<"${title,,}").log
  printf '\n## %s\n\n' "$title" >>"$page"
  if "$@" >"$log" 2>&1; then
    if grep -q '^|' "$log"; then
      printf '| | |\n|---|---|\n' >>"$page"
      grep '^|' "$log" >>"$page"
    else
      tail -n 3 "$log" | sed 's/^/    /' >>"$page"
    fi
  else
    failed+=("$title")
    printf 'FAILED (exit code %s):\n\n' "$?" >>"$page"
    tail -n 15 "$log" | sed 's/^/    /' >>"$page"
  fi
  echo "gpu_check: $title: $((SECONDS - started)) s"
}

strict_run() {
  local settings=() setting digests
  for setting in "rollout.device=$device" "reward.device=$device" "learner.device=$device" train.max_staleness=0 train.steps=3 \
    train.groups_per_step=2 rollout.group_size=4 rollout.timesteps=4 rollout.window_size=1 rollout.window_hi=2 \
    evaluation.every=0 evaluation.prompts_per_kind=1 evaluation.timesteps=3 train.checkpoint_every=1 "out=$work/runs"; do
    settings+=(--set "$setting")
  done
  local run
  for run in first second; do
    "$bin/lvrpo" run --config configs/shapes.yaml --run-id "$run" "${settings[@]}"
    "$bin/lvrpo" audit "$work/runs/$run"
  done
  digests=$(for run in first second; do
    sed -n 's/.*"weights_digest": *"\([0-9a-f]*\)".*/\1/p' "$work/runs/$run/checkpoints/step_000003/manifest.json"
  done)
  echo "| weights after 3 strict steps, twice from the same seed | $(sort -u <<<"$digests" | wc -l) digest(s): $(
    sort -u <<<"$digests" | cut -c1-12 | tr '\n' ' ')|"
}

several_ranks() {
  local count
  "$bin/lvrpo-bench-gpu" ranks --device "$device" --ranks 2 --mib "$mib"
  count=$(nvidia-smi -L 2>/dev/null | wc -l || true)
  if ((count > 2)); then "$bin/lvrpo-bench-gpu" ranks --device "$device" --ranks "$count" --mib "$mib"; fi
}

parity() {
  "$bin/lvrpo-parity" --device "$device" tests/parity/cases >"$work/parity.jsonl" || { grep '"passed":false' "$work/parity.jsonl"; return 1; }
  echo "| cases that agree with the reference implementations | $(grep -c '"passed":true' "$work/parity.jsonl") |"
}

run() {
  device=cuda size=(--width bagel --layers 2 --peak-tflops "${PEAK_TFLOPS:-0}") mib=256 page=gpu_check.md bin=bin
  while (($#)); do
    case $1 in
      --dry-run) device=cpu size=(--width tiny --layers 2 --group 2 --side 4 --repeats 2) mib=4 bin=build/release/bin ;;
      --out) page=${2:?} && shift ;;
      *) usage ;;
    esac
    shift
  done
  [ -d "$bin" ] || bin=build/cuda/bin
  local torch=${LVRPO_TORCH_DIR:-}
  if [ -z "$torch" ] && [ "$device" = cuda ]; then
    torch=$(python3 -c 'import torch, os; print(os.path.dirname(torch.__file__))' 2>/dev/null || true)
    [ -n "$torch" ] || torch=$PWD/.deps/torch-cuda/torch
  fi
  if [ -n "$torch" ]; then
    # NCCL and CUDA's runtime are loaded by name.
    local nvidia
    nvidia=$(find "$torch/../nvidia" -type d -name lib -printf ':%p' 2>/dev/null || true)
    export LD_LIBRARY_PATH=$PWD/lib:$torch/lib$nvidia:${LD_LIBRARY_PATH:-}
  fi
  # Several ranks on one GPU: NCCL refuses them, from 2.30 on unless this says otherwise.
  export NCCL_MULTI_RANK_GPU_ENABLE=1
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  {
    echo "# GPU check"
    echo
    echo "$(date -u +%Y-%m-%d), device $device, $("$bin/lvrpo" --version 2>/dev/null || true)"
    echo
    nvidia-smi --query-gpu=name,driver_version,memory.total,power.limit --format=csv 2>/dev/null | sed 's/^/    /' || true
    grep -m1 'model name' /proc/cpuinfo | sed 's/.*: /    /'
    echo "    $(nproc) cores, $(uname -r)"
  } >"$page"
  step "Parity" parity
  step "Captured graphs" "$bin/lvrpo-bench-gpu" graphs --device "$device" "${size[@]}"
  step "Step and memory" "$bin/lvrpo-bench-gpu" step --device "$device" "${size[@]}"
  step "Collectives" several_ranks
  step "Strict run" strict_run
  echo "gpu_check: the page is $page"
  if ((${#failed[@]})); then
    echo "gpu_check: failed: ${failed[*]}" >&2
    exit 1
  fi
}

case "${1:-}" in
  pack) [ $# = 2 ] || usage; pack "$2" ;;
  run) shift; run "$@" ;;
  *) usage ;;
esac
