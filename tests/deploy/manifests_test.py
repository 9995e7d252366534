#!/usr/bin/env python3
"""Holds deploy/kubernetes against Kubernetes' schemas, against itself, and against the real binaries.

    manifests_test.py BIN_DIR
"""
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

BIN = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else ROOT / "build/release/bin")
FOLDER = ROOT / "deploy/kubernetes"


def objects():
    for name in yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]:
        yield from (o for o in yaml.safe_load_all((FOLDER / name).read_text()) if o)


def workloads():
    return [o for o in objects() if o["kind"] in ("Deployment", "StatefulSet", "Job")]


class Manifests(unittest.TestCase):
    def test_fit_the_schemas(self):
        import kubernetes_validate
        for o in objects():
            with self.subTest(o["metadata"]["name"], kind=o["kind"]):
                kubernetes_validate.validate(o, "1.36", strict=True)

    def test_every_file_is_listed(self):
        listed = set(yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"])
        self.assertEqual(listed, {p.name for p in FOLDER.glob("*.yaml")} - {"kustomization.yaml"})

    def test_selectors_match_their_pods(self):
        pods = [w["spec"]["template"]["metadata"]["labels"] for w in workloads()]
        for o in objects():
            if o["kind"] in ("Deployment", "StatefulSet"):
                self.assertEqual(o["spec"]["selector"]["matchLabels"], o["spec"]["template"]["metadata"]["labels"])
            if o["kind"] == "Service":
                self.assertTrue(any(o["spec"]["selector"].items() <= labels.items() for labels in pods))

    def test_pods_are_locked_down_and_probed(self):
        for w in workloads():
            pod = w["spec"]["template"]["spec"]
            with self.subTest(w["metadata"]["name"]):
                self.assertTrue(pod["securityContext"]["runAsNonRoot"])
                self.assertFalse(pod["automountServiceAccountToken"])
                self.assertGreaterEqual(pod["terminationGracePeriodSeconds"], 60)
                for container in pod["containers"]:
                    security = container["securityContext"]
                    self.assertTrue(security["readOnlyRootFilesystem"])
                    self.assertFalse(security["allowPrivilegeEscalation"])
                    self.assertEqual(security["capabilities"]["drop"], ["ALL"])
                    self.assertIn("requests", container["resources"])
                    self.assertIn("memory", container["resources"]["limits"])
                    self.assertEqual(container["livenessProbe"]["httpGet"]["path"], "/healthz")
                    self.assertEqual(container["readinessProbe"]["httpGet"]["path"], "/readyz")
                    names = {p["name"] for p in container["ports"]}
                    self.assertIn(container["readinessProbe"]["httpGet"]["port"], names)

    def test_arguments_are_flags_of_the_binaries(self):
        for w in workloads():
            for container in w["spec"]["template"]["spec"]["containers"]:
                args = container["args"]
                with self.subTest(args[0]):
                    text = subprocess.run([BIN / args[0], "--help"], capture_output=True, text=True, check=True).stdout
                    known = set(re.findall(r"--[a-z][a-z-]*", text))
                    self.assertLessEqual({a for a in args if a.startswith("--")}, known)

    def test_addresses_lead_somewhere(self):
        services = {o["metadata"]["name"]: {p["port"] for p in o["spec"]["ports"]} for o in objects() if o["kind"] == "Service"}
        for w in workloads():
            args = w["spec"]["template"]["spec"]["containers"][0]["args"]
            if "--coordinator" in args:
                host, port = args[args.index("--coordinator") + 1].split(":")
                self.assertIn(int(port), services[host])

    def test_the_configuration_is_valid_for_the_real_binaries(self):
        config = next(o for o in objects() if o["kind"] == "ConfigMap")["data"]["run.yaml"]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(config)
            file.flush()
            result = subprocess.run([BIN / "lvrpo", "validate", "--config", file.name], capture_output=True, text=True, cwd=ROOT)
            self.assertEqual(result.returncode, 0, result.stderr)


if __name__ == "__main__":
    unittest.main()
