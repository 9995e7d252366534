# The front door. `make help` lists what there is.
SHELL := /bin/bash
PRESET ?= release
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 60
BIN = build/$(PRESET)/bin

.PHONY: help dashboards test-alerts setup setup-dev build run run-short test dist dist-cuda test-dist setup-kubernetes test-kubernetes manifests assets bench bench-signal bench-peers bench-referee bench-rewards bench-store bench-shards chaos presets curves check-cuda check-nccl check-s3 fuzz format clean maintenance check-page

help:           ## list the targets
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 16

setup:          ## install what is missing (Debian packages; LibTorch and a schema checker into .deps)
	@tools/setup.sh

setup-dev:      ## the same, and what PRESET=tsan, PRESET=clang and `make format` need (clang, clang-format)
	@tools/setup.sh --dev

build: setup    ## build into build/PRESET: release, dev, asan, tsan or clang (docs/development.md)
	@mkdir -p build
	@cmake --preset $(PRESET) >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@cmake --build build/$(PRESET) -j $(JOBS)

run: build      ## train the embedded default end to end and write its report
	@$(BIN)/lvrpo run --config configs/shapes.yaml

run-short: build ## the same with a few steps: a check that everything works
	@$(BIN)/lvrpo run --config configs/shapes.yaml --set train.steps=6 --set evaluation.prompts_per_kind=5

test: build     ## all tests of the preset
	@ctest --test-dir build/$(PRESET) --output-on-failure -j $(JOBS)

dist: build     ## a tarball with libraries, documents and licences that runs from any folder, in dist/
	@tools/dist/dist.sh build/$(PRESET) dist

dist-cuda: setup ## the same for NVIDIA GPUs (downloads 3.6 GB of libraries once)
	@tools/check_cuda.sh --setup
	@mkdir -p build
	@cmake --preset cuda -DLVRPO_TORCH_DIR=$(CURDIR)/.deps/torch-cuda/torch -DLVRPO_TORCH_INCLUDE=$(CURDIR)/.deps/torch/include >build/configure.log 2>&1 || \
	  { cat build/configure.log; exit 1; }
	@cmake --build build/cuda -j $(JOBS)
	@tools/dist/dist.sh build/cuda dist

test-dist: dist ## run the newest tarball in a root folder that has nothing of what it needs (needs root and mmdebstrap)
	@tests/dist/try_tarball.sh "$$(ls -t dist/lvrpo-*.tar.gz | head -1)"

setup-kubernetes: ## build helm, a Kubernetes control plane and simulated nodes into .deps (needs Go; 25 minutes, once)
	@tools/setup_kubernetes.sh

test-kubernetes: build setup-kubernetes ## the chart with some ninety sets of values, and all objects at a real API server (6 minutes)
	@tests/kubernetes/chart_test.py $(BIN)
	@tests/kubernetes/cluster_test.py $(BIN)

manifests:      ## render deploy/kubernetes, and what else follows from the Helm chart (needs helm)
	@tools/render_chart.py

dashboards:     ## write deploy/grafana from tools/dashboards, and the chart's copies of dashboards and alerts (needs helm)
	@tools/make_dashboards.py
	@tools/render_chart.py

test-alerts: build ## cause the trouble of each alert in real runs and watch it fire in a real Prometheus (up to 20 minutes)
	@tests/alerts/fire.py $(BIN)

assets: build   ## pre-train the embedded default's weights again (about an hour and a half)
	@tools/make_assets.sh $(BIN)

bench: build    ## benchmarks: prints figures with their settings
	@tools/bench.sh $(BIN)

bench-signal: build ## how much of the image gradient is signal, next to a plain recipe's (3 minutes)
	@$(BIN)/lvrpo-gradient-signal

bench-peers: build ## text and image rollouts against transformers and eager PyTorch (installs them into .deps/peers)
	@tools/bench_peers.sh $(BIN)

bench-referee: build ## images a second of a SigLIP 2 referee against ONNX Runtime and transformers (half an hour)
	@tools/bench_referee.sh $(BIN)

bench-rewards: build ## how well rewards tell right from wrong, and a reward server under load (8 minutes)
	@tools/bench_rewards.sh $(BIN)

check-page:     ## the live page in a real browser (needs chromium)
	@tests/page/browser_check.py

check-s3: build ## the object store of checkpoints against a real server (needs Go; 2 minutes)
	@tools/check_s3.sh $(BIN)

bench-store: build ## upload of checkpoints against a plain PUT, to a local test server
	@$(BIN)/lvrpo-bench-store

bench-shards: build ## time and memory of a sharded learner's step against a whole one's (5 minutes, 16 GB)
	@$(BIN)/lvrpo-bench-shards --size tiny --size small --size bagel-width

chaos: build    ## kill and stop the processes of strict runs, each at a named place: 49 cases (8 minutes)
	@tests/chaos/kill_matrix.py $(BIN)

maintenance: build ## start, signal and end the roles of a run as maintenance does, twelve times both at once (3 minutes)
	@tests/chaos/maintenance.py $(BIN)

presets: build  ## three steps of each of configs/presets on the embedded world
	@tools/try_presets.py $(BIN)

curves: build   ## gain of held-out images for 3 seeds, with 1 and 2 learner ranks, strict and with staleness 1 (half an hour)
	@tools/learning_curves.py $(BIN)

check-cuda: setup ## link everything with LibTorch's CUDA libraries and start it (3.6 GB of them, once)
	@tools/check_cuda.sh

check-nccl: setup ## compare our declarations of NCCL and CUDA with their headers (downloads 500 MB of NCCL once)
	@tools/check_nccl.sh

fuzz: setup-dev ## look for inputs that crash the parsers, FUZZ_SECONDS (60) a target
	@mkdir -p build
	@cmake --preset fuzz >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@cmake --build build/fuzz -j $(JOBS) --target fuzz_programs
	@tools/fuzz.sh build/fuzz $(FUZZ_SECONDS)

format:         ## format all C++ and proto files (needs setup-dev)
	@git ls-files '*.cc' '*.h' '*.proto' | xargs clang-format-14 -i

clean:          ## remove build/ (keeps .deps and runs)
	@rm -rf build
