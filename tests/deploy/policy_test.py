#!/usr/bin/env python3
"""Plants one error for each rule of policy.py into the plain manifests: that rule finds it. And objects.py reads what it should."""
import copy
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.argv = sys.argv[:1]  # as for the other tests of this folder: no use for the binaries

import yaml  # noqa: E402

import policy  # noqa: E402
from objects import edges, from_outside, main_container, numbers, of, one, pod, pod_labels, template  # noqa: E402

FOLDER = ROOT / "deploy/kubernetes"
OBJECTS = [o for name in yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
           for o in yaml.safe_load_all((FOLDER / name).read_text()) if o]


def rollout(objects):
    return one(objects, "Deployment", role="rollout")


def learner(objects):
    return one(objects, "Job", role="learner")


def container(objects):
    return main_container(rollout(objects))


def drop(place, key):
    del place[key]


# (rule, what is planted)
PLANTED = [
    ("labels", lambda o: drop(rollout(o)["metadata"]["labels"], "app.kubernetes.io/part-of")),
    ("labels", lambda o: drop(template(rollout(o))["metadata"]["labels"], "app.kubernetes.io/version")),
    ("restricted", lambda o: pod(rollout(o)).update(hostNetwork=True)),
    ("restricted", lambda o: pod(rollout(o))["securityContext"].update(runAsUser=0)),
    ("restricted", lambda o: drop(pod(rollout(o))["securityContext"], "seccompProfile")),
    ("restricted", lambda o: pod(rollout(o))["volumes"].append({"name": "x", "hostPath": {"path": "/"}})),
    ("restricted", lambda o: container(o)["securityContext"].update(allowPrivilegeEscalation=True)),
    ("restricted", lambda o: container(o)["securityContext"]["capabilities"].update(add=["SYS_ADMIN"])),
    ("restricted", lambda o: drop(container(o)["securityContext"], "readOnlyRootFilesystem")),
    ("resources", lambda o: drop(container(o)["resources"], "limits")),
    ("resources", lambda o: drop(container(o)["resources"]["requests"], "cpu")),
    ("resources", lambda o: container(o)["resources"]["limits"].update({"nvidia.com/gpu": 1})),
    ("images", lambda o: container(o).update(image="lvrpo:latest")),
    ("images", lambda o: container(o).update(image="registry.example.com:5000/lvrpo")),
    ("images", lambda o: container(o).update(image="lvrpo:0.2.0")),
    ("probes", lambda o: drop(container(o), "livenessProbe")),
    ("probes", lambda o: container(o)["readinessProbe"]["httpGet"].update(path="/healthz")),
    ("accounts", lambda o: pod(rollout(o)).update(serviceAccountName="default")),
    ("accounts", lambda o: drop(pod(rollout(o)), "automountServiceAccountToken")),
    ("mounts", lambda o: container(o)["volumeMounts"].append({"name": "none", "mountPath": "/none"})),
    ("mounts", lambda o: pod(rollout(o))["volumes"][0].update(configMap={"name": "old"})),
    ("mounts", lambda o: container(o)["volumeMounts"][1].update(mountPath="/etc/lvrpo/run/tmp")),
    ("selectors", lambda o: pod_labels(rollout(o)).update({"app.kubernetes.io/component": "other"})),
    ("selectors", lambda o: one(o, "PodDisruptionBudget", role="reward")["spec"]["selector"]["matchLabels"].update(x="y")),
    ("replicas", lambda o: drop(rollout(o)["spec"], "replicas")),
    ("network", lambda o: of(o, "NetworkPolicy", role="learner")[0]["spec"]["ingress"].pop(0)),
    ("network", lambda o: of(o, "NetworkPolicy", role="learner")[0]["spec"]["egress"].append({"ports": [{"port": 443}]})),
    ("network", lambda o: [p["spec"].update(policyTypes=["Ingress"]) for p in of(o, "NetworkPolicy")]),
    ("addresses", lambda o: container(o)["args"].__setitem__(4, "lvrpo-coordinator:7071")),
    ("addresses", lambda o: one(o, "Service", "lvrpo-coordinator")["spec"]["ports"][0].update(port=7000)),
    ("transport", lambda o: container(o)["args"].__setitem__(-1, "--tls")),
    ("pools", lambda o: drop(pod(rollout(o)), "topologySpreadConstraints")),
    ("jobs", lambda o: drop(learner(o)["spec"], "podReplacementPolicy")),
    ("jobs", lambda o: drop(learner(o)["spec"], "ttlSecondsAfterFinished")),
    ("jobs", lambda o: learner(o)["spec"]["podFailurePolicy"]["rules"][0]["onExitCodes"].update(containerName="main")),
]


class Policy(unittest.TestCase):
    def test_each_rule_finds_what_was_planted(self):
        for number, (rule, plant) in enumerate(PLANTED):
            with self.subTest(rule, number=number):
                objects = copy.deepcopy(OBJECTS)
                plant(objects)
                self.assertIn(rule, {text.split(":")[0] for text in policy.offences(objects)})

    def test_every_rule_is_planted(self):
        self.assertEqual({rule for rule, _ in PLANTED}, {rule.__name__ for rule in policy.RULES})


class Objects(unittest.TestCase):
    def test_quantities(self):
        for text, value in (("512Mi", 2**29), ("500m", .5), ("2", 2), ("4Gi", 2**32), ("1.5k", 1500)):
            self.assertEqual(numbers(text), value)

    def test_edges(self):
        policy_ = {"kind": "NetworkPolicy", "spec": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/component": "a"}},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app.kubernetes.io/component": "b"}}}], "ports": [{"port": 1}]},
                        {"from": [{"namespaceSelector": {"matchLabels": {"n": "monitoring"}}}], "ports": [{"port": 2}]}],
            "egress": [{"to": [{"podSelector": {"matchLabels": {"app.kubernetes.io/component": "b"}}}]}]}}
        self.assertEqual(edges([policy_], "ingress"), {("b", "a", 1)})
        self.assertEqual(edges([policy_], "egress"), {("a", "b", 0)})
        self.assertEqual(from_outside([policy_], "ingress"), {("a", "monitoring", 2)})


if __name__ == "__main__":
    unittest.main()
