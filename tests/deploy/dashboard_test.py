#!/usr/bin/env python3
"""Runs the four roles with tiny settings and a real Prometheus that scrapes them, asks it every expression of the dashboards, and
holds what the roles export against the catalogue of metrics.

    dashboard_test.py BIN_DIR
"""
import collections
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import catalogue
from prometheus import Prometheus, free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else ROOT / "build/release/bin")
SETTINGS = ["train.steps=3", "train.groups_per_step=2", "train.checkpoint_every=1", "rollout.group_size=4", "rollout.timesteps=4",
            "rollout.window_size=1", "rollout.window_hi=2", "data.text_fraction=0.3"]
# Expressions of these metrics, and panels, may have no value in a short healthy run of one rank without TLS, NCCL and evaluation.
RARE = {
    "lvrpo_coordinator_heldout_score": "needs the evaluation role", "lvrpo_coordinator_heldout_gain": "needs the evaluation role",
    "lvrpo_tls_certificate_expiry_timestamp_seconds": "needs TLS", "lvrpo_rpc_denied_total": "needs somebody without rights",
    "lvrpo_learner_collective_seconds": "needs several ranks", "lvrpo_learner_collective_failures_total": "needs several ranks",
    "lvrpo_rollout_weight_gather_seconds": "needs weights.transport nccl",
    "lvrpo_learner_groups_given_up_total": "needs a damaged trajectory", "lvrpo_reward_cached_items_total": "needs a repeated request",
    "Waits for": "needs a wait that lasts", "Calls that failed": "needs one"}
ROLES = {"coordinator", "learner", "reward", "rollout"}
SAMPLE = re.compile(r"^((?:lvrpo|process)_\w+)(?:\{(.*)\})? \S+$", re.M)
LEGEND = re.compile(r"\{\{(\w+)\}\}")


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
        return answer.read().decode()


def samples(text):
    """(name, {label: value}) of each line of a Prometheus text."""
    for name, labels in SAMPLE.findall(text):
        yield name, {label: value for label, _, value in catalogue.MATCHER.findall(labels)}


def start_roles(folder, ports):
    config = ["--config", str(ROOT / "configs/shapes.yaml")] + [a for s in SETTINGS for a in ("--set", s)]
    address, run = f"127.0.0.1:{free_port()}", f"{folder}/run"
    join = ["--coordinator", address]
    flags = {"coordinator": ["lvrpo-coordinator", "--run-dir", run, "--listen", address], "reward": ["lvrpo-reward-server", *join],
             "learner": ["lvrpo-learner", "--run-dir", run, *join], "rollout": ["lvrpo-rollout-worker", *join]}
    processes = {}
    for role, (binary, *more) in flags.items():
        with open(pathlib.Path(folder) / f"{role}.log", "w") as log:
            processes[role] = subprocess.Popen([BIN / binary, *config, "--metrics-listen", f"127.0.0.1:{ports[role]}", *more],
                                               cwd=ROOT, stdout=log, stderr=log)
    return processes


