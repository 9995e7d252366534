#!/usr/bin/env python3
"""Runs the four roles with tiny settings, reads their /metrics, and holds the dashboard and docs/operating.md against them.

    dashboard_test.py BIN_DIR
"""
import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else ROOT / "build/release/bin")
SETTINGS = ["train.steps=3", "train.groups_per_step=2", "train.checkpoint_every=1", "rollout.group_size=4", "rollout.timesteps=4",
            "rollout.window_size=1", "rollout.window_hi=2", "data.text_fraction=0.3"]
# Metrics that only show up when something goes wrong.
RARE = {"lvrpo_coordinator_refusals_total", "lvrpo_rollout_reward_retries_total"}
METRIC = re.compile(r"\blvrpo_[a-z_]+")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def scrape(port, path="/metrics"):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
        return answer.read().decode()


class Dashboard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.exported, cls.ready = set(), set()
        with tempfile.TemporaryDirectory() as folder:
            config = ["--config", str(ROOT / "configs/shapes.yaml")] + [a for s in SETTINGS for a in ("--set", s)]
            grpc, ports, processes = free_port(), {}, []

            def start(role, binary, *more):
                ports[role] = free_port()
                log = open(pathlib.Path(folder) / f"{role}.log", "w")
                processes.append(subprocess.Popen([BIN / binary, *config, "--metrics-listen", f"127.0.0.1:{ports[role]}", *more],
                                                  cwd=ROOT, stdout=log, stderr=log))
            address = f"127.0.0.1:{grpc}"
            start("coordinator", "lvrpo-coordinator", "--run-dir", f"{folder}/run", "--listen", address)
            start("reward", "lvrpo-reward-server", "--coordinator", address)
            start("learner", "lvrpo-learner", "--coordinator", address, "--run-dir", f"{folder}/run")
            start("rollout", "lvrpo-rollout-worker", "--coordinator", address)
            deadline = time.monotonic() + 120
            while any(p.poll() is None for p in processes) and time.monotonic() < deadline:
                for role, port in ports.items():
                    try:
                        cls.exported |= set(re.findall(r"^(lvrpo_\w+)", scrape(port), re.M))
                        if scrape(port, "/healthz") and scrape(port, "/readyz"):
                            cls.ready.add(role)
                    except OSError:
                        pass  # not up yet, or gone already
                time.sleep(0.02)
            for p in processes:
                p.kill()
            cls.codes = [p.wait() for p in processes]
            cls.logs = "\n".join(p.read_text() for p in pathlib.Path(folder).glob("*.log"))

    def test_the_roles_ran(self):
        self.assertEqual(self.codes, [0, 0, 0, 0], self.logs)
        self.assertEqual(self.ready, {"coordinator", "reward", "learner", "rollout"})

    def test_every_expression_uses_metrics_that_exist(self):
        dashboard = json.loads((ROOT / "deploy/grafana/overview.json").read_text())
        self.assertGreater(len(dashboard["panels"]), 10)
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                for name in METRIC.findall(target["expr"]):
                    with self.subTest(panel["title"], metric=name):
                        self.assertIn(name, self.exported | RARE)

    def test_the_dashboard_is_what_its_script_writes(self):
        before = (ROOT / "deploy/grafana/overview.json").read_text()
        subprocess.run([sys.executable, ROOT / "tools/make_dashboard.py"], check=True)
        self.assertEqual(before, (ROOT / "deploy/grafana/overview.json").read_text())

    def test_every_metric_is_documented(self):
        text = (ROOT / "docs/operating.md").read_text()
        documented = set()
        for row in re.findall(r"^\| (`lvrpo_.*?) \|", text, re.M):
            names = re.findall(r"`([a-z_]+)(?:\{[a-z,]*\})?`", row)
            documented.add(names[0])
            prefix = "_".join(names[0].split("_")[:2])
            documented |= {prefix + name for name in names[1:]}
        plain = {re.sub(r"_(sum|count|bucket)$", "", n) if n.endswith(("_seconds_sum", "_seconds_count", "_seconds_bucket")) else n
                 for n in self.exported}
        self.assertLessEqual(plain, documented)


if __name__ == "__main__":
    unittest.main()
