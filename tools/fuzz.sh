#!/usr/bin/env bash
# fuzz.sh BUILD_DIR [SECONDS]: runs every fuzz target that long (default 60), from its corpus and from what
# earlier runs found (BUILD_DIR/fuzz/found, which grows). Stops at the first crash; its input is left in the
# current folder and belongs into tests/fuzz/corpus/<target> together with the fix. Then random command lines
# for the programs.
set -euo pipefail
build=$1
seconds=${2:-60}
for corpus in "$build"/fuzz/*.corpus; do
  target=$(basename "$corpus" .corpus)
  mkdir -p "$build/fuzz/found/$target"
  echo "fuzz: $target, $seconds s"
  # shellcheck disable=SC2046  # the corpus is a list of folders
  "$build/fuzz/$target" -max_total_time="$seconds" -rss_limit_mb=4096 -timeout=20 -max_len=65536 -print_final_stats=1 \
    -verbosity=0 "$build/fuzz/found/$target" $(cat "$corpus")
done
echo "fuzz: command lines, $seconds s"
python3 "$(dirname "$0")/../tests/fuzz/command_lines.py" "$build/bin" --seconds "$seconds" --seed "$(date +%s)"