class Dashboard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.series = collections.defaultdict(set)  # name -> label names
        cls.pages = {}  # role -> its last /metrics
        cls.roles, cls.runs, cls.ready, cls.refused = collections.Counter(), set(), set(), {}
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        ports = {role: free_port() for role in ROLES}
        cls.prometheus = Prometheus(folder, "200ms", {role: [f"127.0.0.1:{port}"] for role, port in ports.items()})
        cls.addClassCleanup(cls.prometheus.end)
        processes = start_roles(folder, ports)
        cls.began = time.time()
        while any(p.poll() is None for p in processes.values()) and time.time() - cls.began < 120:
            for role, port in ports.items():
                cls.look(role, port)
            time.sleep(0.02)
        cls.seconds = time.time() - cls.began
        for p in processes.values():
            p.kill()
        cls.codes = {role: p.wait() for role, p in processes.items()}
        cls.logs = "\n".join(p.read_text() for p in pathlib.Path(folder).glob("*.log"))
        cls.prometheus.await_start()

    @classmethod
    def look(cls, role, port):
        try:
            cls.pages[role] = get(port, "/metrics")
            for name, labels in samples(cls.pages[role]):
                cls.series[name] |= set(labels)
                if name == "lvrpo_build_info":
                    cls.roles[role, labels["role"]] += 1
                if "run" in labels:
                    cls.runs.add(labels["run"])
            if get(port, "/healthz") and get(port, "/readyz"):
                cls.ready.add(role)
        except urllib.error.HTTPError as error:
            cls.refused[role] = (error.code, error.read().decode().strip())
        except OSError:
            pass  # not up yet, or gone already

    def answers(self, expression):
        """Label sets of its answers, at any moment of the run."""
        for variable, value in {"$__rate_interval": f"{int(self.seconds) + 2}s", "$namespace": ".*", "$run": next(iter(self.runs))}.items():
            expression = expression.replace(variable, value)
        return self.prometheus.labels_over_time(expression, self.began, self.began + self.seconds)

    def test_the_roles_ran(self):
        self.assertEqual(set(self.codes.values()), {0}, self.logs)
        self.assertEqual(self.ready, ROLES)
        for role, (code, why) in self.refused.items():
            with self.subTest(role):
                self.assertEqual(code, 503)
                self.assertTrue(why)

    def test_each_role_says_what_it_is(self):
        self.assertEqual({role for role in self.roles}, {(role, role) for role in ROLES})

    def test_every_series_has_the_run(self):
        self.assertEqual(len(self.runs), 1, "one run, one id")
        without = {name for name, labels in self.series.items() if "run" not in labels}
        self.assertEqual(without, set())

    def test_every_expression_has_an_answer_with_the_labels_of_its_legend(self):
        for path in sorted((ROOT / "deploy/grafana").glob("*.json")):
            panels = [] if path.stem == "kubernetes" else json.loads(path.read_text())["panels"]
            for panel in panels:
                for target in panel.get("targets", []):
                    with self.subTest(path.stem, panel=panel["title"], expression=target["expr"]):
                        answer = self.answers(target["expr"])
                        names = {re.sub(r"_(sum|count|bucket)$", "", n) for n, _ in catalogue.SELECTOR.findall(target["expr"])}
                        if not answer and (names | {panel["title"]}) & set(RARE):
                            continue
                        self.assertTrue(answer)
                        self.assertLessEqual(set(LEGEND.findall(target["legendFormat"])), {label for labels in answer for label in labels})

    def test_annotations_can_be_asked(self):
        dashboard = json.loads((ROOT / "deploy/grafana/overview.json").read_text())
        for annotation in dashboard["annotations"]["list"]:
            self.answers(annotation["expr"])

    def test_every_series_is_in_the_catalogue_with_its_labels(self):
        known = catalogue.series(catalogue.read(BIN))
        for name, labels in self.series.items():
            with self.subTest(name):
                self.assertIn(name, known)
                self.assertEqual(set(known[name]["labels"]), labels - {"run"})

    def test_the_document_is_what_the_program_prints(self):
        printed = subprocess.run([BIN / "lvrpo", "metrics"], check=True, capture_output=True, text=True).stdout
        self.assertEqual((ROOT / "docs/metrics.md").read_text(), printed, "run: lvrpo metrics > docs/metrics.md")

    def test_a_role_exports_its_own_metrics_and_its_counters_from_the_start(self):
        listed = json.loads(subprocess.run([BIN / "lvrpo", "metrics", "--json"], check=True, capture_output=True, text=True).stdout)
        role_of = {metric["name"]: metric["role"] for metric in listed}
        for role, page in self.pages.items():
            with self.subTest(role):
                families = set(re.findall(r"^# TYPE (\w+)", page, re.M))
                self.assertLessEqual({role_of[name] for name in families}, {role, "every role"})
                self.assertLessEqual({m["name"] for m in listed if m["type"] == "counter" and m["role"] == role
                                      and all(m["labels"].values())}, families)

    def test_the_run_is_on_every_series_in_the_end(self):
        for role, page in self.pages.items():
            with self.subTest(role):
                self.assertEqual({labels.get("run") for _, labels in samples(page)}, self.runs)

    def test_promtool_has_nothing_to_say_against_a_page(self):
        if shutil.which("promtool") is None:
            self.skipTest("no promtool here: install Debian's package prometheus")
        for role, page in self.pages.items():
            with self.subTest(role):
                check = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True)
                self.assertEqual((check.returncode, check.stdout + check.stderr), (0, ""))

    def test_scraping_keeps_the_labels_of_the_processes(self):
        config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"][0]
        self.assertTrue(config["honor_labels"], "Prometheus would rename role to exported_role")
        self.assertLessEqual({"role", "member", "namespace"}, {r.get("target_label") for r in config["relabel_configs"]})


if __name__ == "__main__":
    unittest.main()
