#!/usr/bin/env bash
# setup.sh [--dev]: installs what the build and the tests need and is missing: Debian packages, and from PyPI LibTorch
# (its wheel) and Kubernetes' schemas. --dev adds clang and clang-format, which PRESET=tsan and `make format` need.
# Idempotent: a second run changes nothing and takes a second. Nothing outside apt's own
# folders and <repository>/.deps is touched.
#   LVRPO_TORCH_DIR=/path   use this LibTorch (a folder with include/ and lib/) and download none
#   LVRPO_DEPS=/path        where LibTorch is kept (default: <repository>/.deps)
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
deps=${LVRPO_DEPS:-$root/.deps}
torch_version=2.11.0

packages=(
  g++ cmake ninja-build make pkg-config ccache git ca-certificates unzip patchelf
  python3 python3-pip python3-yaml python3-jsonschema python3-grpcio python3-protobuf
  protobuf-compiler protobuf-compiler-grpc libprotobuf-dev libgrpc++-dev libabsl-dev
  prometheus-cpp-dev libssl-dev zlib1g-dev libsqlite3-dev libspdlog-dev libcli11-dev libyaml-cpp-dev
  nlohmann-json3-dev libvalijson-dev libpng-dev libjpeg62-turbo-dev libwebp-dev libgif-dev libre2-dev libpcre2-dev libutf8proc-dev
  libtesseract-dev tesseract-ocr-eng libcurl4-openssl-dev libpugixml-dev libgtest-dev libgmock-dev libbenchmark-dev
)
case "${1:-}" in
  "") ;;
  --dev) packages+=(clang-14 libclang-rt-14-dev clang-format-14) ;;
  *) echo "usage: tools/setup.sh [--dev]" >&2; exit 2 ;;
esac

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if ((${#missing[@]})); then
  echo "setup: installing ${#missing[@]} Debian packages: ${missing[*]}"
  sudo=
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "setup: run as root, or install sudo: packages are missing" >&2; exit 69; }
    sudo=sudo
  fi
  $sudo apt-get update -qq
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "setup: all Debian packages are installed"
fi

# Kubernetes' own schemas, for the manifests' test.
validate_version=1.37.0
if [ ! -d "$deps/python/kubernetes_validate-$validate_version.dist-info" ]; then
  echo "setup: downloading kubernetes-validate $validate_version into $deps/python"
  rm -rf "$deps/python"
  python3 -m pip install --quiet --disable-pip-version-check --no-cache-dir --root-user-action=ignore \
    --target "$deps/python" "kubernetes-validate==$validate_version"
fi

# Wheels are downloaded into $work, not into pip's cache; it is gone when this script ends in any way.
work=
trap '[ -z "$work" ] || rm -rf "$work"' EXIT
new_work() {
  mkdir -p "$deps"
  work=$(mktemp -d "$deps/download.XXXXXX")
}
download() {
  python3 -m pip download --quiet --disable-pip-version-check --no-cache-dir --no-deps --only-binary=:all: --dest "$work" "$@"
}

# CUDA's headers (2 MB): what a CUDA build compiles differently is compiled here too.
cuda_version=13.0
if [ ! -f "$deps/cuda/.complete-$cuda_version" ]; then
  echo "setup: downloading CUDA $cuda_version's headers into $deps/cuda"
  new_work
  download --platform manylinux2014_x86_64 --platform manylinux_2_25_x86_64 \
    "nvidia-cuda-runtime>=13.0,<13.1" "nvidia-cuda-crt>=13.0,<13.1"
  rm -rf "$deps/cuda"
  mkdir -p "$deps/cuda"
  for wheel in "$work"/nvidia_*.whl; do
    unzip -q -o "$wheel" 'nvidia/cu13/include/*' -d "$work"
  done
  mv "$work/nvidia/cu13/include" "$deps/cuda/include"
  rm -rf "$work"
  touch "$deps/cuda/.complete-$cuda_version"
fi

if [ -n "${LVRPO_TORCH_DIR:-}" ]; then
  echo "setup: using LibTorch in $LVRPO_TORCH_DIR"
  exit 0
fi
if [ -f "$deps/torch/.complete-$torch_version" ]; then
  echo "setup: LibTorch $torch_version is in $deps/torch"
  exit 0
fi
echo "setup: downloading LibTorch $torch_version (about 530 MB) into $deps/torch"
new_work
# --no-deps: a CPU build needs none of the wheel's CUDA libraries but the two small ones that
# libtorch_cpu.so names.
download --python-version 3.11 --implementation cp --platform manylinux_2_28_x86_64 "torch==$torch_version"
download --platform manylinux2014_x86_64 --platform manylinux_2_25_x86_64 \
  "nvidia-cuda-runtime>=13.0,<13.1" "nvidia-cuda-cupti>=13.0,<13.1"
rm -rf "$deps/torch"
mkdir -p "$deps/torch"
unzip -q "$work"/torch-*.whl 'torch/include/*' 'torch/lib/*' -x 'torch/lib/libtorch_cuda*' \
  'torch/lib/libtorch_python*' 'torch/lib/libtorch_nvshmem*' -d "$deps"
for wheel in "$work"/nvidia_*.whl; do
  unzip -q -j -o "$wheel" 'nvidia/*/lib/libcu*.so.*' -d "$deps/torch/lib"
done
touch "$deps/torch/.complete-$torch_version"
echo "setup: done"
