#!/usr/bin/env bash
# dist.sh BUILD_DIR OUT: makes OUT/lvrpo-VERSION-COMMIT-linux-x86_64.tar.gz (with -cuda for a CUDA build), which runs from any folder of
# a machine with glibc as new as this one's: programs, every library they load that is not part of glibc (found relative to
# the programs), assets, configurations, documents, completions, manual pages, licences and an SPDX list of contents.
set -euo pipefail
build=$(cd "$1" && pwd)
out=$2
root=$(cd "$(dirname "$0")/../.." && pwd)
programs=(lvrpo lvrpo-coordinator lvrpo-learner lvrpo-rollout-worker lvrpo-reward-server lvrpo-evaluate lvrpo-model lvrpo-score)
command -v patchelf >/dev/null || { echo "dist: patchelf is missing (make setup)" >&2; exit 69; }

# What the program itself says, so that names agree with `lvrpo version`.
said=$("$build/bin/lvrpo" version --json)
version=$(sed -n 's/.*"version":"\([^"]*\)".*/\1/p' <<<"$said")
commit=$(sed -n 's/.*"commit":"\([^"]*\)".*/\1/p' <<<"$said")
commit=${commit:-unknown}
kind=linux-$(uname -m)
grep -q '^LVRPO_CUDA:BOOL=ON' "$build/CMakeCache.txt" && kind=$kind-cuda
name=lvrpo-$version-$commit-$kind
mkdir -p "$out"
work=$(mktemp -d "$out/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
tree=$work/$name
mkdir -p "$tree/bin" "$tree/lib/torch" "$tree/share"

for program in "${programs[@]}"; do
  cp "$build/bin/$program" "$tree/bin/"
done
# ldd lists what each program loads; glibc is the machine's own. LibTorch's folder is a layer of its own in images.
torch=$(dirname "$(ldd "$tree/bin/lvrpo-learner" | awk '$1 == "libc10.so" {print $3}')")
ldd "${programs[@]/#/$tree/bin/}" | awk '/=> \//{print $3}' | sort -u |
  grep -vE '/(libc|libm|libmvec|libdl|libpthread|librt|libresolv|libutil|libanl|ld-linux[^/]*)\.so' > "$work/libraries"
while read -r library; do
  to=$tree/lib
  [[ $library = /lib/* || $library = /usr/lib/* ]] || to=$tree/lib/torch
  cp -L "$library" "$to/"
done < "$work/libraries"
# CUDA's libraries open others by name that no program names: all of them come along.
nvidia=$torch/../../nvidia
if [ -d "$nvidia" ]; then
  find "$nvidia" -name '*.so*' -type f -exec cp {} "$tree/lib/torch/" \;
  find "$nvidia" -name '*.so*' -type f >> "$work/libraries"
fi
chmod -R u+w "$tree"
# RPATH, not RUNPATH: it also holds for what the libraries load.
patchelf --force-rpath --set-rpath "\$ORIGIN/../lib:\$ORIGIN/../lib/torch" "$tree"/bin/*
find "$tree/lib" -maxdepth 1 -name '*.so*' -exec patchelf --force-rpath --set-rpath "\$ORIGIN:\$ORIGIN/torch" {} +
find "$tree/lib/torch" -name 'libtorch*.so*' -o -name 'libc10*.so*' -o -name 'libshm*.so*' | xargs -d '\n' patchelf --force-rpath --set-rpath "\$ORIGIN:\$ORIGIN/.."

cp -r "$root"/{assets,configs,docs,examples,deploy,README.md,LICENSE} "$tree/"
find "$tree" -name '__pycache__' -prune -exec rm -rf {} +
# Language data of Tesseract, for rules about written text: TESSDATA_PREFIX names it (docs/deployment.md).
mkdir -p "$tree/share/tessdata" "$tree/share/bash-completion/completions" "$tree/share/zsh/site-functions"
cp /usr/share/tesseract-ocr/5/tessdata/eng.traineddata "$tree/share/tessdata/"
"$tree/bin/lvrpo" completion bash > "$tree/share/bash-completion/completions/lvrpo"
"$tree/bin/lvrpo" completion zsh > "$tree/share/zsh/site-functions/_lvrpo"
"$root/tools/dist/manuals.py" "$tree/bin" "$tree/share/man/man1" --version "$version"
"$root/tools/dist/sbom.py" "$tree" --libraries "$work/libraries" --torch "$torch" --version "$version" --commit "$commit"
echo "$said" > "$tree/VERSION.json"

# The same bytes from the same tree.
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@${SOURCE_DATE_EPOCH:-0}" -C "$work" -cf - "$name" | gzip -n -1 > "$work/tar"
mv "$work/tar" "$out/$name.tar.gz"
echo "$out/$name.tar.gz"
