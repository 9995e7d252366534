#!/usr/bin/env bash
# bench_rewards.sh BIN_DIR: how well each reward component tells right captions from wrong ones, by kind of error, and a
# reward server under load. About 8 minutes; BENCH_SECONDS=3 makes each measurement of the load shorter (10).
set -euo pipefail
cd "$(dirname "$0")/.."
echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1); $(date +%F)"
"$1/lvrpo-bench-reward-quality" --also "reward.grounding_form=top_k_mean" --also "reward.grounding_regions=peaks" \
  --also "reward.grounding_dense=box"
taskset -c 0,1 "$1/lvrpo-bench-score-load" --seconds "${BENCH_SECONDS:-10}"
