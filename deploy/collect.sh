#!/usr/bin/env bash
# collect.sh BUILD_DIR OUT: gathers what an image needs into OUT/opt/lvrpo: binaries, every library they load that is
# not part of libc, configurations and assets.
set -euo pipefail
build=$1
out=$2/opt/lvrpo
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$out/bin" "$out/lib"
for binary in lvrpo lvrpo-coordinator lvrpo-learner lvrpo-rollout-worker lvrpo-reward-server lvrpo-evaluate lvrpo-model lvrpo-score; do
  cp "$build/bin/$binary" "$out/bin/"
done
# ldd lists what each binary loads; libc and the loader come with the base image.
ldd "$out"/bin/* | awk '/=> \//{print $3}' | sort -u |
  grep -vE '/(libc|libm|libdl|libpthread|librt|ld-linux[^/]*)\.so' |
  while read -r library; do cp -L "$library" "$out/lib/"; done
mkdir -p "$2/etc/ld.so.conf.d"
echo /opt/lvrpo/lib > "$2/etc/ld.so.conf.d/lvrpo.conf"
# Certificates that https servers are checked against: object stores and scorers. The base image has none.
mkdir -p "$2/etc/ssl/certs"
cp -L /etc/ssl/certs/ca-certificates.crt "$2/etc/ssl/certs/"
# Language data of Tesseract, for rules about written text.
mkdir -p "$2/usr/share/tesseract-ocr/5/tessdata"
cp /usr/share/tesseract-ocr/5/tessdata/eng.traineddata "$2/usr/share/tesseract-ocr/5/tessdata/"
cp -r "$root/configs" "$root/assets" "$out/"
