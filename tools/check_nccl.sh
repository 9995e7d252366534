#!/usr/bin/env bash
# check_nccl.sh [version ...]: compares collectives/nccl_abi.h and cuda_abi.h with the published headers of NCCL (default:
# the versions that LibTorch 2.11 brings and the newest we know) and of CUDA, loads each library as the product does and
# prints its version and features. Downloads NCCL's wheels (200 to 300 MB each) once; needs no GPU.
#   LVRPO_DEPS=/path        where they are kept (default: <repository>/.deps)
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
deps=${LVRPO_DEPS:-$root/.deps}
versions=("$@")
((${#versions[@]})) || versions=(2.28.9 2.32.3)
[ -d "$deps/cuda/include" ] || { echo "check_nccl: CUDA's headers are missing: make setup" >&2; exit 69; }

work=$(mktemp -d "$deps/download.XXXXXX")
trap 'rm -rf "$work"' EXIT
for version in "${versions[@]}"; do
  nccl=$deps/nccl/$version
  if [ ! -f "$nccl/.complete" ]; then
    echo "check_nccl: downloading NCCL $version into $nccl"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$work" --only-binary=:all: \
      "nvidia-nccl-cu13==$version"
    rm -rf "$nccl"
    mkdir -p "$nccl"
    unzip -q -j -o "$work/nvidia_nccl_cu13-$version"-*.whl nvidia/nccl/include/nccl.h nvidia/nccl/lib/libnccl.so.2 -d "$nccl"
    rm "$work"/*.whl
    touch "$nccl/.complete"
  fi
done

cd "$root"
compile=("${CXX:-c++}" -std=c++20 -O1 -Wall -Wextra -Werror -I"$root" -isystem "$deps/cuda/include")
"${compile[@]}" -c tests/collectives/headers/cuda_header.cc -o "$work/cuda_header.o"
echo "check_nccl: cuda_abi.h agrees with the header of CUDA $(
  sed -n 's/^#define CUDART_VERSION *//p' "$deps/cuda/include/cuda_runtime_api.h")"
"${compile[@]}" tests/collectives/headers/main.cc collectives/{cuda_device,nccl_library,shared_library}.cc \
  $(pkg-config --cflags --libs absl_status absl_statusor absl_strings) -ldl -o "$work/print"
# nccl.h includes these and uses nothing of them; they include headers that are in another wheel.
mkdir "$work/empty"
touch "$work"/empty/cuda_{fp8,fp16,bf16}.h
for version in "${versions[@]}"; do
  grow=()
  if grep -q 'ncclCommGrow(' "$deps/nccl/$version/nccl.h"; then grow=(-DHAS_GROW); fi
  "${compile[@]}" "${grow[@]}" -I"$work/empty" -isystem "$deps/nccl/$version" \
    -c tests/collectives/headers/nccl_header.cc -o "$work/nccl_header.o"
  echo "check_nccl: nccl_abi.h agrees with the header of NCCL $version"
  LVRPO_CUDART_LIBRARY=${LVRPO_CUDART_LIBRARY:-$(ls "$deps"/torch/lib/libcudart*.so.1? 2>/dev/null | head -1)} \
    "$work/print" "$deps/nccl/$version/libnccl.so.2"
done
