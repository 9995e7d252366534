#!/usr/bin/env bash
# bench.sh BIN_DIR: prints speed figures with the machine and the settings they were measured on.
set -euo pipefail
cd "$(dirname "$0")/.."
echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1); $(date +%F)"
"$1/lvrpo-bench"
"$1/lvrpo-bench-weights"
