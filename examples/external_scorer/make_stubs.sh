#!/usr/bin/env bash
# make_stubs.sh [DIR]: Python's classes for the gRPC service, from the schemas, into DIR (default: stubs next
# to this file). Needs protoc and its plugin for Python: Debian's protobuf-compiler and
# protobuf-compiler-grpc.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/stubs}
mkdir -p "$out/proto/lvrpo/v1"
touch "$out/proto/__init__.py" "$out/proto/lvrpo/__init__.py" "$out/proto/lvrpo/v1/__init__.py"
cd "$here/../.."
protoc --proto_path=. --python_out="$out" --grpc_out="$out" --plugin=protoc-gen-grpc="$(command -v grpc_python_plugin)" \
  proto/lvrpo/v1/rule.proto proto/lvrpo/v1/prompt.proto proto/lvrpo/v1/external_scorer.proto
