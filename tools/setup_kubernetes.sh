#!/usr/bin/env bash
# setup_kubernetes.sh [helm|all]: builds, with Go and from Go modules alone, what renders and tests the Kubernetes objects, into
# .deps/kubernetes: helm; with `all` (the default) also API server, controllers, scheduler and kubectl in one program, etcd and
# kwok (simulated nodes), and the CustomResourceDefinitions of KEDA, the Prometheus operator and cert-manager. Needs Go 1.26.
# Idempotent. A first build takes about 25 minutes of two cores.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
deps=${LVRPO_DEPS:-$root/.deps}/kubernetes
kubernetes=1.36.3
export GOFLAGS=-mod=mod CGO_ENABLED=0 GOBIN=$deps/bin
command -v go >/dev/null || { echo "setup-kubernetes: Go 1.26 or newer is missing (https://go.dev/dl)" >&2; exit 69; }
mkdir -p "$deps/bin" "$deps/crds"

install() { # program module@version
  [ -x "$deps/bin/$1" ] && return
  echo "setup-kubernetes: building $1"
  (cd "$deps" && nice go install -p "${JOBS:-2}" -ldflags "-s -w" "$2")
}
build() { # program folder package flags
  [ -x "$deps/bin/$1" ] && return
  echo "setup-kubernetes: building $1"
  (cd "$root/tests/kubernetes/tools/$2" && nice go build -mod=readonly -p "${JOBS:-2}" -ldflags "-s -w ${4:-}" -o "$deps/bin/$1" "$3")
}

install helm helm.sh/helm/v4/cmd/helm@v4.3.1
[ "${1:-all}" = helm ] && exit 0
version=k8s.io/component-base/version
build hyperkube hyperkube . "-X $version.gitVersion=v$kubernetes -X $version.gitMajor=1 -X $version.gitMinor=36"
build etcd etcd go.etcd.io/etcd/server/v3
install kwok sigs.k8s.io/kwok/cmd/kwok@v0.8.0
for part in kube-apiserver kube-controller-manager kube-scheduler kubectl; do ln -sf hyperkube "$deps/bin/$part"; done

definitions() { # module@version folder
  local folder
  folder=$(cd "$deps" && go mod download -json "$1" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  cp "$folder/$2"/*.yaml "$deps/crds/"
}
if ! ls "$deps"/crds/*.yaml >/dev/null 2>&1; then
  echo "setup-kubernetes: copying CustomResourceDefinitions"
  definitions github.com/kedacore/keda/v2@v2.21.0 config/crd/bases
  definitions github.com/prometheus-operator/prometheus-operator@v0.85.0 example/prometheus-operator-crd
  definitions github.com/cert-manager/cert-manager@v1.21.2 deploy/crds
  chmod u+w "$deps"/crds/*
fi
