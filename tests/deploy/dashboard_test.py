#!/usr/bin/env python3
"""Runs the four roles with tiny settings, reads their /metrics, and holds the dashboard, the scrape configuration and
docs/metrics.md against what they export.

    dashboard_test.py BIN_DIR
"""
import collections
import functools
import json
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else ROOT / "build/release/bin")
SETTINGS = ["train.steps=3", "train.groups_per_step=2", "train.checkpoint_every=1", "rollout.group_size=4", "rollout.timesteps=4",
            "rollout.window_size=1", "rollout.window_hi=2", "data.text_fraction=0.3"]
# Metrics that only show up when something goes wrong, or with several ranks.
RARE = {"lvrpo_learner_collective_seconds_sum"}

SELECTOR = re.compile(r"\b(lvrpo_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')
GROUPING = re.compile(r"\b(?:sum|avg|min|max|count)\b\s*(?:by\s*\(([^)]*)\))?\s*\(")
LEGEND = re.compile(r"\{\{(\w+)\}\}")
SAMPLE = re.compile(r"^((?:lvrpo|process)_\w+)(?:\{(.*)\})? \S+$", re.M)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
        return answer.read().decode()


def samples(text):
    """(name, {label: value}) of each line of a Prometheus text."""
    for name, labels in SAMPLE.findall(text):
        yield name, {label: value for label, _, value in MATCHER.findall(labels)}


def matches(labels, matchers):
    """As Prometheus does: a label that is missing is empty, regular expressions match the whole value."""
    holds = {"=": lambda have, want: have == want, "!=": lambda have, want: have != want,
             "=~": lambda have, want: re.fullmatch(want, have), "!~": lambda have, want: not re.fullmatch(want, have)}
    return all(holds[operator](labels.get(label, ""), want) for label, operator, want in matchers)


@functools.lru_cache(None)
def catalogue():
    """Metric name -> its entry in the catalogue, with the label `run`, which every series may have."""
    metrics = json.loads(subprocess.run([BIN / "lvrpo", "metrics", "--json"], check=True, capture_output=True).stdout)
    return {metric["name"]: metric for metric in metrics}


def labels_in_catalogue(name):
    return {"run", *catalogue().get(name, {"labels": ()})["labels"]}


def scrape_config():
    return yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"][0]


def target_labels():
    """Labels that scraping adds to every series."""
    return {"job", "instance"} | {r["target_label"] for r in scrape_config()["relabel_configs"] if "target_label" in r}


class Dashboard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.series = collections.defaultdict(list)  # name -> label sets
        cls.ready, cls.refused, cls.pages = set(), {}, {}
        seen = set()
        with tempfile.TemporaryDirectory() as folder:
            config = ["--config", str(ROOT / "configs/shapes.yaml")] + [a for s in SETTINGS for a in ("--set", s)]
            grpc, ports, processes = free_port(), {}, []

            def start(role, binary, *more):
                ports[role] = free_port()
                with open(pathlib.Path(folder) / f"{role}.log", "w") as log:
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
                        cls.pages[role] = get(port, "/metrics")
                        for name, labels in samples(cls.pages[role]):
                            key = (name, tuple(sorted(labels.items())))
                            if key not in seen:
                                seen.add(key)
                                cls.series[name].append(labels)
                        if get(port, "/healthz") and get(port, "/readyz"):
                            cls.ready.add(role)
                    except urllib.error.HTTPError as error:
                        cls.refused[role] = (error.code, error.read().decode().strip())
                    except OSError:
                        pass  # not up yet, or gone already
                time.sleep(0.02)
            for p in processes:
                p.kill()
            cls.codes = [p.wait() for p in processes]
            cls.logs = "\n".join(p.read_text() for p in pathlib.Path(folder).glob("*.log"))

    def expressions(self):
        dashboard = json.loads((ROOT / "deploy/grafana/overview.json").read_text())
        self.assertGreater(len(dashboard["panels"]), 10)
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                yield panel["title"], target["expr"], target["legendFormat"]

    def labels_of(self, name):
        """Label names of a metric as it is exported; of a rare one as it is documented."""
        if name in self.series:
            return {label for labels in self.series[name] for label in labels}
        return labels_in_catalogue(re.sub(r"_seconds_(sum|count|bucket)$", "_seconds", name))

    def test_the_roles_ran(self):
        self.assertEqual(self.codes, [0, 0, 0, 0], self.logs)
        self.assertEqual(self.ready, {"coordinator", "reward", "learner", "rollout"})
        for role, (code, why) in self.refused.items():
            with self.subTest(role):
                self.assertEqual(code, 503)
                self.assertTrue(why)

    def test_each_role_says_what_it_is(self):
        info = [labels["role"] for labels in self.series.get("lvrpo_build_info", [])]
        self.assertEqual(set(info), {"coordinator", "learner", "reward", "rollout"})

    def test_every_expression_selects_series_that_exist(self):
        for title, expression, _ in self.expressions():
            selectors = SELECTOR.findall(expression)
            self.assertTrue(selectors, title)
            for name, matchers in selectors:
                with self.subTest(title, metric=name, matchers=matchers):
                    parsed = MATCHER.findall(matchers)
                    self.assertEqual(MATCHER.sub("", matchers).strip(", "), "", "a matcher that this test cannot read")
                    self.assertLessEqual({label for label, _, _ in parsed}, self.labels_of(name) | target_labels())
                    if name in RARE and name not in self.series:
                        continue
                    added = dict.fromkeys(target_labels(), "")
                    self.assertTrue(any(matches(added | labels, parsed) for labels in self.series.get(name, [])))

    def test_groupings_and_legends_name_labels_that_exist(self):
        for title, expression, legend in self.expressions():
            names = [name for name, _ in SELECTOR.findall(expression)]
            there = set.intersection(*(self.labels_of(name) | target_labels() for name in names)) - {"le"}
            groupings = GROUPING.findall(expression)
            left = there  # labels of the result
            for labels in groupings:
                by = {label.strip() for label in labels.split(",") if label.strip()}
                with self.subTest(title, by=labels):
                    self.assertLessEqual(by, there)
                left = left & by
            with self.subTest(title, legend=legend):
                self.assertLessEqual(set(LEGEND.findall(legend)), left)

    def test_counters_and_no_others_are_rated(self):
        for title, expression, _ in self.expressions():
            for name in re.findall(r"\brate\((lvrpo_\w+)", expression):
                with self.subTest(title):
                    self.assertRegex(name, r"_total$|_seconds_(sum|count|bucket)$")

    def test_scraping_keeps_the_labels_of_the_processes(self):
        exported = {label for name in self.series for label in self.labels_of(name)}
        self.assertIn("role", exported & target_labels())
        self.assertTrue(scrape_config()["honor_labels"], "Prometheus would rename role to exported_role")

    def test_the_dashboard_is_what_its_script_writes(self):
        result = subprocess.run([sys.executable, ROOT / "tools/make_dashboard.py", "--check"], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_the_document_is_what_the_program_prints(self):
        printed = subprocess.run([BIN / "lvrpo", "metrics"], check=True, capture_output=True, text=True).stdout
        self.assertEqual((ROOT / "docs/metrics.md").read_text(), printed, "run: lvrpo metrics > docs/metrics.md")

    def test_every_series_is_in_the_catalogue_with_its_labels(self):
        for name in self.series:
            plain = re.sub(r"_(sum|count|bucket)$", "", name) if re.search(r"_seconds_(sum|count|bucket)$", name) else name
            with self.subTest(plain):
                self.assertIn(plain, catalogue())
                self.assertEqual(labels_in_catalogue(plain), self.labels_of(name) - {"le"})

    def test_every_series_has_the_run_in_the_end(self):
        for role, page in self.pages.items():
            with self.subTest(role):
                self.assertEqual({labels.get("run") for _, labels in samples(page)}, {"run"})

    def test_a_role_exports_its_own_metrics_and_those_of_all(self):
        for role, page in self.pages.items():
            with self.subTest(role):
                families = set(re.findall(r"^# TYPE (\w+)", page, re.M))
                self.assertLessEqual({catalogue()[name]["role"] for name in families}, {role, "every role"})
                counters = {name for name, metric in catalogue().items()
                            if metric["type"] == "counter" and metric["role"] == role and all(metric["labels"].values())}
                self.assertLessEqual(counters, families, "counters are there from the start")

    def test_prometheus_has_nothing_to_say_against_them(self):
        if shutil.which("promtool") is None:
            self.skipTest("no promtool here (Debian's package prometheus)")
        for role, page in self.pages.items():
            with self.subTest(role):
                check = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True)
                self.assertEqual((check.returncode, check.stdout + check.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
