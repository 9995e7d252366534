#!/usr/bin/env python3
"""Holds deploy/kubernetes against Kubernetes' schemas, against our rules (policy.py), and against the real binaries.

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

import policy  # noqa: E402
from objects import (component, edges, flag, from_outside, main_container, numbers, of, one, pod, workloads)  # noqa: E402

BIN = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else ROOT / "build/release/bin")
FOLDER = ROOT / "deploy/kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
OBJECTS = [o for name in KUSTOMIZATION["resources"] for o in yaml.safe_load_all((FOLDER / name).read_text()) if o]
CONFIG = one(OBJECTS, "ConfigMap", role="config")["data"]["run.yaml"]
# As docs and the chart's README say: who dials whom.
EDGES = {("learner", "coordinator", 7070), ("rollout", "coordinator", 7070), ("reward", "coordinator", 7070),
         ("evaluation", "coordinator", 7070), ("inspect", "coordinator", 7070), ("rollout", "learner", 7071),
         ("rollout", "reward", 7072), ("rollout", "rollout", 7073)}


def exit_codes():
    """Name -> number, from common/exit_code.h."""
    text = (ROOT / "common/exit_code.h").read_text()
    return {name: int(code) for name, code in re.findall(r"kExit(\w+) = (\d+)", text)}


def job_action(job, exit_code, disrupted=False):
    """The Job controller's action for a pod that failed like this: the first rule that matches, or Count."""
    for rule in job["spec"]["podFailurePolicy"]["rules"]:
        on = rule.get("onExitCodes")
        if on and (exit_code in on["values"]) == (on["operator"] == "In"):
            return rule["action"]
        if disrupted and any(c["type"] == "DisruptionTarget" for c in rule.get("onPodConditions", [])):
            return rule["action"]
    return "Count"


def flat(settings, prefix=""):
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


