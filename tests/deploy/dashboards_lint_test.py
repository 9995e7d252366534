#!/usr/bin/env python3
"""Holds all dashboards against the rules of deploy/grafana: complete panels, filters, variables, names that exist, expressions that
Prometheus can read. What they show of a real run: dashboard_test.py.

    dashboards_lint_test.py BIN_DIR
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import catalogue

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else ROOT / "build/release/bin")
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "deploy/grafana").glob("*.json"))}
ALERTS = {rule["alert"] for group in yaml.safe_load((ROOT / "deploy/prometheus/rules.yml").read_text())["groups"]
          for rule in group["rules"] if "alert" in rule}
OF_A_RUN = [name for name in DASHBOARDS if name != "kubernetes"]


def panels(name):
    return [panel for panel in DASHBOARDS[name]["panels"] if panel["type"] != "row"]


def everything():
    """(dashboard, panel, target)"""
    return [(name, panel, target) for name in DASHBOARDS for panel in panels(name) for target in panel["targets"]]


class Lint(unittest.TestCase):
    def test_files_are_what_their_source_writes(self):
        result = subprocess.run([sys.executable, ROOT / "tools/make_dashboards.py", "--check"], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_dashboards_are_complete(self):
        self.assertEqual(set(DASHBOARDS), {"overview", "pools", "health", "learner", "kubernetes"})
        for name, dashboard in DASHBOARDS.items():
            with self.subTest(name):
                self.assertEqual(dashboard["uid"], f"lvrpo-{name}")
                self.assertIsNone(dashboard["id"])
                self.assertEqual(dashboard["graphTooltip"], 1)
                self.assertIn("lvrpo", dashboard["tags"])
                self.assertEqual([link["tags"] for link in dashboard["links"]], [["lvrpo"]])
                self.assertTrue(dashboard["links"][0]["includeVars"])
                variables = [v["name"] for v in dashboard["templating"]["list"]]
                self.assertEqual(variables, ["datasource", "namespace"] + ["run"] * (name in OF_A_RUN))
                self.assertEqual(len(dashboard["annotations"]["list"]), 3 if name in OF_A_RUN else 0)
                self.assertEqual(dashboard["panels"][0]["type"], "row")
                self.assertEqual(dashboard["panels"][1]["type"], "stat")

    def test_panels_are_complete(self):
        for name in DASHBOARDS:
            ids = [panel["id"] for panel in DASHBOARDS[name]["panels"]]
            self.assertEqual(len(ids), len(set(ids)))
            titles = [p["title"] for p in DASHBOARDS[name]["panels"] if p["type"] == "row"]
            self.assertEqual(len(titles), len(set(titles)))
            for panel in panels(name):
                with self.subTest(name, panel=panel["title"]):
                    self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])
                    self.assertTrue(panel["title"])
                    self.assertGreaterEqual(len(panel["description"]), 6)
                    self.assertTrue(panel["description"].endswith("."))
                    self.assertTrue(panel["targets"])
                    self.assertEqual(panel["datasource"]["uid"], "${datasource}")
                    self.assertTrue(panel["fieldConfig"]["defaults"]["thresholds"]["steps"])
                    for target in panel["targets"]:
                        self.assertEqual(target["datasource"]["uid"], "${datasource}")
                    self.assertEqual(len({t["refId"] for t in panel["targets"]}), len(panel["targets"]))

    def test_panels_do_not_overlap(self):
        for name in DASHBOARDS:
            taken = {}
            for panel in DASHBOARDS[name]["panels"]:
                place = panel["gridPos"]
                self.assertLessEqual(place["x"] + place["w"], 24)
                for cell in ((x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])):
                    self.assertNotIn(cell, taken, f"{name}: {panel['title']} lies on {taken.get(cell)}")
                    taken[cell] = panel["title"]

    def test_rates_follow_the_interval(self):
        for name, panel, target in everything():
            with self.subTest(name, panel=panel["title"]):
                for interval in re.findall(r"\b(?:rate|irate)\([^\[]*\[([^\]]+)\]", target["expr"]):
                    self.assertEqual(interval, "$__rate_interval")
                self.assertNotRegex(target["expr"], r"\[RATE\]")

    def test_expressions_select_one_run(self):
        for name, panel, target in everything():
            for metric, matchers in catalogue.SELECTOR.findall(target["expr"]):
                with self.subTest(name, panel=panel["title"], metric=metric):
                    self.assertIn('namespace=~"$namespace"', matchers)
                    if panel["title"] != "All runs":
                        self.assertIn('run="$run"', matchers)
        for _, panel, target in [e for e in everything() if e[0] == "kubernetes"]:
            self.assertIn('namespace=~"$namespace"', target["expr"], panel["title"])

    def test_metrics_labels_and_their_values_exist(self):
        metrics = catalogue.read(BIN)
        for name, panel, target in everything():
            with self.subTest(name, panel=panel["title"]):
                self.assertEqual(catalogue.unknown(target["expr"], metrics), [])
        for name in OF_A_RUN:
            for annotation in DASHBOARDS[name]["annotations"]["list"]:
                self.assertEqual(catalogue.unknown(annotation["expr"], metrics), [])

    def test_counters_and_no_others_are_rated(self):
        known = catalogue.series(catalogue.read(BIN))
        for name, panel, target in everything():
            for metric in re.findall(r"\b(?:rate|increase)\(((?:lvrpo|process)_\w+)", target["expr"]):
                with self.subTest(name, panel=panel["title"], metric=metric):
                    self.assertEqual(known[metric]["type"], "counter")

    def test_descriptions_name_runbooks_that_exist(self):
        named = set()
        for name in DASHBOARDS:
            for panel in panels(name):
                for text in re.findall(r"docs/runbooks\.md, (\w+)", panel["description"]):
                    self.assertIn(text, ALERTS, panel["title"])
                    named.add(text)
        self.assertGreater(len(named), 10)

    def test_runbooks_name_panels_that_exist(self):
        titles = {panel["title"] for name in DASHBOARDS for panel in panels(name)}
        text = " ".join((ROOT / "docs/runbooks.md").read_text().split())
        for found in re.findall(r'[Pp]anels? ("[^"]+"(?:(?:, | and )"[^"]+")*)', text):
            for title in re.findall(r'"([^"]+)"', found):
                with self.subTest(title):
                    self.assertIn(title, titles)
        for title in re.findall(r'[Dd]ashboard "([^"]+)"', text):
            self.assertIn(title, {dashboard["title"] for dashboard in DASHBOARDS.values()})

    def test_prometheus_reads_every_expression(self):
        expressions = [target["expr"] for _, _, target in everything()]
        expressions += [a["expr"] for name in OF_A_RUN for a in DASHBOARDS[name]["annotations"]["list"]]
        rules = [{"record": f"dashboard:expression:{i}", "expr": e.replace("$__rate_interval", "5m")} for i, e in enumerate(expressions)]
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "expressions.yml"
            path.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
            result = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, (result.stdout + result.stderr)[-3000:])


if __name__ == "__main__":
    unittest.main()
