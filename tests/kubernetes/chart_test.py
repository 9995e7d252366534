#!/usr/bin/env python3
"""Renders the chart with many sets of values and looks at the objects (needs helm: make setup-kubernetes).

    chart_test.py BIN_DIR
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests/deploy")]
import render_chart  # noqa: E402  (finds PyYAML)
import yaml  # noqa: E402

import policy  # noqa: E402
from objects import (edges, flag, from_outside, main_container, of, one, pod, pod_labels, workloads)  # noqa: E402

BIN = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else ROOT / "build/release/bin")
EXAMPLES = ROOT / "deploy/helm/examples"


def render(values, release="lvrpo", namespace="lvrpo"):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(values, file)
        file.flush()
        text = render_chart.template(["--values", file.name], release, namespace)
    return [o for o in yaml.safe_load_all(text) if o]


def deployment(objects, role):
    return one(objects, "Deployment", role=role)


def learner(objects):
    return (of(objects, "Job", role="learner") + of(objects, "JobSet", role="learner"))[0]


def config(objects):
    return yaml.safe_load(one(objects, "ConfigMap", role="config")["data"]["run.yaml"])


def argument(objects, role, name):
    return flag(next(w for w in workloads(objects) if w["metadata"]["labels"]["app.kubernetes.io/component"] == role), name)


def volume(workload, name):
    return next(v for v in pod(workload)["volumes"] if v["name"] == name)


def names(objects, kind):
    return {o["metadata"]["name"] for o in of(objects, kind)}


def roles(objects):
    return [w for w in workloads(objects) if main_container(w)["args"][0] != "sleep"]


KEDA = {"autoscaling": {"mode": "keda"}}
RULE = {"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}], "ports": [{"protocol": "TCP", "port": 443}]}

# (what, values, [what holds of the objects]); a function gets all objects and returns whether it holds.
CASES = [
    ("defaults: one of each role", {}, [
        lambda o: len(workloads(o)) == 6, lambda o: names(o, "Service") == {"lvrpo-coordinator", "lvrpo-coordinator-pods"}]),
    ("no namespace by default", {}, [lambda o: not of(o, "Namespace")]),
    ("a namespace with its standard", {"namespace": {"create": True, "podSecurity": "baseline"}}, [
        lambda o: one(o, "Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"]),
    ("image by tag", {"image": {"repository": "r.example/lvrpo", "tag": "1.2"}}, [
        lambda o: {main_container(w)["image"] for w in workloads(o)} == {"r.example/lvrpo:1.2"}]),
    ("the tag is the version's label", {"image": {"tag": "1.2"}}, [
        lambda o: all(pod_labels(w)["app.kubernetes.io/version"] == "1.2" for w in workloads(o))]),
    ("image by digest", {"image": {"digest": "sha256:" + "0" * 64}}, [
        lambda o: {main_container(w)["image"] for w in workloads(o)} == {"lvrpo@sha256:" + "0" * 64}]),
    ("pull policy", {"image": {"pullPolicy": "Always"}}, [lambda o: all(main_container(w)["imagePullPolicy"] == "Always" for w in workloads(o))]),
    ("pull secrets", {"imagePullSecrets": [{"name": "r"}]}, [lambda o: all(pod(w)["imagePullSecrets"] == [{"name": "r"}] for w in workloads(o))]),
    ("another name", {"fullnameOverride": "paint"}, [
        lambda o: "paint-coordinator" in names(o, "StatefulSet"), lambda o: argument(o, "rollout", "--coordinator") == "paint-coordinator:7070"]),
    ("labels for all", {"commonLabels": {"team": "x"}}, [
        lambda o: all(p["metadata"]["labels"]["team"] == "x" for p in o), lambda o: all(pod_labels(w)["team"] == "x" for w in workloads(o)),
        lambda o: all("team" not in w["spec"]["selector"]["matchLabels"] for w in of(o, "Deployment"))]),
    ("annotations for all", {"commonAnnotations": {"owner": "x"}}, [lambda o: all(w["metadata"]["annotations"]["owner"] == "x" for w in workloads(o))]),
    ("another run name is another folder", {"runName": "second"}, [
        lambda o: {argument(o, r, "--run-dir") for r in ("coordinator", "learner", "evaluation")} == {"/var/lib/lvrpo/second"}]),
    ("a setting of the run", {"config": {"train": {"steps": 7}}}, [
        lambda o: config(o)["train"]["steps"] == 7, lambda o: config(o)["train"]["groups_per_step"] == 8]),
    ("large and small numbers", {"config": {"seed": 9007199254740993, "train": {"image": {"eps": 1e-8}}}}, [
        lambda o: float(config(o)["train"]["image"]["eps"]) == 1e-8]),
    ("a configuration as text", {"configFile": "name: mine\n"}, [lambda o: config(o) == {"name": "mine"}]),
    ("the ConfigMap cannot change", {}, [lambda o: one(o, "ConfigMap", role="config")["immutable"] is True]),
    ("the volume", {"storage": {"size": "1Ti", "storageClassName": "fast"}}, [
        lambda o: one(o, "PersistentVolumeClaim")["spec"]["storageClassName"] == "fast",
        lambda o: one(o, "PersistentVolumeClaim")["spec"]["resources"]["requests"]["storage"] == "1Ti"]),
    ("the default class is not named", {}, [lambda o: "storageClassName" not in one(o, "PersistentVolumeClaim")["spec"]]),
    ("a claim that is there", {"storage": {"existingClaim": "mine"}}, [
        lambda o: not of(o, "PersistentVolumeClaim"),
        lambda o: volume(learner(o), "run")["persistentVolumeClaim"]["claimName"] == "mine"]),
    ("a volume to keep", {"storage": {"keep": True}}, [
        lambda o: one(o, "PersistentVolumeClaim")["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"]),
    ("a model from a claim", {"model": {"volume": {"persistentVolumeClaim": {"claimName": "m", "readOnly": True}}}}, [
        lambda o: volume(deployment(o, "rollout"), "models")["persistentVolumeClaim"]["claimName"] == "m",
        lambda o: all(m["readOnly"] for m in main_container(deployment(o, "reward"))["volumeMounts"] if m["name"] == "models"),
        lambda o: not any(v["name"] == "models" for v in pod(one(o, "StatefulSet"))["volumes"])]),
    ("a model from an OCI image", {"model": {"volume": {"image": {"reference": "r.example/m:1"}}, "mountPath": "/m"}}, [
        lambda o: volume(learner(o), "models")["image"]["reference"] == "r.example/m:1"]),
    ("a model that is fetched", {"model": {"fetch": {"image": "f:1", "args": ["x"], "sizeLimit": "9Gi"}}}, [
        lambda o: pod(learner(o))["initContainers"][0]["args"] == ["x"],
        lambda o: volume(learner(o), "models")["emptyDir"]["sizeLimit"] == "9Gi",
        lambda o: "initContainers" not in pod(one(o, "StatefulSet"))]),
    ("plain text by default", {}, [lambda o: {main_container(w)["name"] for w in roles(o) if "--insecure" in main_container(w)["args"]} == {"coordinator", "learner", "rollout", "reward"}, lambda o: not of(o, "Certificate")]),
    ("TLS by cert-manager", {"tls": {"mode": "certManager"}}, [
        lambda o: all(flag(w, "--tls") == "/etc/lvrpo/tls" and "--insecure" not in main_container(w)["args"] for w in roles(o)),
        lambda o: {c["spec"]["uris"][0] for c in of(o, "Certificate") if "uris" in c["spec"]} ==
        {f"spiffe://lvrpo/lvrpo.lvrpo/{r}" for r in ("coordinator", "learner", "rollout", "reward", "evaluation", "operator")},
        lambda o: all(set(c["spec"]["usages"]) >= {"server auth", "client auth"} for c in of(o, "Certificate") if "uris" in c["spec"]),
        lambda o: sum(c["spec"].get("isCA", False) for c in of(o, "Certificate")) == 1,
        lambda o: {"selfSigned": {}} in [i["spec"] for i in of(o, "Issuer")]]),
    ("each pod has its role's certificate", {"tls": {"mode": "certManager"}}, [
        lambda o: all(volume(w, "tls")["secret"]["secretName"] == f"lvrpo-tls-{main_container(w)['name']}" for w in roles(o)),
        lambda o: volume(one(o, "StatefulSet"), "operator-tls")["secret"]["secretName"] == "lvrpo-tls-operator",
        lambda o: {c["spec"]["secretName"] for c in of(o, "Certificate")} >=
        {v["secret"]["secretName"] for w in workloads(o) for v in pod(w)["volumes"] if "secret" in v}]),
    ("people in the coordinator's pod are the operator", {"tls": {"mode": "certManager"}}, [
        lambda o: {"name": "LVRPO_TLS", "value": "/etc/lvrpo/operator"} in main_container(one(o, "StatefulSet"))["env"],
        lambda o: not any(e["name"] == "LVRPO_TLS" for e in main_container(deployment(o, "rollout"))["env"])]),
    ("the coordinator's certificate has its Service's names", {"tls": {"mode": "certManager"}}, [
        lambda o: "lvrpo-coordinator.lvrpo.svc" in one(o, "Certificate", "lvrpo-tls-coordinator")["spec"]["dnsNames"]]),
    ("an issuer that is there", {"tls": {"mode": "certManager", "certManager": {"issuerRef": {"name": "i", "kind": "Issuer"}}}}, [
        lambda o: not of(o, "Issuer"), lambda o: all(c["spec"]["issuerRef"]["name"] == "i" for c in of(o, "Certificate")),
        lambda o: not any(c["spec"].get("isCA") for c in of(o, "Certificate"))]),
    ("TLS by Secrets", {"tls": {"mode": "secret"}}, [
        lambda o: not of(o, "Certificate"), lambda o: volume(deployment(o, "rollout"), "tls")["secret"]["secretName"] == "lvrpo-tls-rollout"]),
    ("a certificate for KEDA when it scales", {"tls": {"mode": "certManager"}, "rollout": KEDA}, [
        lambda o: "lvrpo-tls-scaler" in names(o, "Certificate"),
        lambda o: {t["parameter"] for t in one(o, "TriggerAuthentication")["spec"]["secretTargetRef"]} == {"caCert", "tlsClientCert", "tlsClientKey"},
        lambda o: one(o, "ScaledObject")["spec"]["triggers"][0]["authenticationRef"]["name"] == one(o, "TriggerAuthentication")["metadata"]["name"]]),
    ("no certificate for what is off", {"tls": {"mode": "certManager"}, "evaluation": {"enabled": False}}, [
        lambda o: "lvrpo-tls-evaluation" not in names(o, "Certificate"), lambda o: "lvrpo-tls-scaler" not in names(o, "Certificate")]),
    ("no policies", {"networkPolicy": {"enabled": False}}, [lambda o: not of(o, "NetworkPolicy")]),
    ("no edges of what is off", {"evaluation": {"enabled": False}, "inspect": {"enabled": False}}, [
        lambda o: not any("evaluation" in e or "inspect" in e for e in edges(o, "ingress")), lambda o: ("rollout", "learner", 7071) in edges(o, "egress")]),
    ("several ranks talk to each other", {"learner": {"ranks": 2}}, [
        lambda o: ("learner", "learner", 0) in edges(o, "ingress")]),
    ("one rank does not", {}, [lambda o: ("learner", "learner", 0) not in edges(o, "ingress")]),
    ("a broadcast of weights needs all ports", {"config": {"weights": {"transport": "nccl"}}}, [
        lambda o: {("learner", "rollout", 0), ("rollout", "learner", 0), ("rollout", "rollout", 0)} <= edges(o, "ingress")]),
    ("who scrapes", {"networkPolicy": {"metricsFrom": [{"namespaceSelector": {"matchLabels": {"n": "obs"}}}]}}, [
        lambda o: ("rollout", "obs", 9090) in from_outside(o, "ingress"), lambda o: not any(e[1] == "monitoring" for e in from_outside(o, "ingress"))]),
    ("nobody scrapes", {"networkPolicy": {"metricsFrom": []}}, [lambda o: not from_outside(o, "ingress")]),
    ("who else calls the coordinator", {"networkPolicy": {"coordinatorFrom": [{"namespaceSelector": {"matchLabels": {"n": "ops"}}}]}}, [
        lambda o: ("coordinator", "ops", 7070) in from_outside(o, "ingress")]),
    ("KEDA may call when it scales", {"reward": KEDA}, [lambda o: ("coordinator", "keda", 7070) in from_outside(o, "ingress")]),
    ("and not when it does not", {}, [lambda o: not any(e[1] == "keda" for e in from_outside(o, "ingress"))]),
    ("egress of learner and reward servers", {"networkPolicy": {"learnerEgress": [RULE], "rewardEgress": [RULE]}}, [
        lambda o: {e[0] for e in from_outside(o, "egress") if e[1] == "10.1.0.0/16"} == {"learner", "reward"}]),
    ("egress for fetching models", {"networkPolicy": {"modelFetchEgress": [RULE]}}, [
        lambda o: {e[0] for e in from_outside(o, "egress") if e[1] == "10.1.0.0/16"} == {"learner", "rollout", "reward", "evaluation", "inspect"}]),
    ("a rank for each index", {"learner": {"ranks": 4}}, [
        lambda o: learner(o)["spec"]["completions"] == learner(o)["spec"]["parallelism"] == 4,
        lambda o: argument(o, "learner", "--rank") == "$(RANK)" and argument(o, "learner", "--ranks") == "4",
        lambda o: "learner.trusted_network=true" in main_container(learner(o))["args"],
        lambda o: any("job-completion-index" in e.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath", "") for e in main_container(learner(o))["env"])]),
    ("one rank needs no flags", {}, [lambda o: "--rank" not in main_container(learner(o))["args"], lambda o: learner(o)["spec"]["completionMode"] == "Indexed"]),
    ("a JobSet", {"learner": {"kind": "jobset", "ranks": 2}}, [
        lambda o: learner(o)["kind"] == "JobSet", lambda o: not of(o, "Job", role="learner"),
        lambda o: learner(o)["spec"]["failurePolicy"]["restartStrategy"] == "BlockingRecreate",
        lambda o: learner(o)["spec"]["replicatedJobs"][0]["template"]["spec"]["completions"] == 2]),
    ("volumes of the ranks' own", {"learner": {"runVolume": "own", "ownVolume": {"size": "9Gi", "storageClassName": "f"}},
                                   "config": {"checkpoints": {"store": "s3://b/p"}}, "evaluation": {"enabled": False}}, [
        lambda o: volume(learner(o), "run")["ephemeral"]["volumeClaimTemplate"]["spec"]["resources"]["requests"]["storage"] == "9Gi",
        lambda o: "podAffinity" not in pod(learner(o)).get("affinity", {}),
        lambda o: pod(learner(o))["initContainers"][0]["args"] == ["mkdir", "-p", "/var/lib/lvrpo/shapes"]]),
    ("copies of steps in memory", {"learner": {"stepCopies": {"sizeLimit": "3Gi"}}}, [
        lambda o: volume(learner(o), "steps")["emptyDir"] == {"medium": "Memory", "sizeLimit": "3Gi"}]),
    ("no copies of steps", {"learner": {"stepCopies": {"enabled": False}}}, [
        lambda o: not any("step_copies" in a for a in main_container(learner(o))["args"]), lambda o: not any(v["name"] == "steps" for v in pod(learner(o))["volumes"])]),
    ("Kueue", {"learner": {"kueueQueue": "q"}}, [
        lambda o: learner(o)["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "q", lambda o: learner(o)["spec"]["suspend"] is True]),
    ("Kueue with a JobSet", {"learner": {"kueueQueue": "q", "kind": "jobset"}}, [
        lambda o: learner(o)["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "q", lambda o: learner(o)["spec"]["suspend"] is True]),
    ("no queue, not suspended", {}, [lambda o: "suspend" not in learner(o)["spec"]]),
    ("ttl and backoff", {"learner": {"ttlSecondsAfterFinished": 60, "backoffLimit": 3}}, [
        lambda o: learner(o)["spec"]["ttlSecondsAfterFinished"] == 60 and learner(o)["spec"]["backoffLimit"] == 3]),
    ("a GPU for workers", {"rollout": {"gpus": 1}, "evaluation": {"gpus": 1}}, [
        lambda o: main_container(deployment(o, "rollout"))["resources"]["limits"]["nvidia.com/gpu"] == 1,
        lambda o: {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in pod(deployment(o, "rollout"))["tolerations"],
        lambda o: config(o)["rollout"]["device"] == "cuda" and "device" not in config(o).get("reward", {}),
        lambda o: "nvidia.com/gpu" not in main_container(deployment(o, "reward"))["resources"]["limits"]]),
    ("a part of a GPU", {"reward": {"gpus": 1, "gpuResourceName": "nvidia.com/mig-1g.10gb"}}, [
        lambda o: main_container(deployment(o, "reward"))["resources"]["requests"]["nvidia.com/mig-1g.10gb"] == 1, lambda o: config(o)["reward"]["device"] == "cuda"]),
    ("a GPU for the learner", {"learner": {"gpus": 1}}, [lambda o: config(o)["learner"]["device"] == "cuda"]),
    ("a device of one's own stays", {"learner": {"gpus": 1}, "config": {"learner": {"device": "cuda:0"}}}, [lambda o: config(o)["learner"]["device"] == "cuda:0"]),
    ("RDMA", {"learner": {"rdma": {"enabled": True, "resourceName": "rdma/x", "count": 2}}}, [
        lambda o: main_container(learner(o))["securityContext"]["capabilities"]["add"] == ["IPC_LOCK"],
        lambda o: main_container(learner(o))["resources"]["limits"]["rdma/x"] == 2]),
    ("replicas of the pools", {"rollout": {"replicas": 5}, "reward": {"replicas": 0}}, [
        lambda o: deployment(o, "rollout")["spec"]["replicas"] == 5 and deployment(o, "reward")["spec"]["replicas"] == 0]),
    ("threads", {"rollout": {"threads": 3}, "learner": {"threads": 5}}, [
        lambda o: argument(o, "rollout", "--threads") == "3" and argument(o, "learner", "--threads") == "5"]),
    ("KEDA scales from zero", {"rollout": {"autoscaling": {"mode": "keda", "minReplicas": 0, "maxReplicas": 9}}}, [
        lambda o: "replicas" not in deployment(o, "rollout")["spec"] and "replicas" in deployment(o, "reward")["spec"],
        lambda o: one(o, "ScaledObject")["spec"]["minReplicaCount"] == 0 and one(o, "ScaledObject")["spec"]["maxReplicaCount"] == 9,
        lambda o: one(o, "ScaledObject")["spec"]["triggers"][0]["metadata"] == {"scalerAddress": "lvrpo-coordinator.lvrpo:7070", "pool": "rollout"}]),
    ("KEDA scales both pools", {"rollout": KEDA, "reward": KEDA}, [
        lambda o: {s["spec"]["triggers"][0]["metadata"]["pool"] for s in of(o, "ScaledObject")} == {"rollout", "reward"}]),
    ("HPA", {"rollout": {"autoscaling": {"mode": "hpa", "minReplicas": 0, "metric": {"averageValue": "2"}}}}, [
        lambda o: one(o, "HorizontalPodAutoscaler")["spec"]["minReplicas"] == 1,
        lambda o: one(o, "HorizontalPodAutoscaler")["spec"]["metrics"][0]["external"]["target"]["averageValue"] == "2",
        lambda o: "replicas" not in deployment(o, "rollout")["spec"]]),
    ("HPA on another metric", {"reward": {"autoscaling": {"mode": "hpa", "metric": {"name": "m", "matchLabels": {"a": "b"}}}}}, [
        lambda o: one(o, "HorizontalPodAutoscaler")["spec"]["metrics"][0]["external"]["metric"] == {"name": "m", "selector": {"matchLabels": {"a": "b"}}}]),
    ("how fast pools shrink", {"rollout": {"autoscaling": {"mode": "keda", "behavior": {"scaleDown": {"stabilizationWindowSeconds": 9}}}}}, [
        lambda o: one(o, "ScaledObject")["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 9]),
    ("kinds of reward servers", {"reward": {"kinds": [{"name": "a", "replicas": 3}, {"name": "b", "threads": 4, "nodeSelector": {"x": "y"}}]}}, [
        lambda o: names(o, "Deployment") >= {"lvrpo-reward-a", "lvrpo-reward-b"} and "lvrpo-reward" not in names(o, "Deployment"),
        lambda o: one(o, "Deployment", "lvrpo-reward-a")["spec"]["replicas"] == 3, lambda o: flag(one(o, "Deployment", "lvrpo-reward-b"), "--threads") == "4",
        lambda o: pod(one(o, "Deployment", "lvrpo-reward-b"))["nodeSelector"] == {"x": "y"}, lambda o: len(of(o, "PodDisruptionBudget", role="reward")) == 1]),
    ("one kind is scaled", {"reward": {"kinds": [{"name": "a"}, {"name": "b", **KEDA}]}}, [
        lambda o: one(o, "ScaledObject")["spec"]["scaleTargetRef"]["name"] == "lvrpo-reward-b", lambda o: one(o, "Deployment", "lvrpo-reward-a")["spec"]["replicas"] == 1]),
    ("budgets", {"rollout": {"podDisruptionBudget": {"maxUnavailable": 2}}}, [
        lambda o: one(o, "PodDisruptionBudget", role="rollout")["spec"]["maxUnavailable"] == 2, lambda o: not of(o, "PodDisruptionBudget", role="coordinator")]),
    ("no budget", {"rollout": {"podDisruptionBudget": None}}, [lambda o: not of(o, "PodDisruptionBudget", role="rollout")]),
    ("a budget of the coordinator", {"coordinator": {"podDisruptionBudget": True}}, [
        lambda o: one(o, "PodDisruptionBudget", role="coordinator")["spec"]["maxUnavailable"] == 0]),
    ("update strategy", {"rollout": {"strategy": {"maxSurge": 0, "maxUnavailable": 1}}}, [
        lambda o: deployment(o, "rollout")["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}]),
    ("defaults hold for every role", {"defaults": {"nodeSelector": {"a": "b"}, "priorityClassName": "p", "schedulerName": "s", "runtimeClassName": "r"}}, [
        lambda o: all(pod(w)["nodeSelector"] == {"a": "b"} and pod(w)["priorityClassName"] == "p" and pod(w)["schedulerName"] == "s" and
                      pod(w)["runtimeClassName"] == "r" for w in workloads(o))]),
    ("a role has the last word", {"defaults": {"priorityClassName": "p"}, "learner": {"priorityClassName": "high"}}, [
        lambda o: pod(learner(o))["priorityClassName"] == "high" and pod(deployment(o, "reward"))["priorityClassName"] == "p"]),
    ("spot nodes", {"rollout": {"tolerations": [{"key": "spot", "operator": "Exists"}]}}, [
        lambda o: pod(deployment(o, "rollout"))["tolerations"] == [{"key": "spot", "operator": "Exists"}], lambda o: "tolerations" not in pod(learner(o))]),
    ("spread of one's own", {"rollout": {"topologySpreadConstraints": [{"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]}}, [
        lambda o: pod(deployment(o, "rollout"))["topologySpreadConstraints"][0]["topologyKey"] == "zone",
        lambda o: pod(deployment(o, "reward"))["topologySpreadConstraints"][0]["topologyKey"] == "kubernetes.io/hostname"]),
    ("affinity of one's own keeps the volume's", {"learner": {"affinity": {"nodeAffinity": {"x": {}}}}}, [
        lambda o: set(pod(learner(o))["affinity"]) == {"nodeAffinity", "podAffinity"}]),
    ("grace", {"defaults": {"terminationGracePeriodSeconds": 600}, "config": {"coordinator": {"drain_grace_seconds": 500}}}, [
        lambda o: all(pod(w)["terminationGracePeriodSeconds"] == 600 for w in roles(o)), lambda o: pod(deployment(o, "inspect"))["terminationGracePeriodSeconds"] == 1]),
    ("environment, arguments, volumes", {"reward": {
        "env": [{"name": "A", "value": "b"}], "envFrom": [{"secretRef": {"name": "keys"}}], "extraArgs": ["--set", "reward.batch_samples=4"],
        "extraVolumes": [{"name": "v", "emptyDir": {}}], "extraVolumeMounts": [{"name": "v", "mountPath": "/v"}]}}, [
        lambda o: {"name": "A", "value": "b"} in main_container(deployment(o, "reward"))["env"],
        lambda o: main_container(deployment(o, "reward"))["envFrom"] == [{"secretRef": {"name": "keys"}}],
        lambda o: main_container(deployment(o, "reward"))["args"][-2:] == ["--set", "reward.batch_samples=4"],
        lambda o: volume(deployment(o, "reward"), "v")["emptyDir"] == {}, lambda o: "envFrom" not in main_container(learner(o))]),
    ("labels and annotations of a role", {"rollout": {"labels": {"l": "1"}, "podLabels": {"p": "2"}, "podAnnotations": {"a": "3"}}}, [
        lambda o: deployment(o, "rollout")["metadata"]["labels"]["l"] == "1" and pod_labels(deployment(o, "rollout"))["p"] == "2",
        lambda o: deployment(o, "rollout")["spec"]["template"]["metadata"]["annotations"] == {"a": "3"}]),
    ("a role of a cloud", {"learner": {"serviceAccountAnnotations": {"eks.amazonaws.com/role-arn": "x"}}}, [
        lambda o: one(o, "ServiceAccount", role="learner")["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": "x"},
        lambda o: "annotations" not in one(o, "ServiceAccount", role="rollout")["metadata"]]),
    ("autoscalers of nodes leave coordinator and learner alone", {}, [
        lambda o: {w["metadata"]["labels"]["app.kubernetes.io/component"] for w in workloads(o) if "cluster-autoscaler.kubernetes.io/safe-to-evict" in
                   ((w["spec"]["template"]["metadata"]).get("annotations") or {})} == {"coordinator", "learner"}]),
    ("no evaluation", {"evaluation": {"enabled": False}}, [lambda o: not of(o, "Job", role="evaluation"), lambda o: "lvrpo-evaluation" not in names(o, "ServiceAccount")]),
    ("the inspecting pod is there when asked", {"inspect": {"replicas": 1}}, [lambda o: deployment(o, "inspect")["spec"]["replicas"] == 1]),
    ("PodMonitor", {"monitoring": {"podMonitor": {"enabled": True, "labels": {"release": "k"}, "interval": "5s"}}}, [
        lambda o: one(o, "PodMonitor")["metadata"]["labels"]["release"] == "k",
        lambda o: one(o, "PodMonitor")["spec"]["podMetricsEndpoints"][0]["interval"] == "5s",
        lambda o: all(one(o, "PodMonitor")["spec"]["selector"]["matchLabels"].items() <= pod_labels(w).items() for w in roles(o))]),
    ("alerts", {"monitoring": {"prometheusRule": {"enabled": True, "labels": {"release": "k"}}}}, [
        lambda o: [r["spec"] for r in of(o, "PrometheusRule")] ==
        [yaml.safe_load(p.read_text()) for p in (ROOT / "deploy/prometheus").glob("rules.yml")]]),
    ("dashboards", {"monitoring": {"dashboards": {"enabled": True, "annotations": {"folder": "x"}}}}, [
        lambda o: len(of(o, "ConfigMap", role="monitoring")) == len(list((ROOT / "deploy/grafana").glob("*.json"))),
        lambda o: all(json.loads(next(iter(c["data"].values())))["panels"] for c in of(o, "ConfigMap", role="monitoring")),
        lambda o: all(c["metadata"]["labels"]["grafana_dashboard"] == "1" for c in of(o, "ConfigMap", role="monitoring"))]),
    ("monitoring is off by default", {}, [lambda o: not any(x["apiVersion"].startswith("monitoring") for x in o), lambda o: not of(o, "ConfigMap", role="monitoring")]),
    ("objects of one's own", {"extraObjects": [{"apiVersion": "v1", "kind": "Secret", "metadata": {
        "name": "{{ .Release.Name }}-x", "labels": {"app.kubernetes.io/" + k: "x" for k in ("name", "instance", "component", "part-of", "version", "managed-by")}}}]}, [
        lambda o: names(o, "Secret") == {"lvrpo-x"}]),
]

# (values, what the refusal says)
REFUSED = [
    ({"image": {"tag": "latest"}}, "tag"),
    ({"image": {"digest": "sha1:0"}}, "digest"),
    ({"rolout": {}}, "rolout"),
    ({"rollout": {"replica": 3}}, "replica"),
    ({"rollout": {"replicas": "three"}}, "replicas"),
    ({"learner": {"kind": "deployment"}}, "kind"),
    ({"learner": {"ranks": 0}}, "ranks"),
    ({"learner": {"resources": {"limits": {"memory": None}}}}, "memory"),
    ({"rollout": {"autoscaling": {"mode": "auto"}}}, "mode"),
    ({"runName": "../other"}, "runName"),
    ({"tls": {"mode": "on"}}, "mode"),
    ({"storage": {"size": "many"}}, "size"),
    ({"learner": {"runVolume": "own"}}, "config.checkpoints.store is empty"),
    ({"learner": {"runVolume": "own"}, "config": {"checkpoints": {"store": "s3://b/p"}}}, "evaluation reads checkpoints"),
    ({"reward": {"kinds": [{"name": "a", "gpus": 1}, {"name": "b"}]}}, "one kind of device"),
    ({"reward": {"kinds": [{"name": "a", **KEDA}, {"name": "b", **KEDA}]}}, "only one kind may be autoscaled"),
    ({"reward": {"kinds": [{"replicas": 2}]}}, "name"),
    ({"rollout": {"gpus": 1}}, "evaluation.gpus is 0"),
    ({"rollout": {"gpus": 8}}, "gpus"),
    ({"config": {"coordinator": {"drain_grace_seconds": 60}}}, "terminationGracePeriodSeconds"),
]


class Chart(unittest.TestCase):
    def test_cases(self):
        for what, values, holds in CASES:
            with self.subTest(what):
                objects = render(values)
                for number, check in enumerate(holds):
                    self.assertTrue(check(objects), f"check {number}")
                without = ("restricted",) if values.get("learner", {}).get("rdma") else ()
                self.assertEqual(policy.offences(objects, without), [])

    def test_there_are_at_least_sixty_cases(self):
        self.assertGreaterEqual(len(CASES) + len(REFUSED), 60)
        self.assertEqual(len({what for what, _, _ in CASES}), len(CASES))

    def test_wrong_values_are_refused_by_name(self):
        for values, said in REFUSED:
            with self.subTest(said, values=values):
                with self.assertRaises(subprocess.CalledProcessError) as caught:
                    render(values)
                self.assertIn(said, caught.exception.stderr)

    def test_two_releases_do_not_meet(self):
        first, second = render({}, "lvrpo"), render({}, "second")
        self.assertFalse({(o["kind"], o["metadata"]["name"]) for o in first} & {(o["kind"], o["metadata"]["name"]) for o in second})
        for o in second:
            if o["kind"] in ("Service", "NetworkPolicy", "PodDisruptionBudget"):
                selector = o["spec"].get("podSelector") or o["spec"]["selector"]
                selector = selector.get("matchLabels", selector)
                self.assertFalse(any(selector.items() <= pod_labels(w).items() for w in workloads(first)))

    def test_a_job_is_renewed_when_and_only_when_it_must_be(self):
        plain, names_of = render({}), lambda objects: names(objects, "Job")
        for what, values, renewed in [("image", {"image": {"tag": "9"}}, True), ("configuration", {"config": {"seed": 2}}, True),
                                      ("resources", {"learner": {"resources": {"limits": {"memory": "9Gi"}}}}, True),
                                      ("pool", {"rollout": {"replicas": 9}}, False), ("ttl", {"learner": {"ttlSecondsAfterFinished": 9}}, False),
                                      ("monitoring", {"monitoring": {"podMonitor": {"enabled": True}}}, False)]:
            with self.subTest(what):
                changed = render(values)
                same = {n for n in names_of(plain) if "learner" in n} == {n for n in names_of(changed) if "learner" in n}
                self.assertEqual(same, not renewed)

    def test_a_changed_configuration_replaces_every_pod(self):
        before, after = render({}), render({"config": {"seed": 2}})
        for old, new in zip(workloads(before), workloads(after)):
            self.assertNotEqual(pod(old), pod(new))

    def test_configurations_of_the_examples_are_valid(self):
        for path in sorted(EXAMPLES.glob("*.yaml")):
            settings = config([o for o in yaml.safe_load_all(render_chart.template(["--values", str(path)])) if o])
            for name, folder in settings["model"].items():
                if folder.startswith("/models"):  # which only pods have
                    settings["model"][name] = f"assets/shapes/{name}"
            with self.subTest(path.name), tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                yaml.safe_dump(settings, file)
                file.flush()
                result = subprocess.run([BIN / "lvrpo", "validate", "--config", file.name], capture_output=True, text=True, cwd=ROOT)
                self.assertEqual(result.returncode, 0, result.stderr)

    def test_notes_say_what_to_do(self):
        command = [render_chart.helm(), "install", "lvrpo", str(render_chart.CHART), "-n", "lvrpo", "--dry-run=client"]
        notes = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("NOTES:")[1]
        for words in ("lvrpo status", "kubectl -n lvrpo wait", "lvrpo drain", "plain text"):
            self.assertIn(words, notes)

    def test_helm_finds_nothing_to_complain_about(self):
        result = subprocess.run([render_chart.helm(), "lint", "--strict", str(render_chart.CHART)], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


if __name__ == "__main__":
    unittest.main()
