#!/usr/bin/env python3
"""Runs the commands of docs/deployment.md, section by section: what is done in a pod with the real programs and a coordinator of this
machine, the rest with stand-ins that know our objects (tests/kubernetes/cluster_test.py has a real API server instead).

    walkthrough_test.py BIN_DIR
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, os.environ.get("LVRPO_PYTHON", str(ROOT / ".deps/python")))
import yaml  # noqa: E402

import walkthrough  # noqa: E402

BIN = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else ROOT / "build/release/bin").resolve()
FOLDER = ROOT / "deploy/kubernetes"
OBJECTS = [o for name in yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
           for o in yaml.safe_load_all((FOLDER / name).read_text()) if o]


class Walkthrough(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        (self.folder / "objects.json").write_text(json.dumps(OBJECTS))
        walkthrough.write_stand_ins(self.folder / "bin", ("kubectl", "helm", "docker"))
        self.environment = dict(os.environ, PATH=f"{self.folder}/bin:{os.environ['PATH']}", OBJECTS=str(self.folder / "objects.json"),
                                BIN=str(BIN), RUN_DIR=str(self.folder / "run"), COORDINATOR="", LOG=str(self.folder / "log"))

    def start_coordinator(self):
        """A coordinator of the objects' own configuration."""
        config = self.folder / "run.yaml"
        config.write_text(next(o for o in OBJECTS if o["kind"] == "ConfigMap")["data"]["run.yaml"])
        address = self.folder / "address.json"
        process = subprocess.Popen([BIN / "lvrpo-coordinator", "--config", config, "--run-dir", self.folder / "run", "--address-file", address],
                                   cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for line in process.stderr:  # until it serves
            if address.exists():
                break
        self.environment["COORDINATOR"] = json.loads(address.read_text())["address"]
        return process

    def run_script(self, text):
        # The folder of the copied run folder is the test's; paths of the page are the repository's.
        text = text.replace(" shapes\n", f" {self.folder}/copy\n")
        return subprocess.run(["bash", "-euo", "pipefail", "-c", text], env=self.environment, cwd=ROOT, capture_output=True, text=True)

    def test_the_first_hour(self):
        self.start_coordinator()
        result = self.run_script(walkthrough.sections()["The first hour"])
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        calls = (self.folder / "log").read_text().splitlines()
        for words in ("docker build", "helm upgrade --install", "kubectl apply -k", "lvrpo status", "scale deployment lvrpo-rollout", "wait --for",
                      "lvrpo audit", "cp ", "lvrpo drain", "helm uninstall"):
            self.assertTrue(any(words in call for call in calls), words)
        self.assertTrue((self.folder / "copy/coordinator.sqlite").exists())

    def test_the_other_sections(self):
        for title, text in walkthrough.sections().items():
            if text and title != "The first hour":
                with self.subTest(title):
                    result = self.run_script(text)
                    self.assertEqual(result.returncode, 0, result.stderr)

    def test_every_block_is_one_that_is_run(self):
        fences = re.findall(r"^```(.*)$", walkthrough.PAGE.read_text(), re.M)
        self.assertEqual(set(fences[::2]), {"bash"})
        self.assertEqual(set(fences[1::2]), {""})

    def test_stand_ins_refuse_what_the_real_ones_would(self):
        for wrong in ("kubectl -n lvrpo scale deployment lvrpo-rollouts --replicas 8", "kubectl -n lvrpo get pods -l app.kubernetes.io/component=worker",
                      "kubectl apply -k deploy/kustomize", "kubectl -n lvrpo port-forward service/lvrpo-coordinator 9090:9090",
                      "helm upgrade --install lvrpo deploy/chart", "docker build -f Dockerfile .", "kubectl -n lvrpo exec deploy/none -- lvrpo version"):
            with self.subTest(wrong):
                self.assertEqual(self.run_script(wrong).returncode, 2)


if __name__ == "__main__":
    unittest.main()