class Manifests(unittest.TestCase):
    def test_keep_all_rules(self):
        self.assertEqual(policy.offences(OBJECTS), [])

    def test_fit_the_schemas(self):
        import kubernetes_validate
        for o in OBJECTS:
            with self.subTest(o["metadata"]["name"], kind=o["kind"]):
                kubernetes_validate.validate(o, "1.36", strict=True)

    def test_are_what_the_chart_renders(self):
        result = subprocess.run([sys.executable, ROOT / "tools/render_chart.py", "--check"], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_every_role_is_there(self):
        self.assertEqual({(w["kind"], component(w)) for w in workloads(OBJECTS)},
                         {("StatefulSet", "coordinator"), ("Job", "learner"), ("Deployment", "rollout"), ("Deployment", "reward"),
                          ("Job", "evaluation"), ("Deployment", "inspect")})
        self.assertEqual(one(OBJECTS, "Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted")

    def test_every_file_is_listed(self):
        self.assertEqual(set(KUSTOMIZATION["resources"]), {p.name for p in FOLDER.glob("*.yaml")} - {"kustomization.yaml"})

    def test_the_network_has_exactly_the_edges_that_are_needed(self):
        self.assertEqual(edges(OBJECTS, "ingress"), EDGES)
        self.assertEqual(edges(OBJECTS, "egress"), EDGES)
        serving = {"coordinator", "learner", "rollout", "reward", "evaluation"}
        self.assertEqual(from_outside(OBJECTS, "ingress"), {(role, "monitoring", 9090) for role in serving})
        self.assertEqual(from_outside(OBJECTS, "egress"), {(role, "kube-system", 53) for role in serving | {"inspect"}})

    def test_edges_lead_to_ports_that_are_served(self):
        served = {(component(w), p["containerPort"]) for w in workloads(OBJECTS) for p in main_container(w).get("ports", [])}
        self.assertLessEqual({(to, port) for _, to, port in EDGES}, served)
        for w in workloads(OBJECTS):
            if "--listen" in main_container(w)["args"]:
                self.assertIn((component(w), int(flag(w, "--listen").split(":")[1])), served)

    def test_copies_of_steps_survive_the_learners_container(self):
        job = one(OBJECTS, "Job", role="learner")
        container, codes = main_container(job), exit_codes()
        (rule,) = container["restartPolicyRules"]
        self.assertEqual(rule["exitCodes"], {"operator": "In", "values": [codes["Retry"], 137]})
        folder = flag(job, "--set").removeprefix("learner.step_copies=")
        (mount,) = [m for m in container["volumeMounts"] if m["mountPath"] == folder]
        (volume,) = [v for v in pod(job)["volumes"] if v["name"] == mount["name"]]
        self.assertEqual(volume["emptyDir"]["medium"], "Memory")
        self.assertLess(numbers(volume["emptyDir"]["sizeLimit"]), numbers(container["resources"]["limits"]["memory"]))

    def test_who_uses_the_run_folder_is_on_its_node(self):
        """So that `lvrpo audit` finds the checkpoints next to the records."""
        coordinator = one(OBJECTS, "StatefulSet")
        self.assertEqual(one(OBJECTS, "PersistentVolumeClaim")["spec"]["accessModes"], ["ReadWriteOnce"])
        users = {component(w): w for w in workloads(OBJECTS) if any("persistentVolumeClaim" in v for v in pod(w)["volumes"])}
        self.assertEqual(set(users), {"coordinator", "learner", "evaluation", "inspect"})
        for role in ("learner", "evaluation"):
            self.assertEqual(flag(users[role], "--run-dir"), flag(coordinator, "--run-dir"))
            term, = pod(users[role])["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
            self.assertEqual(term["topologyKey"], "kubernetes.io/hostname")
            self.assertEqual(term["labelSelector"]["matchLabels"], coordinator["spec"]["selector"]["matchLabels"])
        for w in users.values():
            mount = next(m for m in main_container(w)["volumeMounts"] if m["name"] == "run")
            self.assertTrue(flag(coordinator, "--run-dir").startswith(mount["mountPath"] + "/"))
            self.assertNotIn("readOnly", mount)

    def test_jobs_come_back_unless_that_cannot_help(self):
        code = exit_codes()
        never = {int(row) for row in re.findall(r"^\| (\d+) \|[^|]*\| no\b[^|]*\|$", (ROOT / "docs/operating.md").read_text(), re.M)}
        for job in of(OBJECTS, "Job"):
            with self.subTest(component(job)):
                for name in ("Usage", "Config", "Data", "Diverged"):
                    self.assertEqual(job_action(job, code[name]), "FailJob")
                    self.assertEqual(job_action(job, code[name], disrupted=True), "FailJob")
                self.assertEqual(job_action(job, code["Retry"]), "Ignore")  # told to leave: deleted, evicted, drained
                self.assertEqual(job_action(job, code["Retry"], disrupted=True), "Ignore")
                self.assertEqual(job_action(job, 137, disrupted=True), "Ignore")  # lost with its node
                for exit_code in (137, code["Unavailable"], code["Bug"]):
                    self.assertEqual(job_action(job, exit_code), "Count")
                self.assertGreaterEqual(job["spec"]["backoffLimit"], 10)
                rule = next(r["onExitCodes"] for r in job["spec"]["podFailurePolicy"]["rules"] if "onExitCodes" in r)
                self.assertEqual(never, set(rule["values"]))  # as docs/operating.md says of `lvrpo run`

    def test_every_exit_code_is_documented(self):
        rows = set(re.findall(r"^\| (\d+) \|", (ROOT / "docs/operating.md").read_text(), re.M))
        self.assertEqual({int(r) for r in rows}, set(exit_codes().values()) | {0, 2})

    def test_arguments_are_flags_of_the_binaries(self):
        for w in workloads(OBJECTS):
            args = main_container(w)["args"]
            if args[0] == "sleep":
                continue
            with self.subTest(args[0]):
                text = subprocess.run([BIN / args[0], "--help"], capture_output=True, text=True, check=True).stdout
                known = set(re.findall(r"--[a-z][a-z-]*", text))
                self.assertLessEqual({a for a in args if a.startswith("--")}, known)

    def test_the_configuration_is_the_default_one(self):
        ours = dict(flat(yaml.safe_load(CONFIG)))
        default = dict(flat(yaml.safe_load((ROOT / "configs/shapes.yaml").read_text())))
        of_lvrpo_run = {key for key in default if key.split(".")[0] in ("out", "local")}
        patience = {"coordinator.member_timeout_seconds", "coordinator.drain_grace_seconds", "rollout.lease_seconds"}
        self.assertEqual({k: v for k, v in ours.items() if k not in patience},
                         {k: v for k, v in default.items() if k not in of_lvrpo_run | patience})
        self.assertLessEqual(patience, set(ours))

    def test_the_configuration_is_valid_for_the_real_binaries(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(CONFIG)
            file.flush()
            result = subprocess.run([BIN / "lvrpo", "validate", "--config", file.name], capture_output=True, text=True, cwd=ROOT)
            self.assertEqual(result.returncode, 0, result.stderr)

    def test_pods_are_given_time_to_leave(self):
        grace = yaml.safe_load(CONFIG)["coordinator"]["drain_grace_seconds"]
        for w in workloads(OBJECTS):
            if component(w) in ("coordinator", "learner", "rollout", "reward"):
                with self.subTest(w["metadata"]["name"]):
                    self.assertGreaterEqual(pod(w)["terminationGracePeriodSeconds"], grace + 10)

    def test_a_learner_has_a_core_for_each_thread(self):
        for role in ("learner", "rollout"):
            (w,) = [w for w in workloads(OBJECTS) if component(w) == role]
            self.assertGreaterEqual(numbers(main_container(w)["resources"]["requests"]["cpu"]), int(flag(w, "--threads")))

    def test_pools_survive_a_drained_node_and_let_it_go(self):
        for role in ("rollout", "reward"):
            budget = one(OBJECTS, "PodDisruptionBudget", role=role)["spec"]
            self.assertRegex(str(budget["maxUnavailable"]), r"^[1-9]")  # 0 would make drains hang
        self.assertEqual(of(OBJECTS, "PodDisruptionBudget", role="learner"), [])

    def test_the_deployment_page_names_what_is_there(self):
        text = (ROOT / "docs/deployment.md").read_text()
        there = {(o["kind"].lower(), o["metadata"]["name"]) for o in OBJECTS}
        commands = re.findall(r"\b(deployment|deploy|statefulset|service)[ /](lvrpo-[a-z]+)\b", text)
        self.assertGreater(len(commands), 3)
        for kind, name in commands:
            self.assertIn(("deployment" if kind == "deploy" else kind, name), there)
        roles = re.findall(r"app\.kubernetes\.io/component=(\w+)", text)
        self.assertLessEqual(set(roles), {component(w) for w in workloads(OBJECTS)})
        self.assertTrue(roles)
        for path in re.findall(r"(?<![/\w])deploy/[\w./-]+", re.sub(r"\bdeploy/lvrpo-\w+", "", text)):
            self.assertTrue((ROOT / path.rstrip(".")).exists(), path)
        self.assertIn(f"lvrpo audit {flag(one(OBJECTS, 'StatefulSet'), '--run-dir')}\n", text)


if __name__ == "__main__":
    unittest.main()
