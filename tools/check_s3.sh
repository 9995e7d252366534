#!/usr/bin/env bash
# check_s3.sh BIN_DIR: the object store's client and checkpoints against a real S3-compatible server, versitygw
# (Apache-2.0, built by Go from its module proxy into .deps/versitygw; about a minute the first time), then a whole run
# whose checkpoints go there and come back. Needs Go 1.24 or newer and curl. 2 minutes.
#   LVRPO_VERSITYGW=/path   use this binary and build none
#   CHECK_S3_ENDPOINT=URL CHECK_S3_BUCKET=NAME, keys in the environment: use this server instead
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(realpath "$1")
version=v1.8.0

work=$(mktemp -d)
server=
pid=
cleanup() {
  for process in $server $pid; do kill "$process" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT
export no_proxy=127.0.0.1

if [ -z "${CHECK_S3_ENDPOINT:-}" ]; then
  gateway=${LVRPO_VERSITYGW:-$PWD/.deps/versitygw/versitygw-$version}
  if [ ! -x "$gateway" ]; then
    command -v go >/dev/null || { echo "check_s3: install Go, or name a versitygw with LVRPO_VERSITYGW" >&2; exit 69; }
    echo "check_s3: building versitygw $version"
    GOBIN="$work/go" go install "github.com/versity/versitygw/cmd/versitygw@$version"
    mkdir -p "$(dirname "$gateway")"
    mv "$work/go/versitygw" "$gateway"
  fi
  export AWS_ACCESS_KEY_ID=check-access AWS_SECRET_ACCESS_KEY=check-secret-0123456789
  mkdir -p "$work/store/lvrpo-check"
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  ROOT_ACCESS_KEY=$AWS_ACCESS_KEY_ID ROOT_SECRET_KEY=$AWS_SECRET_ACCESS_KEY \
    "$gateway" --port "127.0.0.1:$port" posix "$work/store" >"$work/server.log" 2>&1 &
  server=$!
  CHECK_S3_ENDPOINT=http://127.0.0.1:$port CHECK_S3_BUCKET=lvrpo-check
  for _ in $(seq 100); do
    curl -s -o /dev/null "$CHECK_S3_ENDPOINT" && break
    kill -0 "$server" 2>/dev/null || { cat "$work/server.log" >&2; exit 69; }
    sleep 0.1
  done
fi
export LVRPO_S3_ENDPOINT=$CHECK_S3_ENDPOINT LVRPO_S3_BUCKET=$CHECK_S3_BUCKET

"$bin/../tests/lvrpo-check-s3"

# A body that is not the one that was signed is refused by the server itself.
code=$(curl -s -o "$work/answer" -w '%{http_code}' --aws-sigv4 "aws:amz:us-east-1:s3" \
  --config <(printf 'user = "%s:%s"\n' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY") -X PUT --data-binary damaged \
  -H "x-amz-content-sha256: $(printf intact | sha256sum | cut -d' ' -f1)" \
  "$CHECK_S3_ENDPOINT/$CHECK_S3_BUCKET/check/damaged")
echo "a damaged body: $code $(sed -n 's/.*<Code>\(.*\)<\/Code>.*/\1/p' "$work/answer")"
[ "$code" = 400 ] || { echo "check_s3: the server takes damaged bodies" >&2; exit 1; }

if [ -x "$bin/lvrpo-learner" ]; then
  settings=()
  for setting in train.steps=4 train.groups_per_step=2 train.checkpoint_every=1 rollout.group_size=4 \
    rollout.timesteps=4 rollout.window_size=1 rollout.window_hi=2 evaluation.prompts_per_kind=1 evaluation.every=0 \
    evaluation.timesteps=3 "out=$work" "checkpoints.store=s3://$CHECK_S3_BUCKET/runs" \
    "checkpoints.endpoint=$CHECK_S3_ENDPOINT" checkpoints.path_style=true checkpoints.plain_http=true; do
    settings+=(--set "$setting")
  done
  run=check-$$
  "$bin/lvrpo" run --config configs/shapes.yaml --run-id "$run" "${settings[@]}" >"$work/run.log" 2>&1 &
  pid=$!
  for _ in $(seq 600); do
    grep -qs "step_000001 is in the store" "$work/$run/logs/learner-0.log" && break
    sleep 0.1
  done
  kill -HUP "$pid"
  wait "$pid" || { cat "$work/run.log" >&2; exit 1; }
  pid=
  rm -r "$work/$run/checkpoints"
  "$bin/lvrpo" run --resume "$work/$run" >"$work/run.log" 2>&1 || { cat "$work/run.log" >&2; exit 1; }
  grep -h "fetching it from" "$work/$run/logs/learner-0.log"
  "$bin/lvrpo" audit "$work/$run"
fi
echo "check_s3: passed"
