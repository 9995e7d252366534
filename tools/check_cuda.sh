#!/usr/bin/env bash
# check_cuda.sh [--setup]: links all programs with LibTorch's CUDA libraries and starts each role with device "cuda".
# Without a GPU every one has to end with one sentence and exit code 69. Downloads LibTorch's wheel and the libraries that
# it needs (3.6 GB unpacked) into .deps/torch-cuda once; needs no GPU and no CUDA toolkit. The headers are those
# of a CPU build, and so are all objects but one: with ccache little is compiled again (a base_dir above the repository
# in its configuration lets builds of other folders hit).
#   --setup                 download only: what a GPU build takes as LVRPO_TORCH_DIR
#   LVRPO_DEPS=/path        where the libraries are kept (default: <repository>/.deps)
#   JOBS=N                  compile jobs
set -euo pipefail
cd "$(dirname "$0")/.."
deps=${LVRPO_DEPS:-$PWD/.deps}
version=2.11.0
cuda=$deps/torch-cuda
case "${1:-}" in
  "" | --setup) ;;
  *) echo "usage: tools/check_cuda.sh [--setup]" >&2; exit 2 ;;
esac

work=$(mktemp -d "$deps/download.XXXXXX")
trap 'rm -rf "$work"' EXIT
if [ ! -f "$cuda/.complete-$version" ]; then
  echo "check_cuda: downloading LibTorch $version with CUDA into $cuda"
  pip=(python3 -m pip --quiet --disable-pip-version-check --no-cache-dir)
  "${pip[@]}" download --no-deps --only-binary=:all: --python-version 3.11 --implementation cp \
    --platform manylinux_2_28_x86_64 --dest "$work" "torch==$version"
  rm -rf "$cuda"
  mkdir -p "$cuda"
  unzip -q "$work"/torch-*.whl 'torch/lib/*.so*' -x 'torch/lib/libtorch_python*' -d "$cuda"
  # The libraries that the wheel asks for, in its own versions.
  unzip -p "$work"/torch-*.whl 'torch-*/METADATA' |
    sed -n 's/^Requires-Dist: *\(\(cuda-toolkit\|nvidia-\)[^;]*\).*/\1/p' >"$work/libraries.txt"
  rm "$work"/torch-*.whl
  "${pip[@]}" install --root-user-action=ignore --only-binary=:all: --target "$cuda" --requirement "$work/libraries.txt"
  touch "$cuda/.complete-$version"
fi
echo "check_cuda: LibTorch $version with CUDA is in $cuda ($(du -sh "$cuda" | cut -f1))"
[ -z "${1:-}" ] || exit 0

mkdir -p build
cmake --preset cuda "-DLVRPO_TORCH_DIR=$cuda/torch" "-DLVRPO_TORCH_INCLUDE=$deps/torch/include" >build/configure.log 2>&1 ||
  { cat build/configure.log; exit 1; }
roles=(lvrpo-rollout-worker lvrpo-reward-server lvrpo-score lvrpo-learner lvrpo-evaluate lvrpo-model)
cmake --build build/cuda -j "${JOBS:-$(nproc)}" --target "${roles[@]}" lvrpo-bench-gpu

# Each command, and what it has to say on a machine without a GPU.
failed=0
expect() {
  local said code=0
  said=$(timeout 60 "$@" 2>&1 >/dev/null </dev/null) || code=$?
  local gpus
  gpus=$(nvidia-smi -L 2>/dev/null | wc -l || true)
  if [ "$gpus" = 0 ] && { [ "$code" != 69 ] || [ "$(wc -l <<<"$said")" != 1 ] || ! grep -q "no GPU" <<<"$said"; }; then
    echo "check_cuda: $* ended with $code: $said" >&2
    failed=1
  else
    echo "check_cuda: $(basename "$1"): $code: $said"
  fi
}
bin=build/cuda/bin
config=(--config configs/shapes.yaml --set rollout.device=cuda --set reward.device=cuda --set learner.device=cuda)
expect "$bin/lvrpo-rollout-worker" "${config[@]}" --coordinator 127.0.0.1:1
expect "$bin/lvrpo-reward-server" "${config[@]}"
expect "$bin/lvrpo-score" "${config[@]}" --text hello --prompt words
expect "$bin/lvrpo-learner" "${config[@]}" --coordinator 127.0.0.1:1 --run-dir "$work"
expect "$bin/lvrpo-evaluate" "${config[@]}" --out "$work/out"
expect "$bin/lvrpo-model" ask --model assets/shapes/policy --device cuda "a question"
expect "$bin/lvrpo-bench-gpu" graphs --device cuda
[ "$failed" = 0 ] || exit 1
echo "check_cuda: passed"
