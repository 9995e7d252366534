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


def named(kind, name):
    return next(o for o in objects() if o["kind"] == kind and o["metadata"]["name"] == name)


def pod(workload):
    return workload["spec"]["template"]["spec"]


def flag(workload, name):
    """The value of a flag of a workload's program."""
    args = pod(workload)["containers"][0]["args"]
    return args[args.index(name) + 1]


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
    def test_fit_the_schemas(self):
        import kubernetes_validate
        for o in objects():
            with self.subTest(o["metadata"]["name"], kind=o["kind"]):
                kubernetes_validate.validate(o, "1.36", strict=True)

    def test_copies_of_steps_survive_the_learners_container(self):
        job = named("Job", "lvrpo-learner")
        (container,) = pod(job)["containers"]
        codes = exit_codes()
        (rule,) = container["restartPolicyRules"]
        self.assertEqual(rule["exitCodes"], {"operator": "In", "values": [codes["Retry"], 137]})
        folder = flag(job, "--set").removeprefix("learner.step_copies=")
        (mount,) = [m for m in container["volumeMounts"] if m["mountPath"] == folder]
        (volume,) = [v for v in pod(job)["volumes"] if v["name"] == mount["name"]]
        self.assertEqual(volume["emptyDir"]["medium"], "Memory")

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
                for w in workloads():
                    if o["spec"]["selector"].items() <= w["spec"]["template"]["metadata"]["labels"].items():
                        names = {p["name"] for c in pod(w)["containers"] for p in c["ports"]}
                        self.assertLessEqual({p["targetPort"] for p in o["spec"]["ports"]}, names)

    def test_pods_are_locked_down_and_probed(self):
        for w in workloads():
            with self.subTest(w["metadata"]["name"]):
                self.assertTrue(pod(w)["securityContext"]["runAsNonRoot"])
                self.assertFalse(pod(w)["automountServiceAccountToken"])
                for container in pod(w)["containers"]:
                    security = container["securityContext"]
                    self.assertTrue(security["readOnlyRootFilesystem"])
                    self.assertFalse(security["allowPrivilegeEscalation"])
                    self.assertEqual(security["capabilities"]["drop"], ["ALL"])
                    self.assertIn("requests", container["resources"])
                    self.assertIn("memory", container["resources"]["limits"])
                    if container["args"][0] == "sleep":
                        continue  # serves nothing
                    paths = {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
                    for probe, path in paths.items():
                        self.assertEqual(container[probe]["httpGet"], {"path": path, "port": "metrics"})
                    self.assertIn("metrics", {p["name"] for p in container["ports"]})

    def test_what_pods_mount_is_there(self):
        claims = {o["metadata"]["name"] for o in objects() if o["kind"] == "PersistentVolumeClaim"}
        maps = {o["metadata"]["name"] for o in objects() if o["kind"] == "ConfigMap"}
        for w in workloads():
            with self.subTest(w["metadata"]["name"]):
                for volume in pod(w)["volumes"]:
                    if "persistentVolumeClaim" in volume:
                        self.assertIn(volume["persistentVolumeClaim"]["claimName"], claims)
                    if "configMap" in volume:
                        self.assertIn(volume["configMap"]["name"], maps)
                for container in pod(w)["containers"]:
                    self.assertEqual({m["name"] for m in container["volumeMounts"]}, {v["name"] for v in pod(w)["volumes"]})

    def test_coordinator_and_learner_share_one_run_folder(self):
        """So that `lvrpo audit` finds the checkpoints next to the records."""
        coordinator, learner = named("StatefulSet", "lvrpo-coordinator"), named("Job", "lvrpo-learner")
        self.assertEqual(flag(coordinator, "--run-dir"), flag(learner, "--run-dir"))
        for w in (coordinator, learner, named("Deployment", "lvrpo-inspect")):
            run = next(v["name"] for v in pod(w)["volumes"] if "persistentVolumeClaim" in v)
            mount = next(m for m in pod(w)["containers"][0]["volumeMounts"] if m["name"] == run)
            self.assertTrue(flag(coordinator, "--run-dir").startswith(mount["mountPath"] + "/"))
            self.assertNotIn("readOnly", mount)
        # The volume can be mounted on one node.
        self.assertEqual(named("PersistentVolumeClaim", "lvrpo-run")["spec"]["accessModes"], ["ReadWriteOnce"])
        term, = pod(learner)["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        self.assertEqual(term["topologyKey"], "kubernetes.io/hostname")
        self.assertEqual(term["labelSelector"]["matchLabels"], coordinator["spec"]["selector"]["matchLabels"])

    def test_the_learner_comes_back_unless_that_cannot_help(self):
        job, code = named("Job", "lvrpo-learner"), exit_codes()
        for name in ("Usage", "Config", "Data", "Diverged"):
            with self.subTest(name):
                self.assertEqual(job_action(job, code[name]), "FailJob")
                self.assertEqual(job_action(job, code[name], disrupted=True), "FailJob")
        self.assertEqual(job_action(job, code["Retry"]), "Ignore")  # told to leave: deleted, evicted, drained
        self.assertEqual(job_action(job, code["Retry"], disrupted=True), "Ignore")
        self.assertEqual(job_action(job, 137, disrupted=True), "Ignore")  # lost with its node
        for exit_code in (137, code["Unavailable"], code["Bug"]):
            self.assertEqual(job_action(job, exit_code), "Count")
        self.assertGreaterEqual(job["spec"]["backoffLimit"], 10)
        self.assertEqual(pod(job)["restartPolicy"], "Never")
        rule = next(r["onExitCodes"] for r in job["spec"]["podFailurePolicy"]["rules"] if "onExitCodes" in r)
        self.assertEqual(rule["containerName"], pod(job)["containers"][0]["name"])
        # As docs/operating.md says of `lvrpo run`.
        text = (ROOT / "docs/operating.md").read_text()
        never = {int(row) for row in re.findall(r"^\| (\d+) \|[^|]*\| no\b[^|]*\|$", text, re.M)}
        self.assertEqual(never, set(rule["values"]))

    def test_arguments_are_flags_of_the_binaries(self):
        for w in workloads():
            for container in pod(w)["containers"]:
                args = container["args"]
                if args[0] == "sleep":
                    continue
                with self.subTest(args[0]):
                    text = subprocess.run([BIN / args[0], "--help"], capture_output=True, text=True, check=True).stdout
                    known = set(re.findall(r"--[a-z][a-z-]*", text))
                    self.assertLessEqual({a for a in args if a.startswith("--")}, known)

    def test_addresses_lead_somewhere(self):
        services = {o["metadata"]["name"]: {p["port"] for p in o["spec"]["ports"]} for o in objects() if o["kind"] == "Service"}
        for w in workloads():
            if "--coordinator" in pod(w)["containers"][0]["args"]:
                host, port = flag(w, "--coordinator").split(":")
                self.assertIn(int(port), services[host])
        listens = flag(named("StatefulSet", "lvrpo-coordinator"), "--advertise")
        self.assertEqual(listens, flag(named("Job", "lvrpo-learner"), "--coordinator"))

    def test_the_configuration_is_the_default_one(self):
        ours = dict(flat(yaml.safe_load(named("ConfigMap", "lvrpo-run")["data"]["run.yaml"])))
        default = dict(flat(yaml.safe_load((ROOT / "configs/shapes.yaml").read_text())))
        of_lvrpo_run = {key for key in default if key.split(".")[0] in ("out", "evaluation", "local")}
        patience = {"coordinator.member_timeout_seconds", "coordinator.drain_grace_seconds", "rollout.lease_seconds"}
        self.assertEqual({k: v for k, v in ours.items() if k not in patience},
                         {k: v for k, v in default.items() if k not in of_lvrpo_run | patience})
        self.assertLessEqual(patience, set(ours))

    def test_the_deployment_page_names_what_is_there(self):
        text = (ROOT / "docs/deployment.md").read_text()
        there = {(o["kind"].lower(), o["metadata"]["name"]) for o in objects()}
        commands = re.findall(r"\b(deployment|deploy|statefulset|job)[ /](lvrpo-\w+)", text)
        self.assertGreater(len(commands), 4)
        for kind, name in commands:
            self.assertIn(("deployment" if kind == "deploy" else kind, name), there)
        for role in re.findall(r"-l role=(\w+)", text):
            self.assertIn(role, {w["metadata"]["labels"]["role"] for w in workloads()})
        for path in re.findall(r"\bdeploy/[\w./]+", re.sub(r"\bdeploy/lvrpo-\w+", "", text)):
            self.assertTrue((ROOT / path.rstrip(".")).exists(), path)
        config = yaml.safe_load(named("ConfigMap", "lvrpo-run")["data"]["run.yaml"])
        run_dir = flag(named("StatefulSet", "lvrpo-coordinator"), "--run-dir")
        self.assertIn(f"{run_dir}/checkpoints/step_{config['train']['steps']:06}/policy.safetensors", text)
        self.assertIn(f"lvrpo audit {run_dir}\n", text)

    def test_pods_are_given_time_to_drain(self):
        config = yaml.safe_load(named("ConfigMap", "lvrpo-run")["data"]["run.yaml"])
        for w in workloads():
            if "--config" in pod(w)["containers"][0]["args"]:
                with self.subTest(w["metadata"]["name"]):
                    self.assertGreaterEqual(pod(w)["terminationGracePeriodSeconds"],
                                            config["coordinator"]["drain_grace_seconds"] + 10)

    def test_the_configuration_is_valid_for_the_real_binaries(self):
        config = named("ConfigMap", "lvrpo-run")["data"]["run.yaml"]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(config)
            file.flush()
            result = subprocess.run([BIN / "lvrpo", "validate", "--config", file.name], capture_output=True, text=True, cwd=ROOT)
            self.assertEqual(result.returncode, 0, result.stderr)


if __name__ == "__main__":
    unittest.main()
