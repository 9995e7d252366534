#!/usr/bin/env bash
# try_tarball.sh TARBALL [ROOT]: unpacks what `make dist` wrote in a root folder with nothing but Debian's required packages, and runs it
# there: version, help, manual pages, and a short training whose report must be written. ROOT is kept; without it one is made with
# mmdebstrap and removed. Needs root, and mmdebstrap for the latter.
set -euo pipefail
tarball=$(realpath "$1")
root=${2:-}
if [ -z "$root" ]; then
  root=$(mktemp -d)
  trap 'rm -rf "$root"' EXIT
fi
[ -x "$root/bin/bash" ] || mmdebstrap --variant=required --quiet bookworm "$root"
rm -rf "$root/opt/try"
mkdir -p "$root/opt/try"
tar -C "$root/opt/try" -xzf "$tarball"
name=$(basename "$tarball" .tar.gz)
# With /proc, by which the loader finds the program's folder, in a mount namespace of its own.
run() {
  unshare --mount bash -c 'mount --rbind /proc "$1/proc" && exec chroot "$1" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/root bash -euc "$2"' - \
    "$root" "cd /opt/try/$name; $1"
}

echo "== $name, $(du -sh "$root/opt/try/$name" | cut -f1)"
for library in libgrpc++.so.1.51 libprotobuf.so.32 libtesseract.so.5 libcurl.so.4; do
  if find "$root/usr/lib" "$root/lib" -name "$library" | grep -q .; then echo "the root is not clean: $library" >&2; exit 1; fi
done
run 'for p in bin/*; do "$p" --help > /dev/null; done; bin/lvrpo version --json; test -s sbom.spdx.json; test -s share/man/man1/lvrpo-run.1'
run 'bin/lvrpo validate --config configs/shapes.yaml'
run 'bin/lvrpo run --config configs/shapes.yaml --set train.steps=2 --set evaluation.prompts_per_kind=2 --set evaluation.every=0 --set out=/tmp/runs > /tmp/log 2>&1 ||
  { tail -30 /tmp/log; exit 1; }; tail -5 /tmp/log; ls /tmp/runs/*/report.html'
run 'mv bin lib /tmp/ && /tmp/bin/lvrpo version'  # found relative to the program, wherever it is
