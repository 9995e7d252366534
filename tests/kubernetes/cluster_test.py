#!/usr/bin/env python3
"""Gives every object of every form of the chart to a real API server, and looks at what the real controllers and the scheduler make of
them on simulated nodes. Needs `make setup-kubernetes`; two to four minutes.

    cluster_test.py BIN_DIR [TESTS]
"""
import os
import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests/deploy")]
import render_chart  # noqa: E402  (finds PyYAML)
import yaml  # noqa: E402

import external_metrics  # noqa: E402
import walkthrough  # noqa: E402
import walkthrough_test  # noqa: E402  (takes BIN_DIR from the command line)
from cluster import BIN, DEPS, HERE, Cluster, until, volume  # noqa: E402
from objects import component, of, one  # noqa: E402

EXAMPLES = sorted((ROOT / "deploy/helm/examples").glob("*.yaml"))
NS = "lvrpo"
READY = 6  # pods of the default values: coordinator, learner, evaluation, reward, two workers


def rendered(*arguments):
    return [o for o in yaml.safe_load_all(render_chart.template(list(arguments), namespace=NS)) if o]


def plain():
    names = yaml.safe_load((ROOT / "deploy/kubernetes/kustomization.yaml").read_text())["resources"]
    return [o for name in names for o in yaml.safe_load_all((ROOT / "deploy/kubernetes" / name).read_text()) if o]


def namespace(standard="restricted"):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NS, "labels": {"pod-security.kubernetes.io/enforce": standard}}}


def setUpModule():
    global cluster
    cluster = Cluster()
    cluster.apply([namespace()])
    definitions = [d for path in [*sorted((DEPS / "crds").glob("*.yaml")), HERE / "jobset_crd.yaml"] for d in
                   yaml.load_all(path.read_text(), PlainLoader) if d and d["kind"] == "CustomResourceDefinition"]
    cluster.apply(definitions)
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=120s")


def tearDownModule():
    cluster.stop()


class PlainLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Reads a plain = as text, which PyYAML takes for a tag of YAML 1.1."""


PlainLoader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: node.value)


class Accepted(unittest.TestCase):
    """Strict server-side dry runs: unknown fields, wrong types, defaulting, admission and CEL rules all count."""

    def dry_run(self, objects):
        result = cluster.apply(objects, "--dry-run=server", "--validate=strict", check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def test_examples(self):
        for path in [None, *EXAMPLES]:
            with self.subTest(path.name if path else "defaults"):
                objects = rendered(*(["--values", str(path)] if path else []))
                result = self.dry_run(objects)
                self.assertEqual(len(result.stdout.splitlines()), len(objects))
                said = result.stderr
                for o in of(objects, "JobSet"):
                    inner = o["spec"]["replicatedJobs"][0]["template"]["spec"]
                    said += self.dry_run([{"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "inner", "namespace": NS},
                                           "spec": inner}]).stderr
                self.assertEqual("would violate PodSecurity" in said, path is not None and path.name == "rdma.yaml", said)

    def test_plain_manifests_are_the_charts(self):
        self.dry_run(plain())
        built = cluster.kubectl("kustomize", str(ROOT / "deploy/kubernetes")).stdout
        key = lambda o: (o["kind"], o["metadata"]["name"])  # noqa: E731
        by_kustomize = sorted((o for o in yaml.safe_load_all(built) if o), key=key)
        by_helm = sorted(rendered("--values", str(render_chart.PLAIN)), key=key)
        self.assertEqual(by_kustomize, by_helm)

    def test_the_api_server_is_strict(self):
        broken = one(rendered(), "StatefulSet")
        broken["spec"]["template"]["spec"]["containers"][0]["imagePullPolice"] = "Always"
        result = cluster.apply([broken], "--dry-run=server", "--validate=strict", check=False)
        self.assertIn("imagePullPolice", result.stderr)
        wrong = one(rendered("--set", "rollout.autoscaling.mode=keda"), "ScaledObject")
        wrong["spec"]["maxReplicas"] = 3
        result = cluster.apply([wrong], "--dry-run=server", "--validate=strict", check=False)
        self.assertIn("maxReplicas", result.stderr)


def k(*arguments, **options):
    return cluster.kubectl("-n", NS, *arguments, **options)


def pods(role, everything=False):
    """Pods of a role that run and are not about to go."""
    found = cluster.get("-n", NS, "pods", "-l", f"app.kubernetes.io/component={role}")
    return found if everything else [p for p in found if p["status"].get("phase") == "Running" and "deletionTimestamp" not in p["metadata"]]


def node_of(role):
    (pod,) = pods(role)
    return pod["spec"]["nodeName"]


def job(role="learner"):
    """The only Job of a role."""
    (found,) = cluster.get("-n", NS, "jobs", "-l", f"app.kubernetes.io/component={role}")
    return found


def condition(o, kind):
    return next((c for c in o["status"].get("conditions", []) if c["type"] == kind and c["status"] == "True"), None)


def end(role, code):
    (pod,) = pods(role)
    k("annotate", "pod", pod["metadata"]["name"], f"test/exit={code}")
    return pod["metadata"]["name"]


def helm(*arguments, check=True):
    environment = dict(os.environ, KUBECONFIG=str(cluster.kubeconfig))
    result = subprocess.run([render_chart.helm(), *arguments, "--namespace", NS], capture_output=True, text=True, env=environment)
    if check and result.returncode != 0:
        raise AssertionError(result.stderr)
    return result


class Behaviour(unittest.TestCase):
    """Each test begins with a release of the default values."""

    def setUp(self):
        cluster.apply([volume("run")])
        helm("install", "lvrpo", str(render_chart.CHART))
        self.all_run()

    def tearDown(self):
        helm("uninstall", "lvrpo", "--wait", "--timeout=60s")
        until("all pods go", lambda: not cluster.get("-n", NS, "pods"))
        cluster.kubectl("delete", "pv", "run", "--wait=true", check=False)

    def all_run(self, count=READY):
        until("all pods run", lambda: sum(len(pods(r)) for r in ("coordinator", "learner", "evaluation", "reward", "rollout")) == count)

    def upgrade(self, *arguments):
        helm("upgrade", "lvrpo", str(render_chart.CHART), "--reuse-values", *arguments)

    def test_who_uses_the_volume_is_on_one_node(self):
        self.assertEqual(node_of("learner"), node_of("coordinator"))
        self.assertEqual(node_of("evaluation"), node_of("coordinator"))

    def test_pools_scale_and_spread(self):
        k("scale", "deployment", "lvrpo-rollout", "--replicas=9")
        until("nine workers", lambda: len(pods("rollout")) == 9)
        nodes = [p["spec"]["nodeName"] for p in pods("rollout")]
        self.assertEqual(sorted(nodes.count(n) for n in set(nodes)), [3, 3, 3])

    def test_a_budget_lets_a_quarter_go(self):
        k("scale", "deployment", "lvrpo-rollout", "--replicas=8")
        until("room for two", lambda: cluster.get("-n", NS, "pdb", "lvrpo-rollout")["status"]["disruptionsAllowed"] == 2)
        # A single reward server may go, too: otherwise drains would hang.
        self.assertEqual(cluster.get("-n", NS, "pdb", "lvrpo-reward")["status"]["disruptionsAllowed"], 1)

    def test_the_learner_that_was_told_to_leave_is_not_counted(self):
        gone = end("learner", 75)
        until("another learner", lambda: [p for p in pods("learner") if p["metadata"]["name"] != gone])
        self.assertEqual(job()["status"].get("failed", 0), 0)

    def test_a_killed_learner_is_counted_and_replaced(self):
        gone = end("learner", 137)
        until("another learner", lambda: [p for p in pods("learner") if p["metadata"]["name"] != gone])
        self.assertEqual(job()["status"]["failed"], 1)

    def test_a_bad_configuration_fails_the_job_at_once(self):
        end("learner", 64)
        until("failed", lambda: condition(job(), "Failed"))
        self.assertEqual(condition(job(), "Failed")["reason"], "PodFailurePolicy")

    def test_a_finished_run_completes_and_goes(self):
        self.upgrade("--set", "learner.ttlSecondsAfterFinished=3")
        end("learner", 0)
        until("complete", lambda: condition(job(), "Complete"))
        until("removed", lambda: not cluster.get("-n", NS, "jobs", "-l", "app.kubernetes.io/component=learner"))

    def test_a_drained_node_does_not_end_the_run(self):
        before = node_of("coordinator")
        cluster.kubectl("drain", before, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=90s")
        try:
            until("both elsewhere", lambda: pods("coordinator") and pods("learner") and
                  node_of("coordinator") == node_of("learner") != before)
            self.assertEqual(job()["status"].get("failed", 0), 0)
            self.assertFalse(condition(job(), "Complete"))
        finally:
            cluster.kubectl("uncordon", before)
        self.all_run()

    def test_a_budget_of_the_coordinator_holds_a_drain(self):
        self.upgrade("--set", "coordinator.podDisruptionBudget=true")
        until("the budget", lambda: cluster.get("-n", NS, "pdb", "lvrpo-coordinator")["status"].get("expectedPods") == 1)
        node = node_of("coordinator")
        result = cluster.kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=6s", check=False)
        cluster.kubectl("uncordon", node)
        self.assertIn("disruption budget", result.stderr)
        self.assertEqual(len(pods("coordinator")), 1)

    def test_an_upgrade_renews_everything(self):
        before, (learner,) = job()["metadata"]["name"], pods("learner")
        self.upgrade("--set", "image.tag=0.2.0")
        until("one new Job", lambda: [j["metadata"]["name"] for j in cluster.get(
            "-n", NS, "jobs", "-l", "app.kubernetes.io/component=learner")] not in ([before], []) and len(cluster.get(
                "-n", NS, "jobs", "-l", "app.kubernetes.io/component=learner")) == 1)
        k("rollout", "status", "statefulset/lvrpo-coordinator", "--timeout=60s")
        k("rollout", "status", "deployment/lvrpo-rollout", "--timeout=60s")
        until("all pods are new", lambda: {c["image"] for r in ("coordinator", "learner", "rollout", "reward", "evaluation")
                                           for p in pods(r) for c in p["spec"]["containers"]} == {"lvrpo:0.2.0"})
        self.all_run()

    def test_an_upgrade_of_a_pool_leaves_the_learner_alone(self):
        before = pods("learner")[0]["metadata"]["uid"]
        self.upgrade("--set", "rollout.replicas=3")
        self.all_run(READY + 1)
        self.assertEqual(pods("learner")[0]["metadata"]["uid"], before)

    def test_an_upgrade_does_not_reset_an_autoscalers_pool(self):
        self.upgrade("--set", "rollout.autoscaling.mode=keda")
        k("scale", "deployment", "lvrpo-rollout", "--replicas=5")
        self.upgrade("--set", "reward.replicas=2")
        self.assertEqual(cluster.get("-n", NS, "deployment", "lvrpo-rollout")["spec"]["replicas"], 5)

    def test_another_configuration_replaces_the_pods(self):
        before = {p["metadata"]["uid"] for p in pods("rollout")}
        self.upgrade("--set", "config.seed=2", "--set", "runName=second")
        until("new workers", lambda: len(pods("rollout")) == 2 and not before & {p["metadata"]["uid"] for p in pods("rollout")})
        self.assertEqual(len(cluster.get("-n", NS, "configmaps", "-l", "app.kubernetes.io/component=config")), 1)

    def test_a_lost_nodes_coordinator_waits_for_a_word(self):
        node = node_of("coordinator")
        cluster.kubectl("annotate", "node", node, "test/down=1")
        try:
            until("the node is not ready", lambda: not condition(cluster.get("node", node), "Ready"))
            self.assertEqual(len(pods("coordinator")), 1)  # nobody takes it away by itself
            cluster.kubectl("taint", "nodes", node, "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute")
            until("the coordinator is elsewhere", lambda: pods("coordinator") and node_of("coordinator") != node, 90)
        finally:
            cluster.kubectl("annotate", "node", node, "test/down-")
            cluster.kubectl("taint", "nodes", node, "node.kubernetes.io/out-of-service-", check=False)
        self.all_run()

    def test_ranks_have_their_index(self):
        self.upgrade("--set", "learner.ranks=3", "--set", "learner.threads=1")
        until("three ranks", lambda: len(pods("learner")) == 3)
        indexes = {p["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] for p in pods("learner")}
        self.assertEqual(indexes, {"0", "1", "2"})
        self.assertEqual({p["spec"]["nodeName"] for p in pods("learner")}, {node_of("coordinator")})

    def test_pods_with_capabilities_are_kept_out(self):
        self.upgrade("--set", "learner.rdma.enabled=true", "--set", "learner.rdma.resourceName=nvidia.com/gpu")
        until("refused", lambda: "violates PodSecurity" in k("get", "events", "-o", "json").stdout)

    def test_nothing_is_left_behind(self):
        kinds = "statefulset,deployment,job,service,configmap,serviceaccount,networkpolicy,pdb,pvc"
        self.assertGreater(len(cluster.get("-n", NS, kinds, "-l", "app.kubernetes.io/instance=lvrpo")), 15)
        helm("uninstall", "lvrpo", "--wait", "--timeout=60s")
        until("all is gone", lambda: not cluster.get("-n", NS, kinds, "-l", "app.kubernetes.io/instance=lvrpo"))
        helm("install", "lvrpo", str(render_chart.CHART))


class Autoscaling(unittest.TestCase):
    """The real autoscaler, on the metrics that the chart names."""

    def setUp(self):
        self.metrics = external_metrics.ExternalMetrics(cluster.pki.path("apiserver.crt"), cluster.pki.path("apiserver.key"))
        cluster.apply([namespace(), volume("run"), *external_metrics.objects(self.metrics.port)])
        until("the metrics' API", lambda: cluster.kubectl("get", "--raw", f"/apis/{external_metrics.VERSION}", check=False).returncode == 0)
        self.want(rollout=2, reward=1)
        at_once = "stabilizationWindowSeconds=0"
        helm("install", "lvrpo", str(render_chart.CHART), *(a for pool in ("rollout", "reward") for a in (
            "--set", f"{pool}.autoscaling.mode=hpa,{pool}.autoscaling.maxReplicas=12,{pool}.autoscaling.behavior.scaleDown.{at_once}")))

    def tearDown(self):
        helm("uninstall", "lvrpo", "--wait", "--timeout=60s")
        cluster.kubectl("delete", "apiservice", "v1beta1.external.metrics.k8s.io")
        cluster.kubectl("delete", "pv", "run", "--wait=true", check=False)
        self.metrics.stop()

    def want(self, **pools):
        for pool, size in pools.items():
            self.metrics.set("lvrpo_coordinator_pool_replicas_wanted", {"namespace": NS, "pool": pool}, size)

    def sizes(self):
        return {pool: cluster.get("-n", NS, "deployment", f"lvrpo-{pool}")["spec"]["replicas"] for pool in ("rollout", "reward")}

    def test_pools_follow_what_the_coordinator_wants(self):
        until("as wanted", lambda: self.sizes() == {"rollout": 2, "reward": 1})
        self.want(rollout=4)
        until("more workers", lambda: self.sizes() == {"rollout": 4, "reward": 1}, 90)
        self.want(reward=2)  # the other pool alone
        until("more reward servers", lambda: self.sizes() == {"rollout": 4, "reward": 2}, 90)
        helm("upgrade", "lvrpo", str(render_chart.CHART), "--reuse-values", "--set", "learner.ttlSecondsAfterFinished=5")
        self.assertEqual(self.sizes(), {"rollout": 4, "reward": 2})  # an upgrade resets nothing
        self.want(rollout=2)
        until("fewer workers", lambda: self.sizes() == {"rollout": 2, "reward": 2}, 120)


class Walkthrough(walkthrough_test.Walkthrough):
    """The page's commands against the real API server; what needs a kubelet stays with the stand-ins."""

    def setUp(self):
        super().setUp()
        cluster.kubectl("delete", "namespace", NS, "--ignore-not-found", "--wait=true", "--timeout=60s")
        cluster.apply([volume("run")])
        self.environment |= {"KUBECONFIG": str(cluster.kubeconfig), "KUBECTL": str(BIN / "kubectl"), "HELM": render_chart.helm()}

    def tearDown(self):
        cluster.kubectl("delete", "pv", "run", "--wait=true", check=False)

    def test_the_other_sections(self):
        cluster.apply([namespace(), {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}}])
        helm("install", "lvrpo", str(render_chart.CHART))
        sections = walkthrough.sections()
        for title in ("Upgrade during a run", "Prometheus and Grafana"):
            with self.subTest(title):
                result = self.run_script(sections[title])
                self.assertEqual(result.returncode, 0, result.stderr)
        helm("uninstall", "lvrpo", "--wait", "--timeout=60s")

    test_every_block_is_one_that_is_run = test_stand_ins_refuse_what_the_real_ones_would = None  # nothing of theirs differs here


if __name__ == "__main__":
    unittest.main()
